"""Rankers: choosing one of several samples without running the tests that decide.

`ranker` says what a ranker is, `registry` which there are; each of the other modules holds one kind, or one way to
measure them. They are pure; what a model or the judge has to find out first is the task of `isobudget.ranking`.
"""
