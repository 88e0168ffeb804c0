"""The judge: runs the tests of problems on samples that it does not trust. See docs/judge.md."""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.judge.judge import Judge, layers_of_confinement
    from isobudget.judge.verdict import Limits, Outcome, Trust, Verdict

__getattr__, __dir__ = lazy_package(
    __name__,
    {
        "Judge": "judge",
        "Limits": "verdict",
        "Outcome": "verdict",
        "Trust": "verdict",
        "Verdict": "verdict",
        "layers_of_confinement": "judge",
    },
)

__all__ = ["Judge", "Limits", "Outcome", "Trust", "Verdict", "layers_of_confinement"]
