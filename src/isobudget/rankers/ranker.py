"""A ranker is one class: its name, the options that it uses, and how it ranks.

A ranker takes its inputs from `RankerInputs`. Those that only a model or the judge can compute (log-probabilities,
outputs, tests) are computed on first use, by `isobudget.ranking.inputs`, so that this package stays pure.
A new ranker is a class in a file of this folder, listed in the file's `RANKERS`, and its name in `registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from isobudget.grid import counted
from isobudget.rankers.base import FREE, Floats, Pool, RankerCost, Ranking, Reduce
from isobudget.rankers.examples import NOT_GIVEN, Example
from isobudget.rankers.inputs import INPUTS, Inputs, choose_inputs

#: options of rankers that run samples
EXECUTION = ("--inputs", "--examples", "--workers", "--unsafe")

_WHOSE_EXAMPLES = {"benchmark": "the benchmark's prompts", "given": "the prompts as given", "none": "no prompt"}


@dataclass(frozen=True, slots=True)
class Ranker(ABC):
    """A way to choose among samples.

    Attributes:
        name: as the user writes it.
        options: the options of `isobudget rank` that affect it.
    """

    name: str
    options: tuple[str, ...] = ()

    #: whether the ranker looks at the samples' texts
    needs_texts: ClassVar[bool] = True

    @property
    def runs_samples(self) -> bool:
        """Whether the ranker executes samples."""
        return set(EXECUTION) <= set(self.options)

    @abstractmethod
    def rank(self, inputs: RankerInputs) -> Ranking:
        """Rank the samples of `inputs.pool`.

        Raises:
            InputError: an input that the ranker needs is missing.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Log-probabilities of texts under a scoring model: one row per problem, shape (n,).

    Attributes:
        name: name of the scoring model.
        sums: log-probability of each text, NaN where there is none.
        tokens: number of tokens of each text under the scoring model.
        cost: of scoring.
    """

    name: str
    sums: tuple[Floats, ...]
    tokens: tuple[Floats, ...]
    cost: RankerCost = FREE

    def reduced(self, how: Reduce) -> tuple[Floats, ...]:
        """The sum, or the mean per token; NaN where there are no tokens."""
        known = (np.where(n > 0, total, np.nan) for total, n in zip(self.sums, self.tokens, strict=True))
        if how == "sum":
            return tuple(known)
        return tuple(total / np.maximum(n, 1.0) for total, n in zip(known, self.tokens, strict=True))


@dataclass(frozen=True, slots=True)
class Observed:
    """What the samples of a pool returned.

    Attributes:
        texts: by task_id, for each sample one text per input; empty for a sample that does not compile or is unknown.
        cost: CPU seconds.
        unknown: samples that could not be observed because of a fault of the judge.
    """

    texts: Mapping[str, Sequence[Sequence[str]]]
    cost: RankerCost
    unknown: int

    @property
    def never_ran(self) -> int:
        """The number of samples without outputs."""
        return sum(not texts for rows in self.texts.values() for texts in rows)


@dataclass(frozen=True, slots=True)
class WrittenTests:
    """Tests that a model wrote or a file holds.

    Attributes:
        name: the name of a ranking that uses these tests.
        tests: by task_id, the most frequent test first.
        cost: cost of writing the tests, None if not known.
        source: where the tests come from, in words.
    """

    name: str
    tests: Mapping[str, tuple[Example, ...]]
    cost: RankerCost | None
    source: str

    def arguments(self, task_id: str) -> tuple[str, ...]:
        """The distinct inputs of a problem's tests."""
        return tuple(dict.fromkeys(test.source for test in self.tests.get(task_id, ())))

    def expected(self, task_id: str, text_of: Callable[[object], str]) -> list[tuple[int, str]]:
        """For each distinct test, the position of its input in `arguments` and its expected value as text."""
        place = {source: at for at, source in enumerate(self.arguments(task_id))}
        return list(dict.fromkeys((place[t.source], text_of(t.value)) for t in self.tests.get(task_id, ())))


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerOptions:
    """The options of rankers that a user may set.

    Attributes:
        inputs: number of inputs per problem on which samples are compared.
        examples: `benchmark`: use the examples in the benchmark's prompt; `given`: those in the prompt as given to the
            model; `none`: no examples.
        power: exponent of the number of samples in the score of dual agreement.
        seed: seed of inputs and random prefixes.
    """

    inputs: int = INPUTS
    examples: str = "benchmark"
    power: float = 1.0
    seed: int = 0


