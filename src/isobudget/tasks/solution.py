"""The result of solving a task: the code, the change, and the cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isobudget.grid import counted, printable, with_unit
from isobudget.judge.verdict import Trust, Verdict
from isobudget.tasks.apply import apply, check_clean, check_unchanged
from isobudget.tasks.confirm import Confirmation
from isobudget.tasks.ledger import SAMPLES
from isobudget.tasks.spending import Ending
from isobudget.tasks.target import Target


@dataclass(frozen=True, slots=True, repr=False)
class Solution:
    """The result of a task.

    Attributes:
        target: what was to be written, as it was read at the start.
        task_id: the task's name in the run.
        solved: whether a sample passed all tests.
        code: text of the file with the sample that passed, else with the best attempt; empty if there is no attempt.
        diff: the change as a unified diff.
        model: the model that generated the sample in `code`; empty if there is no attempt.
        verdict: verdict on the sample in `code`.
        samples: number of samples started, including abandoned ones.
        drawn: number of judged samples by model.
        spent: amount by unit: tokens, flops, usd, seconds, samples; None where not known.
        loading_seconds: seconds of loading models, which are not in `spent`.
        ending: why drawing stopped.
        budget: the budget as the user wrote it.
        run: the run folder.
        notes: notes for the user.
        repairs: number of judged samples that repaired another one.
        confirmation: comparison of the samples that passed; None unless requested.
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
        """The summary that is shown to the user."""
        return self.summary

    def apply(self, *, force: bool = False) -> None:
        """Write the code into the project.

        Args:
            force: write even if the git tree has uncommitted changes.

        Raises:
            InputError: nothing passed, the file has changed since it was read, or the tree is not clean.
            StorageError: the file cannot be written. Its content is then unchanged.
        """
        from isobudget.errors import InputError

        if not self.solved:
            raise InputError(f"{self.target.task_id}: no sample passed, so nothing was applied")
        check_unchanged(self.target)
        if not force:
            check_clean(self.target, self.run)
        apply(self.target, self.code)

    @property
    def summary(self) -> str:
        """A readable summary in a few lines, with the notes."""
        head = f"{self.target.task_id}: {'solved' if self.solved else 'not solved'}"
        if self.solved:
            head += f" by {self.model}"
        head += f" ({self.ending}) after {counted(self.samples, 'sample')}"
        if left := self.samples - sum(self.drawn.values()):
            head += f" ({left} of them started and paid for, but not judged)"
        units = [with_unit(spent, unit) for unit, spent in self.spent.items() if unit != SAMPLES and spent is not None]
        loading = f", and {self.loading_seconds:.1f} s to load models, which the budget does not count"
        lines = [f"{head}: {', '.join(units)}{loading if self.loading_seconds >= 0.05 else ''}."]
        if self.verdict is not None:
            passed, total = self.verdict.tests_passed or 0, self.verdict.tests_total or 0
            tests = f"{counted(total, 'test')} {'passes' if total == 1 else 'pass'}"
            lines.append(f"{passed} of {tests}; trust: {self.verdict.trust}.")
            if not self.solved:
                failing = printable(self.verdict.first_failing)
                where = f"first failing test {failing}: " if failing else ""
                lines.append(f"Best attempt, by {self.model}: {where}{printable(self.verdict.detail)}")
        if self.confirmation is not None and self.solved:
            lines.append(self.confirmation.summary)
        lines.append(f"Recorded in {self.run} as {self.task_id}.")
        return "\n".join([*lines, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """The solution as a dict for JSON."""
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
            "trust": str(Trust.SHARED if verdict is None else verdict.trust),
            "diff": self.diff,
            "code": self.code,
            "run": str(self.run),
            "notes": list(self.notes),
            "repairs": self.repairs,
            "confirmation": None if self.confirmation is None else asdict(self.confirmation),
        }
