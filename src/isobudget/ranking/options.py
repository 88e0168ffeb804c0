"""The options of `isobudget rank`, and checks of their combinations."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from isobudget.curves import Bootstrap
from isobudget.errors import InputError
from isobudget.pipeline.executor import Executor, Local
from isobudget.rankers.measure import ORDERS
from isobudget.rankers.ranker import EXECUTION, RankerOptions
from isobudget.rankers.registry import NAMES, find_ranker
from isobudget.study import StatedModel

#: larger numbers need much memory without adding information
_MOST_INPUTS, _MOST_ORDERS = 1_000, 100_000
#: with a larger exponent, the power of a number of samples may overflow
_LARGEST_POWER = 20.0


@dataclass(frozen=True, slots=True)
class RankOptions(RankerOptions):
    """How samples are ranked and measured, including `RankerOptions`.

    Attributes:
        rankers: names, see `isobudget.rankers.registry`.
        model: scores samples, or writes tests, for the rankers that need a model.
        filter: `executable`, `examples` or None.
        tests: a file of tests for the ranker `tests`. None: the model writes them, or, without a model, they are made
            from the samples' majority.
        train: run folders that the verifier learns from. If empty, it is cross-fitted by problem on the ranked run.
        orders: number of random orders of each problem's samples.
        k: number of samples at which calibration is measured; None for half the samples.
        workers, unsafe: options of the judge.
        executor: where samples are run.
        check: whether to judge the references of your own problems first.
        bootstrap: how intervals are computed.
    """

    rankers: tuple[str, ...] = ("own",)
    model: StatedModel | None = None
    filter: str | None = None
    tests: Path | None = None
    train: tuple[Path, ...] = ()
    orders: int = ORDERS
    k: int | None = None
    workers: int | None = None
    check: bool = True
    unsafe: bool = False
    executor: Executor = field(default_factory=Local)
    bootstrap: Bootstrap = field(default_factory=Bootstrap)

    @property
    def runs_samples(self) -> bool:
        """Whether samples are executed."""
        return self.filter is not None or any(find_ranker(name).runs_samples for name in self.rankers)

    @property
    def writes(self) -> bool:
        """Whether results are computed that belong in the run folder."""
        return self.model is not None or self.runs_samples


def check_options(options: RankOptions) -> None:
    """Raise `InputError` for an unknown name, a number out of range, or an option that has no effect."""
    _check_names(options)
    if not 1 <= options.inputs <= _MOST_INPUTS or not 2 <= options.orders <= _MOST_ORDERS:
        raise InputError(
            f"--inputs must be from 1 to {_MOST_INPUTS:,} and --orders from 2 to {_MOST_ORDERS:,}, "
            f"not {options.inputs} and {options.orders}"
        )
    if not 0 <= options.power <= _LARGEST_POWER:
        raise InputError(f"--power must be from 0 to {_LARGEST_POWER:g}, not {options.power}")
    if options.seed < 0:
        raise InputError(f"--seed must be 0 or more, not {options.seed}")
    _check_use(options)


def _check_names(options: RankOptions) -> None:
    if not options.rankers:
        raise InputError(f"name at least one ranker: {', '.join(NAMES)}")
    for name in options.rankers:
        find_ranker(name)
    if options.filter not in (None, "executable", "examples"):
        raise InputError(f"unknown filter {options.filter!r}; choose 'executable' or 'examples'")
    if options.examples not in ("benchmark", "given", "none"):
        raise InputError(f"unknown value of --examples: {options.examples!r}; choose 'benchmark', 'given' or 'none'")


def _check_use(options: RankOptions) -> None:
    """Refuse options without an effect: they are more likely a mistake than intended."""
    usual = RankOptions()
    names = ("model", "tests", "power", "train", "inputs", "examples", "workers", "unsafe")
    given = [f"--{name}" for name in names if getattr(options, name) != getattr(usual, name)]
    for option in given:
        users = [name for name in NAMES if option in find_ranker(name).options]
        filters = option in EXECUTION
        if not set(users) & set(options.rankers) and not (filters and options.filter):
            also = " and for --filter" if filters else ""
            raise InputError(f"{option} has no effect here; it is for --ranker {', '.join(users)}{also}")
