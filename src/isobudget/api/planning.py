"""`api.plan`: the best way to spend a budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from isobudget.api.names import Names, Sources, as_names, costs_of, figure_target

if TYPE_CHECKING:
    from isobudget.costs.cost import Unit
    from isobudget.solving.plan import Plan


def plan(
    sources: Sources,
    unit: Unit | str | None = None,
    *,
    budget: str | float | Sequence[str | float] = (),
    target: str | float | None = None,
    costs: str | Path | None = None,
    arms: Names = (),
    policy: Names = (),
    benchmark: str | None = None,
    hidden: str | Path | Sequence[str | Path] = (),
    false_pass_cost: float = 0.0,
    level: float = 0.95,
    replicates: int = 10_000,
    seed: int = 0,
    write: str | Path | None = None,
    figure: str | Path | None = None,
    tokens_per_second: str | float | None = None,
    usd_per_gpu_hour: str | float | None = None,
    gpus: str | int | None = None,
    completion_tokens: str | int | None = None,
    share_prompt: bool | None = None,
    from_: str | None = None,
    width: str | float | None = None,
    font: str | None = None,
) -> Plan:
    """Plan how to spend a budget: which models in which order, and when to stop; learned from recorded results.

    If a file has two suites of tests (EvalPlus' base and Plus), the second one is hidden. The arms of several sources
    are combined.

    Args:
        sources: as `source` in `curves`.
        unit: as in `curves`.
        budget: spending per problem, on average: samples of the cheapest arm or of NAME, or an amount such as 60s,
            10min, 0.02usd, 5e13flops; by default doublings of the cheapest sample. Repeatable. In Python ``8x``,
            ``8x:NAME``, ``60s`` or a number of the unit; one or several.
        target: plan the smallest budget that reaches this success, within 1 %. In Python ``"90%"`` or 0.9.
        costs: as in `curves`.
        arms: plan only with these models, by name or part of a name; by default all. In Python names, or ``"a,b"``.
        policy: ``fixed_k``, first_pass, doubling, cascade, greedy, optimal, by_share, or by_label (problems with a
            ``difficulty``); by default fixed_k, first_pass, cascade, greedy. Repeatable.
        benchmark: as in `curves`. In Python, too, it is required if the sources have several benchmarks.
        hidden: the same samples judged by hidden tests; SOURCE... then has the visible tests' verdicts. Repeatable.
        false_pass_cost: cost of a sample that passes only the visible tests, in right answers (with --hidden).
        level, replicates: as in `curves`.
        seed: seed of the folds and of the bootstrap.
        write: write the policy recommended for the budget. In Python the policy.toml to write.
        figure: plot success against budget, a line for each policy: a file .svg, .pdf or .png.
        tokens_per_second, usd_per_gpu_hour, gpus, completion_tokens, share_prompt, from_, width, font: as in `curves`.

    Raises:
        InputError: a source, a budget, a price or an option is wrong, or nothing can be planned.
        RunError: a folder is not a run, or nothing in it is judged.
    """
    from isobudget.costs.cost import parse_unit
    from isobudget.curves import Bootstrap
    from isobudget.report.figures.frontier import frontier_plot
    from isobudget.solving.plan import parse_target
    from isobudget.solving.plan import plan as make_plan
    from isobudget.solving.policy_file import write_policy

    target_file = figure_target(figure, width, font)
    made = make_plan(
        [sources] if isinstance(sources, str | Path) else list(sources),
        None if unit is None else parse_unit(unit),
        budgets=[budget] if isinstance(budget, str | float | int) else list(budget),
        target=parse_target(target) if isinstance(target, str) else target,
        costs=costs_of(costs, tokens_per_second, usd_per_gpu_hour, gpus, completion_tokens),
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
    if target_file is not None:
        target_file.save({"frontier": frontier_plot(made)})
    return made
