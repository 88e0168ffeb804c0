"""Judging a file of samples into a file of verdicts, as `isobudget judge` does it.

Samples are JSON lines with `task_id` and either `completion` (appended to the problem's prompt) or `solution` (the
whole program). Verdicts are JSON lines, one per sample and in the same order. Until the last one is there they stand
in a file beside the output, with `.partial` after its name; that is what a killed run continues from. Either file may
be gzipped (the output by its name, `.gz`)."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

from isobudget.errors import InputError, RunError, StorageError
from isobudget.files.jsonl import Record, read_objects
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import RULES, Verdict
from isobudget.problems.problem import Problem
from isobudget.progress import SILENT, Progress

_MISSING = re.compile(r"ModuleNotFoundError: No module named '([\w]+)")
#: the program in a problem's answer; the answer follows its prompt, or is a whole program (True)
Extraction = Callable[[Problem, str, bool], str]


@dataclass(slots=True)
class Tally:
    """What a file of verdicts comes to.

    Attributes:
        samples, passes: by problem, without those that could not be judged.
        outcomes: how often each occurred.
        shared: samples whose tests ran in one process with them.
        problems: that the benchmark has.
        invalid: the first sample that could not be judged, and why; empty if there is none.
        errors: what the samples' errors say, and how often.
        not_installed: modules that samples import and that are not there, and how many samples.
    """

    samples: Counter[str] = field(default_factory=Counter)
    passes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    shared: int = 0
    problems: int = 0
    invalid: str = ""
    errors: Counter[str] = field(default_factory=Counter)
    not_installed: Counter[str] = field(default_factory=Counter)

    def add(self, record: dict[str, Any]) -> None:
        """Count one verdict line. A judge's own fault is counted as an outcome, never as a sample that did not pass."""
        self.outcomes[record["verdict"]] += 1
        self.shared += record["trust"] == "shared"
        detail = record["detail"]
        if record["verdict"] == "error":
            self.errors[detail[:80]] += 1
            if (missing := _MISSING.match(detail)) is not None:
                self.not_installed[missing[1]] += 1
        if record["verdict"] == "invalid":
            self.invalid = self.invalid or f"{record['task_id']}: {detail}"
        else:
            self.samples[record["task_id"]] += 1
            self.passes[record["task_id"]] += record["passed"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a file of samples; `index` counts the samples of its problem from 0, in the file's order."""

    task_id: str
    index: int
    program: str


def judge_file(
    samples: Path,
    problems: dict[str, Problem],
    output: Path,
    judge: Judge,
    *,
    resume: bool = False,
    again: bool = False,
    extraction: Extraction | None = None,
    progress: Progress = SILENT,
) -> Tally:
    """Judge every sample of a file, in order, in memory that does not grow with the file.

    Args:
        samples: JSON lines, plain or gzipped. The whole file is checked before anything is judged.
        problems: by task_id.
        output: where the verdicts go, gzipped where the name ends in `.gz`; it appears when it is complete.
        judge: an entered judge.
        resume: continue from what a killed run left beside the output; a finished output of these samples is kept.
        again: replace an output that is there.
        extraction: what takes the program out of a completion or solution; without it both are taken as they are.
        progress: shows how many samples are judged.

    Raises:
        InputError: a sample line cannot be used; the message says where.
        RunError: verdicts of a killed run are there and `resume` is not asked for, or they are of other samples; or
            another command is writing them.
        StorageError: the output cannot be written.
    """
    if output.is_dir() or output.resolve() == samples.resolve():
        what = "a folder" if output.is_dir() else "the file of samples"
        raise InputError(f"{output} is {what}; name another file for the verdicts")
    total = sum(1 for _ in read_samples(samples, problems))
    if total == 0:
        raise InputError(f"{samples} holds no samples; each line must be a JSON object with task_id and completion")
    partial = output.with_name(output.name + ".partial")
    tally = Tally(problems=len(problems))
    try:
        begun = partial.exists()
        if output.exists() and not begun and not again:
            if resume and _take_up(output, samples, problems, tally, extraction, judge)[0] == total:
                return tally
            raise RunError(f"{output} is there already; keep it and name another one, or replace it with --again")
        with _held(partial) as out:
            if begun and not resume:
                raise RunError(
                    f"{partial} holds the verdicts of an unfinished run: continue it with --resume, or remove it"
                )
            done, kept = _take_up(partial, samples, problems, tally, extraction, judge)
            os.truncate(partial, kept)
            progress.start("judging", total, done)
            for record in _verdicts(samples, problems, judge, done, extraction):
                out.write(json.dumps(record) + "\n")
                out.flush()
                tally.add(record)
                progress.advance("judging", 1)
            _finish(partial, output)
    except OSError as error:
        raise StorageError(f"cannot write {error.filename or output}: {error.strerror}") from error
    return tally


def _verdicts(
    samples: Path, problems: dict[str, Problem], judge: Judge, skip: int, extraction: Extraction | None
) -> Iterator[dict[str, Any]]:
    digests = Digests(problems, judge)
    names = islice(read_samples(samples, problems, extraction), skip, None)
    pairs = islice(read_samples(samples, problems, extraction), skip, None)
    verdicts = judge.run((problems[sample.task_id], sample.program) for sample in pairs)
    for sample, verdict in zip(names, verdicts, strict=True):
        yield verdict_record(sample, verdict, digests.of(sample))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


class Digests(dict[str, str]):
    """Checksums of tests, and of the rules, limits and trust they are judged by, by task_id, made when asked for."""

    def __init__(self, problems: dict[str, Problem], judge: Judge) -> None:
        self.problems = problems
        self.how = repr((RULES, judge.limits, judge.trust))

    def __missing__(self, task_id: str) -> str:
        """Make one."""
        self[task_id] = _digest(self.how, repr(self.problems[task_id].tests))
        return self[task_id]

    def of(self, sample: Sample) -> str:
        """The checksum of a program and of what it is judged by."""
        return _digest(self[sample.task_id], sample.program)


def verdict_record(sample: Sample, verdict: Verdict, digest: str) -> dict[str, Any]:
    """One verdict line. What is unknown is null."""
    peak = verdict.peak_memory_mb
    return {
        "task_id": sample.task_id,
        "index": sample.index,
        "passed": verdict.passed,
        "verdict": verdict.outcome.value,
        "seconds": None if math.isnan(verdict.seconds) else round(verdict.seconds, 6),
        "peak_memory_mb": None if math.isnan(peak) else round(peak, 1),
        "tests_passed": verdict.tests_passed,
        "tests_total": verdict.tests_total,
        "first_failing": verdict.first_failing,
        "detail": verdict.detail,
        "trust": verdict.trust.value,
        "sha256": digest,
    }


def read_samples(path: Path, problems: dict[str, Problem], extraction: Extraction | None = None) -> Iterator[Sample]:
    """Read and check a file of samples, one at a time; see `judge_file`.

    Raises:
        InputError: the file cannot be read, or a line is no JSON object, names no known problem, or holds no program.
    """
    seen: Counter[str] = Counter()
    for where, record in read_objects(path):
        task_id, program = _program(record, where, problems, extraction or _as_it_is)
        yield Sample(task_id, seen[task_id], program)
        seen[task_id] += 1


def _as_it_is(problem: Problem, text: str, is_whole: bool) -> str:
    return text if is_whole else problem.program(text)


def _program(record: Record, where: str, problems: dict[str, Problem], extraction: Extraction) -> tuple[str, str]:
    task_id = record.get("task_id")
    if task_id is None:
        raise InputError(f"{where}: the field task_id is missing")
    task_id = str(task_id)
    if task_id not in problems:
        known = ", ".join(islice(problems, 3))
        raise InputError(
            f"{where}: unknown task_id {task_id!r}; the problems are {known}, ... ({len(problems)} in all)"
        )
    for name in ("completion", "solution"):
        if not isinstance(record.get(name, ""), str):
            raise InputError(f"{where}: the field {name} must be a string, not {type(record[name]).__name__}")
    if "solution" in record:
        return task_id, extraction(problems[task_id], str(record["solution"]), True)
    if "completion" in record:
        return task_id, extraction(problems[task_id], str(record["completion"]), False)
    raise InputError(f"{where}: needs the field completion (appended to the prompt) or solution (a whole program)")


@contextlib.contextmanager
def _held(partial: Path) -> Iterator[IO[str]]:
    """The file of verdicts so far, open for appending, and held against a second command until it is closed.

    Raises:
        RunError: another command is writing it.
    """
    with partial.open("a", encoding="utf-8") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Meanwhile the other may have ended and given the file its final name.
            ours = os.path.samestat(os.fstat(out.fileno()), partial.stat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise RunError(f"{partial} is being written by another isobudget. Wait for it to end, or stop it.")
        yield out


def _take_up(
    written: Path,
    samples: Path,
    problems: dict[str, Problem],
    tally: Tally,
    extraction: Extraction | None,
    judge: Judge,
) -> tuple[int, int]:
    """Count the verdicts that are there, and check that they are of these programs, tests and rules.

    Returns:
        Their number, and the bytes that they take: without a torn last line.

    Raises:
        RunError: a line is damaged, or of another sample than now, or of other tests or rules.
    """
    done = kept = 0
    digests = Digests(problems, judge)
    with gzip.open(written) if written.suffix == ".gz" else written.open("rb") as lines:
        for line, sample in zip(lines, read_samples(samples, problems, extraction), strict=False):
            if not line.endswith(b"\n"):
                break
            where = f"{written}, line {done + 1}"
            try:
                record = json.loads(line)
                place, digest = (record["task_id"], record["index"]), record.get("sha256")
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise RunError(
                    f"{where}: is damaged ({type(error).__name__}); remove the file to judge anew"
                ) from error
            if place != (sample.task_id, sample.index):
                has = f"{sample.task_id}, number {sample.index}"
                raise RunError(f"{where}: verdict of {place[0]}, number {place[1]}, but {samples} has {has}")
            if digest != digests.of(sample):
                raise RunError(
                    f"{where}: {sample.task_id} has changed since it was judged: its program, its tests, or the rules "
                    "or limits of the judge; remove the file to start anew"
                )
            tally.add(record)
            done, kept = done + 1, kept + len(line)
        if next(lines, b"").endswith(b"\n"):
            raise RunError(f"{written} holds more verdicts than {samples} has samples; remove it to judge anew")
    return done, kept


def _finish(partial: Path, output: Path) -> None:
    """Sync what is written and give it its name, compressed if the name says so."""
    whole = partial
    if output.suffix == ".gz":
        whole = output.with_name(output.name + ".whole")
        with partial.open("rb") as plain, gzip.open(whole, "wb") as packed:
            while block := plain.read(1 << 20):
                packed.write(block)
    with whole.open("rb") as written:
        os.fsync(written.fileno())
    whole.replace(output)
    if whole != partial:
        partial.unlink()
