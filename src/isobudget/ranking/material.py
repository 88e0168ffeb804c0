"""The samples to rank of a run folder, with what is known of their costs. Those of files are in `ranking_files`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.compare_run import architecture_of, model_samples, sample_cost
from isobudget.backends.base import FinishReason
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.usage import TokenUse, flops_cost, tokens_cost
from isobudget.curves import common_tasks
from isobudget.errors import InputError, RunError
from isobudget.models.architecture import Architecture
from isobudget.pipeline.prompts import RunPrograms, RunPrompts
from isobudget.rankers.base import Candidate, Candidates, Pool
from isobudget.records.run import Run

#: units in which samples of a run may be priced
UNITS = (Unit.FLOPS, Unit.SECONDS, Unit.TOKENS)


@dataclass(frozen=True, slots=True, eq=False)
class GreedyOutputs:
    """One greedy output of every ranked problem.

    Attributes:
        passed: shape (problems,).
        cost: mean cost of one, by unit, its prompt included.
    """

    passed: NDArray[np.bool_]
    cost: Mapping[Unit, float]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """The samples of one model with what is known of their costs.

    Attributes:
        pool: the samples; all of them judged.
        greedy: None where not every problem has a judged greedy output.
        prices: of one sample, by unit; a unit that is not known is not there.
        unpriced: why not, by unit.
        architecture: the model's, None if not known.
        left_out: samples without a verdict.
    """

    pool: Pool
    greedy: GreedyOutputs | None = None
    prices: Mapping[Unit, SampleCost] = field(default_factory=dict)
    unpriced: Mapping[Unit, str] = field(default_factory=dict)
    architecture: Architecture | None = None
    left_out: int = 0


def run_material(run: Run, benchmark: str) -> list[Material]:
    """The judged samples of one benchmark of a run, on the problems that all models have samples for.

    Raises:
        RunError: no such benchmark, or nothing of it is judged.
    """
    models = model_samples(run, benchmark)
    common = common_tasks([one.task_ids for one in models])
    if not common:
        raise RunError(f"{run.path}: the models have no judged problem of {benchmark} in common")
    rows = _rows(run, benchmark, set(common))
    found = []
    for samples in models:
        chosen = samples.only(common)
        prices, unpriced = {}, {}
        for unit in UNITS:
            try:
                prices[unit] = sample_cost(run, chosen, unit)
            except InputError as error:
                unpriced[unit] = str(error)
        pool = Pool(benchmark, samples.model, _candidates(run, samples.model, benchmark, common, rows))
        greedy = _greedy(run, samples.model, common, rows, tuple(prices))
        shape = _architecture(run, samples.model)
        found.append(Material(pool, greedy, prices, unpriced, shape, samples.unjudged))
    return found


def _architecture(run: Run, model: str) -> Architecture | None:
    try:
        return architecture_of(run, model)
    except (InputError, KeyError):
        return None


@dataclass(frozen=True, slots=True)
class _Row:
    """A judged sample as its tables have it."""

    sample: Any
    passed: bool


def _rows(run: Run, benchmark: str, tasks: set[str]) -> dict[tuple[str, str, bool], list[_Row]]:
    """Judged samples by model, problem and greedy, in the order of their indices."""
    columns = ["benchmark", "model", "task_id", "greedy", "index", "passed"]
    table = run.verdicts_table(columns)
    names = [table[name].to_pylist() for name in columns]
    verdicts = {key[:5]: key[5] for key in zip(*names, strict=True) if key[0] == benchmark}
    found: dict[tuple[str, str, bool], list[_Row]] = defaultdict(list)
    for row in run.samples():
        if row.benchmark == benchmark and row.task_id in tasks and row.key in verdicts:
            found[row.model, row.task_id, row.greedy].append(_Row(row, verdicts[row.key]))
    for rows in found.values():
        rows.sort(key=lambda one: one.sample.index)
    return found


def _candidates(
    run: Run, model: str, benchmark: str, tasks: Sequence[str], rows: Mapping[tuple[str, str, bool], list[_Row]]
) -> tuple[Candidates, ...]:
    prompts, programs, problems = RunPrompts(run), RunPrograms(run, run.facts.get("extraction")), run.problems()
    found = []
    for task_id in tasks:
        problem = problems[benchmark, task_id]
        of_problem = rows[model, task_id, False]
        samples = tuple(_candidate(one, programs.program(problem, one.sample)) for one in of_problem)
        prompt, head = prompts.prompt(model, problem), prompts.head(model, problem)
        found.append(Candidates(problem, prompt, head, samples, of_problem[0].sample.prompt_tokens))
    return tuple(found)


def _candidate(row: _Row, program: str) -> Candidate:
    sample = row.sample
    return Candidate(
        index=sample.index,
        text=sample.text,
        program=program,
        passed=row.passed,
        cut_off=sample.finish_reason == FinishReason.LENGTH,
        completion_tokens=sample.completion_tokens,
        sum_logprob=sample.sum_logprob,
        mean_logprob=sample.mean_logprob,
        seconds=sample.seconds,
        token_ids=tuple(sample.token_ids or ()),
    )


def _greedy(
    run: Run,
    model: str,
    tasks: Sequence[str],
    rows: Mapping[tuple[str, str, bool], list[_Row]],
    units: Sequence[Unit],
) -> GreedyOutputs | None:
    outputs = [rows.get((model, task_id, True)) for task_id in tasks]
    if not all(outputs):
        return None
    firsts = [one[0] for one in outputs if one]
    cost = {unit: _cost_of_one(run, model, [one.sample for one in firsts], unit) for unit in units}
    return GreedyOutputs(np.array([one.passed for one in firsts], dtype=bool), cost)


def _cost_of_one(run: Run, model: str, samples: Sequence[Any], unit: Unit) -> float:
    """Mean cost of one output, its prompt included."""
    if unit is Unit.SECONDS:
        return float(np.mean([one.seconds for one in samples]))
    prompts, tokens = [one.prompt_tokens for one in samples], [[one.completion_tokens] for one in samples]
    use = TokenUse.of(prompts, tokens, share_prompt=False)
    return (tokens_cost(use) if unit is Unit.TOKENS else flops_cost(architecture_of(run, model), use)).cost(1)
