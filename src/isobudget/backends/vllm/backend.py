"""vLLM in this process: one engine, used by many threads.

`generate` is called from many threads, one prompt each. One thread runs the engine: it adds new requests, steps the
engine, and delivers finished samples, so that samples of all problems are batched continuously. Each sample is a
request of its own with its own seed; the engine's prefix caching computes the prompt that they share once. One request
for n samples would hardly be cheaper, and the seeds of its samples would depend on n.

Sampling is temperature and top-p, as in the paper; a model's own defaults are switched off. Log-probabilities are those
of the unmodified model at temperature 1.

Not covered: several engines side by side, LoRA, speculative decoding.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import multiprocessing
import multiprocessing.process
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from typing import Any, Self

from isobudget.backends.base import Description, Generation, Prompt, Sampling, Score
from isobudget.backends.engine.energy import find_meter, used_cards
from isobudget.backends.engine.engine_clock import Charge, StepClock
from isobudget.backends.engine.inbox import Inbox
from isobudget.backends.huggingface.tokens import Tokens
from isobudget.backends.vllm.calls import (
    read_completion,
    read_prompt_logprobs,
    sampling_arguments,
    scoring_arguments,
)
from isobudget.backends.vllm.guard import Guard
from isobudget.backends.vllm.settings import VllmSettings
from isobudget.errors import BackendError, ModelError
from isobudget.files.hub import HubFile, first_line, lost_connection

#: seconds between two checks whether the engine's processes still run
_LOOK_SECONDS = 2.0


@dataclass(slots=True)
class _Request:
    """One request to the engine: prompt tokens, sampling settings, and the engine's output so far."""

    prompt_ids: tuple[int, ...]
    arguments: dict[str, Any]
    future: Future[_Request] = field(default_factory=Future)
    charge: Charge = field(default_factory=Charge)
    asked: float = field(default_factory=time.perf_counter)
    latency_seconds: float = 0.0
    tokens: int = 0
    answer: Any = None

    def fail(self, error: BaseException) -> None:
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)


