"""Numbers that describe a sample without running it, for a verifier.

Nothing here looks at tests or verdicts, nor at other samples.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections import Counter

import numpy as np

from isobudget.rankers.base import Candidate, Candidates, Floats, Pool
from isobudget.syntax import parsed

_WORD = re.compile(r"[A-Za-z_]\w*")
_NODES = (
    ast.FunctionDef, ast.ClassDef, ast.Return, ast.If, ast.For, ast.While, ast.Call, ast.Compare, ast.BoolOp,
    ast.BinOp, ast.Subscript, ast.ListComp, ast.Lambda, ast.Try, ast.Import, ast.ImportFrom, ast.Assign, ast.AugAssign,
    ast.Constant, ast.Pass, ast.Raise, ast.Assert, ast.Break,
)  # fmt: skip
#: names of the columns of `features`
NAMES = (
    "compiles", "has_entry_point", "entry_point_returns", "characters", "lines", "longest_line", "indent", "comments",
    "words", "distinct_words", "repeated_lines", "prompt_overlap", "parameters_used", "prints", "tokens", "cut_off",
    "mean_logprob", "sum_logprob", "logprob_known", *(f"count_{node.__name__}" for node in _NODES),
)  # fmt: skip


def features(candidates: Candidates, sample: Candidate) -> list[float]:
    """The features of a sample, one number for each of `NAMES`; all finite."""
    tree = parsed(sample.program)
    text = sample.text
    lines = [line for line in text.splitlines() if line.strip()]
    words = _WORD.findall(text)
    known = not math.isnan(sample.mean_logprob)
    body = _entry(tree, candidates.problem.entry_point)
    counts = Counter(type(node) for node in ast.walk(body or tree)) if tree else Counter()
    return [
        float(tree is not None),
        float(body is not None),
        float(body is not None and any(isinstance(node, ast.Return) and node.value for node in ast.walk(body))),
        math.log1p(len(text)),
        math.log1p(len(lines)),
        math.log1p(max(map(len, lines), default=0)),
        math.log1p(max((len(line) - len(line.lstrip()) for line in lines), default=0)),
        float(sum(line.lstrip().startswith("#") for line in lines)),
        math.log1p(len(words)),
        math.log1p(len(set(words))),
        1 - len({line.strip() for line in lines}) / max(len(lines), 1),
        _overlap(words, candidates.head or str(candidates.prompt)),
        _parameters_used(body),
        float("print" in words),
        math.log1p(sample.completion_tokens),
        float(sample.cut_off),
        sample.mean_logprob if known else 0.0,
        sample.sum_logprob if known and not math.isnan(sample.sum_logprob) else 0.0,
        float(known),
        *(math.log1p(counts[node]) for node in _NODES),
    ]


def feature_table(pool: Pool) -> list[Floats]:
    """The features of every sample: one array per problem, shape (n, features)."""
    return [np.array([features(one, sample) for sample in one.samples]) for one in pool.problems]


def _entry(tree: ast.Module | None, name: str) -> ast.FunctionDef | None:
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)) if tree else ()
    return next((node for node in functions if node.name == name), None)


def _overlap(words: list[str], prompt: str) -> float:
    """Share of the sample's names that the prompt has too."""
    names = {word for word in words if not keyword.iskeyword(word)}
    return len(names & set(_WORD.findall(prompt))) / max(len(names), 1)


def _parameters_used(body: ast.FunctionDef | None) -> float:
    if body is None:
        return 0.0
    names = {one.arg for one in (*body.args.posonlyargs, *body.args.args)}
    used = {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
    return len(names & used) / len(names) if names else 1.0
