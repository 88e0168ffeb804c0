"""Taking the program out of what a model answered. What is cut is told, so that it can be done again by another rule.

The rules, which formats name:

- ``none``: head and text, as they are. Published scores were made so, with the benchmark's stop texts.
- ``function``: by parsing, see `isobudget.prompts.extraction.functions`. For completions and fill-in.
- ``block``: the program's fenced block, see `isobudget.prompts.extraction.fences`; within it, where there is an entry
  point, as ``function``. An answer without a fence, or whose blocks do not define the entry point, is taken as
  ``function`` takes it. For chat.
- ``program``: a whole program as it stands, up to the marks between which few-shot prompts show programs. For text.

The text is always before + kept + after. Extraction never raises for what a model wrote, and never runs any of it. It
parses as the Python that runs isobudget does. Beyond 2**20 characters only the first so many are looked at.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from isobudget.errors import InputError
from isobudget.problems.problem import Problem
from isobudget.prompts.extraction.fences import Block, candidates, content, find_blocks
from isobudget.prompts.extraction.functions import Found, find_function
from isobudget.prompts.extraction.statements import Failure, parse

#: where a whole program ends in few-shot text
_PROGRAM_END = re.compile(r"\[DONE\]|^(?:\[BEGIN\]|QUESTION:|ANSWER:|`{3,}|~{3,})", re.MULTILINE)
_OPENING_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})[^`\r\n]*(?:\r\n|\r|\n)")

#: what the parser warns of is the model's affair; `warnings.catch_warnings` changes what all threads share
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Extracted:
    """A program, and what of the text it was made of.

    Attributes:
        program: the whole program to judge.
        before, after: what was cut from the text; the text is before + kept + after.
        kept: the part of the text that the program is made of.
    """

    program: str
    before: str
    after: str
    kept: str


def extract(rule: str, problem: Problem, head: str, text: str) -> Extracted:
    """The program in a model's output.

    Args:
        rule: see above, and `PromptFormat.extraction`.
        problem: the problem that was to be solved; only its entry point is looked at.
        head: source that the text stands behind, see `Rendered.head`.
        text: what the model wrote.

    Raises:
        InputError: no such rule.
    """
    if rule not in _RULES:
        raise InputError(f"unknown extraction rule {rule[:80]!r}; known are {', '.join(_RULES)}")
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = _RULES[rule](head, text, problem.entry_point)
    return Extracted(found.program, text[: found.start], text[found.end :], text[found.start : found.end])


def _none(head: str, text: str, _: str) -> Found:
    return Found(head + text, 0, len(text), False)


def _program(head: str, text: str, _: str) -> Found:
    opening = _OPENING_FENCE.match(text)
    start = opening.end() if opening else 0
    ending = _PROGRAM_END.search(text, start)
    end = ending.start() if ending else len(text)
    return Found(head + text[start:end], start, end, False)


def _block(head: str, text: str, entry_point: str) -> Found:
    blocks = find_blocks(text)
    if not blocks:
        return _bare(head, text, entry_point)
    found = [(block, _in_block(head, text, block, entry_point)) for block in candidates(blocks)]
    answering = [one for _, one in found if one.answers]
    if answering:
        return answering[-1]
    outside = _bare(head, text, entry_point) if entry_point else None
    if outside is not None and outside.answers:
        return outside
    parsing = [one for block, one in found if not isinstance(parse(content(text, block)), Failure)]
    return max(parsing or [one for _, one in found], key=lambda one: one.end - one.start)


def _bare(head: str, text: str, entry_point: str) -> Found:
    """An answer without a fence, behind what the model said to itself."""
    begin = text.rfind("</think>")
    begin = begin + len("</think>") if begin >= 0 else 0
    found = find_function(_ended(head), text[begin:], entry_point, indent=True)
    return Found(found.program, begin + found.start, begin + found.end, found.answers)


def _ended(head: str) -> str:
    """The head with a newline at its end: an answer does not go on in its last line."""
    return head if not head or head.endswith(("\n", "\r")) else head + "\n"


def _in_block(head: str, text: str, block: Block, entry_point: str) -> Found:
    code = content(text, block)
    if not entry_point:
        return Found(head + code, block.start, block.end, False)
    found = find_function(_ended(head), code, entry_point, indent=True)
    if len(code) != block.end - block.start:  # the block was indented: offsets in it are not those of the text
        return Found(found.program, block.start, block.end, found.answers)
    return Found(found.program, block.start + found.start, block.start + found.end, found.answers)


_RULES: dict[str, Callable[[str, str, str], Found]] = {
    "none": _none,
    "function": find_function,
    "block": _block,
    "program": _program,
}
