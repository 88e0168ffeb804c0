"""llama.cpp's own server part, in this process: the reference for what the engine itself makes of its slots.

Its native completion call draws n samples that share their prompt's computation. It decides by itself which slots they
get. Sampling is what a study asks for: temperature, then top-p, and log-probabilities of the tokens drawn.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import urllib.parse
from pathlib import Path
from typing import Any

from isobudget.backends.base import Sampling


class EngineServer:
    """A running server part with as many slots, tokens of context for each, and threads as asked for."""

    def __init__(self, path: Path, slots: int, context_tokens: int, threads: int) -> None:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        import xllamacpp

        self._key = secrets.token_hex(16)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.verbosity = 0
        params.api_keys = [self._key]
        params.n_parallel = slots
        params.n_ctx = slots * context_tokens
        params.cache_ram_mib = 0
        for cpu in (params.cpuparams, params.cpuparams_batch):
            cpu.n_threads = threads
            cpu.poll = 0
        self._server = xllamacpp.Server(params)
        self._address = urllib.parse.urlsplit(self._server.listening_address).netloc

    def complete(self, prompt: str, sampling: Sampling, seeds: list[int]) -> list[dict[str, Any]]:
        """One answer for each of these seeds, which are consecutive numbers."""
        body = {
            "prompt": prompt,
            "n_cmpl": len(seeds),
            "n_predict": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seeds[0],
            "stop": list(sampling.stop),
            "n_probs": 1,
            "return_tokens": True,
            "cache_prompt": True,
            "samplers": ["temperature", "top_p"],
            "top_k": 0,
            "min_p": 0.0,
            "repeat_penalty": 1.0,
        }
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        connection = http.client.HTTPConnection(self._address, timeout=3600)
        try:
            connection.request("POST", "/completion", json.dumps(body).encode(), headers)
            response = connection.getresponse()
            answer = json.load(response)
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise SystemExit(f"the engine's server refused a request: {answer}")
        return answer if isinstance(answer, list) else [answer]
