"""Rankers: choosing one of several samples without running the tests that decide.

`base` says what a ranker is; each of the other modules holds one kind, or one way to measure them. They are pure; what
a model or the judge has to find out first is the task of `isobudget.ranking.rank`.
"""

from isobudget.rankers.base import BySet, Candidate, Candidates, PerSample, Pool, Ranker, Ranking, Spending

__all__ = ["BySet", "Candidate", "Candidates", "PerSample", "Pool", "Ranker", "Ranking", "Spending"]
