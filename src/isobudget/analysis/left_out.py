"""What of a run is left out of its results, and the notes that tell the user."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from isobudget.grid import counted


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What of a model and benchmark is left out.

    Attributes:
        unjudged: samples without a verdict.
        doubled: samples that are recorded more than once. The first record counts, and the first of several verdicts.
        problems: problems of the run without a judged sample, as in a run that was interrupted.
        of: all problems of the run.
    """

    unjudged: int = 0
    doubled: int = 0
    problems: int = 0
    of: int = 0

    def notes(self, model: str) -> list[str]:
        """The notes for the user."""
        notes = []
        if self.unjudged:
            have = "has" if self.unjudged == 1 else "have"
            notes.append(
                f"{model}: {counted(self.unjudged, 'sample')} {have} no verdict and {_are(self.unjudged)} left out"
            )
        if self.doubled:
            notes.append(
                f"{model}: {counted(self.doubled, 'sample')} {_are(self.doubled)} recorded more than once; the first "
                "of each counts (isobudget check says more)"
            )
        if self.problems:
            have = "has" if self.problems == 1 else "have"
            notes.append(
                f"{model}: {self.problems:,} of the run's {self.of:,} problems {have} no judged sample yet and "
                f"{_are(self.problems)} left out"
            )
        return notes


def absent_note(stated: Iterable[str], sampled: Container[str]) -> list[str]:
    """A note on the models that a run states but has no judged samples of."""
    absent = [name for name in stated if name not in sampled]
    return [f"{', '.join(absent)}: no judged sample yet, left out"] if absent else []


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
