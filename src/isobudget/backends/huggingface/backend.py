"""Any causal model with `transformers`, on a graphics card or the CPU.

`generate` is called from many threads, one prompt each. One thread runs the model: it collects waiting requests, puts
samples of similar prompt length into one batch, whichever problem they belong to, and generates them together. Each
sample has its own random numbers, which depend on its seed alone. Sampling is temperature and top-p, as in the paper.
The model's own generation settings are ignored.

For each sample, its tokens, their log-probability under the unmodified model, its share of the time of its steps, and
its latency are recorded.

Not covered: several devices for one model, quantized weights beyond what `transformers` loads by itself, Apple's GPUs,
models with their own code, models without attention (Mamba).
"""

from __future__ import annotations

import gc
import importlib.metadata
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Self

from isobudget.backends.base import Description, Generation, Prompt, Sampling, Score
from isobudget.backends.engine.energy import find_meter, used_cards
from isobudget.backends.engine.engine_clock import StepClock
from isobudget.backends.engine.in_flight import Request, SampleOfRequest
from isobudget.backends.engine.inbox import Inbox
from isobudget.backends.huggingface.batch import choose_units, generate_batch
from isobudget.backends.huggingface.load import LoadedModel, load_model
from isobudget.backends.huggingface.score import ScoreRequest, score_texts
from isobudget.backends.huggingface.settings import TransformersSettings
from isobudget.errors import BackendError

_LOG = logging.getLogger(__name__)

#: how long a batch waits for more calls while they keep coming
_LINGER_SECONDS = 0.005


