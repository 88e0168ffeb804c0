"""Rankers: choosing one of several samples without running the tests that decide.

`ranker` defines what a ranker is, and `registry` lists all rankers. Each other module holds one kind of ranker, or one
way to measure rankers. All modules are pure: `isobudget.ranking` runs the models and the judge that rankers rely on.
"""
