"""Embedded llama.cpp: a GGUF model inside this process, by `xllamacpp`.

The engine's own server part answers on a loopback port with a key that only this process knows. Its native
completion call is used, because it states for every sample the tokens generated (stop text included), why it stopped,
and the log-probabilities; the OpenAI-style call counts the tokens of one choice only. The samples of one call share
the prompt's computation. Sample i of a group is drawn with the group's seed + i.

Same seed, same engine and same batch give the same text; in another batch the sums round differently, and a sample may
differ. Top-k, min-p and all penalties are switched off: sampling is temperature and top-p alone, as in the paper.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import secrets
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from isobudget.backends.base import FinishReason, Generation, Sampling
from isobudget.backends.energy import find_meter
from isobudget.backends.engine_clock import EngineClock, share_by_tokens
from isobudget.errors import BackendError, MissingExtraError, ModelError

_REQUEST_TIMEOUT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the embedded engine is set up.

    Attributes:
        slots: samples drawn at the same time.
        context_tokens: room for prompt and completion of each sample.
        threads: CPU threads; None takes every core that this process may use.
    """

    slots: int = 16
    context_tokens: int = 1024
    threads: int | None = None


def engine_label(settings: EngineSettings) -> str:
    """What the engine is and how it runs, for the label of measured seconds."""
    return f"llama.cpp on CPU, {settings.threads or usable_cores()} threads, {settings.slots} slots"


class LlamaCpp:
    """A GGUF model run in this process.

    Raises:
        MissingExtraError: `xllamacpp` is not installed.
        ModelError: the file is missing, damaged, or not a model.
    """

    def __init__(self, path: Path, settings: EngineSettings | None = None) -> None:
        self.path = path
        self.settings = settings or EngineSettings()
        self.concurrency = self.settings.slots
        self._clock = EngineClock(meter=find_meter())
        self._key = secrets.token_hex(16)
        self._server: Any = None
        self._address = ""
        self._open: set[http.client.HTTPConnection] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._server = _start_server(self.path, self.settings, self._key)
        self._address = urllib.parse.urlsplit(self._server.listening_address).netloc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hang_up()
        self._server = None

    def generate(self, prompt: str, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """Draw one sample per seed; see `Backend.generate`. Consecutive seeds are drawn as one group."""
        if not prompt:
            raise BackendError("an empty prompt cannot be completed")
        generations: list[Generation] = []
        for group in split_consecutive(seeds, self.settings.slots):
            ticket = self._clock.start(len(group))
            try:
                answers = self._complete(prompt, sampling, group)
            finally:
                self._clock.stop(ticket)
            tokens = [answer["tokens_predicted"] for answer in answers]
            shares = share_by_tokens(ticket.seconds, tokens), share_by_tokens(ticket.joules, tokens)
            generations += [read_answer(*each) for each in zip(answers, group, *shares, strict=True)]
        return generations

    def _complete(self, prompt: str, sampling: Sampling, seeds: list[int]) -> list[dict[str, Any]]:
        answer = self.post(request_body(prompt, sampling, seeds))
        answers = answer if isinstance(answer, list) else [answer]
        if len(answers) != len(seeds):
            raise BackendError(f"{self.path.name}: asked for {len(seeds)} samples, got {len(answers)}")
        return sorted(answers, key=lambda one: one["index"])

    def post(self, body: dict[str, Any]) -> Any:
        """Put a native completion request to the engine; returns its answer.

        Raises:
            BackendError: the engine refuses it or does not answer.
        """
        if self._server is None:
            raise BackendError(f"{self.path.name}: the model is not loaded; use the backend in a with statement")
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        try:
            with self._connection() as connection:
                connection.request("POST", "/completion", json.dumps(body).encode(), headers)
                response = connection.getresponse()
                answer = json.load(response)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise BackendError(f"{self.path.name}: the engine did not answer: {error}") from None
        if response.status != http.HTTPStatus.OK:
            raise BackendError(f"{self.path.name}: {_server_message(answer, response.status)}")
        return answer

    @contextlib.contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        """A connection that `_hang_up` knows of while it is in use."""
        connection = http.client.HTTPConnection(self._address, timeout=_REQUEST_TIMEOUT_SECONDS)
        connection.connect()
        with self._lock:
            self._open.add(connection)
        try:
            yield connection
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _hang_up(self) -> None:
        """End the calls that are still in flight: the engine stops on what nobody waits for any more."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def split_consecutive(seeds: list[int], most: int) -> list[list[int]]:
    """Split seeds into runs of consecutive numbers, none longer than `most`."""
    groups: list[list[int]] = [seeds[:1]] if seeds else []
    for before, seed in pairwise(seeds):
        if seed == before + 1 and len(groups[-1]) < most:
            groups[-1].append(seed)
        else:
            groups.append([seed])
    return groups


def request_body(prompt: str, sampling: Sampling, seeds: list[int]) -> dict[str, Any]:
    """The engine's native completion request for a group of samples with consecutive seeds."""
    return {
        "prompt": prompt,
        "n_cmpl": len(seeds),
        "n_predict": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seeds[0],
        "stop": list(sampling.stop),
        "n_probs": 1,
        "cache_prompt": True,
        # The paper's order (and that of transformers and vLLM): the temperature first, then top-p. The engine's own
        # default is the other way round, which keeps fewer tokens, and cuts further by top-k and min-p.
        "samplers": ["temperature", "top_p"],
        "top_k": 0,
        "min_p": 0.0,
        "repeat_penalty": 1.0,
    }


def read_answer(answer: dict[str, Any], seed: int, seconds: float, joules: float = math.nan) -> Generation:
    """One sample out of the engine's answer."""
    logprobs = [token["logprob"] for token in answer.get("completion_probabilities", [])]
    # the engine writes -inf as the lowest float or null
    known = [value if value is not None else -math.inf for value in logprobs]
    return Generation(
        text=answer["content"],
        finish_reason=FinishReason.LENGTH if answer["stop_type"] == "limit" else FinishReason.STOP,
        prompt_tokens=answer["tokens_evaluated"],
        completion_tokens=answer["tokens_predicted"],
        sum_logprob=sum(known) if known else math.nan,
        mean_logprob=sum(known) / len(known) if known else math.nan,
        seconds=seconds,
        joules=joules,
        seed=seed,
    )


def _start_server(path: Path, settings: EngineSettings, key: str) -> Any:
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    xllamacpp = import_engine()
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.verbosity = 0
    params.api_keys = [key]
    params.n_parallel = settings.slots
    params.n_ctx = settings.slots * settings.context_tokens
    params.cache_ram_mib = 0  # the engine would keep the state of every finished slot, up to 8 GiB
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = settings.threads or usable_cores()
        cpu.poll = 0
    try:
        return xllamacpp.Server(params)
    except RuntimeError:
        raise ModelError(
            f"{path}: llama.cpp cannot load it. It is damaged, not a GGUF model, or too large for the memory here."
        ) from None


def import_engine() -> Any:
    """The engine's module. Waiting threads must sleep, not spin: spinning beside other work costs up to 40 times."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import xllamacpp
    except ModuleNotFoundError:
        raise MissingExtraError("running models inside this process", "local") from None
    except ImportError as error:
        raise ModelError(
            f"the embedded engine cannot be loaded: {error}. On Debian, its OpenMP runtime is the package libgomp1."
        ) from None
    return xllamacpp


def _server_message(answer: Any, status: int) -> str:
    try:
        message = str(answer["error"]["message"])
    except (KeyError, TypeError):
        message = f"the engine answered {status}"
    if "context size" in message:
        message += " (set a larger context_tokens for this model in the study)"
    return message
