"""From a run folder or a COUNTS file to comparisons at equal budget: the call behind `isobudget curves`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isobudget.costs.cost import Unit
from isobudget.costs.costs_file import read_costs
from isobudget.curves import Bootstrap, Comparison, common_counts, compare_counts
from isobudget.curves.pricing import PAPER, price_models
from isobudget.errors import InputError
from isobudget.records.counts import ModelCounts, group_counts, read_counts
from isobudget.records.run import load_run
from isobudget.stages.evaluate import ModelSamples, benchmarks_of, model_samples, run_comparison


def curves(
    source: str | Path,
    unit: Unit = Unit.FLOPS,
    *,
    costs: str | None = None,
    budgets: str | None = None,
    benchmark: str | None = None,
    bootstrap: Bootstrap | None = None,
) -> list[Comparison]:
    """Success against budget of every model, one comparison a benchmark.

    Args:
        source: a run folder, or a COUNTS file.
        unit: what budgets are counted in.
        costs: a costs file, or ``paper`` for Table 1 of the paper. Without it, a run is priced by what it recorded,
            and a COUNTS file by the architectures of models whose names are known.
        budgets: per problem, as ``1e12,4e12`` in the unit or ``1x,4x`` in samples of the cheapest model.
        benchmark: only this one.
        bootstrap: how intervals are computed.

    Raises:
        InputError: a file, a model without a cost, or a budget is wrong.
        RunError: the folder is no run, or nothing in it is judged.
    """
    source, bootstrap = Path(source), bootstrap or Bootstrap()
    if source.is_dir() and costs is None:
        return _by_records(source, unit, budgets, benchmark, bootstrap)
    groups = _run_counts(source) if source.is_dir() else list(group_counts(read_counts(source)).values())
    table = costs if costs in (None, PAPER) else read_costs(costs)
    comparisons = []
    for name in _chosen(benchmark, list(dict.fromkeys(counts.benchmark for counts in groups)), source):
        models, notes = common_counts([counts for counts in groups if counts.benchmark == name])
        prices = price_models(models, unit, table)
        chosen = parse_budgets(budgets, min(price.cost(1) for price in prices.values()))
        comparisons.append(compare_counts(models, prices, budgets=chosen, bootstrap=bootstrap, notes=notes))
    return comparisons


def parse_budgets(text: str | None, cheapest: float) -> list[float] | None:
    """`1e12,4e12` as amounts of the unit, `1x,4x` as multiples of the cheapest model's sample; None for None.

    Raises:
        InputError: a part is no number.
    """
    if text is None:
        return None
    values = []
    for part in text.split(","):
        number = part.strip().lower()
        scale = cheapest if number.endswith("x") else 1.0
        try:
            values.append(float(number.removesuffix("x")) * scale)
        except ValueError:
            raise InputError(
                f"--budgets: {part.strip()!r} is no number; write 1e12,4e12 or, in samples, 1x,4x"
            ) from None
    return values


def _by_records(
    source: Path, unit: Unit, budgets: str | None, benchmark: str | None, bootstrap: Bootstrap
) -> list[Comparison]:
    """A run, priced by its own token counts and times."""
    run = load_run(source)
    return [
        run_comparison(run, name, unit, budgets=lambda cheapest: parse_budgets(budgets, cheapest), bootstrap=bootstrap)
        for name in _chosen(benchmark, benchmarks_of(run), source)
    ]


def _run_counts(source: Path) -> list[ModelCounts]:
    """A run as counts, to be priced by a costs file."""
    run = load_run(source)
    return [_counts(name, samples) for name in benchmarks_of(run) for samples in model_samples(run, name)]


def _counts(benchmark: str, samples: ModelSamples) -> ModelCounts:
    return ModelCounts(
        benchmark=benchmark,
        model=samples.model,
        condition="",
        task_ids=samples.task_ids,
        n=np.asarray(samples.n),
        c=np.asarray(samples.c),
        passed=tuple(tuple(problem.passed.tolist()) for problem in samples.problems),
        completion_tokens=tuple(tuple(problem.completion_tokens.tolist()) for problem in samples.problems),
    )


def _chosen(benchmark: str | None, names: list[str], source: Path) -> list[str]:
    if benchmark is None:
        return names
    if benchmark not in names:
        known = ", ".join(name or "unnamed" for name in names)
        raise InputError(f"{source} has no benchmark {benchmark!r}; it has: {known}")
    return [benchmark]
