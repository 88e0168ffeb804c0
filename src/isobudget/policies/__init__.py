"""Policies: in which order to draw from which arms and when to stop, for the most success that a budget buys.

`Schedule` is the value; `make` has functions that make one, `evaluate` what it achieves and spends exactly from counts,
`learn` learns one from results, `stepper` plays one live. Numbers only: `isobudget.solving` reads files.
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
