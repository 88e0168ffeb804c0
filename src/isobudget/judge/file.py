"""Judges a file of samples into a file of verdicts, as `isobudget judge` does.

Samples are JSON lines with `task_id` and either `completion` (appended to the problem's prompt) or `solution` (the
whole program). Verdicts are JSON lines, one per sample, in the same order. Until the last verdict is written, all
verdicts are in a file beside the output, which has the output's name and `.partial` after it. A killed run continues
from this file. The samples may be gzipped. The verdicts are gzipped if the output's name ends in `.gz`.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from isobudget.errors import InputError, RunError, StorageError
from isobudget.judge.judge import Judge
from isobudget.judge.lines import (
    GROUP,
    Digests,
    Extraction,
    VerdictTally,
    damage,
    read_samples,
    verdict_record,
)
from isobudget.problems.problem import Problem
from isobudget.progress import SILENT, Progress


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
    begin: Callable[[], object] = lambda: None,
) -> VerdictTally:
    """Judge every sample of a file, in order. Memory use does not grow with the file.

    Args:
        samples: JSON lines, plain or gzipped. The whole file is checked before anything is judged.
        problems: by task_id.
        output: file for the verdicts. It is gzipped if its name ends in `.gz`, and appears only when it is complete.
        judge: a judge that has been entered, or that `begin` enters.
        resume: continue from the verdicts that a killed run left beside the output. A finished output of the same
            samples is kept.
        again: replace an existing output.
        extraction: rule that extracts the program from a completion or solution. None takes both unchanged.
        progress: shows how many samples are judged.
        begin: called before the first sample is judged, once the samples and the output have been checked. Not called
            if a finished output is kept.

    Raises:
        InputError: a sample line cannot be used (the message says where), there are no samples, or the output is a
            folder or the file of samples.
        RunError: one of these is the case. The output exists and `again` is not set. With `again`, the output holds no
            verdicts. Verdicts of a killed run exist and `resume` is not set. Existing verdicts are damaged or belong to
            other samples. Another command is writing the verdicts.
        StorageError: the output cannot be written.
    """
    total = _check_files(samples, problems, output)
    partial = output.with_name(output.name + ".partial")
    tally = VerdictTally(problems=len(problems))
    source = (samples, problems, tally, extraction, judge)
    with _told_as_ours(output):
        begun = partial.exists()
        if output.exists() and not begun and not again:
            if resume and _take_up(output, *source)[0] == total:
                return tally
            raise _exists(output)
        if output.exists() and again:
            _require_verdicts(output)
        with _held(partial) as out:
            begun = begun or partial.stat().st_size > 0
            if begun and not resume:
                raise RunError(
                    f"{partial} holds the verdicts of an unfinished run: continue it with --resume, or remove the file"
                )
            with _leaving_nothing(partial, begun):
                begin()
                if output.exists() and not begun and not again:  # another command has written it meanwhile
                    raise _exists(output)
            done, kept = _take_up(partial, *source)
            os.truncate(partial, kept)
            progress.start("judging", total, done)
            for record in _verdicts(samples, problems, judge, done, extraction):
                out.write(json.dumps(record) + "\n")
                out.flush()
                tally.add(record)
                progress.advance("judging", 1)
            _finish(partial, output)
    return tally


@contextlib.contextmanager
def _leaving_nothing(partial: Path, begun: bool) -> Iterator[None]:
    """If the judge does not start, remove the file of verdicts again, unless it existed before."""
    try:
        yield
    except BaseException:
        if not begun:
            partial.unlink()
        raise


@contextlib.contextmanager
def _told_as_ours(output: Path) -> Iterator[None]:
    """Turn an error in reading or writing verdicts into an error that names the file."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RunError(f"{output} is damaged ({error}); remove the file to re-judge") from error
    except OSError as error:
        raise StorageError(f"cannot write {error.filename or output}: {error.strerror}") from error


def _check_files(samples: Path, problems: dict[str, Problem], output: Path) -> int:
    """The number of samples.

    Raises:
        InputError: there is no sample, a sample is invalid, or the output is a folder or the file of samples.
    """
    if output.is_dir() or output.resolve() == samples.resolve():
        what = "a folder" if output.is_dir() else "the file of samples"
        raise InputError(f"{output} is {what}; name another file for the verdicts")
    total = sum(1 for _ in read_samples(samples, problems))
    if total == 0:
        raise InputError(
            f"{samples} holds no samples; each line must be a JSON object with 'task_id' and 'completion' or 'solution'"
        )
    return total


