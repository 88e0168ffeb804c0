"""Continuous batching: every slot generates a sample of its own, and takes the next one as soon as its sample ends.

A lane works in steps; each step adds one token to every sample in flight, whichever problem it belongs to. A prompt is
computed once, by itself, into its own sequence, and copied for each of its samples. It is kept until its place is
needed for another prompt, and samples of kept prompts start before others, so the prompt of a problem is computed once,
whether its samples are requested in one call or in many. If a prompt has the same beginning as a kept one, such as the
same examples, only the rest is computed. If there are several lanes (`lanes`), each has its own slots, and they copy
prompts from one another.

Every sequence has its own memory, in token order. If the engine multiplies its kind of weights in the same way for few
rows and for many, a sample is bitwise the same whatever is generated beside it. If only a single row is computed
differently (`split_form`), an unused row is added, so that there never is a single one. The engine needs adjacent
sequences, so if a sample ends and no new one takes its slot, the last sample moves into this slot.

The time of computing a prompt (without its reused beginning) is recorded separately, in full, by every sample that uses
it. The time of a step is shared by its samples, which also record whether slots were idle meanwhile.

Source: Yu et al. 2022 (Orca) for batching by iterations. Not covered: several prompts computed at once by one lane;
with quantised weights the cost per row hardly depends on the number of rows, so there is little to gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isobudget.backends.engine.engine_clock import Charge, StepClock
from isobudget.backends.engine.in_flight import Request, SampleInFlight, SampleOfRequest, take_tokens
from isobudget.backends.engine.inbox import Inbox
from isobudget.backends.llamacpp.context import Context, Logits
from isobudget.backends.llamacpp.lanes import Lanes, SavedPrompt, shared_tokens
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.backends.llamacpp.sample_token import sample_token
from isobudget.backends.llamacpp.settings import KEPT_PROMPTS, LEAST_ROWS
from isobudget.errors import BackendError

#: maximum number of a prompt's tokens that are computed at once
_BATCH_TOKENS = 512


@dataclass(slots=True)
class _Prompt:
    """A computed prompt: its sequence, the logits after it, and the cost of computing it."""

    sequence: int
    logits: Logits
    cost: Charge


class Slots:
    """The samples that a lane generates. Use it only from the thread that runs the lane.

    Args:
        model: a model with weights; it must stay open longer than the slots.
        slots: samples generated at the same time.
        context_tokens: tokens for prompt and completion of each sample.
        threads: CPU threads.
        clock: charges the lane's steps.
        lanes: state shared with other lanes; None if this is the only one.

    Attributes:
        prompt_tokens: tokens of prompts computed so far.

    Raises:
        BackendError: the engine cannot create such a context.
    """

    def __init__(
        self,
        model: LlamaModel,
        slots: int,
        context_tokens: int,
        threads: int,
        clock: StepClock,
        lanes: Lanes | None = None,
    ) -> None:
        self._model, self._clock, self._slots, self._context_tokens = model, clock, slots, context_tokens
        self._lanes, self._is_full = lanes or Lanes(), False
        self._least_rows = LEAST_ROWS if model.adapter else 1
        own = max(slots, self._least_rows)
        sequences = max(own, self._lanes.slots) + KEPT_PROMPTS
        batch_tokens = max(_BATCH_TOKENS, sequences)
        self._context = Context(model, context_tokens, sequences, batch_tokens, threads, is_shared=False)
        self._samples: list[SampleInFlight | None] = []  # each in the sequence of its place; None is a hole
        self._prompts: dict[tuple[int, ...], _Prompt] = {}  # the one used last comes last
        self._free_for_prompts = list(range(own, sequences))
        self.prompt_tokens = 0

    @property
    def is_busy(self) -> bool:
        """Whether a sample is being generated."""
        return any(self._samples)

    @property
    def has_room(self) -> bool:
        """Whether another sample can start."""
        return None in self._samples or len(self._samples) < self._slots

    def choose(self, waiting: list[Request]) -> SampleOfRequest | None:
        """Take the next sample to start from the waiting requests.

        A request without remaining samples is removed from the list.
        """
        waiting[:] = [request for request in waiting if request.waiting]
        request = self._best(waiting)
        if request is None:
            return None
        if places := request.waiting:
            return request, places.pop(0)
        self._lanes.release()  # another lane has failed it meanwhile
        return None

    def _best(self, waiting: Sequence[Request]) -> Request | None:
        """A request whose prompt this lane keeps, else one whose prompt no other lane is computing now."""
        here = next((one for one in waiting if one.prompt_ids in self._prompts), None)
        if here or not waiting:
            return here
        tried = dict.fromkeys(one.prompt_ids for one in waiting)
        free = next((ids for ids in tried if self._lanes.claim(ids)), None)
        if free is None and self.is_busy:
            return None
        if free is None:
            self._lanes.expect(waiting[0].prompt_ids)
        return next((one for one in waiting if one.prompt_ids == free), waiting[0])

    def begin(self, unit: SampleOfRequest) -> None:
        """Start a sample with the first token after its prompt."""
        request = unit[0]
        if not self.is_busy:
            self._clock.idle()
        try:
            prompt = self._computed(request.prompt_ids)
        except BackendError as error:
            request.fail(error)
            self._forget_all(error)
            return
        sample = SampleInFlight(unit, self._model.decode, self._context_tokens)
        sample.prompt = prompt.cost
        place = self._samples.index(None) if None in self._samples else len(self._samples)
        self._samples[place : place + 1] = [sample]
        self._tell_room()
        self._context.copy(prompt.sequence, place)
        self._advance([place], [sample], prompt.logits)

    def step(self) -> None:
        """Add a token to every sample."""
        samples = self._close_holes()
        self._tell_room()
        if not samples:
            return
        tokens = [sample.ids[-1] for sample in samples]
        positions = [len(sample.prompt_ids) + len(sample.ids) - 1 for sample in samples]
        rows = max(len(samples), self._least_rows)
        for place in range(len(samples), rows):  # a row that nobody needs, in a place that is free
            self._context.forget(place)
            tokens.append(tokens[0])
            positions.append(0)
        try:
            logits = self._context.decode(tokens, positions, [[place] for place in range(rows)], [True] * rows)
        except BackendError as error:
            self._forget_all(error)
            return
        places = range(len(samples))
        self._advance(places, samples, logits[: len(samples)], idle=self._lanes.have_room)

    def fail(self, error: Exception) -> None:
        """End every running sample with an error."""
        for sample in self._samples:
            if sample:
                sample.request.fail(error)
        self._samples = []
        self._tell_room()

    def close(self) -> None:
        """Free the context."""
        self._context.close()

    def _tell_room(self) -> None:
        """Tell the other lanes whether this lane has an empty slot."""
        if self.has_room == self._is_full:
            self._is_full = not self.has_room
            self._lanes.fill(1 if self._is_full else -1)

    def _advance(
        self, places: Sequence[int], samples: Sequence[SampleInFlight], logits: Logits, *, idle: bool = False
    ) -> None:
        """Sample the next token in these slots."""
        sampled = [sample_token(row, one.sampling, one.number()) for row, one in zip(logits, samples, strict=True)]
        self._clock.charge([sample.charge for sample in samples], [1] * len(samples), idle)
        leaving = take_tokens(samples, [token for token, _ in sampled], [logprob for _, logprob in sampled])
        for place, leaves in zip(places, leaving, strict=True):
            if leaves:
                self._samples[place] = None

    def _close_holes(self) -> list[SampleInFlight]:
        """Close gaps between running samples; returns the samples."""
        samples = self._samples
        for place in range(len(samples)):
            while samples and samples[-1] is None:
                samples.pop()
            if place < len(samples) and samples[place] is None:
                self._context.copy(len(samples) - 1, place)
                samples[place] = samples.pop()
        return [sample for sample in samples if sample]

    def _computed(self, ids: tuple[int, ...]) -> _Prompt:
        """The computed prompt: kept, copied from another lane, or computed now."""
        computed = self._prompts.pop(ids, None)
        if computed is None:
            with self._lanes.computing(ids) as waited:
                if waited:
                    self._clock.idle()  # the lane that was waited for pays
                saved = self._lanes.find(ids)
                source, alike = self._beginning(ids)
                if not self._free_for_prompts:
                    oldest = self._prompts.pop(next(iter(self._prompts)))
                    self._free_for_prompts.append(oldest.sequence)
                sequence = self._free_for_prompts[-1]
                if saved and self._restored(sequence, saved):
                    computed = _Prompt(sequence, saved.logits, saved.cost)
                else:
                    computed = self._compute(ids, sequence, source, alike)
            self._free_for_prompts.pop()
        self._prompts[ids] = computed
        return computed

    def _compute(self, ids: tuple[int, ...], sequence: int, source: int, alike: int) -> _Prompt:
        """Compute a prompt into a sequence, starting from another sequence or from a prompt of another lane."""
        paid = Charge()
        elsewhere, saved = self._lanes.longest_beginning(ids)
        if saved and elsewhere > alike and self._restored(sequence, saved):
            source, alike = sequence, elsewhere
        known = self._context.copy_beginning(source, sequence, alike)
        logits = self._context.decode_prompt(ids, sequence, known).copy()
        self._clock.charge([paid], [1])
        self.prompt_tokens += len(ids) - known
        self._lanes.keep(ids, lambda: SavedPrompt(self._context.save(sequence), logits, paid))
        return _Prompt(sequence, logits, paid)

    def _restored(self, sequence: int, saved: SavedPrompt) -> bool:
        """Copy a prompt computed by another lane into a sequence; returns whether the engine accepted it."""
        if self._context.is_copied(sequence):
            self.step()
        return self._context.restore(sequence, saved.state)

    def _beginning(self, ids: tuple[int, ...]) -> tuple[int, int]:
        """The sequence that shares the longest beginning with this prompt, and the number of tokens that they share."""
        kept = [(shared_tokens(ids, other), prompt.sequence) for other, prompt in self._prompts.items()]
        tokens, sequence = max(kept, default=(0, 0))
        return (sequence, tokens) if tokens else (0, 0)

    def _forget_all(self, error: BackendError) -> None:
        """Start over, because the state of the context is unknown after an error."""
        self.fail(error)
        self._free_for_prompts += [prompt.sequence for prompt in self._prompts.values()]
        self._prompts = {}
        self._context.clear()


def generate_from(inbox: Inbox[Request], slots: Slots, lanes: Lanes) -> None:
    """Generate the samples of the inbox's requests until the inbox is closed; a lane's thread executes this."""
    error: Exception = BackendError("the model was closed before this sample was generated")
    try:
        while slots.is_busy or inbox.wait():
            if inbox.closed:
                break
            with lanes.at_work():
                while slots.has_room and (chosen := inbox.take(slots.choose)):
                    slots.begin(chosen)
                slots.step()
    except Exception as fault:  # nobody may wait for a thread that has ended
        error = fault
    finally:
        slots.fail(error)
        for request in inbox.close():
            request.fail(error)
        slots.close()