@dataclass
class RankerInputs(ABC):
    """The inputs that rankers of one model's samples may use; inputs that several of them need are computed once.

    Attributes:
        pool: the samples.
        options: as the user gave them.
        train: other pools to learn from.
        scorer: the model that scores samples or writes tests, None if none was named.
    """

    pool: Pool
    options: RankerOptions
    train: tuple[Pool, ...]
    scorer: object | None

    # what a model or the judge finds out

    @abstractmethod
    def score(self, ranker: str, direction: str) -> Scored:
        """Score every sample by the scoring model, `FORWARD` or `BACKWARD`.

        Raises:
            InputError: no scoring model was named, or it cannot score; the message names the ranker.
        """

    @abstractmethod
    def classify(self) -> Scored:
        """log p(right) of every sample by the sequence classifier that was named."""

    @abstractmethod
    def run(self, arguments: Mapping[str, Sequence[str]]) -> Observed:
        """Run every sample on the arguments of its problem: by task_id, each the source of a list literal.

        Raises:
            InputError: no problem has arguments.
        """

    @abstractmethod
    def written_tests(self) -> WrittenTests | None:
        """The tests from a file, or by a model that writes them; None if neither was named."""

    @abstractmethod
    def text_of(self, value: object) -> str:
        """A value as text, in the form that `Observed` holds."""

    # what follows from the samples

    def stated(self, task_id: str) -> list[str | None]:
        """For each chosen input the text of the value that the prompt states; None where it states none."""
        return [None if value is NOT_GIVEN else self.text_of(value) for value in self.chosen[task_id].stated]

    def own(self, how: Reduce) -> tuple[Floats, ...] | None:
        """The recorded log-probabilities under the model that wrote the samples; None if no sample has one."""
        rows = tuple(self.pool.column(f"{how}_logprob"))
        return rows if any(np.isfinite(row).any() for row in rows) else None

    @cached_property
    def chosen(self) -> dict[str, Inputs]:
        """The inputs on which samples are compared, by task_id."""
        asked, inputs = self.options, {}
        for candidates in self.pool.problems:
            text, shown = candidates.head if asked.examples == "given" else None, asked.examples != "none"
            inputs[candidates.problem.task_id] = choose_inputs(
                candidates.problem, asked.inputs, asked.seed, text, shown=shown
            )
        return inputs

    @cached_property
    def observed(self) -> Observed:
        """What the samples return for the chosen inputs."""
        return self.run({task: one.arguments for task, one in self.chosen.items()})

    def of_examples(self) -> tuple[Mapping[str, Sequence[Sequence[str]]] | None, RankerCost | None]:
        """The samples' outputs for the prompt's examples, and their cost unless it is part of `observed`.

        If `observed` is known, its texts are returned, with the cost None; the examples come first in each row, and
        other inputs follow. Otherwise the samples are run on the examples alone. Without any examples, both results
        are None.
        """
        if "observed" in self.__dict__:
            return self.observed.texts, None
        shown = {task: one.arguments[: len(one.examples)] for task, one in self.chosen.items()}
        if not any(shown.values()):
            return None, None
        ran = self.run(shown)
        return ran.texts, ran.cost

    def input_notes(self, observed: Observed) -> tuple[str, ...]:
        """Notes for the user on the inputs and the observed outputs."""
        chosen = self.chosen.values()
        shown = sum(bool(one.examples) for one in chosen)
        whose = _WHOSE_EXAMPLES[self.options.examples]
        total, of_prompt = sum(len(one.arguments) for one in chosen), sum(len(one.examples) for one in chosen)
        notes = [
            f"inputs: {total / len(chosen):.1f} a problem, {of_prompt / len(chosen):.1f} of them examples of "
            f"{whose} ({shown} of {len(chosen)} problems show some), the others changed "
            "or made up; hidden tests are not used"
        ]
        if self.own("mean") is None:
            notes.append("ties within the largest groups are broken at random: no likelihood is known")
        if observed.unknown:
            notes.append(f"{counted(observed.unknown, 'sample')} could not be observed and ranked last")
        return tuple(notes)
