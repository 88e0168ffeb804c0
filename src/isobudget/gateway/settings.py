"""Settings of the project's servers: from serve.toml, from a command's options, or made in Python."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from isobudget.backends.settings import STRICT, Positive, Text
from isobudget.errors import InputError
from isobudget.files.field_errors import field_message
from isobudget.files.hints import unknown_key
from isobudget.files.toml import read_toml
from isobudget.gateway.budgets import PeriodBudget, parse_period_budgets
from isobudget.judge.verdict import MOST_MEMORY_MB, MOST_SECONDS, Limits

Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS, strict=False)]
#: addresses that only this machine reaches
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ServeSettings(BaseModel):
    """Settings of a server.

    Attributes:
        host, port: address to listen on; port 0 means any free port.
        models: names of models, cheapest first. If empty, the models of the policies are served; without policies,
            those of the models file; without a models file, the embedded models.
        policies: policy files, the first of which is `isobudget/auto`.
        budget: budget of all keys together, such as `5usd/day`.
        ledger: file of keys and rows; None means the user's own.
        max_tokens: token limit of a sample if the request states none.
        most_tokens: largest token limit that a request may state.
        overhead_tokens: maximum number of tokens that a model's template adds to a prompt.
        samples: maximum number of samples of one request.
        wall_seconds: maximum duration of one request.
        body_kb, tests_kb: maximum size of a request's body and of its tests, in KiB.
        requests: maximum number of simultaneous requests; further ones are refused.
        connections: maximum number of open connections; the longest silent one is closed for a new one.
        first_byte_seconds: timeout until a request's headers are complete. It begins with the connection, and for
            later requests on the same connection with their first byte.
        body_seconds: maximum pause in receiving a request's body.
        heartbeat_seconds: time between the comments that keep a stream open.
        attempts: maximum number of tries of a call to a model.
        workers: samples judged at the same time; None for one per core.
        cpu_seconds, memory_mb: limits of a sample's process.
        context_tokens: tokens for prompt and completion in embedded models.
        fields: further fields of requests that are passed through to a server.
        unsafe: judge even if samples cannot be confined.
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
        """Whether the server listens on this machine alone."""
        return self.host in LOOPBACK

    @property
    def budgets(self) -> tuple[PeriodBudget, ...]:
        """The budgets of all keys together."""
        return parse_period_budgets(self.budget)

    @property
    def limits(self) -> Limits:
        """The limits of the judge."""
        found = Limits.stated(self.cpu_seconds, self.memory_mb)
        assert found is not None
        return found

    @property
    def ledger_path(self) -> Path:
        """The path of the ledger."""
        if self.ledger is not None:
            return Path(self.ledger)
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(base) / "isobudget" / "ledger.sqlite"


def serve_settings(config: str | Path | None = None, stated: Mapping[str, Any] | None = None) -> ServeSettings:
    """The settings in a file, overridden by options.

    Raises:
        InputError: a setting is invalid or unknown; the message names it.
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
        return unknown_key(str(error["loc"][-1]), ServeSettings.model_fields)
    if error["type"] == "tuple_type":
        return 'must be a list of strings, such as ["5usd/day"] or ["a", "b"]'
    return field_message(error)
