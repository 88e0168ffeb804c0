"""Measured seconds of a sample do not depend on how many were generated together: a made-up engine, priced."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isobudget.analysis.compare_run import run_comparison
from isobudget.analysis.left_out import LeftOut
from isobudget.analysis.load_samples import ModelSamples, ProblemSamples, load_samples
from isobudget.analysis.measured import measured
from isobudget.analysis.run_costs import sample_amounts, sample_cost
from isobudget.costs.cost import Unit
from isobudget.curves import FIRST_PASS, Bootstrap
from isobudget.errors import InputError
from isobudget.pipeline.estimates import known_of
from isobudget.records.run import Run, load_run
from isobudget.study import stated_model
from support.synthetic_run import synthetic_run

#: what computing a prompt takes, a step whatever it advances, and each row of it
PROMPT, STEP, ROW = 3.0, 0.5, 0.125
SLOTS = 16


def drawn(problems: int, n: int, lengths: list[int], slots: int = SLOTS) -> ModelSamples:
    """What an engine of so many slots would record, its samples in the order of their problems."""
    waiting = [
        [problem, lengths[(problem * n + at) % len(lengths)], 0.0, 0, 0.0]
        for problem in range(problems)
        for at in range(n)
    ]
    order, active = list(waiting), []
    while waiting or active:
        while waiting and len(active) < slots:
            active.append([waiting.pop(0), 1])  # the first token comes with the prompt
        active = [pair for pair in active if pair[1] < pair[0][1]]
        if waiting and len(active) < slots:
            continue
        share = (STEP + ROW * len(active)) / max(len(active), 1)
        for pair in active:
            pair[0][2] += share
            if len(active) < slots:
                pair[0][3] += 1
                pair[0][4] += share
            pair[1] += 1
    return of_rows(problems, n, order)


def of_rows(problems: int, n: int, rows: list[Any], prompt: float = PROMPT) -> ModelSamples:
    found = [one(rows[at * n : (at + 1) * n], prompt) for at in range(problems)]
    return ModelSamples("m", tuple(map(str, range(problems))), tuple(found), None, LeftOut())


def one(rows: list[Any], prompt: float) -> ProblemSamples:
    tokens, seconds, idle, idle_seconds = (np.array([row[at] for row in rows], dtype=float) for at in range(1, 5))
    nothing, many = np.zeros(len(rows)), np.full(len(rows), math.nan)
    return ProblemSamples(
        passed=nothing.astype(bool),
        prompt_tokens=10,
        completion_tokens=tokens.astype(int),
        mean_logprob=nothing,
        sum_logprob=nothing,
        cut_off=nothing.astype(bool),
        seconds=seconds,
        joules=2 * seconds,
        judge_seconds=nothing,
        tests_passed=many,
        prompt_seconds=nothing + prompt,
        prompt_joules=many,
        idle_tokens=idle,
        idle_seconds=idle_seconds,
        billed_prompt_tokens=many,
        cached_tokens=many,
        usd=many,
        index=np.arange(len(rows)),
        text=nothing.astype(object),
        token_ids=nothing.astype(object),
    )


@pytest.mark.parametrize(("problems", "n"), [(16, 1), (4, 4), (1, 16), (64, 1), (10, 7)])
@pytest.mark.parametrize("lengths", [[46], [10, 60, 30, 46]])
def test_a_sample_s_price_does_not_depend_on_n(problems: int, n: int, lengths: list[int]) -> None:
    price = measured(drawn(problems, n, lengths), Unit.SECONDS).cost("here")
    assert price.per_problem == PROMPT
    per_token = STEP / SLOTS + ROW  # of a full step
    steps = [length - 1 for length in (lengths * 64)[: problems * n]]
    assert price.per_sample == pytest.approx(np.mean(steps) * per_token, rel=1e-9)
    assert "prompt charged once a problem" in price.source


def test_the_tail_is_priced_as_full_and_said() -> None:
    found = drawn(10, 7, [46])  # 70 samples: 6 of them at the end, in 16 slots
    idle = sum(float(one.idle_tokens.sum()) for one in found.problems)
    assert idle == 6 * 45
    plain = float(np.mean([one.seconds.mean() for one in found.problems]))
    price = measured(found, Unit.SECONDS).cost("here")
    assert price.per_sample < plain
    assert "9% of the tokens were generated while slots were idle, priced as if all were full" in price.source


def test_a_model_with_too_few_samples_is_marked() -> None:
    found = drawn(3, 2, [46])
    price = measured(found, Unit.SECONDS).cost("here")
    assert price.per_sample == pytest.approx(45 * (STEP / 6 + ROW))
    assert "almost all measured while slots were idle" in price.source
    assert "with full slots, samples cost less" in price.source


def test_what_was_not_timed_apart_is_part_of_the_samples_and_said() -> None:
    rows = [[0, 46, 5.0, math.nan, math.nan]] * 4
    price = measured(of_rows(2, 2, rows, math.nan), Unit.SECONDS).cost("here")
    assert (price.per_sample, price.per_problem) == (5.0, 0.0)
    assert "the prompt's share is not known separately" in price.source
    mixed = of_rows(2, 2, rows, math.nan)
    later = replace(mixed.problems[0], prompt_seconds=np.array([math.nan, 3.0]), seconds=np.array([5.0, 2.0]))
    price = measured(replace(mixed, problems=(later, mixed.problems[1])), Unit.SECONDS).cost("here")
    assert (price.per_sample, price.per_problem) == (5.0, 0.0)  # 2 seconds and the prompt's 3 are 5 again
    joules = measured(drawn(4, 4, [46]), Unit.JOULES).cost("here")
    assert joules.per_problem == 0
    assert "the prompt's share is not known separately" in joules.source


def test_every_sample_may_pay_for_its_prompt() -> None:
    found = measured(drawn(4, 4, [46]), Unit.SECONDS)
    once, each = found.cost("here"), found.cost("here", share_prompt=False)
    assert each.cost(1) == pytest.approx(once.cost(1))
    assert each.cost(3) == pytest.approx(once.cost(3) + 2 * PROMPT)


@pytest.mark.parametrize("value", [math.inf, math.nan, -1.0])
def test_a_time_that_cannot_be_has_no_price_and_is_said(value: float) -> None:
    found = drawn(10, 7, [46])  # some of its tokens were generated while slots were idle
    seconds = found.problems[0].seconds.copy()
    seconds[0] = value
    problems = (replace(found.problems[0], seconds=seconds), *found.problems[1:])
    with pytest.raises(InputError, match="a time is negative or not finite"):
        measured(replace(found, problems=problems), Unit.SECONDS).cost("here")
    with pytest.raises(InputError, match="a time is negative or not finite"):
        measured(of_rows(1, 2, [[0, 46, 5.0, 0, 0.0]] * 2, -1.0), Unit.SECONDS).cost("here")


def test_samples_of_a_run_without_token_counts_are_not_called_imported(run: Run) -> None:
    (samples, *_) = load_samples(run).samples("b")
    first = samples.problems[0]
    unknown = replace(first, completion_tokens=np.full(len(first.passed), -1))
    samples = replace(samples, problems=(unknown, *samples.problems[1:]))
    with pytest.raises(InputError, match=f"^not every sample of {samples.model} has token counts; "):
        sample_cost(run, samples, Unit.TOKENS)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose samples have their prompt's time apart: 0.5 s of every problem."""
    made = synthetic_run(tmp_path / "run", benchmarks={"b": 6})
    rows = [replace(row, prompt_seconds=0.5, idle_tokens=0, idle_seconds=0.0) for row in made.samples()]
    with made.writing():
        made.drop("samples")
        with made.sample_writer() as writer:
            writer.add(rows)
    return load_run(made.path)


