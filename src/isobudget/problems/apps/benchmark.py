"""APPS (Hendrycks et al. 2021, MIT): 10,000 problems of contest sites, half of them for training.

The paper's setting (section "Experiments"): the test split by difficulty (introductory 1,000, interview 3,000,
competition 1,000), two examples in the prompt, 256 new tokens, temperature 0.6, top-p 0.95. The paper does not say
which two examples; here `choose_examples` takes them from the training split of the same difficulty.

Two layouts are read: the original folders (``test/0000/`` with ``question.txt``, ``input_output.json``,
``metadata.json`` and, where there are such, ``starter_code.py`` and ``solutions.json``), and the JSON lines of the hub
(``test.jsonl``, ``train.jsonl``). A problem's reference is its shortest solution that compiles. In the published set a
problem without usable tests is left out and named in `Benchmark.source`; elsewhere it is an error.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.jsonl import parse_json
from isobudget.grid import counted
from isobudget.problems.apps.layouts import FILES, Row, read_rows, split_path
from isobudget.problems.apps.tests import NoTestsError, parse_tests
from isobudget.problems.problem import Benchmark, Form, Problem
from isobudget.problems.reading import checked_id, checked_text, unique
from isobudget.problems.sources import Data, Hub, Published, Way, file_name, find_data, identify
from isobudget.problems.stops import APPS_STOPS
from isobudget.syntax import is_python

#: difficulty -> problems of the published test split
DIFFICULTIES = {"introductory": 1000, "interview": 3000, "competition": 1000}
#: most characters of an example's question and of its solution, so that two examples leave room for the task
EXAMPLE_QUESTION_CHARS, EXAMPLE_SOLUTION_CHARS = 1200, 500
EXAMPLES = 2
_CHECKSUMS = {
    "5b003a65ac40feb47dd5eaec267a767a6fc435bdcfa68ff715fe869f948e760c": "test.jsonl",
    "45e82ef22ed8e7c0c04d881a21b923e9dd233157896b0b8d5b3493e887499cae": "train.jsonl",
}
_HUB = Hub(
    repo="codeparrot/apps",
    revision="21e74ddf8de1a21436da12e3e653065c5213e9d1",
    files=("test.jsonl", "train.jsonl"),
)


def load_apps(difficulty: str, given: Path | None = None) -> Benchmark:
    """The test problems of one difficulty, with two examples where a training split is beside them.

    Args:
        difficulty: ``introductory``, ``interview`` or ``competition``.
        given: the folder of APPS (with ``test`` and ``train``, as folders or ``.jsonl``), a folder of problem folders,
            or a file of JSON lines. Where there is only a training split, its problems are taken.
    """
    name = f"apps-{difficulty}"
    data = find_data(Published(name, f"APPS {difficulty}", ("APPS", "apps"), _CHECKSUMS, _HUB), given)
    splits = _splits(data)
    problems, source = (_folder if splits.problems.is_dir() else _file)(data, splits, difficulty)
    examples = _examples(data, splits, difficulty)
    source += "" if examples else "; prompts without examples: no other split to take them from"
    prompt_format = "apps-2-shot" if examples else "apps-0-shot"
    return Benchmark(name, problems, APPS_STOPS, 256, 0.6, 0.95, prompt_format, examples, source)


@dataclass(frozen=True, slots=True)
class _Splits:
    """Where problems and examples come from; `name` is the split of the problems."""

    problems: Path
    examples: Path | None
    name: str


def _splits(data: Data) -> _Splits:
    path = data.path
    if data.way is Way.HUB:
        return _Splits(path, data.paths[1], "test")
    if not path.is_dir():
        beside = path.parent / "train.jsonl"
        return _Splits(path, beside if path.name == "test.jsonl" and beside.is_file() else None, "test")
    test, train = split_path(path, "test"), split_path(path, "train")
    if test is not None:
        return _Splits(test, train, "test")
    return _Splits(train, None, "train") if train is not None else _Splits(path, None, "test")


def _file(data: Data, splits: _Splits, difficulty: str) -> tuple[tuple[Problem, ...], str]:
    """Problems and source from JSON lines, one problem at a time: the published file is larger than 1 GB."""
    identity = identify(data.inner(splits.problems))
    rows = _of_difficulty(read_rows(splits.problems), difficulty, splits.problems)
    problems, left_out = _build(rows, data.published.name, splits, lenient=identity.known)
    return problems, identity.source(len(problems)) + left_out


def _folder(data: Data, splits: _Splits, difficulty: str) -> tuple[tuple[Problem, ...], str]:
    """Problems and source from a folder per problem, for which no checksum is published."""
    rows = list(_of_difficulty(read_rows(splits.problems), difficulty, splits.problems))
    whole = splits.name == "test" and len(rows) == DIFFICULTIES[difficulty]
    if not whole and data.way is not Way.GIVEN:
        raise InputError(
            f"{splits.problems}: holds {len(rows)} {difficulty} problems, not the {DIFFICULTIES[difficulty]} of the "
            f"test split. To use them on purpose, name the folder: {data.published.name}={data.path}"
        )
    problems, left_out = _build(rows, data.published.name, splits, lenient=whole)
    what = "all problems, in the folder layout, which has no published checksum" if whole else "not the published set"
    size = counted(len(problems), "problem")
    where = f"{file_name(data.path)}, {splits.name} split, {size}, sha256 {_checksum(rows)}"
    return problems, f"{what}: {where}{left_out}"


def _of_difficulty(rows: Iterable[Row], difficulty: str, path: Path) -> Iterator[Row]:
    seen: Counter[str] = Counter()
    for row in rows:
        seen[row.difficulty] += 1
        if row.difficulty == difficulty:
            yield row
    if not seen:
        raise InputError(f"{path}: holds no problems of APPS; expected one folder per problem, or JSON lines")
    if not seen[difficulty]:
        known = ", ".join(f"{number} {name}" for name, number in sorted(seen.items()))
        raise InputError(f"{path}: holds no {difficulty} problem; it has {known}")


def _build(rows: Iterable[Row], benchmark: str, splits: _Splits, *, lenient: bool) -> tuple[tuple[Problem, ...], str]:
    """The problems, and a note for `Benchmark.source` on those that were left out; empty if none were."""
    prefix = "apps/train" if splits.name == "train" else "apps"
    left_out: list[str] = []

    def built() -> Iterator[tuple[str, Problem]]:
        for row in rows:
            try:
                yield row.where("question"), _problem(row, benchmark, prefix)
            except NoTestsError:
                if not lenient:
                    raise
                left_out.append(row.number)

    problems = unique(built(), str(splits.problems))
    return problems, f"; left out, for lack of tests: {', '.join(left_out)}" if left_out else ""


def _problem(row: Row, benchmark: str, prefix: str) -> Problem:
    question = row.text("question")
    if question is None or not question.strip():
        raise InputError(f"{row.where('question')}: is missing or empty")
    entry_point, tests = parse_tests(row.text("input_output") or "", row.where("input_output"))
    return Problem(
        task_id=checked_id(f"{prefix}/{row.number}", row.where("question")),
        benchmark=benchmark,
        prompt=question,
        entry_point=entry_point,
        tests=tests,
        reference=_shortest(_solutions(row)),
        form=Form.TEXT,
        starter=row.text("starter_code") or "",
    )


def _shortest(solutions: list[str]) -> str | None:
    """The shortest solution that compiles.

    Some solutions do not compile, because they were written for Python 2 or have a `return` at the top level. APPS
    allows that `return`, because it puts programs into a function.
    """
    return next((program for program in sorted(solutions, key=len) if is_python(program)), None)


def _solutions(row: Row) -> list[str]:
    text = row.text("solutions")
    if text is None or not text.strip():
        return []
    solutions = parse_json(text, row.where("solutions"))
    if not isinstance(solutions, list):
        raise InputError(f"{row.where('solutions')}: must be a JSON list of programs")
    return [checked_text(program, f"{row.where('solutions')}[{place}]") for place, program in enumerate(solutions)]


def _examples(data: Data, splits: _Splits, difficulty: str) -> tuple[Problem, ...]:
    if splits.examples is None:
        return ()
    if splits.examples.is_file():
        identify(data.inner(splits.examples))
    return choose_examples(read_rows(splits.examples), data.published.name, difficulty)


def choose_examples(rows: Iterable[Row], benchmark: str, difficulty: str) -> tuple[Problem, ...]:
    """The first two problems of a difficulty that are short: question up to 1,200, solution up to 500 characters.

    `rows` are those of the training split. Each problem has its shortest solution as reference. The result is empty if
    there are fewer than two such problems.
    """
    examples: list[Problem] = []
    for row in rows:
        if row.difficulty != difficulty or len(row.text("question") or "") > EXAMPLE_QUESTION_CHARS:
            continue
        try:
            problem = _problem(row, benchmark, "apps/train")
        except NoTestsError:
            continue
        if problem.reference is not None and len(problem.reference) <= EXAMPLE_SOLUTION_CHARS:
            examples.append(problem)
        if len(examples) == EXAMPLES:
            return tuple(examples)
    return ()


def _checksum(rows: Iterable[Row]) -> str:
    """One sha256 over the texts of all problems, in order."""
    digest = hashlib.sha256()
    for row in rows:
        for field in FILES:
            digest.update(repr((row.number, field, row.text(field))).encode())
    return digest.hexdigest()
