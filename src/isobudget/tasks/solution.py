"""What solving a task came to: the code, the change, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isobudget.grid import counted, printable, with_unit
from isobudget.judge.verdict import Verdict
from isobudget.tasks.apply import apply, check_clean, check_unchanged
from isobudget.tasks.confirm import Confirmation
from isobudget.tasks.ledger import SAMPLES
from isobudget.tasks.spending import Ending
from isobudget.tasks.target import Target


@dataclass(frozen=True, slots=True, repr=False)
class Solution:
    """The end of a task.

    Attributes:
        target: what was to be written, as it was read.
        task_id: its name in the run.
        solved: whether a sample passed all tests.
        code: the text of the file with the sample that passed, else with the best attempt; empty if there is none.
        diff: the change as a unified diff.
        model: which model generated it; empty if there is none.
        verdict: of the best attempt.
        samples: number started, abandoned ones included.
        drawn: judged samples by model.
        spent: by unit: tokens, flops, usd, seconds, samples; None where not known.
        loading_seconds: what loading models took, which is not in `spent`.
        ending: why drawing stopped.
        budget: as it was written.
        run: the run folder.
        notes: what a reader should know.
        repairs: judged samples that repaired another one.
        confirmation: how the samples that passed compare; None unless it was asked for.
    """

    target: Target
    task_id: str
    solved: bool
    code: str
    diff: str
    model: str
    verdict: Verdict | None
    samples: int
    drawn: Mapping[str, int]
    spent: Mapping[str, float | None]
    loading_seconds: float
    ending: Ending
    budget: str
    run: Path
    notes: tuple[str, ...]
    repairs: int = 0
    confirmation: Confirmation | None = None

    def __repr__(self) -> str:
        """How it is reported to the user."""
        return self.summary

    def apply(self, *, force: bool = False) -> None:
        """Write the code into the project.

        Args:
            force: also where the git tree has changes that are not committed.

        Raises:
            InputError: nothing passed, the file has changed since it was read, or the tree is not clean.
            StorageError: the file cannot be written; it is then as it was.
        """
        from isobudget.errors import InputError

        if not self.solved:
            raise InputError(f"{self.target.task_id}: nothing passed, so nothing is applied")
        check_unchanged(self.target)
        if not force:
            check_clean(self.target, self.run)
        apply(self.target, self.code)

    @property
    def summary(self) -> str:
        """One paragraph for people."""
        head = f"{self.target.task_id}: {'solved' if self.solved else 'not solved'}"
        if self.solved:
            head += f" by {self.model}"
        head += f" ({self.ending}) after {counted(self.samples, 'sample')}"
        if left := self.samples - sum(self.drawn.values()):
            head += f" ({left} of them begun and paid for, but not judged)"
        units = [with_unit(spent, unit) for unit, spent in self.spent.items() if unit != SAMPLES and spent is not None]
        loading = f", and {self.loading_seconds:.1f} s to load models, which the budget does not count"
        lines = [f"{head}: {', '.join(units)}{loading if self.loading_seconds >= 0.05 else ''}."]
        if self.verdict is not None:
            passed, total = self.verdict.tests_passed or 0, self.verdict.tests_total or 0
            lines.append(f"{passed} of {total} tests pass; trust: {self.verdict.trust}.")
            if not self.solved:
                failing = printable(self.verdict.first_failing)
                where = f"first failing test {failing}: " if failing else ""
                lines.append(f"Best attempt, by {self.model}: {where}{printable(self.verdict.detail)}")
        if self.confirmation is not None and self.solved:
            lines.append(self.confirmation.summary)
        lines.append(f"Recorded in {self.run} as {self.task_id}.")
        return "\n".join([*lines, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        verdict = self.verdict
        return {
            "target": self.target.task_id,
            "task_id": self.task_id,
            "solved": self.solved,
            "model": self.model,
            "samples": self.samples,
            "drawn": dict(self.drawn),
            "budget": self.budget,
            "spent": dict(self.spent),
            "loading_seconds": self.loading_seconds,
            "ending": str(self.ending),
            "tests_passed": None if verdict is None else verdict.tests_passed,
            "tests_total": None if verdict is None else verdict.tests_total,
            "outcome": None if verdict is None else str(verdict.outcome),
            "first_failing": "" if verdict is None else verdict.first_failing,
            "detail": "" if verdict is None else verdict.detail,
            "trust": "shared",
            "diff": self.diff,
            "code": self.code,
            "run": str(self.run),
            "notes": list(self.notes),
            "repairs": self.repairs,
            "confirmation": None if self.confirmation is None else asdict(self.confirmation),
        }
