"""One writer of a folder at a time: a lock on a disk, a lease in an object store.

On a disk the system releases a lock when its process ends. A store knows nothing of processes, so there a writer holds
a lease: the object ``.lease`` {nonce, holder, expires}. It is renewed every sixth of its duration, and void when it has
expired. Renewing and taking over are conditional puts, so that only one of two competing writers succeeds.

A writer that returns after its lease has expired (a suspended laptop, a lost network) must not overwrite its
successor's work. So an index object, which says which other objects count, is only replaced if it is still as this
writer last wrote or read it (`put_held`), and the successor rewrites all index objects when it starts. Every index
object contains a fresh nonce, because equal contents have equal tags.

``ISOBUDGET_LEASE_SECONDS`` sets the duration, by default 60. The writers' clocks must differ by less than this
duration.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from isobudget.errors import InputError, RunError, StorageError
from isobudget.files.store_path import StorePath, Version
from isobudget.files.whole import locked, write_whole

LOCK_NAME, LEASE_NAME = ".lock", ".lease"
_SECONDS = 60.0
#: how many times a lease is renewed within its duration
_RENEWALS = 6

#: the leases that this process holds, by folder
_HELD: dict[str, Lease] = {}


def fresh_nonce() -> str:
    """A unique text."""
    return uuid.uuid4().hex


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Lock `folder` for writing.

    Raises:
        RunError: another process has locked the folder.
        StorageError: the folder cannot be written.
    """
    if not isinstance(folder, StorePath):
        with locked(folder / LOCK_NAME, str(folder)):
            yield
        return
    if str(folder) in _HELD:
        raise RunError(f"{folder} is already in use by this process. Only one writer at a time is possible.")
    lease = Lease(folder)
    lease.take()
    _HELD[str(folder)] = lease
    try:
        with lease.renewing():
            yield
    finally:
        del _HELD[str(folder)]
        lease.release()


def put_held(path: Path, data: bytes) -> None:
    """Write a file atomically in a folder that this process has locked by `held`.

    `data` must contain a `fresh_nonce`. In a store, only the version that this process last wrote or read is replaced.
    Outside of `held`, an object is only written if it does not exist yet.

    Raises:
        RunError: another writer has taken over, or, outside of `held`, the object exists.
        StorageError: the file cannot be written.
    """
    if not isinstance(path, StorePath):
        write_whole(path, data)
    elif (lease := _HELD.get(str(path.parent))) is not None:
        lease.put(path, data)
    elif path.put_new(data) is None:
        raise RunError(f"{path}: exists already; it can be replaced only while this process has locked the run")


def release_other(folder: Path) -> str:
    """End another writer's lease on `folder`; returns its holder, or an empty string if there was none."""
    if not isinstance(folder, StorePath):
        return ""
    lease = Lease(folder)
    stated, version = lease.look()
    if version is None or stated.expires <= time.time():
        return ""
    lease.write(replace(stated, expires=0.0), version)
    return stated.holder


def lease_seconds() -> float:
    """The duration of a lease.

    Raises:
        InputError: the environment variable is not a number of seconds.
    """
    stated = os.environ.get("ISOBUDGET_LEASE_SECONDS", "")
    try:
        seconds = float(stated or _SECONDS)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 86_400:
        raise InputError(f"ISOBUDGET_LEASE_SECONDS must be a number of seconds from 0.1 to 86400, not {stated!r}")
    return seconds


@dataclass(frozen=True, slots=True)
class LeaseState:
    """The content of a lease: its holder, and when it expires, in seconds since 1970."""

    nonce: str
    holder: str
    expires: float


