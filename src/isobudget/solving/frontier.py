"""The best policies at the budgets of a comparison of models, with the same problems, prices and intervals."""

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
    """The policy to use at each budget of a run's comparison of models; empty if no policy can be learned.

    As in the comparison, a sample passes if it passes all tests of its problem. `costs` and `charges` must be those of
    the comparison.

    Raises:
        InputError: there are too many models for a plan.
    """
    bootstrap = comparison.bootstrap
    try:
        arms = recorded_run(run, comparison.benchmark, comparison.unit, costs, charges).arms
    except InputError:  # a price of 0, such as seconds that were not measured: enough to compare, not to plan
        return ()
    require_few(arms)
    weights = bootstrap.weights(len(arms[0].c))
    return frontier(
        arms, comparison.budgets, weights, level=bootstrap.level, unit=str(comparison.unit), seed=bootstrap.seed
    )
