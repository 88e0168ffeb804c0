"""Policies: an order of draws from arms with a rule for stopping, for the most success that a budget buys.

A `Schedule` is a policy as a value. `make` makes schedules, `evaluate` computes their success and spending exactly from
counts, `learn` learns them from results, and `stepper` plays one live. This package takes numbers. It reads no files:
`isobudget.solving` does.
"""

from isobudget.policies.arms import Arm
from isobudget.policies.evaluate import Evaluation, Spending, evaluate, spending
from isobudget.policies.learn import Learned, Policy, learn
from isobudget.policies.make import cascade, doubling, first_pass, fixed_k
from isobudget.policies.schedule import Schedule, Stop
from isobudget.policies.stepper import Draw, Halt, Stepper, replay

__all__ = [
    "Arm",
    "Draw",
    "Evaluation",
    "Halt",
    "Learned",
    "Policy",
    "Schedule",
    "Spending",
    "Stepper",
    "Stop",
    "cascade",
    "doubling",
    "evaluate",
    "first_pass",
    "fixed_k",
    "learn",
    "replay",
    "spending",
]
