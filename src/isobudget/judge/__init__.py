"""The judge: runs the tests of problems on samples without trusting them. See docs/judge.md."""

from isobudget.judge.judge import Judge, confinement
from isobudget.judge.verdict import Limits, Outcome, Trust, Verdict

__all__ = ["Judge", "Limits", "Outcome", "Trust", "Verdict", "confinement"]
