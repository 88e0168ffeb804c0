"""One pool of judges for all processes of a user on a machine. The first process that needs the pool starts it.

The pool ends when it is idle. Trainers run many processes: if each had its own judges, there would be more workers than
cores.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path

from isobudget.errors import JudgeError
from isobudget.judge.verdict import Limits, Verdict
from isobudget.problems.problem import Problem
from isobudget.rewards import frames
from isobudget.rewards.place import locked_place, other_end_is_ours, socket_path

#: how long a pool may take to start
START_SECONDS = 60.0
#: how often a batch is sent: if the pool ends meanwhile, it is restarted, and gets the unanswered jobs again
ATTEMPTS = 3
#: pools that this process has started; they outlive it
_started: list[subprocess.Popen[bytes]] = []


class _LostError(JudgeError):
    """The pool ended before it answered all jobs. The unanswered jobs can be sent again."""


#: the clients of this process
_clients: weakref.WeakSet[SharedPool] = weakref.WeakSet()


class SharedPool:
    """A client of the user's pool. Many threads may use it. It also works after a fork: the child reconnects.

    Args:
        limits: bounds on every sample.
        place: the pool's socket; by default the user's own.
    """

    def __init__(self, limits: Limits | None = None, place: Path | None = None) -> None:
        self.limits = limits or Limits()
        self._place = place
        self.renew()
        _clients.add(self)

    def renew(self) -> None:
        """Forget all connections and locks: a forked child cannot use those of its parent."""
        self._lock = threading.Lock()
        self._idle: list[_Link] = []

    def judge(self, pairs: Iterable[tuple[Problem, str]]) -> list[Verdict]:
        """The verdicts on pairs of a problem and a program, in the order of the pairs.

        Raises:
            JudgeError: no pool can be started, samples cannot be confined here, or the pool ended repeatedly on these
                jobs.
        """
        jobs = list(pairs)
        verdicts: list[Verdict | None] = [None] * len(jobs)
        for attempt in range(ATTEMPTS):
            open_ = [at for at, one in enumerate(verdicts) if one is None]
            lost = False
            with self._link() as link:
                futures = [(at, link.submit(*jobs[at], self.limits)) for at in open_]
                for at, future in futures:
                    try:
                        verdicts[at] = future.result()
                    except _LostError:
                        lost = True
            if not lost:
                break
            if attempt == ATTEMPTS - 1:
                raise JudgeError(f"the shared pool of judges crashed {ATTEMPTS} times on these samples")
        return [one for one in verdicts if one is not None]

    def close(self) -> None:
        """Close this client's idle connections. The pool continues to serve other clients."""
        with self._lock:
            idle, self._idle = self._idle, []
        for link in idle:
            link.close()

    @contextlib.contextmanager
    def _link(self) -> Iterator[_Link]:
        """A connection for one batch alone.

        The connection is closed if an exception abandons the batch. Otherwise the rest of the batch, for which nobody
        waits, would be judged before the next batch.
        """
        with self._lock:
            usable = [one for one in self._idle if not one.lost]
            link, self._idle = usable.pop() if usable else None, usable
        link = link or _Link(connect(self._place or socket_path()))
        try:
            yield link
        except BaseException:
            link.close()
            raise
        with self._lock:
            self._idle.append(link)


def _after_fork() -> None:
    for client in list(_clients):
        client.renew()


os.register_at_fork(after_in_child=_after_fork)


class _Link:
    """One connection: it sends jobs, and a thread delivers each answer to the caller waiting for it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Verdict]] = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()  # one of its own: verdicts come while the pool takes no further jobs
        self.lost = False
        threading.Thread(target=self._listen, daemon=True).start()

    def submit(self, problem: Problem, program: str, limits: Limits) -> Future[Verdict]:
        """Send a job, and return the future of its verdict."""
        future: Future[Verdict] = Future()
        number = next(self._numbers)
        data = frames.pack(frames.job(number, problem, program, limits))
        with self._lock:
            if self.lost:
                future.set_exception(_LostError("the shared pool of judges ended"))
                return future
            self._waiting[number] = future
        try:
            with self._sending:
                self._connection.sendall(data)
        except OSError:
            self._end()
        except BaseException:  # an interrupt: where it left off, nothing else can follow
            self._end()
            raise
        return future

    def _listen(self) -> None:
        try:
            while (message := frames.receive(self._connection)) is not None:
                self._deliver(message)
        except (OSError, JudgeError):
            pass
        self._end()
        with self._sending:
            self._connection.close()

    def _deliver(self, message: frames.Frame) -> None:
        with self._lock:
            future = self._waiting.pop(message.get("id", -1), None)
        if future is None:
            return
        try:
            future.set_result(frames.read_answer(message)[1])
        except JudgeError as error:
            future.set_exception(error)

    def _end(self) -> None:
        with self._lock:
            self.lost = True
            waiting, self._waiting = list(self._waiting.values()), {}
        self.close()
        for future in waiting:
            future.set_exception(_LostError("the shared pool of judges ended"))

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # the listening thread sees that, and ends


def connect(place: Path) -> socket.socket:
    """Connect to the pool at a socket. If no pool listens at the socket, start one.

    Raises:
        JudgeError: the pool cannot be started or reached, or another user listens at the socket.
    """
    connection = _try(place)
    if connection is None:
        with locked_place(place):
            connection = _try(place)  # another process may have been faster
            if connection is None:
                connection = _started_anew(place)
    if connection is None:
        raise JudgeError("the shared pool of judges was started, but does not answer")
    if not other_end_is_ours(connection):
        connection.close()
        raise JudgeError(f"{place}: another user's process listens at this socket")
    return connection


def _try(place: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(place))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise JudgeError(f"{place}: the shared pool of judges cannot be reached: {error.strerror}") from error
    return connection


def _started_anew(place: Path) -> socket.socket | None:
    try:
        _start(place)
    except JudgeError:
        # A caller that was killed may have left a pool that was only coming up, and now listens.
        if (connection := _try(place)) is not None:
            return connection
        raise
    except OSError as error:
        raise JudgeError(f"{place}: the shared pool of judges cannot be started: {error.strerror}") from error
    return _try(place)


def _start(place: Path) -> None:
    """Start the pool and wait until it listens. Its output goes into a file beside the socket."""
    place.unlink(missing_ok=True)  # of one that was killed
    ready, told = os.pipe()
    log = place.with_suffix(".log")
    try:
        with log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "isobudget.rewards.daemon", str(place), str(told)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=[told],
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
            _started[:] = [one for one in _started if one.poll() is None] + [process]
        os.close(told)
        told = -1
        came = select.select([ready], [], [], START_SECONDS)[0] and os.read(ready, 1)
        if not came:
            process.kill()
            process.wait()
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise JudgeError(f"the shared pool of judges did not start: {''.join(last) or 'no message'}")
    finally:
        os.close(ready)
        if told >= 0:
            os.close(told)
