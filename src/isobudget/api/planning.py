"""`api.plan`: the best way to spend a budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from isobudget.api.names import Names, as_names, costs_of

if TYPE_CHECKING:
    from isobudget.costs.cost import Unit
    from isobudget.solving.plan import Plan


def plan(
    sources: str | Path | Sequence[str | Path],
    unit: Unit | str = "flops",
    *,
    budget: str | float | Sequence[str | float] = (),
    target: str | float | None = None,
    costs: str | Path | None = None,
    tokens_per_second: str | float | None = None,
    usd_per_gpu_hour: str | float | None = None,
    gpus: str | int | None = None,
    arms: Names = (),
    policy: Names = (),
    benchmark: str | None = None,
    hidden: str | Path | Sequence[str | Path] = (),
    from_: str | None = None,
    share_prompt: bool | None = None,
    false_pass_cost: float = 0.0,
    level: float = 0.95,
    replicates: int = 10_000,
    seed: int = 0,
    write: str | Path | None = None,
    figure: str | Path | None = None,
) -> Plan:
    """Plan how to spend a budget: which models in which order, and when to stop; learned from recorded results.

    Args:
        sources: run folders, and files of results of any known format; of two suites of tests in a file (EvalPlus' base
            and Plus) the second one is hidden; arms of several are put together.
        unit: what budgets are counted in.
        budget: expected spending per problem: ``8x``, ``8x:NAME``, ``60s``, ``0.02usd``, or a number of the unit; one
            or several. By default doublings of the cheapest sample.
        target: a success, ``"90%"`` or 0.9; the smallest budget at which a policy reaches it is planned too.
        costs: a costs file, or ``paper`` for Table 1 of the paper. Without it, as in `curves`.
        tokens_per_second, usd_per_gpu_hour, gpus: costs in one line, a number for every model or ``"7b=2600,34b=480"``;
            beside a costs file they come first.
        arms: only these models, by name, or as ``"a,b"``.
        policy: what to plan: fixed_k, first_pass, doubling, cascade, greedy, optimal, by_label (problems with a
            ``difficulty``).
        benchmark: only this one; needed where the sources have several.
        hidden: the same samples judged by hidden tests; the sources then have the visible tests' verdicts.
        from_: the format of the files, where it is not to be recognised.
        share_prompt: charge a problem's prompt once or to every sample; by default as stated or billed, else once.
        false_pass_cost: what a sample costs that passes the visible tests and not the hidden ones, in right answers.
        level, replicates, seed: of the bootstrap over problems; the seed is that of the folds too.
        write: a policy.toml to write what is recommended to, where one budget is planned.
        figure: a file to draw success against budget into, .svg, .pdf or .png.

    Raises:
        InputError: a source, a budget, a price or an option is wrong, or nothing can be planned.
        RunError: a folder is no run, or nothing in it is judged.
    """
    from isobudget.costs.cost import parse_unit
    from isobudget.curves import Bootstrap
    from isobudget.files.whole import write_whole
    from isobudget.report.figures.frontier import draw_frontier, frontier_format
    from isobudget.solving.plan import parse_target
    from isobudget.solving.plan import plan as make_plan
    from isobudget.solving.policy_file import write_policy

    kind = None if figure is None else frontier_format(Path(figure).name)
    made = make_plan(
        [sources] if isinstance(sources, str | Path) else list(sources),
        parse_unit(unit),
        budgets=[budget] if isinstance(budget, str | float | int) else list(budget),
        target=parse_target(target) if isinstance(target, str) else target,
        costs=costs_of(costs, tokens_per_second, usd_per_gpu_hour, gpus),
        arms=[name.strip() for name in arms.split(",")] if isinstance(arms, str) else list(arms),
        policies=as_names(policy),
        benchmark=benchmark,
        hidden=[hidden] if isinstance(hidden, str | Path) else list(hidden),
        from_=from_,
        share_prompt=share_prompt,
        false_pass_cost=false_pass_cost,
        bootstrap=Bootstrap(level, replicates, seed),
    )
    if write is not None:
        write_policy(write, made)
    if figure is not None and kind is not None:
        write_whole(Path(figure), draw_frontier(made, kind))
    return made
