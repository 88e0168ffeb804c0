"""What `isobudget rank` may be asked: the rankers by name, the options, and which of them make no sense together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from isobudget.curves import Bootstrap
from isobudget.errors import InputError
from isobudget.rankers.inputs import INPUTS
from isobudget.rankers.measure import ORDERS
from isobudget.study import StatedModel

#: what each name stands for, in the order of help texts
RANKERS: Mapping[str, str] = {
    "own": "mean log-probability per token under the model that wrote the sample, as recorded",
    "own-sum": "the same, summed over the sample",
    "likelihood": "mean log-probability per token of the sample after its prompt, under --model",
    "likelihood-sum": "the same, summed",
    "reviewer": "log p(sample | prompt) + log p(prompt | sample), means per token, under --model",
    "reviewer-sum": "the same, summed",
    "verifier": "a classifier learned from other problems' verdicts, added to the likelihood (--model's, else its own)",
    "verifier-alone": "the classifier alone",
    "classifier": "a sequence classifier of the Hugging Face hub (--model), added to the own likelihood",
    "agreement": "run on inputs, grouped by outputs: the largest group, likelihood breaks ties",
    "votes": "the same input by input: the sample that agrees with most others on most inputs",
    "tests": "dual agreement of samples and tests: of --tests, written by --model, else made (see docs/rankers.md)",
    "order": "the order in which the samples are given",
}


#: rankers that a model may have a part in
_BY_MODEL = ("likelihood", "likelihood-sum", "reviewer", "reviewer-sum", "verifier", "classifier", "tests")
#: rankers that find out nothing which would have to be kept, unless a model scores for them
_NOTHING_TO_KEEP = ("own", "own-sum", "verifier", "verifier-alone", "order")
#: more than these fill the memory and say no more
_MOST_INPUTS, _MOST_ORDERS = 1_000, 100_000
#: beyond it a number of samples to this power is no number any more
_LARGEST_POWER = 20.0


@dataclass(frozen=True, slots=True)
class RankOptions:
    """How samples are ranked and measured.

    Attributes:
        rankers: names, see `RANKERS`.
        model: scores samples, or writes tests, for the rankers that need a model.
        filter: `executable`, `examples` or None.
        inputs: on which samples are compared, for each problem.
        examples: the examples used: of the `benchmark`'s prompt, of the prompt as `given` to the model, or `none`.
        tests: a file of tests for the ranker `tests`; None: the model writes them, or, without one, they are made.
        train: run folders that the verifier learns from; none: the ranked one, cross-fitted by problem.
        power: of the number of samples in the score of dual agreement.
        orders: random prefixes of each problem's samples.
        k: at which calibration is measured; None for half the samples.
        seed: of inputs and prefixes.
        workers, unsafe: of the judge.
        bootstrap: how intervals are computed.
    """

    rankers: tuple[str, ...] = ("own",)
    model: StatedModel | None = None
    filter: str | None = None
    inputs: int = INPUTS
    examples: str = "benchmark"
    tests: Path | None = None
    train: tuple[Path, ...] = ()
    power: float = 1.0
    orders: int = ORDERS
    k: int | None = None
    seed: int = 0
    workers: int | None = None
    unsafe: bool = False
    bootstrap: Bootstrap = field(default_factory=Bootstrap)

    @property
    def writes(self) -> bool:
        """Whether something is found out that belongs into the run folder."""
        return (
            self.model is not None
            or self.filter is not None
            or any(name not in _NOTHING_TO_KEEP for name in self.rankers)
        )


def check_options(options: RankOptions) -> None:
    """Raise `InputError` for a name that is not known, a number out of range, or an option that has no effect."""
    _check_names(options)
    if not 1 <= options.inputs <= _MOST_INPUTS or not 2 <= options.orders <= _MOST_ORDERS:
        raise InputError(
            f"ranking takes 1 to {_MOST_INPUTS:,} inputs a problem and 2 to {_MOST_ORDERS:,} random orders, "
            f"not {options.inputs} and {options.orders}"
        )
    if not 0 <= options.power <= _LARGEST_POWER:
        raise InputError(f"--power must be from 0 to {_LARGEST_POWER:g}, not {options.power}")
    if options.seed < 0:
        raise InputError(f"--seed must be 0 or more, not {options.seed}")
    _check_use(options)


def _check_names(options: RankOptions) -> None:
    unknown = [name for name in options.rankers if name not in RANKERS]
    if unknown:
        raise InputError(f"unknown ranker {unknown[0]!r}; rankers are: {', '.join(RANKERS)}")
    if not options.rankers:
        raise InputError(f"name at least one ranker: {', '.join(RANKERS)}")
    if options.filter not in (None, "executable", "examples"):
        raise InputError(f"unknown filter {options.filter!r}; filters are: executable, examples")
    if options.examples not in ("benchmark", "given", "none"):
        raise InputError(f"unknown examples {options.examples!r}; they are of the: benchmark, given prompt, or none")


def _check_use(options: RankOptions) -> None:
    """What has no effect is more likely a mistake than meant."""
    given = (
        ("--model", options.model is not None, _BY_MODEL),
        ("--tests", options.tests is not None, ("tests",)),
        ("--power", options.power != 1.0, ("tests",)),
        ("--train", bool(options.train), ("verifier", "verifier-alone")),
    )
    for option, stated, users in given:
        if stated and not set(users) & set(options.rankers):
            raise InputError(f"{option} has no effect here; it is for --ranker {', '.join(users)}")
