"""The result of an import: what was taken from each source, and samples by model and benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.grid import counted
from isobudget.importers.read import Taken, messages

#: stands for the source's outcome of samples that came without a verdict
NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True, repr=False)
class ImportedRun:
    """The result of `import_results`.

    Attributes:
        path: the run folder.
        taken: what was taken from each source, and what was left out.
        notes: how models were distinguished or combined.
        models: number of samples by model.
        judged: number of samples with a verdict of their source.
        benchmarks: number of problems by benchmark.
        disagreements: with `rejudge`, the pair of the source's outcome and isobudget's outcome -> number of samples;
            else None.
    """

    path: Path
    taken: tuple[Taken, ...]
    notes: tuple[str, ...]
    models: dict[str, int]
    judged: int
    benchmarks: dict[str, int]
    disagreements: dict[tuple[str, str], int] | None = None

    def __repr__(self) -> str:
        models = ", ".join(f"{name} ({count:,})" for name, count in self.models.items())
        return f"{self.path}: {counted(sum(self.models.values()), 'sample')}, {self.judged:,} judged; {models}"

    def judged_here(self) -> str:
        """How isobudget's verdicts compare with the source's, as one sentence; empty without `rejudge`."""
        if self.disagreements is None:
            return ""
        same = sum(n for (theirs, ours), n in self.disagreements.items() if theirs == ours)
        new = sum(n for (theirs, _), n in self.disagreements.items() if theirs == NOT_JUDGED)
        others = sum(self.disagreements.values()) - same - new
        parts = [f"{counted(same, 'verdict')} the same as the source's, {others:,} different"] if same or others else []
        parts += [f"{counted(new, 'sample')} that came without a verdict"] if new else []
        return f"judged here: {'; '.join(parts) or 'no sample'}"

    def messages(self) -> list[str]:
        """What was left out and how models were named; empty if everything was imported as it is."""
        return [*messages(self.taken), *self.notes]

    def to_dict(self) -> dict[str, Any]:
        """What `isobudget import --json` prints."""
        compared = {} if self.disagreements is None else {"disagreements": _listed(self.disagreements)}
        return {
            "run": str(self.path),
            "sources": [
                {
                    "path": str(one.path),
                    "format": one.format,
                    "samples": one.samples,
                    "left": one.left,
                    "notes": one.notes,
                }
                for one in self.taken
            ],
            "models": self.models,
            "judged": self.judged,
            "benchmarks": self.benchmarks,
            "notes": list(self.notes),
            **compared,
        }


def _listed(disagreements: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    return [{"source": theirs, "ours": ours, "samples": n} for (theirs, ours), n in disagreements.items()]
