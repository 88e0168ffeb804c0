"""APPS: both layouts, the choice of examples, hostile files, and the five real problems in the judge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget.errors import InputError
from isobudget.judge import Judge, Limits
from isobudget.problems import load_benchmark
from isobudget.problems.apps.benchmark import DIFFICULTIES
from isobudget.problems.apps.tests import NoTestsError, parse_tests
from isobudget.problems.problem import CallTests, Form, Problem, ProgramTests
from isobudget.problems.sources import DATA_VARIABLE

STDIN = {"inputs": ["1 2\n", ["3", "4"]], "outputs": ["3\n", ["7"]]}
CALLS = {"fn_name": "add", "inputs": [[1, 2], [[1], [2]]], "outputs": [3, [[1, 2]]]}


def text_of(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def problem_folder(root: Path, number: int, difficulty: str = "interview", **changes: object) -> Path:
    """A problem in the original layout; texts that are None are left out."""
    texts = {
        "question.txt": f"Add two numbers ({number}).",
        "input_output.json": STDIN,
        "metadata.json": {"difficulty": difficulty, "url": "https://example.org"},
        "solutions.json": ["print(sum(map(int, open(0).read().split())))", "print(3)"],
        "starter_code.py": None,
    }
    texts |= {name.replace("__", "."): text for name, text in changes.items()}
    folder = root / f"{number:04d}"
    folder.mkdir(parents=True)
    for name, text in texts.items():
        if text is not None:
            (folder / name).write_text(text_of(text), encoding="utf-8")
    return folder


def line(number: int, difficulty: str = "interview", **changes: object) -> dict[str, object]:
    return {
        "id": number,
        "question": f"Add two numbers ({number}).",
        "solutions": json.dumps(["print(sum(map(int, open(0).read().split())))", "print(3)"]),
        "input_output": json.dumps(STDIN),
        "difficulty": difficulty,
        "url": "https://example.org",
        "starter_code": "",
    } | changes


def write_lines(path: Path, *lines: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return path


def apps(difficulty: str, path: Path):  # type: ignore[no-untyped-def]
    return load_benchmark(f"apps-{difficulty}={path}")


# --- the real five


def test_five_real_problems(shared_data: Path) -> None:
    found = {level: apps(level, shared_data / "apps_5") for level in DIFFICULTIES}
    ids = {level: [problem.task_id for problem in benchmark.problems] for level, benchmark in found.items()}
    assert ids == {
        "introductory": ["apps/train/2404", "apps/train/4184"],
        "interview": ["apps/train/0001", "apps/train/0111"],
        "competition": ["apps/train/2287"],
    }
    for level, benchmark in found.items():
        assert (benchmark.max_tokens, benchmark.temperature, benchmark.top_p) == (256, 0.6, 0.95)
        assert (benchmark.prompt_format, benchmark.examples) == ("apps-0-shot", ())
        number = len(benchmark.problems)
        assert benchmark.source.startswith(f"not the published set: apps_5, train split, {number} problem")
        assert "prompts without examples" in benchmark.source
        for problem in benchmark.problems:
            folder = shared_data / "apps_5" / "train" / problem.task_id[-4:]
            assert problem.prompt == (folder / "question.txt").read_bytes().decode()
            assert problem.reference in json.loads((folder / "solutions.json").read_text())
            assert (problem.benchmark, problem.form) == (f"apps-{level}", Form.TEXT)
    leetcode, codewars = found["introductory"].problems
    assert (leetcode.entry_point, codewars.entry_point) == ("findKthPositive", "is_prime")
    assert leetcode.starter.startswith("class Solution:")
    assert leetcode.tests == CallTests(arguments=("[[2, 3, 4, 7, 11], 5]",), results=("9",))


def test_references_and_graded_samples_fit_the_judge(shared_data: Path) -> None:
    pairs: list[tuple[Problem, str, bool]] = []
    for level in DIFFICULTIES:
        for problem in apps(level, shared_data / "apps_5").problems:
            assert problem.reference is not None
            pairs.append((problem, problem.reference, True))
            graded = json.loads(
                (shared_data / "apps_5" / "train" / problem.task_id[-4:] / "gen_solutions.json").read_text()
            )
            pairs += [(problem, one["code"], one["result"] is True) for one in graded[:2]]
    with Judge(workers=2, limits=Limits(cpu_seconds=1)) as judge:
        verdicts = list(judge.run((problem, program) for problem, program, _ in pairs))
    wrong = [
        (one[0].task_id, verdict) for one, verdict in zip(pairs, verdicts, strict=True) if verdict.passed != one[2]
    ]
    assert wrong == []
    assert len(pairs) == 15


# --- layouts, splits and examples


def test_both_layouts_give_the_same_problems(tmp_path: Path) -> None:
    starter = "def add(a, b):\n"
    problem_folder(tmp_path / "folders" / "test", 7)
    problem_folder(tmp_path / "folders" / "test", 9, "competition")
    problem_folder(tmp_path / "folders" / "test", 11, input_output__json=CALLS, starter_code__py=starter)
    calls = {"input_output": json.dumps(CALLS), "starter_code": starter}
    by_script = line(11, **calls, problem_id=11) | {"id": None}
    write_lines(tmp_path / "lines" / "test.jsonl", line(7), line(9, "competition"), by_script)
    folders, lines = apps("interview", tmp_path / "folders"), apps("interview", tmp_path / "lines")
    assert folders.problems == lines.problems == apps("interview", tmp_path / "lines" / "test.jsonl").problems
    assert folders.problems == apps("interview", tmp_path / "folders" / "test").problems
    first, second = folders.problems
    assert (first.task_id, first.entry_point, first.reference) == ("apps/0007", "", "print(3)")
    assert first.tests == ProgramTests(inputs=("1 2\n", "3\n4"), outputs=("3\n", "7"))
    assert (second.task_id, second.entry_point, second.starter) == ("apps/0011", "add", starter)
    assert second.tests == CallTests(arguments=("[1, 2]", "[[1], [2]]"), results=("3", "[[1, 2]]"))


@pytest.mark.parametrize("layout", ["folders", "lines"])
def test_examples_are_the_first_two_short_ones_of_the_training_split(tmp_path: Path, layout: str) -> None:
    long_solution = json.dumps(["#" * 501])
    train: list[tuple[int, str, dict[str, object]]] = [
        (0, "introductory", {}),
        (1, "interview", {"question": "q" * 1201}),
        (2, "interview", {"solutions": long_solution}),
        (3, "interview", {"solutions": json.dumps(["print 3", "return", "print(" + "3" * 500 + ")"])}),
        (4, "interview", {"input_output": ""}),
        (5, "interview", {"input_output": json.dumps(CALLS), "starter_code": "def add(a, b):"}),
        (6, "competition", {}),
        (7, "interview", {"question": "q" * 1200}),
        (8, "interview", {}),
    ]
    files = {"question": "question__txt", "solutions": "solutions__json", "input_output": "input_output__json"}
    files["starter_code"] = "starter_code__py"
    if layout == "folders":
        problem_folder(tmp_path / "test", 0)
        for number, level, changes in train:
            problem_folder(tmp_path / "train", number, level, **{files[key]: text for key, text in changes.items()})
    else:
        write_lines(tmp_path / "test.jsonl", line(0))
        write_lines(tmp_path / "train.jsonl", *(line(number, level, **changes) for number, level, changes in train))
    benchmark = apps("interview", tmp_path)
    assert [example.task_id for example in benchmark.examples] == ["apps/train/0005", "apps/train/0007"]
    assert all(example.reference for example in benchmark.examples)
    assert benchmark.prompt_format == "apps-2-shot"
    assert "without examples" not in benchmark.source
    if layout == "folders":
        (tmp_path / "train" / "0007" / "solutions.json").unlink()
        (tmp_path / "train" / "0008" / "solutions.json").unlink()
        assert apps("interview", tmp_path).prompt_format == "apps-0-shot"


def test_the_checksum_of_a_folder_follows_its_texts(tmp_path: Path) -> None:
    folder = problem_folder(tmp_path / "test", 7)
    first = apps("interview", tmp_path).source
    assert apps("interview", tmp_path).source == first
    (folder / "question.txt").write_text("Add two numbers (8).")
    assert apps("interview", tmp_path).source != first


def test_a_data_folder_must_hold_the_published_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem_folder(tmp_path / "APPS" / "test", 7)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=r"test: holds 1 interview problems, not the 3000 .*apps-interview=.*APPS"):
        load_benchmark("apps-interview")
    write_lines(tmp_path / "APPS" / "test.jsonl", line(7))
    with pytest.raises(InputError, match=r"test\.jsonl: is not the published APPS interview.* expected 5b003a65"):
        load_benchmark("apps-interview")


def test_in_a_set_of_the_published_size_problems_without_tests_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DIFFICULTIES == {"introductory": 1000, "interview": 3000, "competition": 1000}
    monkeypatch.setitem(DIFFICULTIES, "competition", 3)
    problem_folder(tmp_path / "APPS" / "test", 7, "competition")
    problem_folder(tmp_path / "APPS" / "test", 8, "competition")
    problem_folder(tmp_path / "APPS" / "test", 9, "competition", input_output__json="")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    benchmark = load_benchmark("apps-competition")
    assert [problem.task_id for problem in benchmark.problems] == ["apps/0007", "apps/0008"]
    assert "left out, for lack of tests: 0009" in benchmark.source
    assert benchmark.source.startswith("all problems, in the folder layout, which has no published checksum: APPS, ")


# --- hostile files


def test_numbers_of_many_digits_are_kept() -> None:
    digits = "7" * 20_000
    name, tests = parse_tests(f'{{"fn_name": "f", "inputs": [[{digits}, 1]], "outputs": [-{digits}]}}', "here")
    assert (name, tests) == ("f", CallTests(arguments=(f"[{digits}, 1]",), results=(f"-{digits}",)))
    with pytest.raises(InputError, match=r"here: is not JSON .*200000 digits"):
        parse_tests(f'{{"inputs": [{"7" * 200_001}]}}', "here")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "input_output.json: is empty, so that the problem cannot be judged"),
        ("", "input_output.json: is empty"),
        (" \n", "input_output.json: is empty"),
        ("{}", "input_output.json: holds no tests, so that the problem cannot be judged"),
        ({"inputs": [], "outputs": []}, "input_output.json: holds no tests"),
        (
            {"inputs": ["1", "2"], "outputs": ["1"]},
            "input_output.json: has 2 inputs and 1 outputs; the numbers must match",
        ),
        ({"inputs": [[1]], "outputs": [], "fn_name": "f"}, "has 1 inputs and 0 outputs"),
        ("{", "input_output.json: is not JSON"),
        ("[" * 100_000, "input_output.json: is not JSON"),
        ("[1]", "input_output.json: must be an object with the fields 'inputs' and 'outputs', not a list"),
        ({"inputs": "1", "outputs": ["1"]}, "input_output.json, inputs: must be a list, not a string"),
        ({"inputs": [1], "outputs": ["1"]}, r"input_output.json, inputs\[0\]: must be a string, not a number"),
        (
            {"inputs": [["1", 2]], "outputs": ["1"]},
            r"input_output.json, inputs\[0\]\[1\]: must be a string, not a number",
        ),
        ({"inputs": ["1\0"], "outputs": ["1"]}, r"inputs\[0\]: contains a NUL"),
        (
            {"inputs": [1], "outputs": [1], "fn_name": "f"},
            r"inputs\[0\]: must be the list of a call's arg.*not a number",
        ),
        ({"inputs": [[1]], "outputs": [1], "fn_name": "f()"}, r"fn_name: 'f\(\)' is not a Python name"),
        ({"inputs": [[1]], "outputs": [1], "fn_name": 3}, "fn_name: must be a string, not a number"),
    ],
)
def test_wrong_tests_name_the_file(tmp_path: Path, content: object, message: str) -> None:
    problem_folder(tmp_path / "test", 3, input_output__json=content)
    with pytest.raises(InputError, match=message) as caught:
        apps("interview", tmp_path)
    assert str(tmp_path / "test" / "0003" / "input_output.json") in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question__txt": None}, r"question\.txt: is missing or empty"),
        ({"question__txt": " "}, r"question\.txt: is missing or empty"),
        ({"metadata__json": None}, r"metadata\.json: is missing; a folder of APPS holds"),
        ({"metadata__json": "[]"}, r"metadata\.json: must be an object with the field 'difficulty'"),
        ({"metadata__json": "{}"}, r"metadata\.json, difficulty: must be a string, not null"),
        ({"metadata__json": "{"}, r"metadata\.json: is not JSON"),
        ({"solutions__json": "{}"}, r"solutions\.json: must be a JSON list of programs"),
        ({"solutions__json": "[1]"}, r"solutions\.json\[0\]: must be a string, not a number"),
    ],
)
def test_wrong_folders_name_the_file(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    folder = problem_folder(tmp_path / "test", 3, **changes)
    with pytest.raises(InputError, match=message) as caught:
        apps("interview", tmp_path)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "7"}, "field problem_id: must be a whole number"),
        ({"difficulty": None}, "field difficulty: must be a string, not null"),
        ({"question": None}, "field question: is missing or empty"),
        ({"input_output": ""}, "field input_output: is empty"),
        ({"input_output": 3}, "field input_output: must be a string, not a number"),
        ({"solutions": "x"}, "field solutions: is not JSON"),
        ({"id": 1}, "'apps/0001' is already used in"),
    ],
)
def test_wrong_lines_name_line_and_field(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = write_lines(tmp_path / "test.jsonl", line(1), line(2, **changes))
    with pytest.raises(InputError, match=message) as caught:
        apps("interview", path)
    assert str(caught.value).startswith(f"{path}, line 2")


def test_a_difficulty_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    problem_folder(tmp_path, 3)
    problem_folder(tmp_path, 4)
    problem_folder(tmp_path, 5, "competition")
    with pytest.raises(InputError, match="holds no introductory problem; it has 1 competition, 2 interview"):
        apps("introductory", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no problems of APPS"):
        apps("introductory", tmp_path / "empty")


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    folder = problem_folder(tmp_path, 3)
    (folder / "question.txt").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=r"question\.txt: is not UTF-8 \(byte 0xe9 at column 4\)"):
        apps("interview", tmp_path)


def test_no_tests_is_an_error_of_the_user() -> None:
    assert issubclass(NoTestsError, InputError)
