"""The server backend against a real llama.cpp server process: samples, seeds, counts, and a server that dies."""

from __future__ import annotations

import asyncio
import math
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest

from isobudget.backends.base import Chat, FinishReason, Message, Sampling
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.backends.server import ServerBackend, ServerSettings
from isobudget.errors import BackendError
from isobudget.models.catalog import find_model
from isobudget.models.weights import local_weights

pytestmark = pytest.mark.models

PROMPT = 'def add(a: int, b: int) -> int:\n    """Return the sum of a and b.\n\n    >>> add(1, 2)\n    3\n    """'
WARM = Sampling(temperature=0.8, top_p=0.95, max_tokens=12, stop=("\ndef", "\n#"))
GREEDY = replace(WARM, temperature=0.0, top_p=1.0, max_tokens=24)


class LlamaServer:
    """A process that serves the model on a port; it can be killed and started again."""

    def __init__(self, model: Path) -> None:
        self.model = model
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        script = Path(__file__).parents[2] / "support" / "llama_server.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(self.model), str(self.port)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert str(self.port) in self.process.stdout.readline(), "the server did not start"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def settings(self, concurrency: int = 4) -> ServerSettings:
        return ServerSettings(
            url=f"http://127.0.0.1:{self.port}/v1",
            model="smollm2",
            concurrency=concurrency,
            timeout_seconds=60.0,
            attempts=400,
        )


@pytest.fixture(scope="module")
def model() -> Path:
    pytest.importorskip("openai")
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    path = local_weights(find_model("smollm2-135m"))
    if path is None:
        pytest.skip("SmolLM2 is not on this machine; fetch it with: isobudget models fetch smollm2-135m")
    return path


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[LlamaServer]:
    running = LlamaServer(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield running
    running.kill()


@pytest.fixture(scope="module")
def backend(server: LlamaServer) -> Iterator[ServerBackend]:
    with ServerBackend(server.settings()) as opened:
        yield opened


def test_it_is_known_and_what_it_cannot_do_is_noticed(backend: ServerBackend) -> None:
    backend.generate(PROMPT, WARM, [1, 2])
    described = backend.describe()
    assert described.engine.startswith("llama.cpp server")
    assert not described.can_score
    assert any("does not count the tokens of several samples" in note for note in described.notes)
    with pytest.raises(BackendError, match="cannot score"):
        backend.score(PROMPT, [" return a + b"])


def test_one_sample_per_seed_and_the_same_again(server: LlamaServer) -> None:
    seeds = [11, 12, 13, 14, 15, 40]
    with ServerBackend(server.settings(concurrency=1)) as alone:  # one at a time: batches are the same every time
        first, again = alone.generate(PROMPT, WARM, seeds), alone.generate(PROMPT, WARM, seeds)
    assert [one.seed for one in first] == seeds
    assert len({one.text for one in first}) > 1
    assert [one.text for one in first] == [one.text for one in again]
    for one in first:
        assert 1 <= one.completion_tokens <= WARM.max_tokens
        assert one.finish_reason is FinishReason.STOP or one.completion_tokens == WARM.max_tokens
        assert one.mean_logprob < 0 < one.seconds <= one.latency_seconds * 1.001
        assert not any(stop in one.text for stop in WARM.stop)


def test_counts_and_logprobs_are_those_of_the_embedded_engine(backend: ServerBackend, model: Path) -> None:
    kinds = (GREEDY, replace(GREEDY, stop=("\n\n",)), replace(GREEDY, max_tokens=3))
    with LlamaCpp(LlamaCppSettings(model=str(model), slots=1, context_tokens=256, threads=1)) as engine:
        pairs = [(backend.generate(PROMPT, one, [1])[0], engine.generate(PROMPT, one, [1])[0]) for one in kinds]
    for ours, theirs in pairs:
        assert ours.text == theirs.text
        assert (ours.prompt_tokens, ours.completion_tokens) == (theirs.prompt_tokens, theirs.completion_tokens)
        assert ours.finish_reason is theirs.finish_reason
        assert ours.mean_logprob == pytest.approx(theirs.mean_logprob, abs=1e-2)


def test_a_conversation(server: LlamaServer) -> None:
    chat = Chat((Message("user", "Write a Python function that adds two numbers."),))
    with ServerBackend(server.settings().model_copy(update={"api": "chat"})) as talking:
        answers = talking.generate(chat, WARM, [1, 2, 3])
    assert [one.seed for one in answers] == [1, 2, 3]
    assert all(one.text and one.prompt_tokens > 10 and not math.isnan(one.mean_logprob) for one in answers)


def test_a_conversation_is_put_into_the_template_alike(server: LlamaServer, model: Path) -> None:
    longer = (
        Message("system", "Be short."),
        Message("user", " 1 < 2?\n"),
        Message("assistant", "Yes"),
        Message("user", "é"),
    )
    for messages in ((Message("user", "Write a Python function that adds two numbers."),), longer):
        with ServerBackend(server.settings().model_copy(update={"api": "chat"})) as talking:
            (theirs,) = talking.generate(Chat(messages), GREEDY, [1])
        with LlamaCpp(LlamaCppSettings(model=str(model), slots=1, context_tokens=256, threads=1)) as engine:
            (ours,) = engine.generate(Chat(messages), GREEDY, [1])
        assert ours.prompt_tokens == theirs.prompt_tokens
        assert ours.text == theirs.text


def test_a_prompt_without_room_is_told(backend: ServerBackend) -> None:
    with pytest.raises(BackendError, match="context"):
        backend.generate("x = 1\n" * 400, WARM, [1])


def test_a_server_that_is_killed_and_started_again_loses_nothing(server: LlamaServer) -> None:
    """15 samples of 5 prompts, 4 prompts at a time; the server is killed as soon as the first have come."""

    async def shortly(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.1))  # until the server is up again: as long as loading the model takes

    brief = replace(WARM, max_tokens=6)
    prompts = {f"def f{number}(x):\n    return": [100 * number + index for index in range(3)] for number in range(5)}
    with ServerBackend(server.settings(), shortly) as backend, ThreadPoolExecutor(4) as pool:
        futures = {prompt: pool.submit(backend.generate, prompt, brief, seeds) for prompt, seeds in prompts.items()}
        _, unfinished = wait(futures.values(), return_when=FIRST_COMPLETED)
        assert unfinished, "there must be something to lose"
        server.kill()
        server.start()
        rows = {prompt: future.result() for prompt, future in futures.items()}
        notes = backend.describe().notes
    assert {prompt: [one.seed for one in row] for prompt, row in rows.items()} == prompts
    assert all(one.completion_tokens >= 1 and one.mean_logprob < 0 for row in rows.values() for one in row)
    assert any("requests were repeated" in note and "lost connection" in note for note in notes)
