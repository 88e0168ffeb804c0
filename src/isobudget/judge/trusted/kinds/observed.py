"""Records a program's output for inputs without a known right answer, to choose between samples without tests.

The record is one text per input: the canonical text of the returned value (`canonical`) or of the printed output. If
there is no result, the text is `!` and the reason: the name of the error, or `timeout`, `crashed`, `forbidden`,
`out_of_memory`, `output_limit`, `ended` (the process ended by itself), `broken` (the sample's answer cannot be read).
In printed text, tokens of a line are separated by one space, with no space around them. Numbers are not normalized.

Calls share a process until a call ends it. The next call begins a new process. Each call can use the whole CPU limit: a
call that reaches the limit in a process that has already served other calls is tried again in a new process. After
`MOST_TIMEOUTS` timeouts the remaining inputs are not tried, and are recorded as timeouts.
"""

from __future__ import annotations

import ast
import copy
import os
from typing import Any, NamedTuple

from isobudget.judge.messages import Case
from isobudget.judge.trusted import given, remote, runs
from isobudget.judge.trusted.canonical import TEXT_CHARS, canonical
from isobudget.judge.trusted.host import Host, ProcessEnd, ended
from isobudget.judge.trusted.kinds.calls import function_of
from isobudget.judge.trusted.session import TESTS_SECONDS, CpuTimeLimit, TestsOverrun, of_error
from isobudget.judge.untrusted import loading, sample
from isobudget.judge.verdict import Outcome, Verdict

__all__ = ["MOST_INPUTS", "MOST_TIMEOUTS", "TEXT_CHARS", "ObservedCalls", "ObservedPrograms", "canonical"]

#: most inputs that a problem may have
MOST_INPUTS = 2_000
#: number of calls or runs that time out before the remaining ones are given up
MOST_TIMEOUTS = 3
TIMEOUT = "!timeout"


class ObservedCalls:
    """Arguments of the calls, prepared for the entry point of a program."""

    def __init__(self, case: Case) -> None:
        self.entry_point = case.entry_point
        # Where code is handed out, names of some modules are defined on the sites that such problems come from.
        self.starter = case.starter
        _check_number(case.tests["arguments"])
        self.arguments = [_arguments(number, text) for number, text in enumerate(case.tests["arguments"])]

    def judge(self, host: Host, program: str) -> Verdict:
        """Make every call and record its result."""
        return _Calls(self, host, program).verdict()


class NotLoaded(NamedTuple):
    """The verdict on a program that could not be loaded, and the text recorded for each of its calls."""

    verdict: Verdict
    text: str


class _Calls:
    """The observation of one program."""

    def __init__(self, tests: ObservedCalls, host: Host, program: str) -> None:
        self.tests, self.host, self.program = tests, host, program
        self.prelude = given.before(program, "own", calls=True) if tests.starter else ""
        self.session: remote.SampleSession | None = None
        self.defined: dict[str, Any] = {}
        self.texts: list[str] = []
        #: calls that the present process has answered
        self.served = self.timeouts = 0
        self.seconds = self.peak_mb = 0.0
        self.printed_too_much = False
        #: CPU seconds left for reading answers
        self.left = TESTS_SECONDS

    def verdict(self) -> Verdict:
        """Go through the inputs and return the verdict."""
        total = len(self.tests.arguments)
        failure = self._load()
        while failure is None and len(self.texts) < total:
            if self.timeouts >= MOST_TIMEOUTS or self.left <= 0:
                self.texts.append(TIMEOUT)
            elif self.session is None and (again := self._load()) is not None:
                self._record(again.text)
            else:
                self._observe(self.tests.arguments[len(self.texts)])
        self._end()
        verdict = Verdict(Outcome.PASSED) if failure is None else failure.verdict
        if failure is None and self.printed_too_much:
            detail = f"more than {self.host.limits.output_kb} KiB printed"
            verdict = Verdict(Outcome.OUTPUT_LIMIT, detail=detail)
        observed = tuple(self.texts) if failure is None else (failure.text,) * total
        return verdict._replace(seconds=self.seconds, peak_memory_mb=self.peak_mb, observed=observed)

    def _load(self) -> NotLoaded | None:
        """Start a process and load the program in it. Returns None, or the reason if that failed."""
        self.session = remote.SampleSession(self.host.fork(sample.CALLS))
        self.served = 0
        names = [self.tests.entry_point, "Solution"]
        state = ""
        try:
            with CpuTimeLimit(TESTS_SECONDS):
                state, self.defined = self.session.load(self.prelude, self.program, names)
        except TestsOverrun:
            self._end()
            return NotLoaded(Verdict(Outcome.TIMEOUT), TIMEOUT)
        except remote.SampleEnded:
            return self._ended()
        error = self.session.said
        if state == "loaded" and self.defined:
            return None
        self._end()
        if state == "loaded":
            detail = f"the program does not define {self.tests.entry_point}"
            return NotLoaded(Verdict(Outcome.ERROR, detail=detail), "!NameError")
        outcome = Outcome.SYNTAX_ERROR if state == "not compiled" else of_error(error)
        return NotLoaded(Verdict(outcome, detail=error), error_text(error))

    def _observe(self, arguments: list[Any]) -> None:
        """Make one call. Turning its answer into text has a time limit of its own."""
        assert self.session is not None
        watch = CpuTimeLimit(self.left)
        try:
            with watch:
                function = function_of(self.defined, self.tests.entry_point)
                text = canonical(function(*copy.deepcopy(arguments)))
            self.left = watch.left
        except TestsOverrun:
            self.left = 0.0
            self._end()
            text = TIMEOUT
        except remote.SampleEnded:
            alone = self.served == 0
            text = self._ended().text
            if text == TIMEOUT and not alone:
                return
        except Exception as error:
            self.left = watch.left
            known = error is self.session.raised
            text = error_text(self.session.said if known else type(error).__name__)
        self.served += 1
        self._record(text)

    def _record(self, text: str) -> None:
        self.texts.append(text)
        self.timeouts += text == TIMEOUT

    def _ended(self) -> NotLoaded:
        """What is recorded if the process ended or its answer cannot be read."""
        session = self.session
        assert session is not None
        report = self._end()
        assert report is not None
        if session.fault != "ended" and not report.crowded:
            return NotLoaded(Verdict(Outcome.ERROR, detail=session.said), "!broken")
        verdict = ended(report)
        return NotLoaded(verdict, "!ended" if verdict.outcome is Outcome.ERROR else f"!{verdict.outcome.value}")

    def _end(self) -> ProcessEnd | None:
        """End the process, if there is one, and return its report."""
        session, self.session = self.session, None
        if session is None:
            return None
        session.close()
        report = self.host.end()
        allowed = self.host.limits.output_kb << 10
        self.printed_too_much |= len(self.host.output.take(allowed + 1)) > allowed
        self.seconds += report.seconds
        self.peak_mb = max(self.peak_mb, report.peak_kb / 1024)
        return report


