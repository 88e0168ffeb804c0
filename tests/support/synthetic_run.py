"""A run folder with made-up but plausible outcomes, for tests of what comes after judging.

No model and no judge is needed: rows go in through the same writers that the stages use.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from isobudget.judge.verdict import RULES, Limits
from isobudget.models.architecture import Architecture
from isobudget.problems.problem import CheckFunction, Problem
from isobudget.records.rows import SampleKey, SampleRow, VerdictRow
from isobudget.records.run import Run

_NOT_PASSED = ["failed"] * 6 + ["error", "error", "syntax_error", "timeout"]


@dataclass(frozen=True, slots=True)
class FakeModel:
    """A made-up model: `skill` is on the logistic scale on which problems have difficulties from -2 to 3."""

    name: str
    n: int
    skill: float
    seconds_per_token: float
    hidden: int
    layers: int


SMALL = FakeModel("small-135m", 20, -1.0, 0.004, 576, 30)
LARGE = FakeModel("large-1.5b", 2, 1.2, 0.022, 1536, 28)
#: a small model with many samples, a large one with few
PAIR = (SMALL, LARGE)
TRIO = (
    FakeModel("small-135m", 200, -1.0, 0.004, 576, 30),
    FakeModel("medium-0.5b", 100, 0.0, 0.009, 896, 24),
    FakeModel("large-1.5b", 20, 1.2, 0.022, 1536, 28),
)


def synthetic_run(
    path: Path | str,
    models: tuple[FakeModel, ...] = PAIR,
    benchmarks: dict[str, int] | None = None,
    *,
    seed: int = 0,
    greedy: bool = True,
    judged: bool = True,
    likelihood: bool = True,
    task_prefix: str | None = None,
    text: str = "    return x\n",
    detail: str = "AssertionError",
) -> Run:
    """Make a run in `path`.

    Args:
        path: a folder that is empty or not there, also in an object store.
        models: what was run.
        benchmarks: names with their number of problems; by default `quickstart` with 30.
        seed: of everything made up.
        greedy: whether there is a greedy output of each problem.
        judged: whether there are verdicts.
        likelihood: whether log-probabilities are known.
        task_prefix: of the task ids; by default the benchmark's name.
        text, detail: of every sample, and of the verdicts on those that failed.
    """
    dice = random.Random(seed)
    run = Run.create(path, "synthetic")
    benchmarks = benchmarks or {"quickstart": 30}
    with run.writing():
        for name, size in benchmarks.items():
            sampling = {"temperature": 0.8, "top_p": 0.95, "max_tokens": 200, "stop": ["\ndef ", "\nprint("], "seed": 0}
            run.state("benchmarks", name, sampling | {"problems": size})
            run.add_problems([_problem(name, f"{task_prefix or name}/{at}") for at in range(size)])
        for model in models:
            run.state("models", model.name, _facts(model))
        if judged:
            run.facts |= {"judge": Limits()._asdict(), "judge_rules": RULES}
        run.save_facts()
        rows = [
            row
            for (benchmark, task_id), difficulty in _difficulties(run, benchmarks).items()
            for model in models
            for row in _rows(model, (benchmark, task_id), difficulty, dice, greedy, likelihood)
        ]
        rows = [(replace(sample, text=text), replace(said, detail=said.detail and detail)) for sample, said in rows]
        with run.sample_writer() as writer:
            writer.add([sample for sample, _ in rows])
        if judged:
            with run.verdict_writer() as writer:
                writer.add([verdict for _, verdict in rows])
    return run


def _problem(benchmark: str, task_id: str) -> Problem:
    prompt = f'def solve(x):\n    """Problem {task_id}."""\n'
    return Problem(task_id, benchmark, prompt, "solve", CheckFunction("def check(f):\n    assert f(1) == 1\n"))


def _facts(model: FakeModel) -> dict[str, object]:
    shape = Architecture(model.name, model.layers, model.hidden, 3 * model.hidden, 8, 2, model.hidden // 8, 49152)
    architecture = {key: value for key, value in asdict(shape).items() if key != "source"}
    return {
        "title": f"Made-up model {model.name}",
        "file": f"{model.name}.gguf",
        "sha256": hashlib.sha256(model.name.encode()).hexdigest(),
        "licence": "Apache-2.0",
        "prompt_newline": "keep",
        "engine": "llama.cpp on CPU, 2 threads, 16 slots",
        "architecture": architecture,
    }


def _difficulties(run: Run, benchmarks: dict[str, int]) -> dict[tuple[str, str], float]:
    """From -2 to 3 within each benchmark, in the order of its problems."""
    found: dict[tuple[str, str], float] = {}
    for key in run.problems():
        place = sum(1 for other in found if other[0] == key[0])
        found[key] = -2 + 5 * place / max(benchmarks[key[0]] - 1, 1)
    return found


def _rows(
    model: FakeModel,
    problem: tuple[str, str],
    difficulty: float,
    dice: random.Random,
    greedy: bool,
    likelihood: bool,
) -> list[tuple[SampleRow, VerdictRow]]:
    chance = 1 / (1 + math.exp(1.5 * (difficulty - model.skill) + dice.gauss(0, 0.8)))
    places = [(False, index) for index in range(model.n)] + ([(True, 0)] if greedy else [])
    rows = []
    for is_greedy, index in places:
        key: SampleKey = (problem[0], model.name, problem[1], is_greedy, index)
        passed = dice.random() < (min(1.0, 1.3 * chance) if is_greedy else chance)
        rows.append((_sample(model, key, passed, dice, likelihood), _verdict(key, passed, dice)))
    return rows


def _sample(model: FakeModel, key: SampleKey, passed: bool, dice: random.Random, likelihood: bool) -> SampleRow:
    tokens = min(200, 2 + int(dice.expovariate(1 / 60)))
    mean = dice.gauss(-0.3 if passed else -0.55, 0.2) if likelihood else math.nan
    finish = "length" if tokens == 200 else "stop"
    return SampleRow(
        *key,
        text="    return x\n",
        finish_reason=finish,
        prompt_tokens=40 + 3 * (len(key[2]) % 20),
        completion_tokens=tokens,
        sum_logprob=mean * tokens,
        mean_logprob=mean,
        seconds=model.seconds_per_token * tokens * dice.uniform(0.9, 1.1),
        joules=None,
        seed=dice.getrandbits(30),
    )


def _verdict(key: SampleKey, passed: bool, dice: random.Random) -> VerdictRow:
    outcome = "passed" if passed else dice.choice(_NOT_PASSED)
    detail = "" if passed else "AssertionError"
    return VerdictRow(*key, outcome, passed, dice.uniform(0.01, 0.1), 12.0, detail, "shared", None, None, "")
