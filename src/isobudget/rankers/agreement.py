"""Agreement by execution: samples that behave alike on the same inputs vote for each other; the largest group wins.

As in AlphaCode's clustering (Li et al. 2022, section 4.6) and MBR-exec (Shi et al. 2022, with 0-1 loss on outputs):
two samples are in one group if they return the same for every input. Likelihood, where it is known, decides within the
largest groups. What a call raised is part of the behaviour, as long as some call returned something: samples that
raised or returned None for every input win only where nothing else was drawn (a body that says nothing is the most
common mistake of small models, and would win by number), and samples that never ran come last of all.

`Votes` counts input by input instead: the sample that agrees with most others on most inputs. It is the choice of least
expected loss with the number of differing outputs for loss, and forgives a sample one odd answer.

Both depend on what else was drawn: curves come from random prefixes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.rankers.base import Bools, Floats, Ints, Ranking
from isobudget.rankers.by_set import StrongSelector, by_set, follow, likeliest, tie_values
from isobudget.rankers.ranker import EXECUTION, Ranker, RankerInputs

#: the text of a call that did not return begins with this
FAILED = "!"


@dataclass(frozen=True, slots=True, eq=False)
class GroupSelector:
    """Chooses from the group with the highest score: its weight times the number of its members drawn to a power.

    Attributes:
        groups: shape (n,), the group of each sample, from 0.
        weight: shape (groups,), at least 0.
        tier: shape (groups,); a group is looked at only if none of a lower tier was drawn.
        tie_break: shape (n,); within the best groups the highest wins, NaN last. None: all of them are tied.
        power: of the number of members.
    """

    groups: Ints
    weight: Floats
    tier: Ints
    tie_break: Floats | None = None
    power: float = 1.0

    @classmethod
    def of(cls, keys: Sequence[object], tier: Sequence[int], tie_break: Floats | None = None) -> GroupSelector:
        """Groups of equal keys, all of weight 1; `tier` is of each sample, equal for equal keys."""
        names = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        groups = np.array([names[key] for key in keys], dtype=np.int64)
        tiers = np.zeros(len(names), dtype=np.int64)
        tiers[groups] = np.asarray(tier, dtype=np.int64)
        return cls(groups, np.ones(len(names)), tiers, tie_break)

    def choose(self, drawn: Ints) -> Ints:
        """The samples of the best groups among those drawn, the likeliest of them; see `SetSelector`."""
        counts = np.bincount(self.groups[drawn], minlength=len(self.weight))
        score = self._score(counts[np.newaxis].astype(np.float64))[0]
        best = drawn[score[self.groups[drawn]] >= score.max()]
        return likeliest(best, tie_values(self.tie_break, len(self.groups)))

    def success_of_prefixes(self, orders: Ints, right: Floats) -> Floats:
        """Mean success of `choose` for every prefix of every order, shape (orders, n); see `PrefixSelector`."""
        rows = np.arange(len(orders))
        counts, at_best, right_at_best = (np.zeros((len(orders), len(self.weight))) for _ in range(3))
        best_value = np.full(counts.shape, -np.inf)
        values = tie_values(self.tie_break, len(self.groups))
        success = np.empty(orders.shape)
        for k, sample in enumerate(orders.T):
            group, value = self.groups[sample], values[sample]
            counts[rows, group] += 1
            better = value > best_value[rows, group]
            for state in (at_best, right_at_best):
                state[rows, group] = np.where(better, 0.0, state[rows, group])
            equal = value >= best_value[rows, group]
            best_value[rows, group] = np.where(equal, value, best_value[rows, group])
            at_best[rows, group] += equal
            right_at_best[rows, group] += equal * right[sample]
            success[:, k] = self._success(counts, best_value, at_best, right_at_best)
        return success

    def _success(self, counts: Floats, best_value: Floats, at_best: Floats, right_at_best: Floats) -> Floats:
        score = self._score(counts)
        top = score >= score.max(axis=1, keepdims=True)
        value = np.where(top, best_value, -np.inf)
        # finite values only, see tie_values: a group without members never equals the best
        chosen = top & (value >= value.max(axis=1, keepdims=True))
        tied: Floats = (right_at_best * chosen).sum(axis=1) / (at_best * chosen).sum(axis=1)
        return tied

    def strength(self) -> Floats:
        """The score of each sample's group when all samples are drawn, lower tiers above higher ones; shape (n,)."""
        counts = np.bincount(self.groups, minlength=len(self.weight)).astype(np.float64)
        score = self.weight * counts**self.power
        above = np.max(score, initial=0.0) + 1.0
        strength: Floats = (score - above * self.tier)[self.groups]
        return strength

    def confidence(self, drawn: Ints) -> float:
        """The best group's share of the samples drawn."""
        counts = np.bincount(self.groups[drawn], minlength=len(self.weight)).astype(np.float64)
        best = int(np.argmax(self._score(counts[np.newaxis])[0]))
        return float(counts[best] / len(drawn))

    def _score(self, counts: Floats) -> Floats:
        """Scores of groups by how many of each were drawn, (orders, groups); -inf where a lower tier was drawn."""
        tiers = np.where(counts > 0, self.tier, np.iinfo(np.int64).max)
        looked_at = tiers <= tiers.min(axis=1, keepdims=True)
        return np.where(looked_at, self.weight * counts**self.power, -np.inf)