class HuggingFace:
    """A causal model run by `transformers`.

    Raises (when entered):
        MissingExtraError: PyTorch or transformers are not installed.
        ModelError: the model cannot be loaded.
    """

    def __init__(self, settings: TransformersSettings) -> None:
        self.settings = settings
        # half of it waits, so that there is a choice of similar lengths
        self.concurrency = 2 * settings.batch
        self._batch = settings.batch
        self._notes: list[str] = []
        self._model: LoadedModel | None = None
        self._inbox: Inbox[Request | ScoreRequest] = Inbox()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._model = load_model(self.settings)
        self._batch = self.settings.batch
        self._notes = []
        self._inbox = Inbox()
        self._thread = threading.Thread(target=self._work, args=(self._model,), name="transformers", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for request in self._inbox.close():
            request.fail(BackendError(f"{self.settings.model}: the model was closed before this request"))
        if self._thread is not None:
            self._thread.join()
        self._model = self._thread = None
        _free_memory()

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """Generate one sample per seed; see `Backend.generate`."""
        model = self._loaded()
        if not seeds:
            return []
        ids = self._fitting(model.tokens.prompt_ids(prompt), 1)
        request = Request(ids, sampling, model.end_ids | model.tokens.special_ids(sampling.stop), tuple(seeds))
        self._put(request)
        return request.future.result()

    def score(self, prompt: Prompt, texts: Sequence[str], token_ids: Sequence[Sequence[int]] = ()) -> list[Score]:
        """How likely each text is after the prompt; see `Backend.score` and `Tokens.text_ids`."""
        model = self._loaded()
        ids = self._fitting(model.tokens.prompt_ids(prompt), 0)
        rows = tuple(model.tokens.rows(texts, token_ids))
        self._fitting(ids, max(map(len, rows), default=0))
        request = ScoreRequest(ids, rows, Future())
        self._put(request)
        return request.future.result()

    def describe(self) -> Description:
        """Engine, model with its commit, and how repeatable samples are."""
        versions = f"transformers {_version('transformers')}, PyTorch {_version('torch')}"
        model = self._model
        device = _device_name(model.device) if model else self.settings.device
        dtype = model.dtype if model else self.settings.dtype
        revision = (model.commit if model else "") or self.settings.revision
        return Description(
            engine=f"{versions} on {device}, {dtype}, batches of {self._batch}",
            model=f"{self.settings.model}@{revision}" if revision else self.settings.model,
            can_score=True,
            repeatable=(
                "The same seed on the same device and number type gives the same sample, as far as rounding allows: "
                "sums round differently in a batch of other samples, and a near tie may be decided differently."
            ),
            notes=tuple(self._notes),
            commit=model.commit if model else "",
        )

    def _loaded(self) -> LoadedModel:
        if self._model is None:
            raise BackendError(
                f"{self.settings.model}: the model is not loaded; use the backend as a context manager (with)"
            )
        return self._model

    def _fitting(self, ids: Sequence[int], more: int) -> tuple[int, ...]:
        limit = self._loaded().context_tokens
        if limit is not None and len(ids) + more > limit:
            raise BackendError(
                f"{self.settings.model}: a prompt of {len(ids)} tokens plus {more} more exceeds the model's "
                f"context of {limit} tokens"
            )
        return tuple(ids)

    def _put(self, request: Request | ScoreRequest) -> None:
        if not self._inbox.put(request):
            raise BackendError(f"{self.settings.model}: the model was closed")

    def _work(self, model: LoadedModel) -> None:
        """Run the model until the inbox is closed; the model's thread executes this."""
        try:
            clock = StepClock(
                meter=find_meter(used_cards(_card(model.device)) if model.device[:4] == "cuda" else False)
            )
            while self._inbox.wait(_LINGER_SECONDS):
                taken = self._inbox.take(lambda waiting: _next(waiting, self._batch))
                if isinstance(taken, ScoreRequest):
                    self._score(model, taken, clock)
                else:
                    self._generate(model, taken, clock)
        except Exception as error:  # nobody may wait for a thread that has ended
            for request in self._inbox.close():
                request.fail(error)

    def _generate(self, model: LoadedModel, units: list[SampleOfRequest], clock: StepClock) -> None:
        while units:
            now = units[: self._batch]
            work = partial(generate_batch, model, now, clock, lambda: self._inbox.closed, self._batch)
            self._try(work, len(now), [request for request, _ in now])
            units = [unit for unit in units if unit[1] not in unit[0].done and not unit[0].future.done()]

    def _score(self, model: LoadedModel, request: ScoreRequest, clock: StepClock) -> None:
        while not request.future.done():
            work = partial(score_texts, model, request, self._batch, clock, lambda: self._inbox.closed)
            self._try(work, self._batch, [request])

    def _try(self, work: Callable[[], None], rows: int, requests: Sequence[Request | ScoreRequest]) -> None:
        """Run the work. On an error, fail the requests; but if memory ran out, continue with half the rows."""
        short = False
        try:
            work()
        except Exception as error:
            short = _is_short(error, rows)
            for request in () if short else requests:
                request.fail(_as_backend_error(self.settings.model, error))
        if not short:
            return
        # here, where nothing of the failed batch is held any more
        if not self._notes:
            self._notes.append(
                f"out of memory with a batch of {rows}: continued with smaller ones (set a smaller batch in the study)"
            )
            _LOG.warning("%s: %s", self.settings.model, self._notes[0])
        self._batch = max(1, rows // 2)
        _free_memory()


def _card(device: str) -> int:
    """The number of a card among the visible ones, from PyTorch's name of the device."""
    return int(device.partition(":")[2] or 0)


def _next(waiting: list[Request | ScoreRequest], room: int) -> ScoreRequest | list[SampleOfRequest]:
    """The next work: the oldest request if its texts are to be scored, else the samples of a batch (`choose_units`)."""
    if waiting and isinstance(waiting[0], ScoreRequest):
        return waiting.pop(0)  # type: ignore[return-value]
    requests = [request for request in waiting if isinstance(request, Request)]
    units = choose_units(requests, room)
    waiting[:] = [request for request in waiting if isinstance(request, ScoreRequest) or request.waiting]
    return units


def _is_short(error: Exception, rows: int) -> bool:
    """Whether the device ran out of memory and a smaller batch may help."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) and rows > 1


def _as_backend_error(model: str, error: Exception) -> Exception:
    """The engine's error as a backend error; an unexpected error keeps its traceback."""
    if isinstance(error, RuntimeError):  # of PyTorch, its lack of memory included
        wrapped = BackendError(f"{model}: the engine failed: {str(error).strip().splitlines()[0]}")
        wrapped.__cause__ = error
        return wrapped
    return BackendError(f"{model}: {error}") if isinstance(error, BackendError) else error


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _device_name(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    import torch

    return str(torch.cuda.get_device_name(device))


def _free_memory() -> None:
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
