"""MBPP (Austin et al. 2021, CC BY 4.0): 974 tasks in words, each with a program and three assert statements.

The paper's setting (section "Experiments"): the 500 test problems, task_id 11 to 510; three examples in the prompt,
256 new tokens, temperature 0.8, top-p 0.95. The splits and the examples, task_id 2, 3 and 4 of the ten set apart for
prompts, are those of the benchmark's own README. All three assert statements decide and may be shown in the prompt.
References are kept exactly, with the CRLF that most of them have. ``challenge_test_list`` is not used.

The file is ``mbpp.jsonl``; the hub holds the same rows as Parquet. The hand-verified subset (``sanitized-mbpp.json``)
has other fields and is not read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.jsonl import Record, read_objects
from isobudget.problems import reading
from isobudget.problems.problem import AssertList, Benchmark, Form, Problem
from isobudget.problems.sources import Hub, Published, find_data, identify
from isobudget.problems.stops import MBPP_STOPS

PUBLISHED = Published(
    name="mbpp",
    title="MBPP",
    usual=("mbpp.jsonl", "mbpp/mbpp.jsonl"),
    checksums={"ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f": "mbpp.jsonl"},
    hub=Hub(
        repo="google-research-datasets/mbpp",
        revision="4bb6404fdc6cacfda99d4ac4205087b89d32030c",
        files=("full/test-00000-of-00001.parquet", "full/prompt-00000-of-00001.parquet"),
    ),
)
TEST_IDS = range(11, 511)
EXAMPLE_IDS = (2, 3, 4)
_COLUMNS = ["task_id", "text", "code", "test_list", "test_setup_code"]


def load_mbpp(given: Path | None = None) -> Benchmark:
    """The test split with the usual three examples; `given` is ``mbpp.jsonl``, or a folder that holds it."""
    data = find_data(PUBLISHED, given)
    identity = identify(data)
    by_id = {problem.task_id: problem for path in data.paths for problem in read_mbpp(path)}
    problems = tuple(by_id[task] for task in (f"mbpp/{number}" for number in TEST_IDS) if task in by_id)
    if not problems:
        raise InputError(f"{data.path}: holds no problem of the test split, task_id {TEST_IDS[0]} to {TEST_IDS[-1]}")
    examples = tuple(by_id[task] for task in (f"mbpp/{number}" for number in EXAMPLE_IDS) if task in by_id)
    whole = len(examples) == len(EXAMPLE_IDS)
    note = "" if whole else "prompts without examples: task_id 2, 3 and 4 are not all there"
    prompt_format, source = "mbpp-3-shot" if whole else "mbpp-0-shot", identity.source(len(problems), note)
    return Benchmark("mbpp", problems, MBPP_STOPS, 256, 0.8, 0.95, prompt_format, examples if whole else (), source)


def read_mbpp(path: Path) -> tuple[Problem, ...]:
    """All problems of a file in the published layout (JSON lines or Parquet), of every split, in its order."""
    return reading.unique(
        _problems(_parquet_rows(path) if path.suffix == ".parquet" else read_objects(path)), str(path)
    )


def _parquet_rows(path: Path) -> Iterator[tuple[str, Record]]:
    import pyarrow
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path, columns=_COLUMNS).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {error}") from error
    yield from ((f"{path}, row {number}", row) for number, row in enumerate(rows, 1))


def _problems(rows: Iterable[tuple[str, Record]]) -> Iterator[tuple[str, Problem]]:
    for where, row in rows:
        number = row.get("task_id")
        if type(number) is not int or number < 0:
            raise InputError(f"{where}, field task_id: must be a whole number")
        yield where, _problem(row, number, where)


def _problem(row: Record, number: int, where: str) -> Problem:
    code = reading.text_field(row, "code", where)
    asserts = reading.list_field(row, "test_list", where, reading.checked_text, "assert statement")
    given = row.get("test_imports")
    imports = reading.list_field(row, "test_imports", where, reading.checked_text, "import") if given else ()
    setup = "\n".join([*imports, reading.optional_text(row, "test_setup_code", where) or ""]).strip("\n")
    return Problem(
        task_id=f"mbpp/{number}",
        benchmark="mbpp",
        prompt=reading.text_field(row, "text", where),
        entry_point=entry_point(code, asserts, where),
        tests=AssertList(asserts, setup, split=True),
        reference=code,
        form=Form.TEXT,
        shown_tests=asserts,
    )


def entry_point(code: str, asserts: tuple[str, ...], where: str) -> str:
    """The name of the tested function: the first one that the reference defines and every assert calls.

    Calls are tried in the order of the first assert, the outermost first.
    """
    tree = reading.parse_python(code.replace("\r\n", "\n"), f"{where}, field code")
    nodes = tree.body if tree is not None else []
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    called = [_called(source, f"{where}, field test_list[{place}]") for place, source in enumerate(asserts)]
    for name in called[0]:
        if name in defined and all(name in names for names in called):
            return name
    raise InputError(f"{where}, field test_list: the asserts do not call a function that the field 'code' defines")


def _called(source: str, where: str) -> list[str]:
    """Names that are called, outermost calls first."""
    tree = reading.parse_test(source, where)
    calls = (node.func for node in ast.walk(tree or ast.Module([], [])) if isinstance(node, ast.Call))
    return [function.id for function in calls if isinstance(function, ast.Name)]
