"""Waiting for results: a Ctrl-C ends it, whichever thread the system gives the signal to."""

from __future__ import annotations

import queue
import signal
import threading
from concurrent.futures import Future

import pytest

from isobudget.pipeline.interrupts import Interrupts, Landed, get_interruptibly


def signal_to_another_thread(waiting: threading.Event) -> None:
    """What the system may do with a signal that is sent to a process."""
    waiting.wait()
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


def test_a_signal_that_another_thread_receives_ends_the_wait() -> None:
    interrupts, landed, call = Interrupts(), Landed(), Future[None]()
    landed.watch(call)
    waiting = threading.Event()
    presser = threading.Thread(target=signal_to_another_thread, args=(waiting,))
    presser.start()
    late = threading.Timer(10.0, call.set_result, (None,))
    late.start()

    def wait() -> None:
        waiting.set()
        landed.wait()

    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        interrupts.let_in(wait)
    assert not call.done()
    late.cancel()
    presser.join()


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.3])
def test_a_wait_has_an_end(seconds: float) -> None:
    with pytest.raises(queue.Empty):
        get_interruptibly(queue.SimpleQueue(), seconds)


def test_what_lies_there_is_given_also_when_no_time_is_left() -> None:
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    arrived.put(1)
    arrived.put(2)
    assert [get_interruptibly(arrived, -1.0), get_interruptibly(arrived, 60.0)] == [1, 2]