class Vllm:
    """A model run by vLLM.

    Raises (when entered):
        MissingExtraError: vLLM is not installed.
        ModelError: the model cannot be loaded.
    """

    def __init__(self, settings: VllmSettings) -> None:
        self.settings = settings
        self.concurrency = settings.concurrency
        self._engine: Any = None
        self._tokens: Tokens | None = None
        self._inbox: Inbox[_Request] = Inbox()
        self._thread: threading.Thread | None = None
        self._names = itertools.count()
        self._ended = "the model was closed"
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._guard = Guard()
        self._commit = ""

    def __enter__(self) -> Self:
        vllm = import_vllm()
        # what a branch means may change between two files, and between two runs; another hub has no such commits
        self._commit = "" if os.environ.get("VLLM_USE_MODELSCOPE") else self.settings.commit()
        pinned = self.settings.model_copy(update={"revision": self._commit or self.settings.revision})
        before = set(multiprocessing.active_children())
        self._guard = Guard()
        try:
            with _children_without_interrupts(), self._guard.marking():
                model = vllm.LLM(**pinned.engine_arguments())
        except Exception as error:  # vLLM raises whatever its parts raise
            reason = lost_connection(error, HubFile(self.settings.model, "")) or first_line(error)
            raise ModelError(f"{self.settings.model}: vLLM cannot load it: {reason}") from error
        self._engine = model.llm_engine
        self._processes = [child for child in multiprocessing.active_children() if child not in before]
        self._tokens = Tokens(model.get_tokenizer(), self.settings.model)
        self._inbox = Inbox()
        self._ended = "the model was closed"
        self._thread = threading.Thread(target=self._work, args=(self._engine,), name="vllm", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for request in self._inbox.close():
            request.fail(BackendError(f"{self.settings.model}: the model was closed before this request"))
        while self._thread is not None and self._thread.is_alive() and self._running():
            self._thread.join(_LOOK_SECONDS)
        engine, self._engine, self._tokens, self._thread = self._engine, None, None, None
        shut_down = getattr(getattr(engine, "engine_core", None), "shutdown", None)
        if shut_down is not None:  # else the engine's process would end when the garbage collector finds it
            shut_down()
        self._guard.release()
        del engine, shut_down
        gc.collect()

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """Generate one sample per seed; see `Backend.generate`."""
        tokens = self._loaded()
        ids = tuple(tokens.prompt_ids(prompt))
        ends = tokens.special_ids(sampling.stop)
        requests = [_Request(ids, sampling_arguments(sampling, seed, ends)) for seed in seeds]
        return [
            read_completion(done.answer, tokens.decode, seed, done.charge, done.latency_seconds, self.settings.model)
            for seed, done in zip(seeds, self._ask(requests), strict=True)
        ]

    def score(self, prompt: Prompt, texts: Sequence[str], token_ids: Sequence[Sequence[int]] = ()) -> list[Score]:
        """How likely each text is after the prompt; see `Backend.score` and `Tokens.text_ids`."""
        tokens = self._loaded()
        ids = tuple(tokens.prompt_ids(prompt))
        rows = tokens.rows(texts, token_ids)
        requests = [_Request(ids + row, scoring_arguments()) for row in rows if row]
        answers = iter(self._ask(requests))
        scores = []
        for row in rows:
            done = next(answers) if row else None
            known = read_prompt_logprobs(done.answer, len(ids)) if done else ()
            charge = done.charge if done else Charge()
            scores.append(Score(known, len(ids), charge.seconds, charge.joules))
        return scores

    def describe(self) -> Description:
        """Engine, model, and how repeatable samples are."""
        version = getattr(sys.modules.get("vllm"), "__version__", "(not loaded)")
        shared = f"tensor parallel over {self.settings.tensor_parallel}, " if self.settings.tensor_parallel > 1 else ""
        revision = self._commit or self.settings.revision
        return Description(
            engine=f"vLLM {version}, {shared}{self.settings.dtype}, up to {self.settings.concurrency} samples at once",
            model=f"{self.settings.model}@{revision}" if revision else self.settings.model,
            can_score=True,
            repeatable=(
                "Every sample has its own seed. The same seed gives the same sample as far as rounding allows: sums "
                "round differently when other requests share the batch, and a near tie may be decided differently. "
                "VLLM_BATCH_INVARIANT=1 in the environment prevents that, on devices where vLLM supports it."
            ),
            commit=self._commit,
        )

    def _loaded(self) -> Tokens:
        if self._tokens is None:
            raise BackendError(
                f"{self.settings.model}: the model is not loaded; use the backend as a context manager (with)"
            )
        return self._tokens

    def _ask(self, requests: Iterable[_Request]) -> list[_Request]:
        """Send requests to the engine and wait for all of them."""
        asked = list(requests)
        for request in asked:
            if not self._inbox.put(request):
                request.fail(BackendError(f"{self.settings.model}: {self._ended}"))
        return [self._wait(request) for request in asked]

    def _wait(self, request: _Request) -> _Request:
        """Wait for an answer, or until the engine's process has died, after which a step may never end."""
        while True:
            try:
                return request.future.result(_LOOK_SECONDS)
            except TimeoutError:
                if self._running():
                    continue
            self._ended = "vLLM's own process has died"
            for waiting in (request, *self._inbox.close()):
                waiting.fail(BackendError(f"{self.settings.model}: {self._ended}"))

    def _running(self) -> bool:
        return all(process.is_alive() for process in self._processes)

    def _work(self, engine: Any) -> None:
        """Run the engine until the inbox is closed; the engine's thread executes this."""
        flying: dict[str, _Request] = {}
        cause: Exception | None = None
        try:
            clock = StepClock(meter=find_meter(used_cards(*range(self.settings.tensor_parallel))))
            while flying or self._inbox.wait():
                if self._inbox.closed:
                    break
                if not flying:
                    clock.idle()
                for request in self._inbox.take_all():
                    self._hand_in(engine, request, flying)
                if flying:
                    _step(engine, flying, clock)
        except Exception as fault:
            cause, self._ended = fault, f"vLLM failed: {first_line(fault)}"
        for request in (*self._inbox.close(), *flying.values()):
            error = BackendError(f"{self.settings.model}: {self._ended}")
            error.__cause__ = cause
            request.fail(error)

    def _hand_in(self, engine: Any, request: _Request, flying: dict[str, _Request]) -> None:
        vllm = import_vllm()
        name = str(next(self._names))
        try:
            parameters = vllm.SamplingParams(**request.arguments)
            prompt = vllm.TokensPrompt(prompt_token_ids=list(request.prompt_ids))
            render = getattr(getattr(engine, "renderer", None), "render_cmpl", None)
            # versions that can prepare prompts want them prepared
            engine.add_request(name, render([prompt])[0] if render else prompt, parameters)
        except Exception as error:  # its classes for what it does not take, such as too long a prompt, change
            request.fail(BackendError(f"{self.settings.model}: vLLM refuses the request: {first_line(error)}"))
        else:
            flying[name] = request


def _step(engine: Any, flying: dict[str, _Request], clock: StepClock) -> None:
    """Run one step of the engine: charge it, and deliver finished samples."""
    answers = [(flying[answer.request_id], answer) for answer in engine.step() if answer.request_id in flying]
    new = [len(answer.outputs[0].token_ids) - request.tokens for request, answer in answers]
    clock.charge([request.charge for request, _ in answers], new)
    for (request, answer), count in zip(answers, new, strict=True):
        request.tokens += count
        if answer.finished:
            request.answer = answer
            request.latency_seconds = time.perf_counter() - request.asked
            with contextlib.suppress(InvalidStateError):
                request.future.set_result(request)
            del flying[answer.request_id]


@contextlib.contextmanager
def _children_without_interrupts() -> Iterator[None]:
    """Processes started in this context do not receive Ctrl-C, so that samples in flight can still finish after it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # starting it would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def import_vllm() -> Any:
    """vLLM's module.

    Raises:
        MissingExtraError: vLLM is not installed.
    """
    # its log would bury the progress shown here, and it reports its use to its makers unless told not to
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    return VllmSettings.needs.load()[0]
