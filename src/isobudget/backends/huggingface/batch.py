"""Generate a batch of samples with `transformers`: prompts of similar length, padded on the left, one cache.

Every prompt is computed once; its part of the cache is then copied for each of its samples. A finished sample leaves
the batch at once, and its part of the cache is freed.

Not covered: samples that join while the batch runs. A batch gets smaller towards its end, so for many samples an engine
with continuous batching, such as vLLM, is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from isobudget.backends.engine.engine_clock import Charge, StepClock
from isobudget.backends.engine.in_flight import Request, SampleInFlight, SampleOfRequest, take_tokens
from isobudget.backends.huggingface.load import LoadedModel
from isobudget.backends.huggingface.sample_token import sample_tokens
from isobudget.errors import BackendError

if TYPE_CHECKING:
    import torch


def choose_units(waiting: list[Request], room: int) -> list[SampleOfRequest]:
    """Choose samples for a batch: those of the oldest request, then those of requests with a similar prompt length.

    Prompts that differ by more than a factor of two and more than 64 tokens go into another batch, because shorter
    prompts are padded to the longest. A request without remaining samples is removed from the list.
    """
    if not waiting:
        return []
    length = len(waiting[0].prompt_ids)
    units: list[SampleOfRequest] = []
    for request in sorted(waiting, key=lambda one: abs(len(one.prompt_ids) - length)):
        short, long = sorted((len(request.prompt_ids), length))
        if long <= max(2 * short, short + 64):
            count = room - len(units)
            taken, request.waiting = request.waiting[:count], request.waiting[count:]
            units += [(request, place) for place in taken]
    waiting[:] = [request for request in waiting if request.waiting]
    return units


def generate_batch(
    model: LoadedModel, units: Sequence[SampleOfRequest], clock: StepClock, stopped: Callable[[], bool], room: int
) -> None:
    """Generate these samples together, and give each to its request as soon as it ends.

    `room` is the number of samples for which a batch has room.
    The time for the prompts is charged to each distinct prompt in equal parts, because they are padded to one length.
    If a batch began with room for more samples, its steps count as idle.

    Raises:
        BackendError: `stopped` returned true, because the model was closed.
        torch.OutOfMemoryError: the batch does not fit into the device's memory. Samples that had ended are delivered.
    """
    import torch

    clock.idle()
    rows = [SampleInFlight(unit, model.tokens.decode, model.context_tokens) for unit in units]
    with torch.inference_mode():
        cache, logits = _Cache.of_prompts(model, rows)
        _charge_prompts(model, rows, clock)
        while rows:
            if stopped():
                raise BackendError("the model was closed before this sample was generated")
            ids, logprobs = sample_tokens(logits, [row.sampling for row in rows], [row.number() for row in rows])
            is_idle = len(units) < room and bool(rows[0].ids)  # the first token comes with the prompt
            clock.charge([row.charge for row in rows], [1] * len(rows), is_idle)
            leaving = take_tokens(rows, ids, logprobs)
            going = [place for place, leaves in enumerate(leaving) if not leaves]
            if len(going) < len(rows) and going:
                cache.select(going)
            rows = [rows[place] for place in going]
            if rows:
                logits = cache.step([row.ids[-1] for row in rows])


def _charge_prompts(model: LoadedModel, rows: Sequence[SampleInFlight], clock: StepClock) -> None:
    import torch

    if model.device.startswith("cuda"):
        torch.cuda.synchronize(model.device)
    prompts = {row.prompt_ids: Charge() for row in rows}
    clock.charge(list(prompts.values()), [1] * len(prompts))
    for row in rows:
        row.prompt = prompts[row.prompt_ids]


class _Cache:
    """The model's attention cache for each row, and the step that adds a token to each row."""

    def __init__(self, model: LoadedModel, mask: torch.Tensor) -> None:
        self._model = model
        self._mask = mask
        self._past: Any = None

    @classmethod
    def of_prompts(cls, model: LoadedModel, rows: Sequence[SampleInFlight]) -> tuple[_Cache, torch.Tensor]:
        """Compute each distinct prompt once; returns the rows' cache, and each row's logits after its prompt."""
        prompts = list(dict.fromkeys(row.prompt_ids for row in rows))
        ids, mask = pad_left(prompts, model.device)
        cache = cls(model, mask)
        logits = cache._forward(ids)
        places = [prompts.index(row.prompt_ids) for row in rows]
        if places != list(range(len(prompts))):
            cache.select(places)
        return cache, logits[places]

    def select(self, places: Sequence[int]) -> None:
        """Continue with the rows at these indexes, each as often as it is listed."""
        index = self._mask.new_tensor(places)
        self._past.reorder_cache(index)
        self._mask = self._mask[index]

    def step(self, ids: Sequence[int]) -> torch.Tensor:
        """Add a token to each row; returns the logits after it."""
        import torch

        self._mask = torch.cat([self._mask, self._mask.new_ones((len(ids), 1))], dim=1)
        return self._forward(self._mask.new_tensor(ids)[:, None])

    def _forward(self, ids: torch.Tensor) -> torch.Tensor:
        options = forward_options(self._model, self._mask, ids.shape[1], 1)
        name = self._model.cache_name
        answer = self._model.model(ids, **{name: self._past}, **options)
        self._past = getattr(answer, name)
        return answer.logits[:, -1].float()


def forward_options(model: LoadedModel, mask: torch.Tensor, count: int, keep: int) -> dict[str, Any]:
    """The arguments that the model supports, for a forward pass over the last `count` columns.

    Earlier columns are in the cache. The mask has shape (rows, columns), 0 where a row is padded. `keep` is the number
    of columns, from the end, whose logits are wanted.
    """
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -count:]
    wanted = {"attention_mask": mask, "position_ids": positions, "use_cache": True, "logits_to_keep": keep}
    return {name: value for name, value in wanted.items() if name in model.options}


def pad_left(prompts: Sequence[Sequence[int]], device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and mask of several prompts, of shape (prompts, longest), padded on the left."""
    import torch

    longest = max(len(prompt) for prompt in prompts)
    ids = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
