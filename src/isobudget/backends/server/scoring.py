"""Log-probabilities of given text from a server, by echoing it: completions with ``echo`` and ``logprobs``.

The server's own ``/tokenize`` (which vLLM and SGLang have beside /v1) tokenizes the prompt and the text separately. The
tokens are joined and sent as tokens, so that exactly these are scored. The server also generates one token, because
most servers cannot generate none; it is ignored.

llama.cpp's server accepts ``echo`` and ignores it, and OpenAI refuses it together with log-probabilities: such servers
cannot score. Whether a server can is found out by trying, never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isobudget.backends.base import Chat, Prompt, Score
from isobudget.backends.server.calls import Calls
from isobudget.backends.server.loop import together
from isobudget.backends.server.traits import root_of
from isobudget.errors import BackendError

CANNOT_SCORE = (
    "this server cannot score given text: it does not return the log-probabilities of a prompt "
    "(completions with echo). Use the embedded engine, vLLM or transformers for likelihoods of given text."
)


class ServerScorer:
    """Scores texts with one model of one server."""

    def __init__(self, calls: Calls, url: str, model: str) -> None:
        self._calls = calls
        self._root = root_of(url)
        self._model = model

    async def works(self) -> bool:
        """Whether the server can score, by a try with two tokens; false if the server cannot be reached now."""
        try:
            tokens = (await self._tokens("a b", special=False, attempts=1))[:2]
            await self._echo(tokens, len(tokens), attempts=1)
        except BackendError:
            return False
        return bool(tokens)

    async def count(self, text: Prompt, *, special: bool) -> int:
        """The server's count of the tokens of a prompt or text; `special` includes the tokens that begin a prompt."""
        return len(await self._tokens(text, special=special, attempts=1))

    async def score(self, prompt: Prompt, texts: Sequence[str], token_ids: Sequence[Sequence[int]]) -> list[Score]:
        """See `Backend.score`."""
        head = await self._tokens(prompt, special=True)
        known = [token_ids[place] if place < len(token_ids) else () for place in range(len(texts))]
        return await together([self._score(head, text, ids) for text, ids in zip(texts, known, strict=True)])

    async def _score(self, head: list[int], text: str, known: Sequence[int]) -> Score:
        if not text and not known:
            return Score((), len(head), 0.0)
        ids = list(known) or await self._tokens(text, special=False)
        values, seconds = await self._echo([*head, *ids], len(ids))
        return Score(tuple(values), len(head), seconds)

    async def _tokens(self, prompt: Prompt, *, special: bool, attempts: int | None = None) -> list[int]:
        """The tokens of a text or conversation.

        Servers name the field of the text differently, so all names are sent.
        """
        body: dict[str, Any] = {"model": self._model, "add_special_tokens": special, "add_special": special}
        if isinstance(prompt, Chat):
            body["messages"] = [{"role": one.role, "content": one.content} for one in prompt.messages]
        else:
            body |= {"prompt": prompt, "content": prompt}
        return (await self._calls.call(f"{self._root}/tokenize", body, _read_tokens, attempts=attempts)).value

    async def _echo(self, tokens: list[int], last: int, attempts: int | None = None) -> tuple[list[float], float]:
        """Log-probabilities of the last tokens. The first token of all has none, because nothing precedes it."""
        body = {"model": self._model, "prompt": tokens, "echo": True, "logprobs": 1, "max_tokens": 1}
        reply = await self._calls.call("/completions", body, _read_echo, attempts=attempts)
        begin = max(1, len(tokens) - last)
        values = [value for value in reply.value[begin : len(tokens)] if value is not None]
        if len(reply.value) < len(tokens) or len(values) < len(tokens) - begin:
            raise BackendError(CANNOT_SCORE)
        return values, reply.seconds


def _read_tokens(data: Any) -> list[int]:
    return [int(token) for token in data["tokens"]]


def _read_echo(data: Any) -> list[float | None]:
    logprobs = data["choices"][0].get("logprobs") or {}
    return [None if value is None else float(value) for value in logprobs.get("token_logprobs") or ()]
