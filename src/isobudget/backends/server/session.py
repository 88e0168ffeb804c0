"""Generating samples from an opened server: what is asked for, what can be kept of the answers, and what was noticed.

A group of samples is asked for in one request. Whatever such a request does not give, or gives in a way that cannot be
kept (`answers.count_tokens`, `answers.look_alike`), is generated again one sample at a time, each with its
own seed. So the right number of samples comes back from any server that gives at least one.

What makes a group be thrown away does not depend on whether its samples are good, so nothing is selected by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from isobudget.backends.base import Description, Generation, Prompt, Sampling, Score
from isobudget.backends.engine.engine_clock import share_by_tokens
from isobudget.backends.server.answers import (
    PATHS,
    Answer,
    Ask,
    asks_of,
    count_tokens,
    cut,
    finish_reason,
    group_seeds,
    kept_logprobs,
    look_alike,
    read_answer,
    request_body,
)
from isobudget.backends.server.calls import Calls, Reply
from isobudget.backends.server.faults import RefusedError
from isobudget.backends.server.loop import together
from isobudget.backends.server.scoring import CANNOT_SCORE, Scorer
from isobudget.backends.server.settings import ServerSettings
from isobudget.backends.server.traits import Server, Traits, first_traits, repeatable
from isobudget.errors import BackendError


class Session:
    """An opened server. Everything but `describe` runs on its event loop.

    Args:
        settings: how it is reached.
        calls: open calls to it; the caller closes them.
        server: who it is.
        can_score: whether it was seen to give log-probabilities of given text.
        notes: what else the user has to know.
    """

    def __init__(
        self, settings: ServerSettings, calls: Calls, server: Server, can_score: bool, notes: Sequence[str] = ()
    ) -> None:
        self.calls = calls
        self._settings = settings
        self._server = server
        self._traits: Traits = first_traits(server.kind, settings.api)
        for note in notes:
            self._traits.note(note)
        self._scorer = Scorer(calls, settings.base_url, settings.model)
        self._can_score = can_score

    def describe(self) -> Description:
        """See `Backend.describe`."""
        repeats = sum(self.calls.repeats.values())
        kinds = ", ".join(f"{count} x {kind}" for kind, count in self.calls.repeats.most_common())
        return Description(
            engine=f"{self._server.label}, {self._settings.api}, {self._settings.concurrency} requests at once; "
            "seconds are this client's waiting time, shared",
            model=self._settings.model,
            can_score=self._can_score,
            repeatable=repeatable(self._server.kind, self._traits),
            notes=(*self._traits.notes, *([f"{repeats} requests were repeated: {kinds}"] if repeats else [])),
        )

    async def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """See `Backend.generate`."""
        # some servers refuse to generate the one greedy sample several times
        most = self._traits.most_samples if sampling.temperature > 0 else 1
        groups = group_seeds(seeds, most)
        generated = await together([self._generate_group(prompt, sampling, group) for group in groups])
        return [one for group in generated for one in group]

    async def score(self, prompt: Prompt, texts: Sequence[str], ids: Sequence[Sequence[int]]) -> list[Score]:
        """See `Backend.score`."""
        if self._settings.api != "completions":
            raise BackendError('the chat call cannot score given text; set api = "completions" for this model')
        if not self._can_score:
            raise BackendError(CANNOT_SCORE)
        return await self._scorer.score(prompt, texts, ids)

    async def _generate_group(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """One request; what it did not give of several samples is generated one at a time."""
        generated = await self._ask(prompt, sampling, seeds)
        rest = seeds[len(generated) :]
        return generated + (await self.generate(prompt, sampling, rest) if rest else [])

    async def _ask(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        conceded: list[tuple[Ask, bool]] = []
        first: RefusedError | None = None
        while True:
            without = frozenset(self._traits.refused | {ask for ask, _ in conceded})
            body = request_body(
                self._settings.api, self._settings.model, prompt, sampling, seeds, without, self._server.neutral
            )
            held = asks_of(body)
            try:
                reply = await self.calls.call(PATHS[self._settings.api], body, read_answer, size=int(body.get("n", 1)))
                break
            except RefusedError as error:
                first = first or error
                concession = self._traits.concession(error, held)
                if concession is None:
                    raise first from None
                conceded.append(concession)
        self._traits.learn(conceded, held)
        if any(not named for _, named in conceded[:-1]):  # left out on suspicion, and now known to be innocent
            return await self._ask(prompt, sampling, seeds)
        return await self._generations(reply, prompt, sampling, seeds, int(body.get("n", 1)))

    async def _generations(
        self, reply: Reply[Answer], prompt: Prompt, sampling: Sampling, seeds: list[int], asked: int
    ) -> list[Generation]:
        """The samples that can be kept: as many as asked for, fewer, or none of several. Always one of one."""
        answer, traits = reply.value, self._traits
        counts = count_tokens(answer)
        if counts is None and asked == 1:
            raise BackendError(
                "the server states neither usage nor log-probabilities, so the tokens of a sample cannot be counted"
            )
        keep = asked
        if len(answer.choices) != asked:
            traits.refuse(Ask.SAMPLES, f"gave {len(answer.choices)} of {asked} samples: asked for one at a time")
            keep = min(asked, len(answer.choices))
        if counts is None:
            traits.refuse(Ask.SAMPLES, "does not count the tokens of several samples apart: asked for one at a time")
            return []
        if look_alike(answer, sampling.temperature):
            traits.refuse(Ask.SAMPLES, "gave one text for several samples: asked for one at a time")
            keep = 1
        prompt_tokens = answer.prompt_tokens or await self._count_prompt(prompt)
        if answer.completion_tokens is None:
            traits.note(
                "the server states no usage: tokens are those with log-probabilities, stop text perhaps left out"
            )
        shares = share_by_tokens(reply.seconds, counts)
        return [
            self._generation(reply, place, sampling, (prompt_tokens, counts[place]), shares[place], seeds[place])
            for place in range(keep)
        ]

    def _generation(
        self,
        reply: Reply[Answer],
        place: int,
        sampling: Sampling,
        tokens: tuple[int, int],
        seconds: float,
        seed: int,
    ) -> Generation:
        choice = reply.value.choices[place]
        text = cut(choice.text, sampling.stop)
        logprobs = kept_logprobs(choice, text)
        total = math.fsum(logprobs) if logprobs else math.nan
        self._note_oddities(choice.finish, choice.tokens is None, choice.thought)
        return Generation(
            text=text,
            finish_reason=finish_reason(choice, text, tokens[1], sampling.max_tokens),
            prompt_tokens=tokens[0],
            completion_tokens=tokens[1],
            sum_logprob=total,
            mean_logprob=total / len(logprobs) if logprobs else math.nan,
            seconds=seconds,
            joules=math.nan,
            seed=seed,
            latency_seconds=reply.latency_seconds,
        )

    def _note_oddities(self, finish: str | None, unlisted: bool, thought: bool) -> None:
        if finish in ("content_filter", "tool_calls", "function_call"):
            self._traits.note(f"samples ended with {finish!r}: they are recorded with the text that came, as stopped")
        if unlisted and Ask.LOGPROBS not in self._traits.refused:
            self._traits.note("answers came without log-probabilities: they are unknown (NaN)")
        if thought:
            self._traits.note(
                "the model's thoughts are counted as tokens but are no part of the text; "
                "log-probabilities are unknown (NaN)"
            )

    async def _count_prompt(self, prompt: Prompt) -> int:
        try:
            return await self._scorer.count(prompt)
        except BackendError:
            raise BackendError(
                "the server states no usage and has no /tokenize, so the tokens of the prompt cannot be counted"
            ) from None