def test_a_run_s_prompts_are_charged_once_a_problem(run: Run) -> None:
    found = run_comparison(run, unit=Unit.SECONDS, stop=FIRST_PASS, bootstrap=Bootstrap(replicates=200))
    for samples in load_samples(run, ["b"]).samples("b"):
        price = found.curve(samples.model).price
        assert price.per_problem == 0.5
        assert price == sample_cost(run, samples, Unit.SECONDS)
        means = [own.mean() for own in sample_amounts(run, samples, Unit.SECONDS)]
        assert price.per_sample == pytest.approx(np.mean(means))
        assert price.per_sample == pytest.approx(np.mean([own.seconds.mean() for own in samples.problems]))


def test_a_run_s_device_seconds_are_those_of_the_gpus_that_were_held(run: Run) -> None:
    held = {"small-135m": 1, "large-1.5b": 4}
    for model, devices in held.items():
        run.facts["models"][model]["devices"] = devices
    run.save_facts()
    loaded = load_samples(run.path, ["b"])
    for samples in loaded.samples("b"):
        wall, device = (sample_cost(loaded.run, samples, unit) for unit in (Unit.SECONDS, Unit.DEVICE_SECONDS))
        assert device.cost(3) == pytest.approx(held[samples.model] * wall.cost(3))
        assert f"x {held[samples.model]} held" in device.source
        amounts = sample_amounts(loaded.run, samples, Unit.DEVICE_SECONDS)
        assert np.mean([own.mean() for own in amounts]) == pytest.approx(device.per_sample)


@pytest.mark.parametrize(
    ("fields", "devices"),
    [
        ({"name": "m", "backend": "llama.cpp", "model": "m.gguf"}, 1),
        ({"name": "m", "backend": "vllm", "tensor_parallel": 8}, 8),
        ({"name": "m", "backend": "transformers"}, 1),
        ({"name": "m", "backend": "server", "url": "http://localhost/v1"}, None),
    ],
)
def test_settings_say_how_many_devices_a_model_holds(fields: dict[str, Any], devices: int | None) -> None:
    assert stated_model(fields, "here").settings.devices == devices


def test_a_dry_run_counts_the_prompts_of_what_is_left(run: Run) -> None:
    rows = [asdict(row) for row in run.samples() if row.model == "small-135m"]
    recorded = known_of(run.path)[1]["b", "small-135m"]
    assert recorded.prompt_seconds == pytest.approx(0.5)
    assert recorded.seconds == pytest.approx(np.mean([row["seconds"] for row in rows]))
    assert recorded.completion_tokens == pytest.approx(np.mean([row["completion_tokens"] for row in rows]))
