"""The judge's verdict on one sample, and the limits under which it judges.

These are named tuples and not dataclasses, because a worker should start quickly: `dataclasses` takes as long to import
as everything else that a worker needs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

#: version of the rules by which verdicts are given; verdicts of different versions are not mixed
RULES = 3


class Outcome(StrEnum):
    """How a sample ended. Only `PASSED` counts as solved.

    `INVALID` means that the judge failed or that the tests cannot be used; such a sample never counts.
    """

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SYNTAX_ERROR = "syntax_error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    CRASHED = "crashed"
    FORBIDDEN = "forbidden"
    INVALID = "invalid"


class Trust(StrEnum):
    """Where the tests ran.

    `SPLIT` is apart from the sample, which cannot reach the tests. `SHARED` is the sample's own process.
    """

    SPLIT = "split"
    SHARED = "shared"


#: a day, for which no timer overflows
MOST_SECONDS = 86_400
#: most characters of a detail or of a test's name; most tests that a verdict may count, more than any problem has
MOST_DETAIL, MOST_TESTS = 300, 10**9
#: more than any machine has; the system can still set it as a limit
MOST_MEMORY_MB = 1_000_000
#: name, maximum and type of each limit. Unstated wall seconds are ten times the CPU seconds (`Limits.stated`)
_BOUNDS: tuple[tuple[str, int, Any], ...] = (
    ("cpu_seconds", MOST_SECONDS, int | float),
    ("wall_seconds", 10 * MOST_SECONDS, int | float),
    ("memory_mb", MOST_MEMORY_MB, int),
    ("output_kb", 2**31, int),
)


class Limits(NamedTuple):
    """Bounds on one sample's process.

    Attributes:
        cpu_seconds: CPU time of the sample itself. A busy machine does not shorten this time.
        wall_seconds: wall time, a generous cap for samples that sleep or wait.
        memory_mb: resident memory, in MiB. Where resident memory is watched, the address space may be 512 MiB larger.
        output_kb: what the sample may print, in KiB.
    """

    cpu_seconds: float = 3.0
    wall_seconds: float = 30.0
    memory_mb: int = 1024
    output_kb: int = 256

    @classmethod
    def stated(cls, cpu_seconds: float | None, memory_mb: int | None) -> Limits | None:
        """The requested limits, with ten times as many wall seconds as CPU seconds (30 at least).

        None if no limit was requested.

        Raises:
            InputError: a limit is out of range.
        """
        if cpu_seconds is None and memory_mb is None:
            return None
        if cpu_seconds is not None and not 0 < cpu_seconds <= MOST_SECONDS:
            from isobudget.errors import InputError

            most = f"{MOST_SECONDS:,} CPU seconds"
            raise InputError(f"the CPU limit must be above 0 and at most {most}, not {cpu_seconds:g}")
        if memory_mb is not None and not 1 <= memory_mb <= MOST_MEMORY_MB:
            from isobudget.errors import InputError

            raise InputError(f"the memory limit (--memory-mb) must be 1 to {MOST_MEMORY_MB:,} MiB, not {memory_mb:,}")
        default = cls()
        seconds = default.cpu_seconds if cpu_seconds is None else cpu_seconds
        wall = max(10 * seconds, default.wall_seconds)
        return cls(seconds, wall, default.memory_mb if memory_mb is None else memory_mb)

    def checked(self) -> Limits:
        """These limits, if they are valid.

        Raises:
            InputError: a limit is not a number, or cannot be enforced.
        """
        from isobudget.errors import InputError

        if not isinstance(self, Limits):
            raise InputError(f"limits: pass Limits(...), not {self!r:.60}")
        for name, most, kind in _BOUNDS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind) or not 0 < value <= most:
                which = "a whole number" if kind is int else "a number"
                raise InputError(f"limits: {name} must be {which} above 0, up to {most:,}, not {value!r:.60}")
        return self


class Verdict(NamedTuple):
    """What the tests found for one sample.

    Attributes:
        outcome: see `Outcome`.
        seconds: CPU seconds that the sample's process used, without the start-up of the interpreter where that can be
            separated.
        peak_memory_mb: largest resident memory in MiB, NaN if unknown.
        detail: the error or other reason for the outcome, or an empty string. One line, at most 300 characters.
        trust: whether the sample could reach its tests, see `Trust`.
        tests_passed: tests that passed before the first that did not; None where they cannot be counted.
        tests_total: number of tests of the problem; None where they cannot be counted.
        first_failing: the first test that did not pass, or an empty string. One line, at most 300 characters.
        observed: for inputs without a right answer, one text per input (see docs/judge.md); otherwise empty.
    """

    outcome: Outcome
    seconds: float = float("nan")
    peak_memory_mb: float = float("nan")
    detail: str = ""
    trust: Trust = Trust.SPLIT
    tests_passed: int | None = None
    tests_total: int | None = None
    first_failing: str = ""
    observed: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the sample passed all its tests."""
        return self.outcome is Outcome.PASSED

    def plain(self) -> tuple[Any, ...]:
        """The fields as plain values, for `from_plain` in another process."""
        return tuple(self._replace(outcome=self.outcome.value, trust=self.trust.value))  # type: ignore[arg-type]

    @classmethod
    def from_plain(cls, fields: tuple[Any, ...]) -> Verdict:
        """The verdict from the fields that `plain` returned."""
        made = cls(*fields)
        observed = tuple(made.observed)
        return made._replace(outcome=Outcome(made.outcome), trust=Trust(made.trust), observed=observed)

    @classmethod
    def of_foreign(cls, fields: Any) -> Verdict:
        """Read a verdict from the fields that an untrusted process reported. A null in them is read as NaN.

        Raises:
            ValueError: the fields are not those of a valid verdict.
        """
        wanted: tuple[Any, ...] = (str, float, float, str, str, (int, type(None)), (int, type(None)), str, list)
        if type(fields) is not list or len(fields) != len(wanted):
            raise ValueError("not a verdict")
        known = [float("nan") if one is None else one for one in fields[1:3]]
        fields[1:3] = [float(one) if type(one) is int else one for one in known]
        if not all(isinstance(field, kind) for field, kind in zip(fields, wanted, strict=True)):
            raise ValueError("a verdict with fields of the wrong type")
        texts, counts = (fields[3], fields[7]), [one for one in fields[5:7] if one is not None]
        if max(map(len, texts)) > MOST_DETAIL or not "".join(texts).isprintable() or min(counts, default=0) < 0:
            raise ValueError("a verdict with invalid texts or counts")
        if max(counts, default=0) > MOST_TESTS or not all(isinstance(one, str) for one in fields[8]):
            raise ValueError("a verdict with invalid counts or observations")
        return cls.from_plain(tuple(fields))
