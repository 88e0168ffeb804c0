"""Agreement by execution: samples that behave alike on the same inputs vote for each other; the largest group wins.

As in AlphaCode's clustering (Li et al. 2022, section 4.6) and MBR-exec (Shi et al. 2022, with 0-1 loss on outputs): two
samples are in one group if they return the same for every input. Likelihood, if known, decides within the largest
groups. An error raised by a call counts as behaviour if some other call of the sample returned a value. Samples that
only fail or return None are picked last, because empty bodies are the most common mistake of small models and would win
by their number. Samples that never ran come after all others.

The ranker `votes` counts input by input instead, and chooses the sample that agrees with most others on most inputs.
This minimizes the expected number of differing outputs, and tolerates a single deviating answer of a sample.

Both rankers depend on the other drawn samples, so curves are estimated from random prefixes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.rankers.base import Floats, Ints, Ranking
from isobudget.rankers.by_set import ScoreSelector, by_set
from isobudget.rankers.ranker import EXECUTION, Ranker, RankerInputs

#: the text of a call that did not return begins with this
FAILED = "!"

#: for each sample one text per input, the same inputs for all; an empty row if the sample never ran
Texts = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False)
class GroupSelector(ScoreSelector):
    """Chooses from the group with the highest score: its weight times a power of the number of its drawn members.

    Attributes:
        groups: shape (n,), the group of each sample, from 0.
        weight: shape (groups,), at least 0.
        tier: shape (groups,); a group is considered only if no sample of a lower tier was drawn.
        tie_break: shape (n,); among samples of the best groups the highest wins, NaN last. None: they stay tied.
        power: exponent of the number of drawn members.
    """

    groups: Ints
    weight: Floats
    tier: Ints
    tie_break: Floats | None = None
    power: float = 1.0

    @classmethod
    def of(cls, keys: Sequence[object], tier: Sequence[int], tie_break: Floats | None = None) -> GroupSelector:
        """Group the samples by equal keys, with weight 1; `tier` has one value per sample, equal for equal keys."""
        names = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        groups = np.array([names[key] for key in keys], dtype=np.int64)
        tiers = np.zeros(len(names), dtype=np.int64)
        tiers[groups] = np.asarray(tier, dtype=np.int64)
        return cls(groups, np.ones(len(names)), tiers, tie_break)

    def scores(self, drawn: Ints) -> Floats:
        """The score of each drawn sample's group, shape (k,); -inf if a sample of a lower tier was drawn."""
        scores: Floats = self._score(self._counts(drawn))[self.groups[drawn]]
        return scores

    def following(self, orders: Ints) -> Callable[[int], Floats]:
        """See `ScoreSelector`."""
        rows, groups = np.arange(len(orders)), self.groups[orders]
        counts = np.zeros((len(orders), len(self.weight)))

        def score(k: int) -> Floats:
            counts[rows, groups[:, k]] += 1
            return np.take_along_axis(self._score(counts), groups[:, : k + 1], axis=1)

        return score

    def strength(self, n: int) -> Floats:
        """The score of each sample's group when all samples are drawn, lower tiers above higher ones; shape (n,)."""
        score = self.weight * self._counts(np.arange(n)) ** self.power
        above = np.max(score, initial=0.0) + 1.0
        strength: Floats = (score - above * self.tier)[self.groups]
        return strength

    def confidence(self, drawn: Ints) -> float:
        """The best group's share of the drawn samples."""
        counts = self._counts(drawn)
        return float(counts[np.argmax(self._score(counts))] / len(drawn))

    def _counts(self, drawn: Ints) -> Floats:
        return np.bincount(self.groups[drawn], minlength=len(self.weight)).astype(np.float64)

    def _score(self, counts: Floats) -> Floats:
        """Scores from the number of drawn members of each group, (..., groups); -inf if a lower tier was drawn."""
        tiers = np.where(counts > 0, self.tier, np.iinfo(np.int64).max)
        looked_at = tiers <= tiers.min(axis=-1, keepdims=True)
        return np.where(looked_at, self.weight * counts**self.power, -np.inf)


def says_nothing(text: str) -> bool:
    """Whether a call failed, or returned None."""
    return text.startswith(FAILED) or text == "None"


def agreement_selector(observed: Texts, tie_break: Floats | None = None) -> GroupSelector:
    """Groups of samples with equal behaviour; `tie_break` has shape (n,), higher is better.

    A sample's tier is 0 if some call returned a value other than None, 1 if no call did, and 2 if it never ran.
    """
    tiers = [int(all(map(says_nothing, texts))) if texts else 2 for texts in observed]
    return GroupSelector.of([tuple(texts) for texts in observed], tiers, tie_break)


# input by input -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class VoteSelector(ScoreSelector):
    """Chooses the sample with the most agreements, counted over all drawn samples and all inputs.

    Attributes:
        agree: shape (n, n), on how many inputs two samples return the same; failures and None agree with nothing.
        inputs: number of inputs.
        tie_break: shape (n,), higher is better, NaN last. None: equal scores stay tied.
    """

    agree: Floats
    inputs: int
    tie_break: Floats | None = None

    @classmethod
    def of(cls, observed: Texts, tie_break: Floats | None = None) -> VoteSelector:
        """Create from the outputs of the samples."""
        inputs = max((len(texts) for texts in observed), default=0)
        agree = np.zeros((len(observed), len(observed)))
        for place in range(inputs):
            texts = [row[place] if row else FAILED for row in observed]
            known = {text: at for at, text in enumerate(dict.fromkeys(texts))}
            codes = np.array([-1 if says_nothing(text) else known[text] for text in texts])
            agree += (codes[:, np.newaxis] == codes) & (codes >= 0)
        return cls(agree, inputs, tie_break)

    def scores(self, drawn: Ints) -> Floats:
        """The agreements of each drawn sample with all drawn samples, itself included; shape (k,)."""
        votes: Floats = self.agree[np.ix_(drawn, drawn)].sum(axis=1)
        return votes

    def following(self, orders: Ints) -> Callable[[int], Floats]:
        """See `ScoreSelector`."""
        votes = np.zeros(orders.shape)

        def score(k: int) -> Floats:
            np.add(votes, self.agree[orders[:, k]], out=votes)
            return np.take_along_axis(votes, orders[:, : k + 1], axis=1)

        return score

    def confidence(self, drawn: Ints) -> float:
        """The highest score as a share of the highest possible one: the number of inputs times the draws."""
        return float(self.scores(drawn).max() / max(self.inputs * len(drawn), 1))


def by_outputs(
    inputs: RankerInputs, name: str, selector: Callable[[str, Texts, Floats | None], ScoreSelector], *notes: str
) -> Ranking:
    """The ranking by what samples return for the chosen inputs; likelihood breaks ties where it is known."""
    observed = inputs.observed
    return by_set(
        inputs.pool,
        name,
        lambda task_id, tie_break: selector(task_id, observed.texts[task_id], tie_break),
        unknown=observed.never_ran,
        tie_break=inputs.own("mean"),
        cost=observed.cost,
        notes=(*notes, *inputs.input_notes(observed)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ByOutputs(Ranker):
    """A ranker that compares what samples return."""

    selector: Callable[[Texts, Floats | None], ScoreSelector]

    def rank(self, inputs: RankerInputs) -> Ranking:
        """See `by_outputs`."""
        return by_outputs(inputs, self.name, lambda _, texts, tie_break: self.selector(texts, tie_break))


RANKERS = (
    ByOutputs("agreement", EXECUTION, selector=agreement_selector),
    ByOutputs("votes", EXECUTION, selector=VoteSelector.of),
)
