"""The samples of a run that are left out of its results, and the notes that tell the user."""

from __future__ import annotations

from dataclasses import dataclass

from isobudget.grid import counted


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many samples of a model and benchmark are left out: without a verdict, or recorded more than once.

    If a sample is recorded several times, the first record counts. The same holds for verdicts.
    """

    unjudged: int = 0
    doubled: int = 0

    def notes(self, model: str) -> list[str]:
        """The notes for the user."""
        one = self.unjudged == 1
        unjudged = (
            f"{model}: {counted(self.unjudged, 'sample')} {'has' if one else 'have'} no verdict and "
            f"{'is' if one else 'are'} left out"
        )
        doubled = (
            f"{model}: {counted(self.doubled, 'sample')} {'is' if self.doubled == 1 else 'are'} recorded more than "
            "once; the first of each counts (isobudget check says more)"
        )
        return [unjudged] * bool(self.unjudged) + [doubled] * bool(self.doubled)
