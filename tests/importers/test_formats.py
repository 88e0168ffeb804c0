"""Every format: files that tools really wrote (`fixtures/make_fixtures.py`), and others after their writers' code."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isobudget import api
from isobudget.errors import InputError
from isobudget.importers.base import ImportTally
from isobudget.importers.read import Imported, find_sources, read_results
from isobudget.importers.records import Sample
from isobudget.importers.registry import IMPORTERS, importer_of
from isobudget.importers.source import Source

FIXTURES = Path(__file__).parent / "fixtures"


def as_json(path: Path, value: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, **options))
    return path


def as_lines(path: Path, *lines: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def counts(read: Imported) -> dict[str, tuple[int, int]]:
    return {row.task_id: (row.n, row.c) for row in read.rows}


def samples(path: Path) -> list[Sample]:
    (one,), _ = find_sources(path)
    return [record for record in one.records(ImportTally()) if isinstance(record, Sample)]


@pytest.fixture
def shared_cases(shared_data: Path) -> Path:
    return shared_data.parent / "cases"


def name_of(path: Path) -> str:
    return importer_of(Source(path)).name


# really written ------------------------------------------------------------------------------------------------------


def test_human_eval() -> None:
    results = FIXTURES / "human_eval_model-7b.jsonl_results.jsonl"
    assert name_of(results) == "samples"
    read = read_results(results)
    assert counts(read) == {"HumanEval/0": (3, 2), "HumanEval/1": (3, 0)}
    assert {row.model for row in read.rows} == {"human_eval_model-7b"}
    outcomes = [one.outcome.split(":")[0] for one in samples(results)]
    assert outcomes == ["passed", "passed", "failed", "failed", "failed", "timed out"]
    with pytest.raises(InputError, match=r"6 not judged\nNone of the samples is judged"):
        read_results(FIXTURES / "human_eval_model-7b.jsonl")


@pytest.mark.parametrize(
    ("row", "problems", "judge"),
    [
        ({"task_id": "HumanEval/0", "completion": "x"}, "humaneval", True),
        ({"task_id": "Mbpp/11", "solution": "x"}, "mbpp", True),
        ({"task_id": "own/1", "completion": "x"}, "PROBLEMS", True),
        ({"task_id": "HumanEval/0", "output": "x"}, "humaneval", False),
        ({"task_id": "sample_0", "completion": "x"}, "PROBLEMS", True),
    ],
)
def test_the_remedy_for_what_is_not_judged_names_what_it_needs(
    tmp_path: Path, row: dict[str, str], problems: str, *, judge: bool
) -> None:
    path = tmp_path / "my samples.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError) as caught:
        read_results(path)
    said = str(caught.value)
    assert f"isobudget import '{path}' --rejudge --problems {problems}" in said
    assert (f"isobudget judge '{path}' --problems {problems} -o verdicts.jsonl" in said) == judge
    assert ("PROBLEMS is the samples' benchmark, or a JSONL file with the tests" in said) == (problems == "PROBLEMS")


def test_evalplus_has_two_suites() -> None:
    results = FIXTURES / "evalplus_model-7b_eval_results.json"
    assert name_of(results) == "evalplus"
    read = read_results(results)
    assert counts(read) == {"HumanEval/0": (2, 2), "HumanEval/1": (2, 0)}
    assert [(row.task_id, row.n, row.c) for row in read.others["plus"]] == [
        ("HumanEval/0", 2, 1),
        ("HumanEval/1", 2, 0),
    ]
    assert {row.benchmark for row in read.all_rows()} == {"base", "plus"}
    assert {row.model for row in read.rows} == {"evalplus_model-7b"}
    assert samples(results)[1].text == 'def add(a: int, b: int) -> int:\n    """Add."""\n    return abs(a) + abs(b)\n'


def test_evalplus_problems_without_samples_are_left_out(tmp_path: Path) -> None:
    judged = [{"base_status": "pass", "plus_status": "fail"}]
    path = as_json(tmp_path / "m.json", {"eval": {"HumanEval/0": [], "HumanEval/1": judged, "HumanEval/2": []}})
    assert name_of(path) == "evalplus"
    read = read_results(path)
    assert counts(read) == {"HumanEval/1": (1, 1)}
    assert "problems without a sample are left out" in read.messages()[0]
    none = as_json(tmp_path / "none.json", {"eval": {"HumanEval/0": []}})
    assert name_of(none) == "evalplus"
    with pytest.raises(InputError, match="problems without a sample are left out"):
        read_results(none)


def test_evalplus_samples_and_folder(tmp_path: Path) -> None:
    assert [one.form for one in samples(FIXTURES / "evalplus_model-7b.jsonl")] == ["solution"] * 4
    for task, number in (("HumanEval_10", 0), ("HumanEval_2", 0), ("HumanEval_2", 11), ("HumanEval_2", 2)):
        (tmp_path / "7b" / task).mkdir(parents=True, exist_ok=True)
        (tmp_path / "7b" / task / f"{number}.py").write_text(f"x = {number}\n")
    found = samples(tmp_path / "7b")
    assert [(one.task_id, one.number) for one in found] == [
        ("HumanEval/2", 0), ("HumanEval/2", 2), ("HumanEval/2", 11), ("HumanEval/10", 0),
    ]  # fmt: skip
    assert {(one.model, one.passed, one.form) for one in found} == {("7b", None, "solution")}


@pytest.mark.parametrize("file", ["inspect_toy.eval", "inspect_toy.json.gz"])
def test_inspect(file: str) -> None:
    assert name_of(FIXTURES / file) == "inspect"
    read = read_results(FIXTURES / file)
    assert counts(read) == {"toy/0": (3, 1), "toy/1": (2, 1)}
    assert {(row.benchmark, row.model) for row in read.rows} == {("toy", "mockllm/model")}
    assert [row.completion_tokens for row in read.rows] == [(3, 5, 6), (4, 7)]
    assert {name: [row.c for row in rows] for name, rows in read.others.items()} == {
        "hidden/strict": [1, 1],
        "hidden/half": [0, 0],
    }
    assert read.taken[0].left == {"errors": 1}  # an error is no failure
    by_key = {(one.task_id, one.number): one for one in samples(FIXTURES / file)}
    assert len(by_key) == 6
    failed = by_key["toy/1", 1]
    assert (failed.passed, failed.outcome, failed.text) == (None, "error", None)
    first = by_key["toy/0", 0]
    assert (first.text, first.prompt_tokens, first.completion_tokens, first.usd) == ("yes", 10, 3, 0.25)
    assert first.prompt == "Say yes."
    assert first.seconds is not None
    assert 0 < first.seconds < 60


def test_inspect_0_3_285_with_mock_model(shared_cases: Path) -> None:
    read = read_results(shared_cases / "formats" / "inspect_0.3.285_zstd.eval")
    assert {task: n for task, (n, _) in counts(read).items()} == {"toy/0": 3, "toy/1": 3}


def inspect_log(path: Path, samples: list[dict[str, object]]) -> Path:
    return as_json(path, {"version": 2, "eval": {"task": "t", "model": "m"}, "samples": samples})


@pytest.mark.parametrize("beyond", [2, 10.0, -1, 1e400])
def test_a_scorer_beyond_0_to_1_gives_no_verdicts_in_the_whole_log(tmp_path: Path, beyond: float) -> None:
    scores = [{"grade": one, "tests": {"value": {"all": "C", "lines": one}}} for one in (1, 0, beyond, 0.5)]
    log = inspect_log(tmp_path / "log.json", [{"id": at, "scores": one} for at, one in enumerate(scores)])
    found = samples(log)
    assert [one.passed for one in found] == [None] * 4
    assert {one.others for one in found} == {(("tests/all", True), ("tests/lines", None))}
    said = str(read_results(log).taken[0])
    assert "4 not judged; scores of 'grade' lie outside 0 to 1 (such as " in said
    assert "scores of 'tests/lines' lie outside" in said


@pytest.mark.parametrize("wrong", [-1, 1e400, 3.5, "7", 2**40, True])
def test_what_is_no_number_of_tokens_is_noted(tmp_path: Path, wrong: object) -> None:
    usage = {"input_tokens": 3, "output_tokens": wrong}
    one = {"id": 1, "scores": {"s": 1}, "output": {"usage": usage}}
    several = {"id": 2, "scores": {"s": 1}, "model_usage": {"a": usage, "b": {"input_tokens": 3, "output_tokens": 4}}}
    for log in ([one], [several]):
        path = inspect_log(tmp_path / "log.json", log)
        assert samples(path)[0].completion_tokens is None
        assert samples(path)[0].prompt_tokens in (3, 6)
        assert "values of `output_tokens` other than a " in str(read_results(path).taken[0])


def test_inspect_attachments_parts_and_agents(tmp_path: Path) -> None:
    usage = {"input_tokens": 5, "output_tokens": 7, "input_tokens_cache_read": 2}
    sample = {
        "id": 1,
        "epoch": 1,
        "input": [{"role": "user", "content": "attachment://abc"}],
        "attachments": {"abc": "a long task"},
        "output": {
            "choices": [
                {
                    "message": {"content": [{"type": "reasoning"}, {"type": "text", "text": "x"}]},
                    "stop_reason": "max_tokens",
                }
            ],
            "usage": {"input_tokens": 1, "output_tokens": 1},
            "time": 9.0,
        },
        "model_usage": {"a": usage, "b": usage},
        "working_time": 4.0,
        "scores": {"s": {"value": float("nan")}},
    }
    log = {"version": 2, "status": "error", "eval": {"task": "evals/mine", "model": "m"}, "samples": [sample, sample]}
    (one,) = samples(as_json(tmp_path / "log.json", log))
    assert (one.benchmark, one.task_id, one.text, one.cut_off) == ("mine", "1", "x", True)
    assert (one.prompt_tokens, one.completion_tokens, one.seconds) == (14, 14, 4.0)
    assert one.passed is None  # NaN is not a verdict
    assert json.loads(str(one.prompt)) == [{"role": "user", "content": "a long task"}]
    with pytest.raises(InputError, match="1 not judged, 1 duplicates; the log's status is 'error'"):
        read_results(tmp_path / "log.json")


# after their writers' code -------------------------------------------------------------------------------------------


def test_nemo_skills_joins_seeds_and_has_two_suites(tmp_path: Path) -> None:
    folder = tmp_path / "qwen-7b" / "eval-results" / "human-eval"
    for seed, (first, second) in enumerate([((True, True), (False, False)), ((True, False), (True, True))]):
        lines = [
            {"generation": "x", "num_generated_tokens": 10 + seed, "is_correct": base, "is_correct-plus": plus}
            for base, plus in (first, second)
        ]
        as_lines(folder / f"output-rs{seed}.jsonl", *lines)
    as_lines(folder / "output-rs2.jsonl-async", {"num_generated_tokens": 1, "is_correct": True})
    read = read_results(folder)
    assert [(row.model, row.benchmark, row.task_id, row.passed) for row in read.rows] == [
        ("qwen-7b", "human-eval", "0", (True, True)),
        ("qwen-7b", "human-eval", "1", (False, True)),
    ]
    assert [row.passed for row in read.others["plus"]] == [(True, False), (False, True)]
    assert read.rows[0].completion_tokens == (10, 11)
    assert "output-rs2.jsonl-async: unfinished, so left out" in read.messages()[0]
    assert {row.benchmark for row in read.all_rows()} == {"human-eval", "human-eval+"}
    as_lines(folder / "output-rs2.jsonl", {"num_generated_tokens": 1, "is_correct": True})
    with pytest.raises(
        InputError, match=r"files of unequal length \(output-rs0.jsonl has 2, output-rs2.jsonl has 1 lines\)"
    ):
        read_results(folder)


def test_nemo_skills_livecodebench_and_status(tmp_path: Path) -> None:
    path = as_lines(
        tmp_path / "eval-results" / "lcb" / "output-rs0.jsonl",
        {"task_id": "3000", "generation": "x", "num_generated_tokens": 5, "graded_list": [True]},
        {"task_id": "3001", "generation": "x", "num_generated_tokens": 5, "status": "fail"},
    )
    assert counts(read_results(path)) == {"3000": (1, 1), "3001": (1, 0)}


def test_livecodebench(tmp_path: Path, shared_cases: Path) -> None:
    read = read_results(shared_cases / "formats" / "livecodebench_eval_all.json")
    assert counts(read)["3000"] == (10, 8)
    outputs = as_json(tmp_path / "mine.json", [{"question_id": "1", "code_list": ["a", "b"]}])
    assert [(one.text, one.passed, one.model) for one in samples(outputs)] == [("a", None, "mine"), ("b", None, "mine")]
    short = as_json(tmp_path / "short.json", [{"question_id": "1", "code_list": ["a", "b"], "graded_list": [True]}])
    with pytest.raises(
        InputError, match=r"short.json, entry 1: field `graded_list` has 1 verdict, but `code_list` has 2"
    ):
        read_results(short)
    twice = as_json(tmp_path / "twice.json", [{"question_id": "1", "graded_list": [True]}] * 2)
    with pytest.raises(InputError, match="entry 2: field `question_id` '1' occurs twice"):
        read_results(twice)


def test_lm_eval(tmp_path: Path) -> None:
    def row(doc: int, share: float, n: int, **more: Any) -> dict[str, Any]:
        texts = [f"{doc}{at}" for at in range(n)]
        return {
            "doc_id": doc,
            "doc": {"task_id": f"HumanEval/{doc}"},
            "resps": [texts],
            "filter": "a",
            "pass@1": share,
        } | more

    rows = [row(0, 0.5, 4), row(1, 1.0, 4), row(2, 0.0, 1), row(0, 0.5, 4), row(0, 0.0, 4, filter="b")]
    path = as_lines(tmp_path / "org__7b" / "samples_humaneval_2026-11-20T10-00-00.123456.jsonl", *rows)
    read = read_results(path)
    assert counts(read) == {"HumanEval/0": (4, 2), "HumanEval/1": (4, 4), "HumanEval/2": (1, 0)}
    assert {(row.model, row.benchmark) for row in read.rows} == {("org__7b", "humaneval")}
    assert read.taken[0].left == {"duplicates": 1, "rows of filters other than 'a'": 1}
    assert [one.text for one in samples(path)] == ["10", "11", "12", "13", "20"]  # of 2 in 4, nobody knows which
    wrong = as_lines(tmp_path / "w.jsonl", row(0, 0.3, 4))
    with pytest.raises(InputError, match=r"w.jsonl, line 1: 0.3 is not a multiple of 1/4"):
        read_results(wrong)


def test_bigcode(tmp_path: Path, shared_cases: Path) -> None:
    source = shared_cases / "formats" / "bigcode_generations.json"
    assert [one.task_id for one in samples(source)] == ["0", "0", "1", "1"]
    named = tmp_path / "generations_mbpp.json"
    named.write_bytes(source.read_bytes())
    assert [one.task_id for one in samples(named)] == ["Mbpp/11", "Mbpp/11", "Mbpp/12", "Mbpp/12"]
    metrics = as_json(tmp_path / "m.json", {"humaneval": {"pass@1": 0.3}, "config": {"model": "x"}}, indent=2)
    with pytest.raises(InputError, match="averages over problems"):
        read_results(metrics)


def test_cruxeval_codet_and_the_papers_samples(tmp_path: Path) -> None:
    scored = {
        "raw_generations": {"sample_0": ["a", "b"]},
        "raw_scored_generations": {"sample_0": [True, False]},
        "pass_at_1": 50.0,
    }
    assert counts(read_results(as_json(tmp_path / "s.json", scored))) == {"sample_0": (2, 1)}
    assert [one.text for one in samples(as_json(tmp_path / "g.json", {"sample_0": ["a"], "sample_1": ["b"]}))] == [
        "a",
        "b",
    ]
    codet = as_lines(tmp_path / "c.jsonl", {"prompt": "p", "samples": ["a", "b"]}, {"prompt": "q", "samples": ["c"]})
    assert [(one.task_id, one.text, one.prompt) for one in samples(codet)] == [
        ("0", "a", "p"),
        ("0", "b", "p"),
        ("1", "c", "q"),
    ]
    released = {"HumanEval/0": {"prompt": "p", "samples": [{"pass_at_1": 1.0, "generation": "g"}, {"pass_at_1": 0.0}]}}
    for indent in (None, 1):
        paper = as_json(tmp_path / "p.json", released, indent=indent)
        assert name_of(paper) == "paper-samples"
        assert counts(read_results(paper)) == {"HumanEval/0": (2, 1)}


def test_harbor_counts_as_harbor_does(tmp_path: Path) -> None:
    def trial(name: str, **more: Any) -> None:
        result = {
            "id": name,
            "task_name": "t",
            "trial_name": name,
            "agent_info": {"name": "agent", "model_info": {"name": "m"}},
            "agent_result": {"n_input_tokens": 100, "n_output_tokens": 7, "cost_usd": 0.5},
            "agent_execution": {"started_at": "2026-11-20T10:00:00Z", "finished_at": "2026-11-20T10:00:30.5Z"},
        }
        as_json(tmp_path / "job" / name / "result.json", result | more, indent=2)

    trial("a", verifier_result={"rewards": {"reward": 1.0}})
    trial("b", verifier_result={"rewards": {"reward": 0}})
    trial("c", verifier_result={"rewards": {"reward": 0.5}})
    trial("d", verifier_result={"rewards": {"x": 1, "y": 1}})
    trial("e", verifier_result={"rewards": {"reward": 1}}, reward_valid=False)
    trial("f", exception_info={"exception_type": "X"})
    as_json(tmp_path / "job" / "result.json", {"n_total_trials": 6})
    read = read_results(tmp_path / "job")
    assert [(row.model, row.passed, row.completion_tokens) for row in read.rows] == [("agent m", (True, False), (7, 7))]
    assert read.taken[0].left == {"not judged": 3, "errors": 1}
    assert "rewards other than 0 and 1 (such as 0.5) are no verdicts" in str(read.taken[0])
    first = samples(tmp_path / "job")[0]
    assert (first.prompt_tokens, first.usd, first.seconds) == (100, 0.5, 30.5)


def test_lighteval(tmp_path: Path) -> None:
    def row(name: str, share: float, n: int) -> dict[str, Any]:
        tokens = [[1] * (at + 1) for at in range(n)]
        return {
            "doc": {"id": name, "query": "q"},
            "metric": {"codegen_pass@1:16": share},
            "model_response": {"text": ["x"] * n, "output_tokens": tokens},
        }

    path = tmp_path / "details" / "org" / "2026" / "details_lighteval|lcb|0_2026-11-20T10-00-00.1.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([row("a", 0.5, 4), row("b", 1.0, 2)]), path)
    read = read_results(path)
    assert name_of(path) == "lighteval"
    assert [(row.model, row.benchmark, row.n, row.c, row.completion_tokens) for row in read.rows] == [
        ("org", "lcb", 4, 2, (1, 2, 3, 4)),
        ("org", "lcb", 2, 2, (1, 2)),
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_counts_as_csv_json_parquet_and_data_frames(tmp_path: Path, newline: str, mark: str) -> None:
    text = newline.join(["model,task_id,n,c,passed,note", "7b,Mbpp/11,10,3,,=1", '"a, b",11,,,"[1, 0]",', ""])
    path = tmp_path / "counts.csv"
    path.write_bytes((mark + text).encode())
    expected = [("7b", "Mbpp/11", 10, 3), ("a, b", "11", 2, 1)]
    rows = [{"model": "7b", "task_id": "Mbpp/11", "n": 10, "c": 3}, {"model": "a, b", "task_id": 11, "passed": [1, 0]}]
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    array = tmp_path / "array.json"
    array.write_bytes((mark + json.dumps(rows, indent=1).replace("\n", newline)).encode())
    table = pa.Table.from_pylist([rows[0] | {"passed": None}, rows[1] | {"task_id": "11", "n": None, "c": None}])
    pq.write_table(table, tmp_path / "counts.parquet")
    for source in (path, packed, array, tmp_path / "counts.parquet", table):
        assert [(row.model, row.task_id, row.n, row.c) for row in read_results(source).rows] == expected


def test_texts_called_output(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "mine.jsonl", {"task_id": "a", "output": "```python\nx\n```"})
    assert [(one.form, one.text, one.passed) for one in samples(path)] == [("output", "```python\nx\n```", None)]


def test_importers_are_named_and_helped_once() -> None:
    assert len({one.name for one in IMPORTERS}) == len(IMPORTERS)
    assert all(one.help and one.help == one.help.strip() for one in IMPORTERS)


def test_files_are_priced_by_what_they_record() -> None:
    (by_usd,) = (one for one in api.curves(FIXTURES / "inspect_toy.eval", "usd") if one.benchmark == "toy")
    assert by_usd.curves[0].price.cost(1) == pytest.approx(0.25)
    (by_tokens,) = (one for one in api.curves(FIXTURES / "inspect_toy.eval", "tokens") if one.benchmark == "toy")
    assert by_tokens.curves[0].price.cost(1) == pytest.approx(10 + ((3 + 5 + 6) / 3 + (4 + 7) / 2) / 2)
