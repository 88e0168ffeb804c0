"""A project's tests, prepared once and run on many candidates.

The tests run confined, on a read-only copy of the project. Each run is a process forked from a server process that has
already imported what the tests need.

The tests that must pass are known before there is a candidate: pytest collects their ids with stubs in place of the
functions to write. A candidate passes if every one of these tests reports a pass, and then every test of `also` that
passed without the candidate.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isobudget.errors import JudgeError
from isobudget.judge.guest import Guest, GuestGoneError, GuestSetting
from isobudget.judge.verdict import Outcome, Trust, Verdict
from isobudget.tasks.baseline import Baseline, also_left_out, check_baseline, left_out_files, refuse_passing
from isobudget.tasks.body import is_hole
from isobudget.tasks.imports import WarmModules, warm_modules
from isobudget.tasks.outcome import RunnerReport, verdict_of
from isobudget.tasks.project import VIEW_MB, Interpreter, files_of
from isobudget.tasks.selection import Selection, watched_files
from isobudget.tasks.stub import stub_of
from isobudget.tasks.target import Target

_RUNNER, _REPORTER = (Path(__file__).with_name(name) for name in ("runner.py", "reporter.py"))
#: CPU seconds that the tests may take before anything is written
_BASELINE_SECONDS = 120.0
#: wall seconds that a candidate may take, as a multiple of its CPU seconds, so that a busy machine causes no timeouts
_WALL_FACTOR = 6.0
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CandidateLimits:
    """Limits of one candidate.

    Attributes:
        cpu_seconds: CPU time for collecting and running the tests.
        memory_mb: resident memory, in MiB.
        view_mb: maximum size of the project's copy, in MiB.
        allow_subprocess: whether tests may start programs.
    """

    cpu_seconds: float = 5.0
    memory_mb: int = 1024
    view_mb: int = VIEW_MB
    allow_subprocess: bool = False


@dataclass(slots=True)
class TargetTests:
    """The tests that decide on a target. Use it as a context manager, and call `prepare` first.

    Attributes:
        target: what to write; after `prepare` it includes the name by which the tests import the file.
        tests: tests that must pass.
        also: tests that must not break.
        interpreter: the project's interpreter.
        limits: limits of a candidate.
    """

    target: Target
    tests: Selection
    also: Selection
    interpreter: Interpreter
    limits: CandidateLimits = field(default_factory=CandidateLimits)
    _guest: Guest | None = None
    _watched: list[str] = field(default_factory=list)
    _ignored: list[str] = field(default_factory=list)
    _targets: set[str] = field(default_factory=set)
    _warm: WarmModules = field(default_factory=WarmModules)
    _baseline: Baseline | None = None

    def __enter__(self) -> TargetTests:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Copy the project and start the process that runs tests; `prepare` does this, too.

        Raises:
            InputError: the copy would be too large.
            JudgeError: the process cannot be confined on this machine.
        """
        files = files_of(self.target.root, self.limits.view_mb)
        watched = {one for chosen in (self.tests, self.also) for one in watched_files(files, chosen, self.target.file)}
        self._watched = sorted(watched)
        self._start(files)

    def stop(self) -> None:
        """End the process that runs tests."""
        if self._guest is not None:
            self._guest.stop()

    @property
    def baseline(self) -> Baseline:
        """What is known about the tests before any sample is drawn; available after `prepare`."""
        assert self._baseline is not None
        return self._baseline

    def prepare(self, *, refuse_solved: bool = True, only_reaching: bool = False) -> Baseline:
        """Run the tests with stubs: to find the tests, those that call the target, and modules to import only once.

        Args:
            refuse_solved: whether to refuse a target whose tests pass already.
            only_reaching: whether only tests that call the target decide.

        Raises:
            InputError: the tests cannot be run, there are no tests, no test calls the target, or the tests pass
                already.
            JudgeError: the tests cannot be confined on this machine.
        """
        self.start()
        stub = stub_of(self.target, self.tests.files | self.also.files)
        run = self.run(stub, self.arguments, _BASELINE_SECONDS)
        if files := left_out_files(self.target, self.tests, run):
            self._ignored = _ignoring(files)
            run = self.run(stub, self.arguments, _BASELINE_SECONDS)
        expected, failing = check_baseline(self.target, self.tests, run, only_reaching=only_reaching, left_out=files)
        if refuse_solved and self.target.data is not None and not self._is_hole():
            refuse_passing(self.target, self.run(self.target.text, self.arguments, _BASELINE_SECONDS), expected)
        self._imported_as({name for name, file, _ in run.modules if file == str(self.target.path)})
        self._warm = warm_modules(run.modules, self.target.root, self._targets)
        also, lacking = self._passing_also(stub if self._is_hole() else self.target.text)
        left_out = failing | files | lacking
        self._baseline = Baseline(expected, run.excused, run.reached, also, run.cpu_seconds, left_out)
        self._warm_up()
        return self._baseline

    def _imported_as(self, names: set[str]) -> None:
        """Use the names by which the tests have imported the target.

        Only these names show which folders are packages.
        """
        if names and self.target.module not in names:
            self.target = replace(self.target, imported_as=max(names, key=len))
        self._targets = names | {self.target.module}

    @property
    def arguments(self) -> list[str]:
        """pytest's arguments for the tests that decide."""
        return [*self.tests.arguments, *self._ignored]

    def _passing_also(self, before: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """Ids of the tests that must not break, and their files that cannot be collected."""
        if not self.also.arguments:
            return (), {}
        run = self.run(before, self.also.arguments, _BASELINE_SECONDS)
        if lacking := also_left_out(self.target, self.also, run):
            more = (*self.also.arguments, *_ignoring(lacking))
            self.also = replace(self.also, arguments=more)
            run = self.run(before, self.also.arguments, _BASELINE_SECONDS)
        return tuple(run.passed(run.collected or ())), lacking

    def _is_hole(self) -> bool:
        return self.target.data is None or all(is_hole(one.node) for one in self.target.functions())

    def judge(self, text: str, deadline: float = float("inf")) -> Verdict:
        """Judge a candidate, which is the complete text of the target's file.

        Args:
            text: the file's content, in place of the project's.
            deadline: time on the monotonic clock at which the tests are stopped.
        """
        baseline, limit = self.baseline, self._limit()
        run = self._attempt(text, self.arguments, limit, deadline)
        if isinstance(run, Verdict):
            return run
        verdict = verdict_of(run, baseline.expected, baseline.excused, self.limits.memory_mb)
        if verdict.passed and baseline.also:
            more = self._attempt(text, self.also.arguments, _BASELINE_SECONDS, deadline)
            if isinstance(more, Verdict):
                return more
            second = verdict_of(more, baseline.also, (), self.limits.memory_mb)
            if not second.passed:
                first = len(baseline.expected)  # which all passed
                return second._replace(
                    detail=f"broke a test that passed before: {second.detail}"[:300],
                    tests_passed=first + (second.tests_passed or 0),
                    tests_total=first + len(baseline.also),
                )
        return verdict

    def _limit(self) -> float:
        return max(self.limits.cpu_seconds, 4 * self.baseline.cpu_seconds)

    def _attempt(
        self, text: str, arguments: Sequence[str], cpu_seconds: float, deadline: float
    ) -> RunnerReport | Verdict:
        try:
            return self.run(text, arguments, cpu_seconds, deadline)
        except GuestGoneError as error:
            late = time.monotonic() >= deadline
            outcome = Outcome.TIMEOUT if late else Outcome.ERROR
            detail = "the budget's time ran out during the tests" if late else f"the tests ended the runner: {error}"
            return Verdict(outcome, detail=detail, trust=Trust.SHARED, tests_total=len(self.baseline.expected))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return Verdict(Outcome.ERROR, detail="the test report cannot be read", trust=Trust.SHARED)

    def run(
        self, text: str, arguments: Sequence[str], cpu_seconds: float, deadline: float = float("inf")
    ) -> RunnerReport:
        """Run tests with another text in place of the target's file.

        Raises:
            GuestGoneError: the deadline passed, or the process that serves the tests ended.
            JudgeError: the process that serves the tests cannot be restarted.
        """
        run = RunnerReport.of(self._ask(text, arguments, cpu_seconds, deadline))
        if not run.clean and self._guest is not None:
            self._guest.kill()
        return run

    def told(self, text: str, arguments: Sequence[str] | None, program: str) -> list[Any]:
        """Run a program in a candidate's process, before its tests or instead of them, and return what it reports.

        Args:
            text: text that replaces the target's file.
            arguments: tests to run after the program; None for none.
            program: Python source that reports by calling ``tell(kind, ...)``; a candidate can forge such reports.

        Returns:
            One list [kind, ...] for each report.

        Raises:
            GuestGoneError: the process that serves the tests ended.
        """
        answer = self._ask(text, arguments, self._limit(), float("inf"), program)
        if not answer["clean"] and self._guest is not None:
            self._guest.kill()
        return [one for one in answer["lines"] if isinstance(one, list) and one]

    def _ask(
        self, text: str, arguments: Sequence[str] | None, cpu_seconds: float, deadline: float, program: str = ""
    ) -> dict[str, Any]:
        guest = self._running(deadline)
        wall = _WALL_FACTOR * cpu_seconds
        request: dict[str, Any] = {
            "op": "run",
            "files": {self.target.file: text},
            "program": program,
            "arguments": None if arguments is None else [*self._options(), *arguments],
            "cpu": cpu_seconds,
            "wall": wall,
            "memory_mb": self.limits.memory_mb,
            "subprocess": self.limits.allow_subprocess,
            "watched": self._watched,
        }
        return guest.ask(request, min(deadline, time.monotonic() + wall + _GRACE_SECONDS))

    def _options(self) -> list[str]:
        """pytest options that turn off caching, coverage and parallel runs, whatever the configuration says."""
        options = ["-p", "no:cacheprovider", "-q", "--tb=short"]
        options += ["-n", "0"] * ("xdist" in self.interpreter.modules)
        return options + ["--no-cov"] * ("pytest_cov" in self.interpreter.modules)

    def _running(self, deadline: float) -> Guest:
        assert self._guest is not None
        if not self._guest.running:
            self._guest.start(deadline)
            self._warm_up(deadline)
        return self._guest

    def _start(self, files: Sequence[str]) -> None:
        target = self.target
        self._guest = Guest(
            GuestSetting(
                view=str(target.root),
                files=files,
                writable=(target.file,),
                shown=self.interpreter.shown,
                interpreter=self.interpreter.path,
                program=_RUNNER.read_text(encoding="utf-8"),
                first={"import_roots": target.import_roots, "reporter": _REPORTER.read_text(encoding="utf-8")},
                view_mb=self.limits.view_mb + 16,
                memory_mb=self.limits.memory_mb,
                allow_subprocess=self.limits.allow_subprocess,
            )
        )
        self._guest.start()

    def _warm_up(self, deadline: float = float("inf")) -> None:
        while self._warm.names and self._guest is not None:
            request = {"op": "warm", "targets": sorted(self._targets), **self._warm._asdict()}
            try:
                answer = self._guest.ask(request, min(deadline, time.monotonic() + _BASELINE_SECONDS))
            except GuestGoneError as error:
                if time.monotonic() >= deadline:  # which says nothing of the modules
                    raise
                raise JudgeError(f"the modules of the tests cannot be imported: {error}") from None
            if not answer["reached"]:
                return
            # A package that is installed imports the target: its processes would all have the same one.
            self._warm = self._warm.without(answer["reached"])
            self._guest.start(deadline)


def _ignoring(files: Iterable[str]) -> list[str]:
    return [f"--ignore={name}" for name in files]


def no_tests() -> Selection:
    """An empty selection."""
    return Selection((), {})
