"""What a report is made of: counts, files beside runs, several runs, and how many outputs it takes along."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isobudget.analysis.compare import curves
from isobudget.costs.cost import Unit
from isobudget.costs.costs_file import read_costs
from isobudget.costs.one_line import one_line_costs
from isobudget.curves import Bootstrap
from isobudget.errors import InputError, RunError
from isobudget.policies.choose import PlanRow
from isobudget.policies.frontier import frontier
from isobudget.records.part_writer import PartWriter
from isobudget.records.parts import part_paths, read_each
from isobudget.records.rows import SampleRow
from isobudget.records.run import Run
from isobudget.report.contents import Asked, PageContent, collect_content, page_text
from isobudget.report.json.run import report_dict
from isobudget.report.page.texts import MOST_LETTERS, as_texts, read_outputs
from isobudget.report.sources import check_sources, opened
from isobudget.solving.recorded_arms import read_arms
from support.synthetic_run import LARGE, PAIR, SMALL, FakeModel, synthetic_run

FEW = Bootstrap(replicates=200)
ASKED = Asked((Unit.FLOPS,), costs="paper", bootstrap=FEW)


def collected(source: Any, asked: Asked) -> PageContent:
    with opened(source) as sources:
        check_sources(sources)
        return collect_content(sources, asked, whole=False)


def counts_file(path: Path, n: int) -> Path:
    rows = [
        {"model": f"Code Llama {size}", "task_id": f"p/{at}", "n": n, "c": (at * step) % (n + 1)}
        for size, step in (("7B", 131), ("34B", 173))
        for at in range(30)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_counts_of_any_size_are_those_of_curves(tmp_path: Path) -> None:
    path = counts_file(tmp_path / "counts.jsonl", 5_000)
    found = collected(path, ASKED)
    (comparison,) = curves(path, Unit.FLOPS, costs="paper", bootstrap=FEW)
    (summary,) = found.summaries
    assert summary.by_tests[Unit.FLOPS].to_dict() == comparison.to_dict()
    assert report_dict(found.facts, found.summaries)["benchmarks"]["imported"]["passed"]["Code Llama 7B"]["p/1"] == [
        131,
        5_000,
    ]
    text = page_text(found, {})
    assert "2 models, 1 benchmark, 300,000 judged samples" in text
    assert "<h3>Verdicts</h3>" not in text


def test_without_units_the_prices_that_are_stated_come_first_and_none_is_missed(tmp_path: Path) -> None:
    known = counts_file(tmp_path / "known.jsonl", 20)
    lines = [
        {"model": model, "task_id": f"p/{at}", "passed": [at % 2, 1], "completion_tokens": [10, 30]}
        for model in ("a", "b")
        for at in range(4)
    ]
    own = tmp_path / "own.jsonl"
    own.write_text("\n".join(map(json.dumps, lines)))
    file, wrong = tmp_path / "costs.toml", tmp_path / "wrong.toml"
    file.write_text("[defaults]\nusd_per_million_input = 1\nusd_per_million_output = 2\nprompt_tokens = 9\n")
    wrong.write_text("[defaults]\nusd_per_million_output = 2\nprompt_tokens = 9\n")

    def units(path: Path, *stated: str | None, costs: Path | None = None) -> tuple[str, ...]:
        table = one_line_costs(None if costs is None else read_costs(costs), *stated)
        return tuple(map(str, collected(path, Asked((), costs=table, bootstrap=FEW)).summaries[0].units))

    assert units(known) == ("flops",)
    assert units(known, "100", None, None, "50") == ("device_seconds", "flops")
    assert units(known, "100", "2", None, "50") == ("usd", "device_seconds", "flops")
    assert units(known, None, None, None, "50") == ("flops",)
    assert units(own) == ("tokens",)
    assert units(own, costs=file) == ("usd",)
    with pytest.raises(InputError, match="usd_per_million_input is missing"):
        units(own, costs=wrong)
    bare = [{key: value for key, value in line.items() if key != "completion_tokens"} for line in lines]
    own.write_text("\n".join(map(json.dumps, bare)))
    with pytest.raises(InputError, match="no cost in flops for model 'a'"):
        units(own)


def test_a_run_beside_a_file(tmp_path: Path) -> None:
    synthetic_run(tmp_path / "run", (SMALL,), {"": 30}, task_prefix="p")
    path = counts_file(tmp_path / "counts.jsonl", 10)
    costs = Asked((Unit.FLOPS,), bootstrap=FEW)
    (summary,) = collected([tmp_path / "run", path], costs).summaries
    assert [one.model for one in summary.tallies] == ["small-135m", "Code Llama 7B", "Code Llama 34B"]


def test_two_runs_side_by_side(tmp_path: Path) -> None:
    """A model that both have is called by its run as well; a report of each has the same numbers."""
    one = synthetic_run(tmp_path / "monday", PAIR, {"b": 8})
    other = synthetic_run(tmp_path / "tuesday", (SMALL,), {"b": 8}, seed=1)
    asked = Asked((Unit.FLOPS,), bootstrap=FEW)
    (both,) = collected([one.path, other.path], asked).summaries
    names = [curve.label for curve in both.first.curves]
    assert set(names) == {"small-135m (monday)", "small-135m (tuesday)", "large-1.5b"}
    for run, name in ((one, "monday"), (other, "tuesday")):
        (alone,) = collected(run, asked).summaries
        mine = both.first.curve(f"small-135m ({name})")
        assert np.array_equal(mine.success, alone.first.curve("small-135m").success)
        assert np.array_equal(mine.cost, alone.first.curve("small-135m").cost)
        assert both.greedy[mine.model].success == alone.greedy["small-135m"].success


def test_outputs_of_two_runs_are_told_apart(tmp_path: Path) -> None:
    one = synthetic_run(tmp_path / "monday", (SMALL,), {"b": 2}, text="monday's")
    other = synthetic_run(tmp_path / "tuesday", (SMALL,), {"b": 2}, text="tuesday's")
    (content,) = [
        data for _, _, data in collected([one.path, other.path], Asked((Unit.FLOPS,), bootstrap=FEW)).outputs["b"]
    ]
    assert content.startswith(b'isobudgetTexts("')
    found = json.loads(json.loads(content.decode().removeprefix("isobudgetTexts(").removesuffix(");\n")))
    for problem in found["problems"]:
        for day in ("monday", "tuesday"):
            assert {output["text"] for output in problem["models"][f"small-135m ({day})"]} == {f"{day}'s"}


def test_runs_without_a_benchmark_in_common(tmp_path: Path) -> None:
    one, other = (synthetic_run(tmp_path / name, (LARGE,), {name: 2}) for name in ("x", "y"))
    with pytest.raises(InputError, match="no benchmark in common"):
        collected([one.path, other.path], ASKED)


# outputs --------------------------------------------------------------------------------------------------------------


def by_place(run: Run) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in map(asdict, run.verdicts()):
        found.setdefault((row["benchmark"], row["model"], row["task_id"]), []).append(row)
    return found


@pytest.mark.parametrize("most", [0, 2, 3])
def test_which_outputs_are_taken(tmp_path: Path, most: int) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"b": 12})
    for place, outputs in read_outputs([(run, {})], most).items():
        rows = by_place(run)[place]
        kinds = [one["kind"] for one in outputs]
        assert kinds == sorted(kinds, key=["greedy", "passed", "failed"].index)
        assert kinds.count("greedy") == 1
        passing = [row["index"] for row in rows if row["passed"] and not row["greedy"]]
        assert [one["index"] for one in outputs if one["kind"] == "passed"] == sorted(passing)[:1]
        failed = [row for row in rows if not row["passed"] and not row["greedy"]]
        shown = [one for one in outputs if one["kind"] == "failed"]
        assert len(shown) == min(most, len(failed))
        different = {row["outcome"] for row in failed}
        assert len({one["outcome"] for one in shown}) == min(len(shown), len(different))


def test_outputs_do_not_depend_on_how_samples_lie_in_parts(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", (replace(SMALL, n=6),), {"b": 2})
    whole = read_outputs([(run, {})], 1)
    rows = [row for part in read_each(run.path / "samples", SampleRow) for row in part.to_pylist()]
    other = tmp_path / "other"
    shutil.copytree(run.path, other, ignore=shutil.ignore_patterns("samples", "manifest*", ".manifest*"))
    for row in rows:  # most of these parts hold no output that is taken
        PartWriter(other / "samples", SampleRow).add_columns({name: [value] for name, value in row.items()})
    assert len(part_paths(other / "samples")) == len(rows) > sum(map(len, whole.values()))
    assert read_outputs([(Run.open(other), {})], 1) == whole


def test_every_output(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"b": 3})
    for place, outputs in read_outputs([(run, {})], None).items():
        assert len(outputs) == len(by_place(run)[place])
        assert {one["text"] for one in outputs} == {"    return x\n"}


def test_long_and_strange_texts(tmp_path: Path) -> None:
    text = "a\x00\u202e\r\u2028" + "é" * 10_000_000
    run = synthetic_run(tmp_path / "run", (FakeModel("m", 1, 0.0, 0.01, 64, 2),), {"b": 1}, text=text, greedy=False)
    ((one,),) = read_outputs([(run, {})], 3).values()
    assert one["text"].startswith("a\ufffd\ufffd\ufffd\ufffdéé")
    assert len(one["text"]) == MOST_LETTERS
    assert one["left_out"] == len(text) - MOST_LETTERS


def test_how_many_outputs_are_asked_for() -> None:
    assert [as_texts(one) for one in ("all", "0", 5)] == [None, 0, 5]
    for wrong in ("-1", "some", "", "1.5"):
        with pytest.raises(InputError, match="--texts"):
            as_texts(wrong)


# two suites -----------------------------------------------------------------------------------------------------------


def test_two_suites_are_counted(tmp_path: Path) -> None:
    """As of an import: another benchmark has the same samples by a further suite, which fails every second one."""
    run = synthetic_run(tmp_path / "run", (SMALL,), {"b": 6, "b+": 6}, task_prefix="p")
    rows = [row for row in run.verdicts() if row.benchmark == "b"]
    run.drop("verdicts")
    with run.writing(), run.verdict_writer() as writer:
        writer.add(rows)
        writer.add([replace(row, benchmark="b+", passed=row.passed and row.index % 2 == 0) for row in rows])
    summary = next(one for one in collected(run, Asked((Unit.FLOPS,), bootstrap=FEW)).summaries if one.name == "b")
    (found,) = summary.suites
    sampled = [row for row in rows if not row.greedy]
    assert found.samples == len(sampled)
    assert found.visible == sum(row.passed for row in sampled)
    assert found.right == sum(row.passed and row.index % 2 == 0 for row in sampled)
    assert found.wrong == 1 - found.right / found.visible
    assert "Two suites of tests" in page_text(collected(run, Asked((Unit.FLOPS,), bootstrap=FEW)), {})


def told(row: PlanRow) -> tuple[Any, ...]:
    return row.budget, row.policy, row.success, row.gain, row.expected_cost, row.schedule


def test_policies_are_planned_at_the_prices_of_the_comparison(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR)
    costs = tmp_path / "costs.toml"
    costs.write_text("".join(f'[models."{one.name}"]\nflops = {10**at}\n' for at, one in enumerate(PAIR)))
    for share_prompt in (None, False):
        asked = replace(ASKED, costs=read_costs(costs) if share_prompt is None else None, share_prompt=share_prompt)
        with opened(run) as sources:
            (summary,) = collect_content(sources, asked).summaries
        comparison = summary.by_tests[Unit.FLOPS]
        planned = read_arms([run.path], Unit.FLOPS, asked.costs, share_prompt=share_prompt)
        weights = FEW.weights(len(planned.task_ids))
        rows = frontier(planned.arms, comparison.budgets, weights, level=FEW.level, unit="flops", seed=FEW.seed)
        assert [row.budget for row in rows] == list(comparison.budgets)
        assert list(map(told, summary.frontier[Unit.FLOPS])) == list(map(told, rows))


def test_results_without_a_price_name_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(
        "".join(json.dumps({"task_id": "p/1", "completion": "x", "passed": one}) + "\n" for one in (True, False))
    )
    for asked in (Asked((Unit.FLOPS, Unit.DEVICE_SECONDS)), Asked((Unit.DEVICE_SECONDS,))):
        with pytest.raises(InputError, match=r"^no time was recorded with the samples of .*--tokens-per-second"):
            collected(path, asked)


def test_files_of_which_nothing_is_judged_are_named_themselves(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps({"task_id": "HumanEval/0", "completion": "x"}) + "\n")
    with pytest.raises(RunError, match=rf"^{re.escape(str(path))}: none of these samples is judged.*isobudget import"):
        collected(path, Asked())


def test_options_that_leave_a_model_out_are_an_error(tmp_path: Path) -> None:
    """As in `curves`: what is typed is never dropped for another unit; but what was not typed may be missing."""
    source = tmp_path / "c.jsonl"
    lines = [
        {"model": model, "task_id": f"t{at}", "passed": [0, 1, at % 2], "completion_tokens": [9, 9, 9]}
        for model in ("a", "b")
        for at in range(4)
    ]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match="the command line gives no price for b"):
        collected(source, Asked(costs=one_line_costs(None, "a=100"), bootstrap=FEW))
    both = one_line_costs(None, "100", None, "2")
    assert collected(source, Asked(costs=both, bootstrap=FEW)).summaries[0].units == (Unit.DEVICE_SECONDS,)
