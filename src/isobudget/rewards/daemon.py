"""The process behind `SharedPool`: judges for all processes of one user, until it has been idle for a while.

    python -m isobudget.rewards.daemon SOCKET READY_DESCRIPTOR

The process listens on a Unix socket that only its user can open, and learns from the kernel which user is at the other
end. The workers of the process end with the process, however it ends.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from isobudget.errors import IsobudgetError, JudgeError
from isobudget.judge.verdict import Limits, Verdict
from isobudget.rewards import frames
from isobudget.rewards.place import locked_place, other_end_is_ours
from isobudget.rewards.pool import JudgePool

#: the process ends after this many seconds without a client
IDLE_SECONDS = 60.0
#: maximum number of a client's jobs that wait or run; no more messages of the client are read meanwhile
MOST_JOBS = 1000
#: maximum number of sets of limits that have judges at a time; judges in use are not ended for another set
MOST_POOLS = 4


class Daemon:
    """Listens for clients, and has their programs judged."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._pools: dict[Limits, JudgePool] = {}
        self._lock = threading.Lock()
        self._clients = 0
        self._last = time.monotonic()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(place))
        place.chmod(0o600)
        self._listener.listen(64)

    def serve(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """Accept clients until there has been none for `idle_seconds`."""
        while True:
            if self._comes(1.0):
                self._take()
            elif self._clients == 0 and time.monotonic() - self._last > idle_seconds:
                # Under the lock under which clients look for a pool: none of them can have come and be turned away.
                with locked_place(self.place):
                    if not self._comes(0.0):
                        self.place.unlink(missing_ok=True)
                        self._listener.close()
                        break
        for pool in self._pools.values():
            pool.close()

    def _comes(self, seconds: float) -> bool:
        return bool(select.select([self._listener], [], [], seconds)[0])

    def _take(self) -> None:
        connection, _ = self._listener.accept()
        if not other_end_is_ours(connection):
            connection.close()
            return
        with self._lock:
            self._clients += 1
        threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        room, sending = threading.Semaphore(MOST_JOBS), threading.Lock()
        gone, asked = threading.Event(), set[Future[Verdict]]()

        def send(message: frames.Frame) -> None:
            try:
                with sending:
                    connection.sendall(frames.pack(message))
            except OSError:
                gone.set()

        try:
            while not gone.is_set() and (message := frames.receive(connection)) is not None:
                room.acquire()
                self._judge(message, _Answer(send, room), asked)
        except (OSError, JudgeError):
            pass  # a client that sends invalid messages loses its connection; others are not affected
        finally:
            for verdict in list(asked):  # nobody waits for them; others do for theirs
                verdict.cancel()
            connection.close()
            with self._lock:
                self._clients -= 1
                self._last = time.monotonic()

    def _judge(self, message: frames.Frame, answer: _Answer, asked: set[Future[Verdict]]) -> None:
        answer.number = message.get("id", -1)
        try:
            _, problem, program, limits = frames.read_job(message)
            with self._lock:
                verdict = self._pool(limits).submit(problem, program)
            asked.add(verdict)
            verdict.add_done_callback(asked.discard)
            verdict.add_done_callback(answer)
        except IsobudgetError as error:
            answer.fail(str(error))

    def _pool(self, limits: Limits) -> JudgePool:
        """The pool of judges for these limits.

        If there are too many pools, the least recently used pool without jobs is closed.

        Raises:
            JudgeError: there are too many pools, and all have jobs.
        """
        pool = self._pools.pop(limits, None)
        if pool is None:
            if len(self._pools) >= MOST_POOLS:
                unused = next((one for one, each in self._pools.items() if each.idle), None)
                if unused is None:
                    raise JudgeError(f"a shared pool serves at most {MOST_POOLS} sets of limits at a time; use fewer")
                self._pools.pop(unused).close()
            pool = JudgePool(limits=limits)
        self._pools[limits] = pool  # as the one used last
        return pool


class _Answer:
    """Sends a verdict back when it is available."""

    def __init__(self, send: Callable[[frames.Frame], None], room: threading.Semaphore) -> None:
        self.send, self.room, self.number = send, room, -1

    def __call__(self, verdict: Future[Verdict]) -> None:
        if verdict.cancelled():
            self.room.release()
            return
        error = verdict.exception()
        if error is None:
            self.room.release()
            self.send(frames.answer(self.number, verdict.result()))
        else:
            self.fail(str(error))

    def fail(self, why: str) -> None:
        self.room.release()
        self.send({"id": self.number, "error": why})


def main() -> None:
    """Serve at the socket that the first argument names. Once ready, write a byte to the descriptor in the second."""
    place, ready = Path(sys.argv[1]), int(sys.argv[2])
    daemon = Daemon(place)
    os.write(ready, b"1")
    os.close(ready)
    daemon.serve()


if __name__ == "__main__":
    main()
