"""Reads the samples to rank from a run folder, with their known costs; `sample_files` reads them from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isobudget.analysis.compare_run import Greedy, greedy_outputs
from isobudget.analysis.left_out import LeftOut
from isobudget.analysis.load_samples import LoadedRun, ModelSamples
from isobudget.analysis.run_costs import sample_cost
from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import Bootstrap, common_tasks
from isobudget.errors import InputError, RunError
from isobudget.pipeline.prompts import RunPrograms
from isobudget.rankers.base import Candidate, Candidates, Pool
from isobudget.records.facts import COUNTED

#: units in which samples of a run may be priced
UNITS = (Unit.FLOPS, Unit.SECONDS, Unit.TOKENS)
#: the fields that both samples and candidates have
_FIELDS = (
    "text", "index", "passed", "cut_off", "completion_tokens", "sum_logprob", "mean_logprob", "seconds",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RankingInput:
    """The samples of one model, with their known costs.

    Attributes:
        pool: the samples; all of them are judged.
        greedy: the greedy outputs; None unless every problem has a judged one.
        prices: cost of a sample by unit, for the units in which it is known.
        unpriced: for every other unit, why the cost is not known.
        left_out: samples that are left out.
    """

    pool: Pool
    greedy: Greedy | None = None
    prices: Mapping[Unit, SampleCost] = field(default_factory=dict)
    unpriced: Mapping[Unit, str] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)


def run_inputs(loaded: LoadedRun, benchmark: str, bootstrap: Bootstrap, first: int | None = None) -> list[RankingInput]:
    """The judged samples of one benchmark of a run, on the problems that all models have samples for.

    With `first`, only so many of these problems are taken. `loaded` must have the texts of its samples.

    Raises:
        RunError: there is no such benchmark, or the models have no judged problem in common.
    """
    run, models = loaded.run, loaded.samples(benchmark)
    common = common_tasks([one.task_ids for one in models])
    if first is not None:
        common = tuple(task for name, task in loaded.problems if name == benchmark and task in set(common))[:first]
    if not common:
        raise RunError(f"{run.path}: the models have no judged problem of {benchmark} in common")
    programs = RunPrograms(run, run.facts.get("extraction"))
    inputs = []
    for samples in models:
        chosen = samples.only(common)
        prices, unpriced = {}, {}
        for unit in UNITS:
            try:
                prices[unit] = sample_cost(run, chosen, unit)
            except InputError as error:
                unpriced[unit] = str(error)
        inputs.append(
            RankingInput(
                Pool(
                    benchmark,
                    samples.model,
                    _candidates(loaded, benchmark, chosen, programs),
                    ordered=not run.facts["models"][samples.model].get(COUNTED),
                ),
                greedy_outputs(run, samples, common, tuple(prices), bootstrap),
                prices,
                unpriced,
                samples.left_out,
            )
        )
    return inputs


def _candidates(
    loaded: LoadedRun, benchmark: str, samples: ModelSamples, programs: RunPrograms
) -> tuple[Candidates, ...]:
    model, candidates_by_problem = samples.model, []
    for task_id, own in zip(samples.task_ids, samples.problems, strict=True):
        problem = loaded.problems[benchmark, task_id]
        prompt, head = programs.prompts.prompt(model, problem), programs.prompts.head(model, problem)
        rows = zip(own.token_ids, *(getattr(own, name).tolist() for name in _FIELDS), strict=True)
        candidates = tuple(
            Candidate(
                program=programs.program(problem, model, text),
                token_ids=() if ids is None else tuple(ids.tolist()),
                **dict(zip(_FIELDS, (text, *fields), strict=True)),
            )
            for ids, text, *fields in rows
        )
        candidates_by_problem.append(Candidates(problem, prompt, head, candidates, own.prompt_tokens))
    return tuple(candidates_by_problem)