class ObservedPrograms:
    """Inputs prepared for whole programs. Each run has a process of its own."""

    def __init__(self, case: Case) -> None:
        _check_number(case.tests["inputs"])
        self.inputs = [text.encode() for text in case.tests["inputs"]]

    def judge(self, host: Host, program: str) -> Verdict:
        """Run the program once per input and record what it printed."""
        seconds, peak, compiled = 0.0, 0.0, ""
        texts: list[str] = []
        verdict = Verdict(Outcome.PASSED)
        for data in self.inputs:
            if texts.count(TIMEOUT) >= MOST_TIMEOUTS:
                texts.append(TIMEOUT)
                continue
            ran = runs.run_program(host, runs.Program(program), compiled, data)
            compiled = compiled or ran.compiled
            seconds, peak = seconds + ran.report.seconds, max(peak, ran.report.peak_kb / 1024)
            ending = runs.ending_of(ran, host.limits.output_kb << 10)
            texts.append(_printed(ran, ending))
            if ending is not None and ending.outcome is Outcome.SYNTAX_ERROR:
                verdict, texts = ending, ["!SyntaxError"] * len(self.inputs)
                break
        return verdict._replace(seconds=seconds, peak_memory_mb=peak, observed=tuple(texts))


def error_text(said: str) -> str:
    """`!` and the name in a reported error (`NAME: MESSAGE`). If the name is not valid, the text is `!Exception`."""
    name = said.partition(":")[0]
    return f"!{name}" if name.isidentifier() and len(name) <= remote.NAME_CHARS else "!Exception"


def _printed(ran: runs.Ran, ending: Verdict | None) -> str:
    if ending is None:
        lines = ran.printed.decode("utf-8", "replace").strip().split("\n")
        return canonical("\n".join(" ".join(line.split()) for line in lines))
    if ending.outcome is not Outcome.ERROR:
        return f"!{ending.outcome.value}"
    raised = ran.complaint and os.waitstatus_to_exitcode(ran.report.status) in (loading.RAISED, loading.EXITED)
    return error_text(ran.complaint) if raised else "!ended"


def _check_number(inputs: list[str]) -> None:
    if len(inputs) > MOST_INPUTS:
        raise ValueError(f"{len(inputs):,} inputs to observe; at most {MOST_INPUTS:,} are allowed")


def _arguments(number: int, text: str) -> list[Any]:
    try:
        arguments = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"input {number + 1}: the arguments are not literals: {error}") from error
    if type(arguments) is not list:
        raise ValueError(f"input {number + 1}: the arguments are a {type(arguments).__name__}, not a list")
    return arguments