def _verdicts(
    samples: Path, problems: dict[str, Problem], judge: Judge, skip: int, extraction: Extraction | None
) -> Iterator[dict[str, Any]]:
    digests = Digests(problems, judge)
    names = islice(read_samples(samples, problems, extraction), skip, None)
    pairs = islice(read_samples(samples, problems, extraction), skip, None)
    verdicts = judge.run((problems[sample.task_id], sample.program) for sample in pairs)
    for sample, verdict in zip(names, verdicts, strict=True):
        yield verdict_record(sample, verdict, digests.of(sample))


@contextlib.contextmanager
def _held(partial: Path) -> Iterator[IO[str]]:
    """The file of verdicts so far, opened for appending and locked against other commands until it is closed.

    Raises:
        RunError: another command is writing the file.
    """
    with partial.open("a", encoding="utf-8") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Meanwhile the other may have ended and given the file its final name.
            ours = os.path.samestat(os.fstat(out.fileno()), partial.stat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise RunError(f"{partial} is being written by another isobudget command. Wait for it to end, or stop it.")
        yield out


def _take_up(
    written: Path,
    samples: Path,
    problems: dict[str, Problem],
    tally: VerdictTally,
    extraction: Extraction | None,
    judge: Judge,
) -> tuple[int, int]:
    """Count the verdicts that are already written, and check that they belong to these programs, tests and rules.

    Returns:
        The number of verdicts and their size in bytes. An incomplete last line does not count.

    Raises:
        RunError: a line is damaged, or belongs to another sample, other tests or other rules; or there are more
            verdicts than samples.
    """
    done = kept = 0
    digests = Digests(problems, judge)
    with gzip.open(written) if written.suffix == ".gz" else written.open("rb") as lines:
        for line, sample in zip(lines, read_samples(samples, problems, extraction), strict=False):
            if not line.endswith(b"\n"):
                break
            where = f"{written}, line {done + 1}"
            record = _verdict_line(line, where)
            place, group = (record["task_id"], record["index"]), tuple(record.get(name) for name in GROUP)
            if (place, group) != ((sample.task_id, sample.index), sample.group):
                has = f"{_named(sample.task_id, sample.index, sample.group)}"
                raise RunError(
                    f"{where}: verdict of {_named(*place, group)}, but the sample at this place in {samples} is {has}; "
                    "remove the file of verdicts to start over"
                )
            if record.get("sha256") != digests.of(sample):
                raise RunError(
                    f"{where}: {sample.task_id} has changed since it was judged: its program, its tests, or the rules "
                    "or limits of the judge; remove the file to start over"
                )
            tally.add(record)
            done, kept = done + 1, kept + len(line)
        if next(lines, b"").endswith(b"\n"):
            raise RunError(
                f"{written} holds more verdicts than {samples} has samples; remove the file of verdicts to re-judge"
            )
    return done, kept


def _exists(output: Path) -> RunError:
    return RunError(f"{output} exists already; name another file, or replace it with --again")


def _require_verdicts(output: Path) -> None:
    """Refuse to replace a file that holds no verdicts: it was probably named by mistake."""
    with gzip.open(output) if output.suffix == ".gz" else output.open("rb") as lines:
        first = lines.readline(1 << 20)
    try:
        if first:
            _verdict_line(first, f"{output}, line 1")
    except RunError as error:
        raise RunError(f"{output} holds no verdicts, so --again does not replace it; name another file") from error


def _verdict_line(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
        why = damage(record)
    except (ValueError, RecursionError) as error:
        why = type(error).__name__
    if why:
        raise RunError(f"{where}: is damaged ({why}); remove the file to re-judge")
    checked: dict[str, Any] = record
    return checked


def _named(task_id: str, index: int, group: tuple[object, ...]) -> str:
    return ", ".join([task_id, f"sample {index}", *(str(name) for name in group if name is not None)])


def _finish(partial: Path, output: Path) -> None:
    """Sync the finished file and give it its final name. It is compressed if that name ends in `.gz`."""
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
