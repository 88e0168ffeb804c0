"""Generates samples with an opened server: requests, usable answers, and observations.

A group of samples is requested in one call. Samples that are missing from its answer, or cannot be used
(`answers.count_tokens`, `answers.look_alike`), are requested again one at a time, each with its own seed. So any server
that returns at least one sample per call gives the right number of samples.

The reason for discarding a group never depends on whether its samples are good, so this causes no selection bias. A
failed request does not affect the samples of other requests: samples that came are kept (`PartlyAnsweredError`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isobudget.backends.base import Description, Generation, PartlyAnsweredError, Prompt, Sampling, Score
from isobudget.backends.engine.engine_clock import share_by_tokens
from isobudget.backends.server.answers import (
    FILTERED,
    Choice,
    ServerAnswer,
    believable,
    count_tokens,
    generation_of,
    is_known,
    look_alike,
    read_answer,
)
from isobudget.backends.server.calls import Calls, Reply
from isobudget.backends.server.counting import Counting
from isobudget.backends.server.faults import RefusedError, UnreadableError
from isobudget.backends.server.features import (
    ALIKE,
    UNCOUNTED,
    Fallback,
    Feature,
    fallback,
    features_of,
    remedy,
    wrong_number,
)
from isobudget.backends.server.loop import together
from isobudget.backends.server.requests import PATHS, group_seeds, request_body
from isobudget.backends.server.scoring import CANNOT_SCORE, ServerScorer
from isobudget.backends.server.settings import ServerSettings
from isobudget.backends.server.tally import AnswerTally
from isobudget.backends.server.traits import Server, Traits, first_traits, repeatable
from isobudget.errors import BackendError
from isobudget.grid import counted

#: what became of one seed: a sample, an error, or nothing yet
Answered = Generation | BackendError | None


class ServerSession:
    """An opened server. Everything except `describe` runs on its event loop.

    Args:
        settings: settings of the server.
        calls: an open `Calls`; the caller closes it.
        server: kind and version of the server.
        can_score: whether the server can score given text.
        notes: further notes for the user.
    """

    def __init__(
        self, settings: ServerSettings, calls: Calls, server: Server, can_score: bool, notes: Sequence[str] = ()
    ) -> None:
        self.calls = calls
        self._settings = settings
        self._server = server
        self._traits: Traits = first_traits(server, settings)
        for note in notes:
            self._traits.note(note)
        self._scorer = ServerScorer(calls, settings.base_url, settings.model)
        self._counting = Counting(self._scorer, self._traits.note)
        self._tally = AnswerTally()
        self._served: dict[str, None] = {}
        self._can_score = can_score

    def describe(self) -> Description:
        """See `Backend.describe`."""
        repeats = sum(self.calls.repeats.values())
        kinds = ", ".join(f"{count} x {kind}" for kind, count in self.calls.repeats.most_common())
        were = "was" if repeats == 1 else "were"
        return Description(
            engine=f"{self._server.label}, {self._settings.api}, {self._settings.concurrency} requests at once; "
            "seconds are this client's waiting time, shared",
            model=", ".join(self._served) or self._settings.model,
            can_score=self._can_score,
            repeatable=repeatable(self._server.kind, self._traits),
            notes=(
                *self._traits.notes,
                *self._tally.notes(),
                *([f"{counted(repeats, 'request')} {were} repeated: {kinds}"] if repeats else []),
            ),
        )

    async def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """See `Backend.generate`."""
        outcomes = await self._outcomes(prompt, sampling, seeds)
        came = [one for one in outcomes if isinstance(one, Generation)]
        errors = [one for one in outcomes if isinstance(one, BackendError)]
        if errors and not came:
            raise errors[0]
        counts = await self._counting.prompt(prompt, [one.prompt_tokens for one in came]) if came else []
        whole = iter([_with_prompt(one, count) for one, count in zip(came, counts, strict=True)])
        if not errors:
            return list(whole)
        given = [next(whole) if isinstance(one, Generation) else None for one in outcomes]
        raise PartlyAnsweredError(str(errors[0]), given, again=any(one.again for one in errors))

    async def score(self, prompt: Prompt, texts: Sequence[str], ids: Sequence[Sequence[int]]) -> list[Score]:
        """See `Backend.score`."""
        if self._settings.api != "completions":
            raise BackendError('the chat call cannot score given text; set api = "completions" for this model')
        if not self._can_score:
            raise BackendError(CANNOT_SCORE)
        return await self._scorer.score(prompt, texts, ids)

    async def _outcomes(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Answered]:
        """The result for each seed."""
        # some servers refuse to give the one greedy sample several times
        most = self._traits.most_samples if sampling.temperature > 0 else 1
        groups = group_seeds(seeds, most)
        given = await together([self._group(prompt, sampling, group) for group in groups])
        return [one for group in given for one in group]

    async def _group(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Answered]:
        """One request for several samples; missing ones are requested again."""
        try:
            outcomes = await self._ask(prompt, sampling, seeds)
        except BackendError as error:
            return [error] * len(seeds)
        outcomes += [None] * (len(seeds) - len(outcomes))
        missing = [place for place, one in enumerate(outcomes) if one is None]
        if missing:
            again = await self._outcomes(prompt, sampling, [seeds[place] for place in missing])
            for place, one in zip(missing, again, strict=True):
                outcomes[place] = one
        return outcomes

    async def _ask(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Answered]:
        left_out: list[Fallback] = []
        while True:
            without = frozenset(self._traits.refused | {one.feature for one in left_out})
            body = request_body(
                self._settings.api, self._settings.model, prompt, sampling, seeds, without, self._server.neutral
            )
            held, asked = features_of(body, self._server.neutral), int(body.get("n", 1))
            try:
                reply = await self.calls.call(PATHS[self._settings.api], body, read_answer, size=asked)
                break
            except RefusedError as error:
                next_one = fallback(error, held, self._traits.accepted)
                if next_one is None:
                    error.args = (f"{error}{remedy(error, body)}",)
                    raise
                left_out.append(next_one)
        self._traits.learn(left_out, held)
        if any(not one.named for one in left_out[:-1]):  # left out on suspicion, but not the cause of the refusal
            return await self._ask(prompt, sampling, seeds)
        return await self._kept(reply, prompt, sampling, seeds[:asked])

    async def _kept(
        self, reply: Reply[ServerAnswer], prompt: Prompt, sampling: Sampling, seeds: Sequence[int]
    ) -> list[Answered]:
        """The usable part of the answer to a request for these seeds: for each a sample, an error, or None."""
        traits = self._traits
        answer = believable(reply.value, prompt)
        reply = replace(reply, value=answer)
        for oddity in answer.oddities:
            traits.note(oddity)
        self._note_served(answer.model)
        asked, choices = len(seeds), answer.choices[: len(seeds)]
        if len(answer.choices) != asked:
            traits.refuse(Feature.SAMPLES, wrong_number(len(answer.choices), asked))
        counts = count_tokens(answer)
        if counts is None and len(choices) == 1:
            counts = [await self._counting.completion(choices[0].thought + choices[0].text)]
        elif counts is None:
            traits.refuse(Feature.SAMPLES, UNCOUNTED)
            return [UnreadableError(one.fault) if one.fault and not one.broken_off else None for one in choices]
        elif answer.completion_tokens is None:
            traits.note(
                "the server states no usage: tokens are counted from the log-probabilities, which may leave out the "
                "stop text"
            )
        if look_alike(answer, sampling.temperature):
            traits.refuse(Feature.SAMPLES, ALIKE)
            choices = choices[:1]
        shares = share_by_tokens(reply.seconds, counts)
        return [
            self._outcome(reply, place, choice, prompt, sampling, counts[place], shares[place], seeds[place])
            for place, choice in enumerate(choices)
        ]

    def _outcome(
        self,
        reply: Reply[ServerAnswer],
        place: int,
        choice: Choice,
        prompt: Prompt,
        sampling: Sampling,
        tokens: int,
        seconds: float,
        seed: int,
    ) -> Answered:
        if choice.fault:
            return None if choice.broken_off else UnreadableError(choice.fault)
        answer = reply.value
        self._note_oddities(choice, tokens, sampling.max_tokens)
        generation = generation_of(
            answer,
            choice,
            sampling,
            prompt_tokens=answer.prompt_tokens or 0,
            completion_tokens=tokens,
            seconds=seconds,
            seed=seed,
        )
        self._tally.add(prompt, generation.text, choice.thought, generation.finish_reason, sampling.temperature)
        cached = answer.cached_tokens
        return replace(
            generation,
            latency_seconds=reply.latency_seconds,
            billed_prompt_tokens=0 if place else None,
            cached_tokens=cached and (0 if place else cached),
        )

    def _note_served(self, model: str) -> None:
        if model:
            self._served[model] = None
            if model != self._settings.model:
                self._traits.note(f"asked for the model {self._settings.model!r}, but {model!r} answered")

    def _note_oddities(self, choice: Choice, tokens: int, max_tokens: int) -> None:
        note = self._traits.note
        if choice.finish in FILTERED:
            note(f"samples that ended with {choice.finish!r} are recorded as stopped, with the text that came")
        if not is_known(choice.finish):
            note(f"unknown finish reason {choice.finish!r}: treated as 'length' if max_tokens was reached")
        if tokens > max_tokens:
            note("the server counts more completion tokens than max_tokens: its counts are recorded as they are")
        if choice.tokens is None and Feature.LOGPROBS not in self._traits.refused:
            note("answers came without log-probabilities: they are unknown (NaN)")
        if choice.thought:
            note("reasoning is counted as tokens but is not part of the text; log-probabilities are unknown (NaN)")


def _with_prompt(generation: Generation, count: int) -> Generation:
    """The sample with its number of prompt tokens. The first sample of a request is billed for them."""
    billed = count if generation.billed_prompt_tokens is None else generation.billed_prompt_tokens
    return replace(generation, prompt_tokens=count, billed_prompt_tokens=billed)
