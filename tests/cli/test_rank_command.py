"""`isobudget rank` as a user meets it: what cannot be scored, what cannot be asked, wrong files."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from isobudget import cli
from isobudget.records.parts import read_rows
from isobudget.records.ranking_rows import ObservationRow, ScoreRow
from isobudget.records.ranking_rows import TestRow as WrittenRow
from isobudget.records.rows import SampleRow
from isobudget.records.run import Run
from support.bad_server import BadServer, Habits, _send_text
from support.synthetic_run import PAIR, synthetic_run

Command = Callable[..., tuple[int, str, str]]
ONE = (replace(PAIR[0], n=4),)


@pytest.fixture
def isobudget(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs a command as the entry point does, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["isobudget", *map(str, arguments)])
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        shown = capsys.readouterr()
        assert isinstance(code, int)
        return code, shown.out, shown.err

    return run


def refused(done: tuple[int, str, str], message: str) -> None:
    code, out, err = done
    assert code == 2, err
    assert message in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err
    assert out == ""


def ranked(done: tuple[int, str, str], ranker: int = 1, model: int = 0) -> dict[str, Any]:
    """What the JSON says of one ranker (0 is a random sample)."""
    code, out, err = done
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)["benchmarks"][0]["models"][model]["rankers"][ranker]
    return found


def with_samples(run: Run, change: Callable[[SampleRow], SampleRow]) -> Run:
    """The same run with other samples."""
    rows = [change(row) for row in run.samples()]
    shutil.rmtree(run.path / "samples")
    with run.writing(), run.sample_writer() as writer:
        writer.add(rows)
    return run


def sample_files(texts: list[str], passed: list[int], problems: int = 2) -> list[str]:
    """A file of samples with its problems and verdicts, as arguments."""
    names = [f"add{at}" for at in range(problems)]
    prompt = 'def {}(a, b):\n    """Sum: {}(1, 2) == 3"""\n'
    records = {
        "problems": [
            {"task_id": one, "prompt": prompt.format(one, one), "entry_point": one, "test": "def check(f): pass"}
            for one in names
        ],
        "samples": [{"task_id": one, "samples": texts} for one in names],
        "verdicts": [{"task_id": one, "model": "tiny", "passed": passed} for one in names],
    }
    for name, lines in records.items():
        Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return ["samples.jsonl", "--problems", "problems.jsonl", "--verdicts", "verdicts.jsonl"]


class EchoServer(BadServer):
    """Scores by echo: a letter's log-probability is its number / -100; of z it is not a number."""

    def _echo(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        values = [None, *(math.nan if one == ord("z") else -one / 100 for one in body["prompt"][1:]), -0.5]
        logprobs = {"tokens": ["x"] * len(values), "token_logprobs": values}
        answer = {"choices": [{"text": "x", "index": 0, "logprobs": logprobs, "finish_reason": "length"}]}
        _send_text(handler, 200, {}, json.dumps(answer))

    def _tokenize(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        """Blanks alone are not tokens."""
        if body.get("prompt") == "  " and not body["add_special_tokens"]:
            return _send_text(handler, 200, {}, '{"tokens": []}')
        return super()._tokenize(handler, body)


def scoring_server() -> EchoServer:
    return EchoServer(Habits(tokenize=True, echo=True, owned_by="vllm"))


def by_server(server: BadServer) -> list[str]:
    return ["--ranker", "likelihood", "--model", "m", "--backend", "server", "--url", server.url]


# what cannot be scored -----------------------------------------------------------------------------------------------


def test_a_backend_that_cannot_score_is_told_before_anything_is_recorded(isobudget: Command) -> None:
    pytest.importorskip("openai")
    run = synthetic_run(Path("run"), ONE, {"quickstart": 2})
    with BadServer() as server:
        refused(isobudget("rank", "run", *by_server(server)), "so it cannot score. Use its weights through llama.cpp")
        refused(isobudget("rank", "run", *by_server(server), "--api", "chat"), "so it cannot score")
    assert not list(read_rows(run.path / "scores", ScoreRow))


def test_empty_tokenless_and_nan_samples_rank_last_and_are_counted(isobudget: Command) -> None:
    """Of five samples only one is right, and three have no score: an empty one, one without tokens, one with NaN."""
    pytest.importorskip("openai")
    files = sample_files(["    return a + b\n", "", "  ", "    return z\n", "~~~~"], [1, 0, 0, 0, 0])
    with scoring_server() as server:
        command = ["rank", *files, *by_server(server), "--json", "--out", "kept"]
        found = ranked(isobudget(*command))
        again = ranked(isobudget(*command))
    assert found == again
    assert found["no_score"] == 6
    # of k samples the right one wins if it is among them: also against those without a score
    assert found["success"] == pytest.approx([k / 5 for k in range(1, 6)])
    rows = list(read_rows(Path("kept/scores"), ScoreRow))
    assert len(rows) == 10
    assert {row.index for row in rows if row.tokens == 0} == {1, 2}
    assert {row.index for row in rows if row.value is None} == {1, 2, 3}


def test_samples_that_all_lack_a_score_are_level(isobudget: Command) -> None:
    pytest.importorskip("openai")
    files = sample_files(["", "z", "zz", "  "], [1, 0, 0, 0])
    with scoring_server() as server:
        found = ranked(isobudget("rank", *files, *by_server(server), "--json"))
    assert found["no_score"] == 8
    assert found["success"] == pytest.approx([0.25] * 4)
    assert found["auc"]["value"] == pytest.approx(0.5)


def test_recorded_samples_without_tokens_or_with_nan_rank_last_and_are_counted(isobudget: Command) -> None:
    """Samples 0 and 1 are always right and have no score, the others never."""

    def change(row: SampleRow) -> SampleRow:
        nothing = {"text": "", "completion_tokens": 0, "sum_logprob": math.nan, "mean_logprob": math.nan}
        if row.index > 1:
            return replace(row, finish_reason="stop", mean_logprob=-9.0, sum_logprob=-9.0)
        return replace(row, **nothing) if row.index else replace(row, mean_logprob=math.nan, sum_logprob=math.nan)

    run = with_samples(synthetic_run(Path("run"), ONE, {"quickstart": 3}, greedy=False), change)
    verdicts = [replace(row, passed=row.index < 2) for row in _verdicts(run)]
    run.drop("verdicts")
    with run.writing(), run.verdict_writer() as writer:
        writer.add(verdicts)
    found = ranked(isobudget("rank", "run", "--json"))
    assert found["no_score"] == 6
    # both right ones must be all that was drawn: 1/2, 1/6, 0, 0
    assert found["success"] == pytest.approx([1 / 2, 1 / 6, 0, 0])
    shown = isobudget("rank", "run")[1]
    assert "no score" in shown
    nowhere = replace(ONE[0], name="bare")
    synthetic_run(Path("bare"), (nowhere,), {"quickstart": 2}, likelihood=False)
    refused(isobudget("rank", "bare"), "bare: no log-probabilities were recorded with these samples; score them with")


def _verdicts(run: Run) -> list[Any]:
    from isobudget.records.rows import VerdictRow

    return list(read_rows(run.path / "verdicts", VerdictRow))


def test_empty_samples_agree_with_nobody(isobudget: Command) -> None:
    """Three empty bodies do not outvote two samples that return."""
    files = sample_files(["    return a + b\n", "    return b + a\n", "", "", "", "  ("], [1, 1, 0, 0, 0, 0])
    found = ranked(isobudget("rank", *files, "--ranker", "agreement", "--orders", 20, "--json", "--out", "kept"))
    assert found["success"][-1] == 1
    assert found["no_score"] == 2  # what does not compile
    assert len(list(read_rows(Path("kept/observations"), ObservationRow))) == 12


def test_a_server_gets_the_key_that_is_named_and_no_other(isobudget: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("MY_KEY", "sk-of-mine")
    files = sample_files(["    return a + b\n", "    return a - b\n"], [1, 0])
    with EchoServer(Habits(tokenize=True, echo=True, key="sk-of-mine")) as server:
        refused(isobudget("rank", *files, *by_server(server)), "OPENAI_API_KEY is sent to api.openai.com alone")
        found = ranked(isobudget("rank", *files, *by_server(server), "--key-env", "MY_KEY", "--json"))
    assert found["no_score"] == 0


def test_a_server_is_named_by_the_models_file_or_by_settings(
    isobudget: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("MY_KEY", "sk-of-mine")
    monkeypatch.setenv("ISOBUDGET_MODELS_TOML", "models.toml")
    files = sample_files(["    return a + b\n", "    return a - b\n"], [1, 0])
    with EchoServer(Habits(tokenize=True, echo=True, key="sk-of-mine")) as server:
        table = f'[models.mine]\nbackend = "server"\nmodel = "m"\nurl = "{server.url}"\nkey_env = "MY_KEY"\n'
        Path("models.toml").write_text(table)
        declared = ranked(isobudget("rank", *files, "-r", "likelihood", "--model", "mine", "--json"))
        settings = ["--setting", "key_env=MY_KEY", "--setting", "attempts = 1"]
        stated = ranked(isobudget("rank", *files, *by_server(server), *settings, "--json"))
    assert declared["no_score"] == stated["no_score"] == 0


def test_tests_may_be_written_in_a_conversation(isobudget: Command) -> None:
    """The server writes no tests: that is told, and what it wrote is kept."""
    pytest.importorskip("openai")
    files = sample_files(["    return a + b\n", "    return a - b\n"], [1, 0])
    with BadServer() as server:
        options = ["-r", "tests", "--model", "m", "--backend", "server", "--url", server.url, "--api", "chat"]
        refused(isobudget("rank", *files, *options, "--out", "kept"), "no test is a call with literal arguments")
        asked = [body["messages"][-1]["content"] for body in server.requests]
    assert any("Write tests of add0 for the task above" in text for text in asked)
    assert len(list(read_rows(Path("kept/tests"), WrittenRow))) == 16


# what cannot be asked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--inputs", "100000000000"], "Invalid value for '--inputs'"),
        (["--level", "nan"], "between 0 and 1"),
        (["--ranker", "tests", "--power", "nan"], "--power must be from 0 to 20, not nan"),
        (["--ranker", "tests", "--power", "1e308"], "--power must be from 0 to 20"),
        (["--figure", "x.gif"], "must end in .svg, .pdf or .png"),
        (["--figure", "no/such/x.svg"], "there is no folder no/such"),
        (["--benchmark", "none"], "has no benchmark 'none'; it has: quickstart"),
        (["--first", "3"], "--first cannot be used here: run is a run folder"),
        (["--problems", "x", "--verdicts", "y"], "--problems and --verdicts cannot be used here"),
        (["--out", "elsewhere"], "--out cannot be used here"),
        (["--model", "m"], "--model has no effect here; it is for --ranker likelihood"),
        (["--tests", "x.jsonl"], "--tests has no effect here; it is for --ranker tests"),
        (["--train", "run"], "--train has no effect here; it is for --ranker verifier, verifier-alone"),
        (["--inputs", "8"], "--inputs has no effect here; it is for --ranker agreement, votes, tests and for --filter"),
        (["--workers", "1"], "--workers has no effect here"),
        (["--unsafe"], "--unsafe has no effect here"),
        (["--examples", "none"], "--examples has no effect here"),
        (["--url", "http://127.0.0.1:1"], "--url cannot be used without --model"),
        (["--backend", "server"], "--backend cannot be used without --model"),
        (["--setting", "dtype=x"], "--setting cannot be used without --model"),
        (
            ["-r", "likelihood", "--model", "m", "--setting", "dtype=x"],
            'belongs to the backend "vllm" and "transformers"',
        ),
        (["-r", "likelihood", "--model", "m", "--setting", "dtype"], "a setting is written NAME=VALUE"),
        (["-r", "likelihood", "--model", "m", "--key-env", "K"], "needs a url"),
        (["-r", "likelihood", "--model", "m", "--backend", "server"], "needs a url"),
        (["-r", "likelihood", "--model", "m", "--backend", "server", "--url", "x"], "must be like http://"),
        (["-r", "tests", "--tests", "absent.jsonl"], "absent.jsonl: cannot be read: No such file"),
        (["-r", "tests", "--tests", "."], "cannot be read: Is a directory"),
        (["-r", "tests", "--tests", "torn.jsonl"], "torn.jsonl, line 2: is not JSON"),
        (["-r", "verifier-alone", "--train", "run"], "have only problems that are ranked"),
    ],
)
def test_what_cannot_be_asked_of_a_run(isobudget: Command, arguments: list[str], message: str) -> None:
    pytest.importorskip("openai")
    pytest.importorskip("sklearn")
    run = synthetic_run(Path("run"), ONE, {"quickstart": 2})
    Path("torn.jsonl").write_text('{"task_id": "quickstart/0", "tests": ["assert solve(1) == 1"]}\n{"task_id"\n')
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    refused(isobudget("rank", "run", *arguments), message)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file() and path in before} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-r", "order", "--benchmark", "none"], "has no benchmark 'none'; it has: imported"),
        (["-r", "order", "--first", "1"], "--first cannot be used here: counts.jsonl holds verdicts without samples"),
        (["-r", "order", "--filter", "executable"], "the samples have no texts, which the filter 'executable' needs"),
        (["-r", "own"], "the samples have no texts, which the ranker 'own' needs"),
        (["-r", "verifier-alone"], "can be ranked in the order of the file: --ranker order"),
    ],
)
def test_what_cannot_be_asked_of_counts(isobudget: Command, arguments: list[str], message: str) -> None:
    Path("counts.jsonl").write_text('{"model": "a", "task_id": "1", "passed": [1, 0]}\n')
    refused(isobudget("rank", "counts.jsonl", *arguments), message)


