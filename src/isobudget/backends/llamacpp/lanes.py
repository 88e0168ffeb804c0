"""What the lanes of an engine share: time, prompts, and whether there is room.

A lane is a group of slots with a context, threads and steps of its own; all lanes have one model's weights. Threads of
one context wait for one another hundreds of times a step, each time for the slowest; lanes do not. So two lanes of a
thread each get more done than one of two threads, above all beside other work on the machine. A lane reads all weights
at each of its steps, so it needs some slots to be worth it (see `settings`).

A prompt is computed by one lane; the others copy what it holds, bit by bit. While a lane computes one, the others do
not compute any that begins alike: they go on with their samples, or with other prompts, and wait only if they have
neither. Time in which several lanes are at work is shared among them evenly, so that what samples and prompts are
charged adds up to the time on the clock.
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
    """A prompt that a lane has computed: what its sequence holds, what follows it, and what computing it cost."""

    state: State
    logits: Logits
    cost: Charge


class Lanes:
    """What the lanes of one engine share. Safe to use from their threads.

    Args:
        count: how many there are.
        slots: most slots of one; contexts that exchange prompts are of one size.
        kept: prompts that are kept for other lanes.
        now: seconds.
        meter: joules used so far; None where nothing tells.
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
        """A lane's clock: with two lanes at work it goes at half the speed."""
        with self._changed:
            self._go_on()
            return self._seconds

    def joules(self) -> float:
        """A lane's meter, as `seconds`."""
        with self._changed:
            self._go_on()
            return self._joules

    @contextmanager
    def at_work(self, lanes: int = 1) -> Iterator[None]:
        """A lane computes meanwhile; with -1, one that does waits meanwhile."""
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
        """A lane's slots are all taken now (1), or no longer (-1)."""
        with self._changed:
            self._full += lanes

    @property
    def have_room(self) -> bool:
        """Whether a lane has an empty slot."""
        return self._full < self.count

    # prompts ----------------------------------------------------------------------------------------------------------

    def claim(self, ids: tuple[int, ...]) -> bool:
        """Whether the calling lane may compute a prompt now: no other computes one that begins alike.

        If it may, none will until its `computing` has ended.
        """
        with self._changed:
            lane = threading.get_ident()
            if any(_is_alike(ids, other) for owner, other in self._begun.items() if owner != lane):
                return False
            self._begun[lane] = ids
            return True

    def expect(self, ids: tuple[int, ...]) -> None:
        """The calling lane needs a prompt next, which it could not claim: it is kept from now on, until `release`."""
        with self._changed:
            self._awaited[threading.get_ident()] = ids

    def release(self) -> None:
        """The calling lane computes no prompt and waits for none, whatever it has claimed."""
        with self._changed:
            self._begun.pop(threading.get_ident(), None)
            self._awaited.pop(threading.get_ident(), None)
            self._changed.notify_all()

    @contextmanager
    def computing(self, ids: tuple[int, ...]) -> Iterator[bool]:
        """The calling lane sees to a prompt meanwhile. First it waits until it may, if it has not claimed it.

        Yields:
            Whether it had to wait.
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
        """Keep a prompt for the other lanes, if there are any; those kept longest go, but none that a lane needs next.

        A lane that is halted between choosing a sample and beginning it finds its prompt however long that takes.
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
        """This prompt as another lane computed it, if it is kept."""
        with self._changed:
            return self._prompts.get(ids)

    def longest_beginning(self, ids: tuple[int, ...]) -> tuple[int, SavedPrompt | None]:
        """The kept prompt that begins as this one for longest, and for how many tokens, as `shared_tokens`."""
        with self._changed:
            found = [(shared_tokens(ids, other), saved) for other, saved in self._prompts.items()]
        return max(found, key=lambda one: one[0], default=(0, None))


def shared_tokens(ids: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with that need not be computed again: none if so few that bits would not stay alike.

    Parts of a prompt that are computed by themselves have `TILE_TOKENS` at least.
    """
    pairs = enumerate(zip(ids, other, strict=False))
    alike = next((place for place, (a, b) in pairs if a != b), min(len(ids), len(other)))
    tokens = min(alike, len(ids) - TILE_TOKENS)
    return tokens if tokens >= TILE_TOKENS and len(other) >= TILE_TOKENS else 0


def _is_alike(ids: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return ids == other or shared_tokens(ids, other) > 0
