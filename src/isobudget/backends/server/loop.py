"""An event loop in its own thread, so that calls that wait for a server block only the calling thread.

`LoopThread.run` may be called from many threads at once. Closing cancels what is in flight and leaves neither task nor
thread behind.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from isobudget.errors import BackendError

T = TypeVar("T")


class LoopThread:
    """A running event loop; `close` ends it."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._open = True
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the work on the loop and wait for its result. Ctrl-C during this wait ends the work too.

        Raises:
            BackendError: the loop was closed, before or meanwhile.
        """
        with self._lock:  # whatever is handed over before `close` is seen and cancelled by it
            if not self._open:
                work.close()
                raise BackendError("the backend is closed; use it inside its with statement")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise BackendError("the backend was closed while this request was in flight") from None
        except BaseException:
            future.cancel()
            raise

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel running work, run `last`, then end the loop and its thread."""
        with self._lock:
            self._open = False
        asyncio.run_coroutine_threadsafe(self._end(last), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self, last: Coroutine[Any, Any, None]) -> None:
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await last
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()


async def together(works: list[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, in order; the first failure ends the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
