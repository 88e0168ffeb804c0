"""The judge: runs the tests of problems on samples that it does not trust, and yields verdicts in order.

    with Judge(workers=4) as judge:
        for verdict in judge.run((problem, program) for ...):
            ...

`Judge.run` is a stream: it takes new pairs only as verdicts are taken from it, so that its memory does not grow with
their number. Every sample has a process of its own, confined as `confine` describes, and is killed with all that it
started."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from isobudget.errors import JudgeError
from isobudget.judge.confine import bootstrap, confinement
from isobudget.judge.verdict import Limits, Outcome, Trust, Verdict
from isobudget.problems.problem import AssertList, CheckFunction, Problem, Tests

#: layers without which samples are not judged unless the user insists
NEEDED_LAYERS = ("pid namespace", "network namespace", "read-only file systems", "no capabilities")
#: pairs taken ahead per worker, so that no worker waits for the one that takes the verdicts
AHEAD = 4
#: a judge's own fault is tried again this often before it is reported
ATTEMPTS = 3
#: processes and threads that one sample may have
PROCESSES = 64
#: what the keeper may need beyond the sample's wall cap before it is held for lost
GRACE_SECONDS = 30.0


class Judge:
    """A pool of workers that judge samples. Used as a context manager; leaving it ends whatever still runs.

    Args:
        workers: samples judged at the same time; None means one per core that this process may use.
        limits: bounds on every sample.
        unsafe: also judge where the confinement that untrusted code needs is not available.

    Raises:
        JudgeError: this machine cannot confine a sample at all.
    """

    def __init__(self, workers: int | None = None, limits: Limits | None = None, *, unsafe: bool = False) -> None:
        if os.name != "posix":
            raise JudgeError(
                "judging needs a POSIX system (Linux, or macOS with fewer layers); run it in a Linux container"
            )
        if workers is not None and workers < 1:
            raise JudgeError(f"workers must be at least 1, not {workers}")
        self.workers = workers or available_cores()
        self.limits = limits or Limits()
        self.unsafe = unsafe
        self._pool: ThreadPoolExecutor | None = None
        self._running: set[subprocess.Popen[bytes]] = set()

    def __enter__(self) -> Self:
        """Start the pool.

        Raises:
            JudgeError: samples cannot be confined here, and `unsafe` was not given.
        """
        if not self.unsafe:
            require_confinement()
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="judge")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(self._running):
                process.kill()
            pool.shutdown(wait=True)

    def run(self, pairs: Iterable[tuple[Problem, str]]) -> Iterator[Verdict]:
        """Judge pairs of a problem and a whole program; yields one verdict per pair, in their order.

        Raises:
            JudgeError: called outside the `with` block.
        """
        if self._pool is None:
            raise JudgeError("use the judge inside its with block: with Judge() as judge: judge.run(...)")
        waiting: deque[Future[Verdict]] = deque()
        try:
            for problem, program in pairs:
                waiting.append(self._pool.submit(self._judge, problem, program))
                if len(waiting) >= self.workers * AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _judge(self, problem: Problem, program: str) -> Verdict:
        detail = ""
        for _ in range(ATTEMPTS):
            try:
                return self._judge_once(problem, program)
            except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                detail = f"{type(error).__name__}: {error}"[:300]
        return Verdict(Outcome.INVALID, float("nan"), detail=detail)

    def _judge_once(self, problem: Problem, program: str) -> Verdict:
        with tempfile.TemporaryDirectory(prefix="isobudget-", ignore_cleanup_errors=True) as scratch:
            job = {
                "program": program,
                "tests": describe_tests(problem.tests, problem.entry_point),
                "limits": asdict(self.limits),
                "scratch": scratch,
                "processes": PROCESSES,
                "path": third_party_path(),
            }
            report = json.loads(self._in_child(json.dumps(job).encode()))
        return Verdict(
            Outcome(report["outcome"]),
            report["seconds"],
            peak_memory_mb=report["peak_memory_mb"],
            detail=report["detail"],
            trust=Trust.SHARED,
        )

    def _in_child(self, job: bytes) -> bytes:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", bootstrap("child", "child.main()")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={"PATH": os.defpath},
            cwd="/",
        )
        self._running.add(process)
        try:
            return process.communicate(job, timeout=self.limits.wall_seconds + GRACE_SECONDS)[0]
        finally:
            _end(process)
            self._running.discard(process)


def require_confinement() -> None:
    """Refuse to run untrusted code where nothing but a process and its limits would hold it.

    Raises:
        JudgeError: the layers that matter are missing; the message names them.
    """
    layers = confinement()
    missing = [name for name in NEEDED_LAYERS if not layers.get(name)]
    if missing:
        raise JudgeError(
            f"samples cannot be confined on this machine: no {', no '.join(missing)}. Allow user namespaces, or judge "
            "in a container or virtual machine that you can lose and say so with --unsafe (Judge(unsafe=True))"
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a child with its process group; its pid namespace, where it has one, ends with its keeper."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def describe_tests(tests: Tests, entry_point: str) -> dict[str, Any]:
    """The tests as plain data for the child."""
    if isinstance(tests, CheckFunction):
        return {"check": tests.source, "entry_point": entry_point}
    if isinstance(tests, AssertList):
        return {"setup": tests.setup, "asserts": list(tests.asserts)}
    raise JudgeError(f"the judge does not know this kind of tests: {type(tests).__name__}")


def third_party_path() -> list[str]:
    """Where installed packages are, for samples that import them."""
    return [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]


def available_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