def test_files_of_samples_that_do_not_fit(isobudget: Command) -> None:
    files = sample_files(["    return a\n"], [1], problems=1)
    line = Path("verdicts.jsonl").read_text()
    Path("two.jsonl").write_text(line + line.replace("tiny", "huge"))
    refused(isobudget("rank", *files[:-1], "two.jsonl", "-r", "agreement"), "verdicts of several models")
    Path("odd.jsonl").write_text('{"task_id": "add0", "prompt": 3, "samples": ["x"]}\n')
    refused(
        isobudget("rank", "odd.jsonl", *files[1:], "-r", "agreement"), "line 1: field `prompt` must be a string, got 3"
    )
    refused(isobudget("rank", *files, "-r", "agreement", "--out", "odd.jsonl"), "a file is in the way")
    refused(isobudget("rank", *files, "-r", "agreement", "--benchmark", "x"), "the benchmark that --problems names")
    unnamed = "".join(json.dumps({"task_id": "add0", "passed": verdict}) + "\n" for verdict in (True,))
    Path("unnamed.jsonl").write_text(unnamed)
    code, out, _ = isobudget("rank", *files[:-1], "unnamed.jsonl", "-r", "agreement", "--json")
    assert code == 0
    assert json.loads(out)["benchmarks"][0]["models"][0]["model"] == "samples"
    refused(isobudget("rank", "samples.jsonl"), "name its benchmark (--problems) and verdicts")
    Path("plain.jsonl.gz").write_text(line)
    assert ranked(isobudget("rank", "plain.jsonl.gz", "-r", "order", "--json"))["ranker"] == "order"


