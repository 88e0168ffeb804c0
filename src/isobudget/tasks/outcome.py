"""The outcome of one run of the tests: turns events of the inner runner into an outcome per test and a verdict."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isobudget.files.whole import mended
from isobudget.judge.signals import signal_name
from isobudget.judge.verdict import Outcome, Trust, Verdict

#: outcomes of a test that count as passed
_GOOD = ("passed", "xpassed")


@dataclass(frozen=True, slots=True)
class RunnerReport:
    """What the runner reported about one process.

    Attributes:
        collected: test ids in the order in which they ran; None if collecting did not finish.
        outcomes: outcome by id: ``passed``, ``failed``, ``skipped`` or ``xfailed``.
        messages: for each test that did not pass, by id, the text that pytest shows. If the text is from the setup or
            teardown of the test, the name of that phase comes first.
        reached: ids of tests that called a stub.
        errors: files that could not be collected, each with its message.
        modules: modules that were loaded at the end, see `imports`.
        finished: whether the session finished.
        session_seconds: wall seconds of collecting and running, as reported by the process itself; NaN if it did not
            finish.
        stopped: why the process was ended early: ``time``, ``output``, or empty.
        status: exit status in the form of `os.wait`.
        cpu_seconds, wall_seconds, peak_mb: CPU time, wall time and peak memory (MiB) of the process.
        changed: files that changed although candidates must not change them.
        clean: whether all files that the process left could be removed.
        fault: error of the runner itself, or why pytest did not start; else empty.
        marked: ids of tests that are marked as expected to fail.
    """

    collected: tuple[str, ...] | None
    outcomes: Mapping[str, str]
    messages: Mapping[str, str]
    reached: frozenset[str]
    errors: Mapping[str, str]
    modules: Sequence[Sequence[str]]
    finished: bool
    session_seconds: float
    stopped: str
    status: int
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    changed: tuple[str, ...]
    clean: bool
    fault: str = ""
    marked: frozenset[str] = frozenset()

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> RunnerReport:
        """Read the runner's answer.

        Parts that a candidate may have forged are only compared as text, never executed.
        """
        outcomes: dict[str, str] = {}
        messages: dict[str, str] = {}
        errors: dict[str, str] = {}
        reached: set[str] = set()
        collected: tuple[str, ...] | None = None
        modules: list[Sequence[str]] = []
        finished, session, fault = False, math.nan, ""
        marked: frozenset[str] = frozenset()
        for kind, *fields in answer["lines"]:
            if kind == "collected":
                collected = tuple(fields[0])
            elif kind == "xfail":
                marked = frozenset(fields[0])
            elif kind == "error":
                errors[fields[0]] = fields[1]
            elif kind == "test":
                _add_test(fields, outcomes, messages, reached)
            elif kind == "finished":
                finished, modules, session = True, fields[1], float(fields[2])
            elif kind in ("fault", "usage"):
                fault = str(fields[0])
        return cls(
            collected,
            outcomes,
            messages,
            frozenset(reached),
            errors,
            modules,
            finished,
            session,
            answer["stopped"],
            answer["status"],
            answer["cpu"],
            answer["wall"],
            answer["peak_kb"] / 1024,
            tuple(answer["changed"]),
            answer["clean"],
            fault,
            marked,
        )

    def passed(self, ids: Iterable[str], may_skip: Collection[str] = ()) -> list[str]:
        """The tests of `ids` that passed; those in `may_skip` also if they were skipped or failed as expected."""
        good = [one for one in ids if self.outcomes.get(one) == "passed" or one in may_skip]
        return [one for one in good if self.outcomes.get(one) in ("passed", "skipped", "xfailed")]

    @property
    def skipped(self) -> frozenset[str]:
        """Ids of tests that were skipped."""
        return frozenset(one for one, outcome in self.outcomes.items() if outcome == "skipped")

    @property
    def excused(self) -> frozenset[str]:
        """Ids of tests that may be skipped or fail.

        They are the tests that were skipped, that failed as expected, or that are marked as expected to fail. This is
        only meaningful for a run without a candidate, because a candidate could itself call ``pytest.skip`` or
        ``pytest.xfail``.
        """
        xfailed = frozenset(one for one, outcome in self.outcomes.items() if outcome == "xfailed")
        return self.skipped | xfailed | self.marked


def _add_test(fields: Sequence[Any], outcomes: dict[str, str], messages: dict[str, str], reached: set[str]) -> None:
    name, when, outcome, text, called = fields
    plain = "passed" if outcome in _GOOD else outcome
    # One phase that failed is enough, whatever the others say.
    if outcomes.get(name) != "failed":
        outcomes[name] = plain
    if plain != "passed" and name not in messages:
        messages[name] = f"{when}: {text}" if when != "call" else text
    if called:
        reached.add(name)


def verdict_of(run: RunnerReport, expected: Sequence[str], may_skip: Collection[str], memory_mb: int) -> Verdict:
    """The verdict on a candidate: passed only if every expected test reported a pass and the run ended well.

    Args:
        run: report of the run.
        expected: ids of the tests that must pass.
        may_skip: expected tests that may be skipped.
        memory_mb: the memory limit, in MiB.
    """
    passed = run.passed(expected, may_skip)
    missing = [one for one in expected if one not in set(passed)]
    outcome, detail, first = Outcome.PASSED, "", missing[0] if missing else ""
    if run.changed:
        outcome, detail = Outcome.ERROR, f"{run.changed[0]} was changed, which is forbidden to a candidate"
    elif run.stopped == "time":
        outcome, detail = Outcome.TIMEOUT, "the tests exceeded their time limit"
    elif run.stopped == "output":
        outcome, detail = Outcome.OUTPUT_LIMIT, "the report exceeded its size limit"
    elif run.peak_mb > memory_mb:
        outcome, detail = Outcome.OUT_OF_MEMORY, f"more than {memory_mb} MiB of memory were used"
    elif run.errors:
        name, text = next(iter(run.errors.items()))
        outcome, detail, first = Outcome.ERROR, last_line(text), name
    elif missing and missing[0] in run.messages:
        outcome, detail = Outcome.FAILED, last_line(run.messages[missing[0]])
    elif run.status & 0x7F:
        outcome, detail = Outcome.CRASHED, f"ended by {signal_name(run.status & 0x7F)}"
    elif not run.finished:
        outcome, detail = Outcome.ERROR, run.fault or "the process ended before its tests did"
    elif missing:
        outcome, detail = Outcome.ERROR, f"{missing[0]} was not run"
    return Verdict(
        outcome,
        run.cpu_seconds,
        run.peak_mb,
        mended(detail),  # a candidate writes what it likes
        trust=Trust.SHARED,
        tests_passed=len(passed),
        tests_total=len(expected),
        first_failing=mended(first),
    )


def last_line(text: str) -> str:
    """The most informative line of pytest's report: the first one marked with E, else the last."""
    lines = [line for line in text.splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if line.startswith("E  ")]
    return (marked[0] if marked else lines[-1].strip() if lines else "")[:300]
