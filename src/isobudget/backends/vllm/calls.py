"""Requests to vLLM and the reading of its answers: pure functions, without vLLM.

Written against vLLM's offline interface (`LLM`, `SamplingParams`, `RequestOutput`, `CompletionOutput`) as of 0.33.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from isobudget.backends.base import FinishReason, Generation, Sampling
from isobudget.backends.engine.detokenizer import Decode, Detokenizer
from isobudget.backends.engine.engine_clock import Charge
from isobudget.errors import BackendError


def sampling_arguments(sampling: Sampling, seed: int, end_ids: Iterable[int] = ()) -> dict[str, Any]:
    """The arguments of `vllm.SamplingParams` for one sample.

    `end_ids` are the tokens that end a sample in addition to the model's own: stop texts that are one special token.
    """
    return {
        "n": 1,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": seed,
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop),
        "stop_token_ids": sorted(end_ids),
        "include_stop_str_in_output": False,
        "logprobs": 0,  # of the sampled token alone
    }


def scoring_arguments() -> dict[str, Any]:
    """The arguments of `vllm.SamplingParams` for scoring a prompt. vLLM has to sample at least one token."""
    return {"n": 1, "temperature": 0.0, "max_tokens": 1, "prompt_logprobs": 0, "detokenize": False}


def read_completion(
    answer: Any, decode: Decode, seed: int, charge: Charge, latency_seconds: float, model: str
) -> Generation:
    """Convert a finished `RequestOutput` into one sample.

    The engine's tokens include the end token and the tokens of the stop text, but the engine's text does not. So the
    tokens are decoded again to find out which of them form the text.

    Raises:
        BackendError: the engine ended the sample early.
    """
    output = answer.outputs[0]
    if output.finish_reason not in ("stop", "length"):
        raise BackendError(f"{model}: vLLM ended a sample early: {output.finish_reason}")
    ids = [int(token) for token in output.token_ids]
    if isinstance(output.stop_reason, str):
        detokenizer = Detokenizer(decode, answer.prompt_token_ids)
        for token in ids:
            detokenizer.push(token)
        count = detokenizer.kept(len(output.text))
    else:
        count = len(ids) - (output.finish_reason == "stop")
    known = [output.logprobs[place][token].logprob for place, token in enumerate(ids[:count])]
    total = math.fsum(known) if known else math.nan
    return Generation(
        text=output.text,
        finish_reason=FinishReason(output.finish_reason),
        prompt_tokens=len(answer.prompt_token_ids),
        completion_tokens=len(ids),
        sum_logprob=total,
        mean_logprob=total / count if count else math.nan,
        seconds=charge.seconds,
        joules=charge.joules,
        seed=seed,
        latency_seconds=latency_seconds,
        token_ids=tuple(ids[:count]),
    )


def read_prompt_logprobs(answer: Any, prompt_tokens: int) -> tuple[float, ...]:
    """The log-probabilities of the tokens after the first `prompt_tokens` of a scored request."""
    ids, known = answer.prompt_token_ids, answer.prompt_logprobs
    return tuple(float(known[place][ids[place]].logprob) for place in range(prompt_tokens, len(ids)))
