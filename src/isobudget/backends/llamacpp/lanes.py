"""State shared by the lanes of an engine: time, prompts, and whether there is room.

A lane is a group of slots with its own context, threads and steps; all lanes share one model's weights. The threads of
one context wait for the slowest of them hundreds of times per step; lanes do not wait for each other. So two lanes with
one thread each are faster than one lane with two threads, especially beside other work on the machine. A lane reads all
weights at each of its steps, so it is only worthwhile with several slots (see `settings`).

A prompt is computed by one lane; the others copy its exact state. While a lane computes a prompt, the others compute
none with the same beginning: they continue with their samples or other prompts, and wait only if they have neither.
Time in which several lanes work is shared evenly among them, so that the charges of samples and prompts add up to wall
time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from isobudget.backends.engine.engine_clock import Charge
from isobudget.backends.llamacpp.context import TILE_TOKENS, Logits, State


@dataclass(frozen=True, slots=True)
class SavedPrompt:
    """A prompt computed by a lane: the state of its sequence, the logits after it, and the cost of computing it."""

    state: State
    logits: Logits
    cost: Charge


class Lanes:
    """State shared by the lanes of one engine. Safe to use from their threads.

    Args:
        count: number of lanes.
        slots: maximum number of slots of a lane; contexts that exchange prompts have the same size.
        kept: number of prompts kept for other lanes.
        now: returns the time in seconds.
        meter: returns the joules used so far; None if not measured.
    """

    def __init__(
        self,
        count: int = 1,
        slots: int = 0,
        kept: int = 0,
        now: Callable[[], float] = time.perf_counter,
        meter: Callable[[], float] | None = None,
    ) -> None:
        self.count, self.slots, self._kept = count, slots, kept
        self._now, self._meter = now, meter or (lambda: math.nan)
        self._changed = threading.Condition(threading.RLock())
        self._at_work = self._full = 0
        self._last, self._last_joules = self._now(), self._meter()
        self._seconds = self._joules = 0.0
        self._prompts: dict[tuple[int, ...], SavedPrompt] = {}  # the newest comes last
        self._begun: dict[int, tuple[int, ...]] = {}  # by thread
        self._awaited: dict[int, tuple[int, ...]] = {}  # by thread: what it needs next, and has not claimed yet

    # time -------------------------------------------------------------------------------------------------------------

    def seconds(self) -> float:
        """A lane's clock: while two lanes work, it runs at half speed."""
        with self._changed:
            self._go_on()
            return self._seconds

    def joules(self) -> float:
        """A lane's energy meter, shared like `seconds`."""
        with self._changed:
            self._go_on()
            return self._joules

    @contextmanager
    def at_work(self, lanes: int = 1) -> Iterator[None]:
        """Count one more working lane in this context, or, with -1, one fewer, because a working lane waits."""
        with self._changed:
            self._go_on()
            self._at_work += lanes
        try:
            yield
        finally:
            with self._changed:
                self._go_on()
                self._at_work -= lanes

    def _go_on(self) -> None:
        now, joules, lanes = self._now(), self._meter(), max(1, self._at_work)
        self._seconds += (now - self._last) / lanes
        self._joules += (joules - self._last_joules) / lanes
        self._last, self._last_joules = now, joules

    # room -------------------------------------------------------------------------------------------------------------

    def fill(self, lanes: int) -> None:
        """Note that a lane's slots are all taken (1), or no longer (-1)."""
        with self._changed:
            self._full += lanes

    @property
    def have_room(self) -> bool:
        """Whether a lane has an empty slot."""
        return self._full < self.count

    # prompts ----------------------------------------------------------------------------------------------------------

    def claim(self, ids: tuple[int, ...]) -> bool:
        """Whether the calling lane may compute a prompt now: no other lane computes one with the same beginning.

        If so, no other lane may compute such a prompt until the calling lane's `computing` has ended.
        """
        with self._changed:
            lane = threading.get_ident()
            if any(_is_alike(ids, other) for owner, other in self._begun.items() if owner != lane):
                return False
            self._begun[lane] = ids
            return True

    def expect(self, ids: tuple[int, ...]) -> None:
        """Note that the calling lane needs this prompt next but could not claim it.

        Until `release`, the prompt is not dropped from the kept ones.
        """
        with self._changed:
            self._awaited[threading.get_ident()] = ids

    def release(self) -> None:
        """Note that the calling lane computes no prompt and waits for none."""
        with self._changed:
            self._begun.pop(threading.get_ident(), None)
            self._awaited.pop(threading.get_ident(), None)
            self._changed.notify_all()

    @contextmanager
    def computing(self, ids: tuple[int, ...]) -> Iterator[bool]:
        """Let the calling lane compute a prompt in this context.

        A lane that has not claimed the prompt before first waits until it can.

        Yields:
            Whether the lane had to wait.
        """
        with self._changed:
            waits = not self.claim(ids)
            if waits:
                with self.at_work(-1):
                    self._changed.wait_for(lambda: self.claim(ids))
        try:
            yield waits
        finally:
            self.release()

    def keep(self, ids: tuple[int, ...], prompt: Callable[[], SavedPrompt]) -> None:
        """Keep a prompt for other lanes, if there are any. Then drop the oldest prompts beyond the number to keep.

        Prompts that a lane needs next are not dropped. So a lane that is halted between choosing and starting a sample
        still finds its prompt, however long that takes.
        """
        if self.count < 2:
            return
        saved = prompt()
        with self._changed:
            self._prompts[ids] = saved
            needed = {*self._begun.values(), *self._awaited.values()}
            dispensable = [other for other in self._prompts if other not in needed]
            for other in dispensable[: max(0, len(self._prompts) - self._kept)]:
                del self._prompts[other]

    def find(self, ids: tuple[int, ...]) -> SavedPrompt | None:
        """This prompt as computed by another lane, if it is kept."""
        with self._changed:
            return self._prompts.get(ids)

    def longest_beginning(self, ids: tuple[int, ...]) -> tuple[int, SavedPrompt | None]:
        """The kept prompt that shares the longest beginning with this one.

        Returns:
            The number of shared tokens, see `shared_tokens`, and the kept prompt; 0 and None if no prompt is kept.
        """
        with self._changed:
            found = [(shared_tokens(ids, other), saved) for other, saved in self._prompts.items()]
        return max(found, key=lambda one: one[0], default=(0, None))


def shared_tokens(ids: Sequence[int], other: Sequence[int]) -> int:
    """Number of common first tokens that need not be computed again; 0 if too few to keep the result bitwise equal.

    Parts of a prompt that are computed separately have at least `TILE_TOKENS` tokens.
    """
    pairs = enumerate(zip(ids, other, strict=False))
    alike = next((place for place, (a, b) in pairs if a != b), min(len(ids), len(other)))
    tokens = min(alike, len(ids) - TILE_TOKENS)
    return tokens if tokens >= TILE_TOKENS and len(other) >= TILE_TOKENS else 0


def _is_alike(ids: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return ids == other or shared_tokens(ids, other) > 0
