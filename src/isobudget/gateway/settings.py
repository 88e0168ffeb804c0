"""Settings of a server of the project: from serve.toml, from a command's options, or made by hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from isobudget.backends.settings import STRICT, Positive, Text
from isobudget.errors import InputError
from isobudget.files.toml import read_toml
from isobudget.gateway.budgets import PeriodBudget, parse_period_budgets
from isobudget.judge.verdict import MOST_MEMORY_MB, MOST_SECONDS, Limits

Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS, strict=False)]
#: addresses that only this machine reaches
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ServeSettings(BaseModel):
    """How a server serves.

    Attributes:
        host, port: where it listens; port 0 takes a free one.
        models: names, cheapest first; empty for those of the models file, else the embedded ones.
        policies: policy files, the first of which is `isobudget/auto`.
        budget: of all keys together, such as `5usd/day`.
        ledger: the file of keys and rows; None for the user's own.
        max_tokens, most_tokens: of a sample that states none, and the most that one may state.
        overhead_tokens: the most that a model's template puts around a prompt.
        samples: the most of one request.
        wall_seconds: the most that one request takes.
        body_kb, tests_kb: sizes of a request's body and of its tests.
        requests: served at the same time; more are sent away.
        connections: open at the same time; the longest silent ones make room.
        first_byte_seconds: until a request's headers are there, from the first moment or byte.
        body_seconds: without a byte of a request's body that is not whole.
        heartbeat_seconds: between the comments in a stream that keep it open.
        attempts: of a call of a model that fails.
        workers: samples judged at the same time; None for one per core.
        cpu_seconds, memory_mb: of a sample's process.
        context_tokens: room for prompt and completion in embedded models.
        fields: of requests, passed through to a server beside the known ones.
        unsafe: also judge where samples cannot be confined.
        log_bodies: write requests' bodies to the log.
    """

    model_config = STRICT

    host: Text = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8400
    models: tuple[Text, ...] = Field(default=(), strict=False)
    policies: tuple[Text, ...] = Field(default=(), strict=False)
    budget: tuple[Text, ...] = Field(default=(), strict=False)
    ledger: Text | None = None
    max_tokens: Positive = 1024
    most_tokens: Positive = 16_384
    overhead_tokens: Positive = 256
    samples: Annotated[int, Field(ge=1, le=1024)] = 64
    wall_seconds: Seconds = 120.0
    body_kb: Positive = 1024
    tests_kb: Positive = 256
    requests: Positive = 512
    connections: Positive = 1024
    first_byte_seconds: Seconds = 10.0
    body_seconds: Seconds = 10.0
    heartbeat_seconds: Seconds = 10.0
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    workers: Positive | None = None
    cpu_seconds: Seconds = Limits().cpu_seconds
    memory_mb: Annotated[int, Field(ge=64, le=MOST_MEMORY_MB)] = Limits().memory_mb
    context_tokens: Annotated[int, Field(ge=64)] = 2048
    fields: tuple[Text, ...] = Field(default=(), strict=False)
    unsafe: bool = False
    log_bodies: bool = False

    @property
    def is_local(self) -> bool:
        """Whether it listens for this machine alone."""
        return self.host in LOOPBACK

    @property
    def budgets(self) -> tuple[PeriodBudget, ...]:
        """Those of all keys together."""
        return parse_period_budgets(self.budget)

    @property
    def limits(self) -> Limits:
        """Of the judge."""
        found = Limits.stated(self.cpu_seconds, self.memory_mb)
        assert found is not None
        return found

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is."""
        if self.ledger is not None:
            return Path(self.ledger)
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(base) / "isobudget" / "ledger.sqlite"


def serve_settings(config: str | Path | None = None, stated: Mapping[str, Any] | None = None) -> ServeSettings:
    """The settings of a file, overridden by options stated beside it.

    Raises:
        InputError: settings are wrong; the message lists all mistakes.
    """
    fields = {} if config is None else read_toml(Path(config))
    origin = "serve" if config is None else str(config)
    try:
        made = ServeSettings.model_validate(
            fields | {key: one for key, one in (stated or {}).items() if one is not None}
        )
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {_said(one)}" for one in error.errors()]
        raise InputError(f"{origin}: {'; '.join(wrong)}") from None
    try:
        parse_period_budgets(made.budget)
    except InputError as error:
        raise InputError(f"{origin}: budget: {error}") from None
    if made.max_tokens > made.most_tokens:
        raise InputError(f"{origin}: max_tokens: {made.max_tokens} is more than most_tokens, {made.most_tokens}")
    return made


def _said(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return f"is not known; known are: {', '.join(ServeSettings.model_fields)}"
    if error["type"] == "tuple_type":
        return 'is a list of strings, such as ["5usd/day"] or ["a", "b"]'
    return str(error["msg"])
