"""Watches from outside how much memory and disk space confined samples use.

The limit is on resident memory. The kernel also limits a sample's address space, but generously: numerical libraries
and threads reserve far more than they use. The zygote's outer process can see `/proc`, which processes inside the
confinement cannot. The outer process checks a sample that has run for some time, and kills a sample that holds too
much. The peak that the kernel reports at the end is compared with the limit too, so that short peaks count.

Not covered: what a sample takes between two checks is bounded only by the limit on its address space.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from _socket import socket
from resource import getpagesize

#: pause between two checks; a sample that ends sooner is not checked
PAUSE_SECONDS = 0.05
#: how much larger the address space may be than the limit on resident memory, where resident memory is watched
HEADROOM_MB = 512
#: most bytes in a scratch folder on disk: as many as a scratch folder in memory holds
SCRATCH_BYTES = 8 << 20
MOST_ENTRIES = 2_000


def used_bytes(folder: str) -> int:
    """Size in bytes of the files below a folder. A folder with more than `MOST_ENTRIES` entries counts as full."""
    total, entries, folders = 0, 0, [folder]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as listing:
            for entry in listing:
                entries += 1
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
                if entries > MOST_ENTRIES:
                    return SCRATCH_BYTES + 1
    return total


def _listed(children: int) -> set[bytes]:
    """The process ids in a list of children, as read from `/proc`."""
    return set(os.pread(children, 4096, 0).split())


class Watch:
    """A view of `/proc`, opened before the private root hides it."""

    def __init__(self) -> None:
        """Open the view.

        Raises:
            OSError: `/proc` is missing or does not list children.
        """
        self.proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.close(self._open(f"{os.getpid()}/task/{os.getpid()}/children"))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the view. The process that is to be confined must call this."""
        os.close(self.proc)

    def run(self, zygote: int, most_mb: int, scratch: str) -> None:
        """Watch the zygote's children until the zygote has ended.

        The size of a scratch folder on disk is bounded too. A scratch folder in memory, inside a private root, has its
        own size limit and looks empty from outside.
        """
        children = self._open(f"{zygote}/task/{zygote}/children")
        poller = select.poll()
        poller.register(os.pidfd_open(zygote), select.POLLIN)
        before: set[bytes] = set()
        while not poller.poll(1000 * PAUSE_SECONDS):
            now = _listed(children)
            for child in now & before:
                full = used_bytes(scratch) > SCRATCH_BYTES
                if full or self._resident_mb(child) > most_mb:
                    self._kill(children, child, 0 if full else most_mb)
            before = now

    def _kill(self, children: int, child: bytes, most_mb: int) -> None:
        try:
            handle = os.pidfd_open(int(child))
        except OSError:
            return
        # Only now is it sure that the number is not another process's by the time of the signal.
        if child in _listed(children) and self._resident_mb(child) > most_mb:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)

    def _resident_mb(self, child: bytes) -> float:
        try:
            descriptor = self._open(f"{int(child)}/statm")
        except OSError:
            return 0.0
        try:
            return int(os.read(descriptor, 128).split()[1]) * getpagesize() / (1 << 20)
        except (OSError, IndexError):
            return 0.0
        finally:
            os.close(descriptor)

    def _open(self, path: str) -> int:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.proc)


def watched_fork(control: socket, scratch: str, most_mb: int) -> bool:
    """Continue in a child inside the pid namespace.

    The outer process watches the memory of the processes that the child forks, if it can, and ends after the child.

    Returns:
        Whether these processes are watched. Only the child returns.
    """
    watch: Watch | None = None
    with contextlib.suppress(OSError):
        watch = Watch()
    inner = os.fork()
    if inner == 0:
        if watch is not None:
            watch.close()
        return watch is not None
    control.close()
    if watch is not None:
        with contextlib.suppress(OSError):
            watch.run(inner, most_mb, scratch)
    os.waitpid(inner, 0)
    os._exit(0)
