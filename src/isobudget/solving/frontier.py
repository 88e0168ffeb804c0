"""The frontier of policies beside a comparison of models: the same problems, budgets, prices and intervals."""

from __future__ import annotations

from isobudget.analysis.load_samples import LoadedRun
from isobudget.costs.charges import NOTHING, Charges
from isobudget.costs.costs_file import CostsFile
from isobudget.curves import Comparison
from isobudget.errors import InputError
from isobudget.policies.choose import PlanRow
from isobudget.policies.frontier import frontier
from isobudget.solving.recorded_arms import recorded_run, require_few


def run_frontier(
    run: LoadedRun,
    comparison: Comparison,
    costs: CostsFile | str | None = None,
    charges: Charges = NOTHING,
) -> tuple[PlanRow, ...]:
    """The policy to use at each budget of a comparison that was made of a run; empty where none can be learned.

    All tests of a problem choose and stop, as in the comparison. `costs` and `charges` are those that it was made with.

    Raises:
        InputError: there are too many models to plan with.
    """
    bootstrap = comparison.bootstrap
    try:
        arms = recorded_run(run, comparison.benchmark, comparison.unit, costs, charges).arms
    except InputError:  # a price of 0, such as seconds that were not measured: models can be compared, budgets not met
        return ()
    require_few(arms)
    weights = bootstrap.weights(len(arms[0].c))
    return frontier(
        arms, comparison.budgets, weights, level=bootstrap.level, unit=str(comparison.unit), seed=bootstrap.seed
    )
