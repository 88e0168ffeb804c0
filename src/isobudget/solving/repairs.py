"""Makes arms of a plan from samples and their repairs, which `isobudget solve --explore N --repair R` records.

A chain of r repairs is a sample generated from scratch and, while the tests fail, up to r repairs, each of the sample
before. A chain costs as much as its samples together. Each repair also pays for its prompt, at the mean price of repair
prompts. The result of a chain that the budget cut short is unknown. Problems with such a chain are left out completely,
because leaving out only the chain would bias the rest towards passing ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.compare_run import price_samples
from isobudget.analysis.left_out import LeftOut
from isobudget.analysis.load_samples import LoadedRun, ModelSamples, ProblemSamples, load_samples
from isobudget.costs.charges import Charges
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.grid import counted
from isobudget.policies.repair import repairing
from isobudget.records.attempts import AttemptRow
from isobudget.records.parts import read_rows
from isobudget.records.run import Run
from isobudget.solving.recorded_arm import RecordedArm, amounts_by_verdict

#: a sample of a chain: whether it passed, and its cost; for a repair, including its prompt
_Link = tuple[bool, float]


@dataclass(frozen=True, slots=True)
class _Chains:
    """For one problem, the chain of each sample generated from scratch, in order."""

    links: tuple[tuple[_Link, ...], ...]

    def whole(self, repairs: int) -> bool:
        """Whether every chain was completed within this many repairs."""
        return all(any(passed for passed, _ in one) or len(one) > repairs for one in self.links)

    def outcomes(self, repairs: int) -> tuple[tuple[bool, ...], NDArray[np.float64]]:
        """For each chain, whether it passes within this many repairs, and what it costs."""
        kept = [one[: repairs + 1] for one in self.links]
        passed = tuple(any(passed for passed, _ in one) for one in kept)
        return passed, np.array([sum(amount for _, amount in one) for one in kept])


def repair_arms(
    pool: LoadedRun, model: ModelSamples, benchmark: str, unit: Unit, costs: CostsFile | str | None, charges: Charges
) -> Iterator[RecordedArm]:
    """One arm for each number of repairs up to the recorded maximum, on the problems whose chains are complete.

    Args:
        pool: the run, loaded without repairs.
        model: samples of one model of the run.
        benchmark, unit, costs, charges: as for a plan.
    """
    run = pool.run
    parents = _parents(run, benchmark, model.model)
    if not parents:
        return
    price, own = price_samples(run, model, unit, costs, charges)
    chains = _chains(model, _amounts(model, price, own), parents, _repairs(run, benchmark, model.model, unit, costs))
    for repairs in range(1, _longest(chains) + 1):
        tasks = tuple(task for task in model.task_ids if chains[task].whole(repairs))
        if tasks:
            yield _arm(run, model.model, tasks, chains, repairs, price)


def _parents(run: Run, benchmark: str, model: str) -> dict[tuple[str, int], int]:
    """For each repair, its (task id, index) and the index of the sample that it repairs.

    Only explored samples are included, which were drawn regardless of verdicts.
    """
    rows = read_rows(run.path / "attempts", AttemptRow)
    own = (row for row in rows if row.benchmark == benchmark and row.model == model and row.explored)
    return {(row.task_id, row.index): row.parent for row in own if row.parent is not None}


def _repairs(
    run: Run, benchmark: str, model: str, unit: Unit, costs: CostsFile | str | None
) -> dict[tuple[str, int], _Link]:
    """(task id, index) -> verdict and cost of each repair, including its own prompt."""
    loaded = load_samples(run, [benchmark], repairs=True)
    repaired = next((one for one in loaded.models[benchmark] if one.model == model), None)
    if repaired is None:
        return {}
    prompts = {
        (row.task_id, row.index): -1 if row.prompt_tokens is None else row.prompt_tokens
        for row in run.samples()
        if row.benchmark == benchmark and row.model == model
    }
    keys, singles = [], []
    for task, problem in zip(repaired.task_ids, repaired.problems, strict=True):
        for place, index in enumerate(problem.index.tolist()):
            keys.append((task, index))
            singles.append(replace(_only(problem, place), prompt_tokens=prompts[task, index]))
    each = ModelSamples(model, tuple(f"{task}#{index}" for task, index in keys), tuple(singles), None, LeftOut())
    price, own = price_samples(run, each, unit, costs, Charges(share_prompt=False))
    return {
        key: (bool(one.passed[0]), float(amount[0]))
        for key, one, amount in zip(keys, singles, _amounts(each, price, own), strict=True)
    }


def _only(problem: ProblemSamples, place: int) -> ProblemSamples:
    """The problem with only the sample at this place."""
    values = {name: getattr(problem, name) for name in ProblemSamples.__match_args__}
    cut = {name: value[place : place + 1] for name, value in values.items() if isinstance(value, np.ndarray)}
    return ProblemSamples(**(values | cut))


def _amounts(
    samples: ModelSamples, price: SampleCost, own: Sequence[NDArray[np.float64]] | None
) -> list[NDArray[np.float64]]:
    """The cost of each sample. If the costs of single samples are not known, it is the mean cost."""
    return [np.full(n, price.per_sample) for n in samples.n] if own is None else list(own)


def _chains(
    model: ModelSamples,
    amounts: Sequence[NDArray[np.float64]],
    parents: Mapping[tuple[str, int], int],
    repairs: Mapping[tuple[str, int], _Link],
) -> dict[str, _Chains]:
    children = {(task, parent): index for (task, index), parent in parents.items()}
    chains = {}
    for task, problem, paid in zip(model.task_ids, model.problems, amounts, strict=True):
        links = []
        for index, passed, amount in zip(problem.index.tolist(), problem.passed.tolist(), paid.tolist(), strict=True):
            own, at = [(passed, amount)], index
            while (task, at) in children and (task, children[task, at]) in repairs:
                at = children[task, at]
                own.append(repairs[task, at])
            links.append(tuple(own))
        chains[task] = _Chains(tuple(links))
    return chains


def _longest(chains: Mapping[str, _Chains]) -> int:
    return max(len(one) for own in chains.values() for one in own.links) - 1


def _arm(
    run: Run, model: str, tasks: tuple[str, ...], chains: Mapping[str, _Chains], repairs: int, price: SampleCost
) -> RecordedArm:
    pairs = [chains[task].outcomes(repairs) for task in tasks]
    verdicts = tuple(passed for passed, _ in pairs)
    amounts = [paid for _, paid in pairs]
    cost = replace(
        price,
        per_sample=float(np.mean([one.mean() for one in amounts])),
        per_token=0.0,
        source=f"{price.source}; with up to {counted(repairs, 'repair')}, each with a prompt of its own",
    )
    passed, failed = amounts_by_verdict(verdicts, amounts)
    return RecordedArm(
        name=repairing(model, repairs),
        task_ids=tasks,
        n=np.array([len(own) for own in verdicts], dtype=np.int64),
        c=np.array([sum(own) for own in verdicts], dtype=np.int64),
        verdicts=verdicts,
        price=cost,
        if_passed=passed,
        if_failed=failed,
        repairs=repairs,
        pool=pool_of(run, model),
    )


def pool_of(run: Run, model: str) -> str:
    """The name of a pool: the samples of a model in a run."""
    return f"{run.path}::{model}"