def says_nothing(text: str) -> bool:
    """Whether a call failed, or returned None."""
    return text.startswith(FAILED) or text == "None"


def behaviour_tier(observed: Sequence[str]) -> int:
    """0 for a sample that returned something for some input, 1 if every call failed or returned None, 2 if unknown."""
    if not observed:
        return 2
    return 1 if all(map(says_nothing, observed)) else 0


def agreement_selector(observed: Sequence[Sequence[str]], tie_break: Floats | None = None) -> GroupSelector:
    """Groups of equal behaviour.

    Args:
        observed: for each sample one text per input, the same inputs for all; empty if it never ran.
        tie_break: shape (n,), higher is better.
    """
    tiers = [behaviour_tier(texts) for texts in observed]
    return GroupSelector.of([tuple(texts) for texts in observed], tiers, tie_break)


# input by input -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class VoteSelector:
    """Chooses the sample that agrees with the drawn ones on most inputs, summed over them.

    Attributes:
        agree: shape (n, n), on how many inputs two samples return the same; failures and None agree with nothing.
        inputs: how many there are.
        tie_break: shape (n,), higher is better, NaN last. None: all that are level are tied.
    """

    agree: Floats
    inputs: int
    tie_break: Floats | None = None

    @classmethod
    def of(cls, observed: Sequence[Sequence[str]], tie_break: Floats | None = None) -> VoteSelector:
        """From texts: one per input for each sample, none for a sample that never ran."""
        inputs = max((len(texts) for texts in observed), default=0)
        agree = np.zeros((len(observed), len(observed)))
        for place in range(inputs):
            texts = [row[place] if row else FAILED for row in observed]
            known = {text: at for at, text in enumerate(dict.fromkeys(texts))}
            codes = np.array([-1 if says_nothing(text) else known[text] for text in texts])
            agree += (codes[:, np.newaxis] == codes) & (codes >= 0)
        return cls(agree, inputs, tie_break)

    def choose(self, drawn: Ints) -> Ints:
        """The drawn samples with most votes, the likeliest of them; see `SetSelector`."""
        votes = self.agree[np.ix_(drawn, drawn)].sum(axis=1)
        return likeliest(drawn[votes >= votes.max()], tie_values(self.tie_break, len(self.agree)))

    def success_of_prefixes(self, orders: Ints, right: Floats) -> Floats:
        """Mean success of `choose` for every prefix of every order, shape (orders, n); see `PrefixSelector`."""
        votes = np.zeros(orders.shape)

        def score(sample: Ints, _: Bools) -> Floats:
            nonlocal votes
            votes += self.agree[sample]
            return votes

        return follow(orders, self.tie_break, right, score)

    def strength(self) -> Floats:
        """The votes of each sample when all are drawn, shape (n,)."""
        votes: Floats = self.agree.sum(axis=1)
        return votes

    def confidence(self, drawn: Ints) -> float:
        """The best one's share of all votes that the drawn samples could give."""
        votes = self.agree[np.ix_(drawn, drawn)].sum(axis=1)
        return float(votes.max() / max(self.inputs * len(drawn), 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ByOutputs(Ranker):
    """A ranker that compares what samples return."""

    selector: Callable[[Sequence[Sequence[str]], Floats | None], StrongSelector]

    def rank(self, inputs: RankerInputs) -> Ranking:
        """On the chosen inputs; likelihood breaks ties where it is known."""
        observed = inputs.observed()
        return by_set(
            inputs.pool,
            self.name,
            lambda task_id, tie_break: self.selector(observed.texts[task_id], tie_break),
            unknown=observed.never_ran,
            tie_break=inputs.own("mean"),
            cost=observed.cost,
            notes=inputs.input_notes(observed),
        )


RANKERS = (
    ByOutputs(
        "agreement",
        "run on inputs, grouped by outputs: the largest group, likelihood breaks ties",
        EXECUTION,
        selector=agreement_selector,
    ),
    ByOutputs(
        "votes",
        "the same input by input: the sample that agrees with most others on most inputs",
        EXECUTION,
        selector=VoteSelector.of,
    ),
)