def test_tables_say_what_is_not_known_and_every_k(isobudget: Command) -> None:
    synthetic_run(Path("run"), (replace(PAIR[0], n=8), PAIR[1]), {"quickstart": 6})
    shown = " ".join(isobudget("rank", "run")[1].split())
    assert "of the sample chosen from k = 4 or 1, calibrated" in shown
    files = sample_files(["    return a\n", "    return a + b\n"], [0, 1], problems=1)
    shown = " ".join(isobudget("rank", *files, "-r", "agreement", "--figure", "f.svg")[1].split())
    assert "nan" not in shown
    assert "figure: f.svg" in shown
    Path("two.jsonl").write_text(
        "".join(json.dumps({"model": one, "task_id": "1", "passed": [1, 0]}) + "\n" for one in "ab")
    )
    shown = isobudget("rank", "two.jsonl", "-r", "order", "--figure", "g.svg")[1]
    assert "figure: g-a.svg" in shown
    assert Path("g-b.svg").exists()


def test_nothing_is_written_where_nothing_is_found_out(isobudget: Command) -> None:
    """A run that somebody else is writing to, or that cannot be written to, can still be ranked by what it records."""
    run = synthetic_run(Path("run"), ONE, {"quickstart": 2})
    with run.writing():
        assert ranked(isobudget("rank", "run", "--json"))["ranker"] == "own"
        refused(isobudget("rank", "run", "-r", "agreement"), "run")
