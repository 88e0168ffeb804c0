"""Requests to an OpenAI-compatible server. Pure: no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isobudget.backends.base import Chat, Prompt, Sampling
from isobudget.backends.server.features import FEWEST_STOPS, Feature
from isobudget.backends.server.settings import Api

#: path of each kind of call below the base URL
PATHS: dict[Api, str] = {"completions": "/completions", "chat": "/chat/completions"}


def group_seeds(seeds: Sequence[int], most: int) -> list[list[int]]:
    """Split seeds into runs of at most `most` consecutive numbers, so that one request can ask for a whole run."""
    groups: list[list[int]] = []
    for seed in seeds:
        if groups and len(groups[-1]) < most and seed == groups[-1][-1] + 1:
            groups[-1].append(seed)
        else:
            groups.append([seed])
    return groups


def request_body(
    api: Api,
    model: str,
    prompt: Prompt,
    sampling: Sampling,
    seeds: Sequence[int],
    without: frozenset[Feature] = frozenset(),
    neutral: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The request for one sample per seed (field `n`), or for one sample if the server refuses `n`.

    Args:
        api: the kind of call.
        model: the model's name at the server.
        prompt: text for completions, a conversation for chat.
        sampling: temperature, top-p, limit and stop texts.
        seeds: one per sample. The request states only the first, because the API takes one seed per request.
        without: features that this server refuses. Temperature and top-p are sent anyway if leaving them out would
            change the sampling.
        neutral: fields that switch off the server's own additions to sampling.
    """
    body: dict[str, Any] = {"model": model, **({} if Feature.NEUTRAL in without else neutral or {})}
    if isinstance(prompt, Chat):
        body["messages"] = [{"role": one.role, "content": one.content} for one in prompt.messages]
    else:
        body["prompt"] = prompt
    if Feature.TEMPERATURE not in without or sampling.temperature != 1:
        body["temperature"] = sampling.temperature
    if Feature.TOP_P not in without or (sampling.top_p != 1 and sampling.temperature != 0):
        body["top_p"] = sampling.top_p
    body["max_completion_tokens" if Feature.MAX_TOKENS in without else "max_tokens"] = sampling.max_tokens
    stop = sampling.stop[:FEWEST_STOPS] if Feature.MORE_STOPS in without else sampling.stop
    if stop and Feature.STOPS not in without:
        body["stop"] = list(stop)
    if len(seeds) > 1 and Feature.SAMPLES not in without:
        body["n"] = len(seeds)
    if Feature.SEED not in without:
        body["seed"] = seeds[0]
    if Feature.LOGPROBS not in without:
        body["logprobs"] = 1 if api == "completions" else True
    return body