class Lease:
    """A writer's lease on a folder of a store."""

    def __init__(self, folder: StorePath) -> None:
        self.folder = folder
        self.nonce = fresh_nonce()
        self._path = StorePath(str(folder / LEASE_NAME))
        self._seconds = lease_seconds()
        self._version: Version | None = None
        self._until = 0.0
        self._versions: dict[str, Version] = {}
        self._guard = threading.RLock()

    def look(self) -> tuple[LeaseState, Version | None]:
        """The content and version of the lease in the store; the version is None if there is no lease."""
        try:
            data, version = self._path.read_versioned()
        except FileNotFoundError:
            return LeaseState("", "", 0.0), None
        try:
            stated = json.loads(data)
            return LeaseState(str(stated["nonce"]), str(stated["holder"]), float(stated["expires"])), version
        except (ValueError, KeyError, TypeError):
            raise RunError(f"{self._path}: is not a lease; if nobody writes to the run, delete this object") from None

    def take(self) -> None:
        """Take the lease.

        Raises:
            RunError: another writer's lease has not expired.
        """
        stated, version = self.look()
        left = stated.expires - time.time()
        if left > 0:
            raise RunError(
                f"{self.folder} is in use by another isobudget ({stated.holder}), whose lease ends in {left:.0f} s "
                "unless it is renewed. Wait for that process to end. If it is gone already, wait until the lease ends, "
                f"or end the lease with: isobudget check {self.folder} --take-over"
            )
        self.write(self._mine(), version)

    def _mine(self) -> LeaseState:
        return LeaseState(self.nonce, f"process {os.getpid()} on {platform.node()}", time.time() + self._seconds)

    def write(self, stated: LeaseState, over: Version | None) -> None:
        """Replace version `over` of the lease, or create the lease if `over` is None.

        Raises:
            RunError: another writer was faster.
        """
        until = time.monotonic() + self._seconds
        data = json.dumps({**asdict(stated), "written": fresh_nonce()}).encode()
        version = put_over_version(self._path, data, over)
        if version is None:
            taken = f"{self.folder} has just been taken by another isobudget"
            raise RunError(f"{taken}. Wait for that process to end, or stop it.")
        self._version, self._until = version, until

    @contextlib.contextmanager
    def renewing(self) -> Iterator[None]:
        """Renew the lease regularly, in a thread, as long as this context lasts."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(self._seconds / _RENEWALS):
                with contextlib.suppress(StorageError):  # a store that does not answer may do so at the next try
                    try:
                        self.renew()
                    except RunError:
                        return  # the next `put` raises it

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def renew(self) -> None:
        """Renew the lease for its full duration.

        Raises:
            RunError: another writer has taken over.
        """
        with self._guard:
            if self._version is not None:
                try:
                    self.write(self._mine(), self._version)
                    return
                except RunError:
                    self._version = None
            raise _fenced(self.folder)

    def put(self, path: StorePath, data: bytes) -> None:
        """Write an object over the version that this writer last wrote or read; see `put_held`."""
        with self._guard:
            if self._version is None or time.monotonic() > self._until:
                self.renew()  # nobody may have taken over
            if str(path) not in self._versions:
                self._read(path)
            version = put_over_version(path, data, self._versions.get(str(path)))
            if version is None:
                raise _fenced(self.folder)
            self._versions[str(path)] = version

    def _read(self, path: StorePath) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._versions[str(path)] = path.read_versioned()[1]

    def release(self) -> None:
        """End the lease, if it is still this writer's. If that fails, the lease will expire by itself."""
        with contextlib.suppress(RunError, StorageError), self._guard:
            if self._version is not None:
                self.write(replace(self._mine(), expires=0.0), self._version)


def put_over_version(path: StorePath, data: bytes, over: Version | None) -> Version | None:
    """Replace version `over` of an object, or create the object if `over` is None.

    Returns the new version, or None if another writer has changed or created the object meanwhile.

    If the answer to a put is lost, the client retries and then finds its own object; that counts as success.
    """
    version = path.put_new(data) if over is None else path.put_over(data, over)
    if version is None:
        with contextlib.suppress(FileNotFoundError):
            there, version = path.read_versioned()
            return version if there == data else None
    return version


def _fenced(folder: StorePath) -> RunError:
    return RunError(
        f"{folder}: another isobudget has taken over this run, because the lease of this process expired. Finished "
        "work is saved. Run the same command again when the other process has ended."
    )
