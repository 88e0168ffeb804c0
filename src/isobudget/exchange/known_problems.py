"""Finds the problems of imported samples: those of a known benchmark, also if spelled differently, or new ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from isobudget.errors import InputError, IsobudgetError
from isobudget.importers.gather import suite_benchmark
from isobudget.importers.names import UNNAMED
from isobudget.importers.records import Sample
from isobudget.importers.task_ids import benchmark_by
from isobudget.problems import load_benchmark
from isobudget.problems.problem import Benchmark, NoTests, Problem
from isobudget.problems.spelling import Spelling

_FUNCTION = re.compile(r"^[ \t]*(?:async )?def (\w+)\(", re.MULTILINE)


class KnownProblems:
    """The problems of one import.

    Args:
        name: the benchmark of samples that do not state a benchmark; by default their task ids decide.
        problems: a benchmark or file that has the problems of all samples. If None, HumanEval's problems are used for
            samples of HumanEval if HumanEval is installed. All other samples get problems without tests.
    """

    def __init__(self, name: str | None = None, problems: str | None = None) -> None:
        self._stated = None if problems is None else load_benchmark(problems)
        self._name = name
        self._benchmarks: dict[str, Benchmark | None] = {}
        self._by_id: dict[str, tuple[Spelling, dict[str, Problem]]] = {}
        self._problems: dict[tuple[str, str, str | None, bool], Problem | None] = {}
        self._used: dict[tuple[str, str], Problem] = {}

    def benchmark(self, stated: str, task_id: str) -> str:
        """The name of a sample's benchmark."""
        if self._stated is not None:
            return self._stated.name
        if stated or self._name:
            return stated or str(self._name)
        return benchmark_by(task_id) or UNNAMED

    def find(self, benchmark: str, sample: Sample) -> Problem | None:
        """The problem of a sample; None if the benchmark is known and has no such problem.

        If the source does not name its problems, the function that the prompt begins decides, or else the index.
        """
        key = benchmark, sample.task_id, sample.prompt if sample.placed else None, sample.placed
        if key not in self._problems:
            problem = self._problems[key] = self._look_up(benchmark, sample)
            if problem is not None:
                self._used.setdefault((benchmark, problem.task_id), problem)
        return self._problems[key]

    def _look_up(self, benchmark: str, sample: Sample) -> Problem | None:
        known = self._known(benchmark)
        if known is None:
            return Problem(sample.task_id, benchmark, sample.prompt or "", "", NoTests())
        if sample.placed:
            return _placed(known.problems, int(sample.task_id), sample.prompt)
        spelt = self.spelt(benchmark, sample.task_id)
        return None if spelt is None else self._by_id[known.name][1][spelt]

    def spelt(self, benchmark: str, task_id: str) -> str | None:
        """The task id in the benchmark's spelling.

        None if the benchmark lacks it; unchanged if the benchmark is unknown.
        """
        known = self._known(benchmark)
        if known is None:
            return task_id
        if known.name not in self._by_id:
            problems = {one.task_id: one for one in known.problems}
            self._by_id[known.name] = Spelling(problems), problems
        return self._by_id[known.name][0].of(task_id)

    def by_suite(self, problem: Problem, suite: str) -> Problem:
        """The same problem with unknown tests, for verdicts by a further suite."""
        name = suite_benchmark(problem.benchmark, suite)
        key = (name, problem.task_id)
        if key not in self._used:
            self._used[key] = Problem(problem.task_id, name, problem.prompt, problem.entry_point, NoTests())
        return self._used[key]

    def used(self) -> Iterable[Problem]:
        """Every problem that has samples, once. Problems of a known benchmark are in the benchmark's order."""
        used = {(one.benchmark, one.task_id): one for one in self._used.values()}
        benchmarks = [self._stated, *self._benchmarks.values()]
        ordered = [(known.name, one.task_id) for known in benchmarks if known is not None for one in known.problems]
        order = {key: at for at, key in enumerate(ordered)}
        return sorted(used.values(), key=lambda one: order.get((one.benchmark, one.task_id), len(order)))

    def _known(self, benchmark: str) -> Benchmark | None:
        if self._stated is not None:
            return self._stated if benchmark == self._stated.name else None
        if benchmark not in self._benchmarks:
            self._benchmarks[benchmark] = _installed(benchmark)
        return self._benchmarks[benchmark]


def _placed(problems: Sequence[Problem], at: int, prompt: str | None) -> Problem | None:
    """The problem whose function a prompt begins; if there are several, the problem with the most similar prompt.

    If there is no prompt, or if the problem at the index has no function, the problem at the index.
    """
    there = problems[at] if at < len(problems) else None
    if prompt is None or (there is not None and not there.entry_point):
        return there
    begun = set(_FUNCTION.findall(prompt))
    same = {
        one.task_id: _same_start(one.prompt.strip(), prompt.strip()) for one in problems if one.entry_point in begun
    }
    closest = [one for one in problems if one.task_id in same and same[one.task_id] == max(same.values())]
    return closest[0] if len(closest) == 1 else there if there in closest else None


def _same_start(one: str, other: str) -> int:
    """The length of the common beginning of two texts."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _installed(benchmark: str) -> Benchmark | None:
    """The benchmark HumanEval, if `benchmark` is its name and its file is installed; else None."""
    if benchmark != "humaneval":
        return None
    try:
        return load_benchmark(benchmark)
    except IsobudgetError:
        return None


def check_name(name: str | None) -> None:
    """Raise `InputError` for a benchmark's name that cannot be printed."""
    if name is not None and (not name or not name.isprintable()):
        raise InputError(f"--benchmark {name!r}: a name must be printable, and not empty")
