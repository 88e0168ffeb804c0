"""Log-probabilities of given texts after a prompt, with `transformers`: plain forward passes, no sampling.

The log-probability of token t of the text is the one that the model gives t after the prompt and the text before t:
float32, temperature 1, all tokens. The prompt's own tokens are not scored.

Not covered: computing the prompt once for all texts; each text's pass computes the prompt again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass

from isobudget.backends.base import Score
from isobudget.backends.engine.engine_clock import Charge, StepClock
from isobudget.backends.huggingface.batch import forward_options, pad_left
from isobudget.backends.huggingface.load import LoadedModel
from isobudget.errors import BackendError

#: maximum number of logits of one pass (1 GiB of float32): every token of every text has one for each vocabulary entry
_MOST_LOGITS = 2**28


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """One call of `score`: tokens of the prompt and of each text."""

    prompt_ids: tuple[int, ...]
    texts: tuple[tuple[int, ...], ...]
    future: Future[list[Score]]

    def fail(self, error: Exception) -> None:
        """End the request with an error."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)


def score_texts(
    model: LoadedModel, request: ScoreRequest, rows: int, clock: StepClock, stopped: Callable[[], bool]
) -> None:
    """Score the request's texts, at most `rows` in one pass, and deliver the scores to the request.

    Raises:
        BackendError: `stopped` returned true, because the model was closed.
        torch.OutOfMemoryError: a pass does not fit into the device's memory.
    """
    import torch

    clock.idle()
    prompt = request.prompt_ids
    scores = {place: Score((), len(prompt), 0.0, 0.0) for place, text in enumerate(request.texts) if not text}
    for places in _passes(request.texts, rows, int(model.model.config.get_text_config().vocab_size)):
        if stopped():
            raise BackendError("the model was closed before this text was scored")
        texts = [request.texts[place] for place in places]
        with torch.inference_mode():
            logprobs = _forward(model, prompt, texts)
        charges = [Charge() for _ in texts]
        clock.charge(charges, [len(prompt) + len(text) for text in texts])
        for place, values, charge in zip(places, logprobs, charges, strict=True):
            scores[place] = Score(tuple(values), len(prompt), charge.seconds, charge.joules)
    request.future.set_result([scores[place] for place in range(len(request.texts))])


def _passes(texts: Sequence[Sequence[int]], rows: int, vocabulary: int) -> Iterator[list[int]]:
    """The indexes of the non-empty texts, in groups of similar length, the longest first."""
    order = sorted((place for place, text in enumerate(texts) if text), key=lambda place: -len(texts[place]))
    while order:
        room = max(1, min(rows, _MOST_LOGITS // (vocabulary * (len(texts[order[0]]) + 1))))
        yield order[:room]
        order = order[room:]


def _forward(model: LoadedModel, prompt: Sequence[int], texts: Sequence[Sequence[int]]) -> list[list[float]]:
    import torch

    longest = max(len(text) for text in texts)
    ids, mask = pad_left([(*prompt, *text) for text in texts], model.device)
    options = forward_options(model, mask, ids.shape[1], longest + 1) | {"use_cache": False}
    logits = model.model(ids, **options).logits[:, -longest - 1 : -1]
    values = []
    for row, text in enumerate(texts):
        known = torch.log_softmax(logits[row, -len(text) :].float(), dim=-1)
        values.append(known.gather(1, ids[row, -len(text) :, None])[:, 0].tolist())
    return values
