"""`api.serve`, with its keys and its ledger, and the judge as a service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isobudget.api.names import Names, as_names
from isobudget.errors import InputError
from isobudget.results import Results

if TYPE_CHECKING:
    from isobudget.gateway.serving import OnReady
    from isobudget.progress import Progress

#: default port of a judge service, and the largest request in KiB, which holds a batch of problems and programs
JUDGE_PORT, JUDGE_BODY_KB = 8401, 64 << 10
#: what may be done to a key
_CHANGES = ("open", "revoke", "budget")


def serve(
    policy: str | Path | Sequence[str | Path] = (),
    *,
    models: Names = (),
    host: str | None = None,
    port: int | None = None,
    budget: str | Sequence[str] = (),
    ledger: str | Path | None = None,
    workers: int | None = None,
    config: str | Path | None = None,
    unsafe: bool = False,
    progress: Progress | None = None,
    on_ready: OnReady | None = None,
) -> None:
    """Serve an OpenAI-compatible gateway until it is stopped. Requests with tests get an answer that passes them.

    Args:
        policy: policy files; a request for the model isobudget/NAME uses NAME.toml, and isobudget/auto the first file.
        models: models, cheapest first; by default those of the policies, else those of the models file, else the
            embedded ones.
        host: the address to listen on; by default 127.0.0.1, this machine alone.
        port: the port to listen on; by default 8400.
        budget: budget of all keys together, such as ``5usd/day``, ``1e6tokens/hour`` or ``20usd`` in all.
        ledger: the file of keys and spending; by default ~/.local/state/isobudget/ledger.sqlite.
        workers: samples judged at once; by default one per core.
        config: a TOML file with these settings and more, see docs/gateway.md.
        unsafe: judge even where samples cannot be confined.
        progress: shows the progress of fetching weights.
        on_ready: called with the base URL once requests are taken.

    Raises:
        MissingExtraError: the server's parts are not installed.
        InputError: a setting, a policy or a budget is wrong, or the server would be open to others without a key.
        IsobudgetError: a model or the ledger cannot be used.
    """
    from isobudget.gateway.serving import need_extra

    need_extra()
    from isobudget.gateway import serving
    from isobudget.gateway.settings import serve_settings
    from isobudget.progress import SILENT

    stated = _stated(
        policies=[str(one) for one in as_names(policy)],  # type: ignore[arg-type]
        models=[one.strip() for name in as_names(models) for one in name.split(",")],
        host=host,
        port=port,
        budget=list(as_names(budget)),
        ledger=None if ledger is None else str(ledger),
        workers=workers,
        unsafe=unsafe,
    )
    serving.serve(serve_settings(config, stated), on_ready or (lambda _: None), progress or SILENT)


def serve_judge(
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    seconds: float | None = None,
    memory_mb: int | None = None,
    ledger: str | Path | None = None,
    unsafe: bool = False,
    on_ready: OnReady | None = None,
) -> None:
    """Serve the judge to machines that cannot confine samples, until it is stopped: `isobudget judge --judge URL`.

    Args:
        host: as in `serve`.
        port: the port to listen on; by default 8401.
        workers: as in `judge`.
        seconds: as in `judge`.
        memory_mb: as in `judge`.
        ledger: the file of keys; as in `serve`.
        unsafe: as in `judge`.
        on_ready: called with the base URL once requests are taken.

    Raises:
        MissingExtraError, InputError, IsobudgetError: see `serve`.
    """
    from isobudget.gateway.serving import need_extra

    need_extra()
    from isobudget.gateway import serving
    from isobudget.gateway.settings import serve_settings

    stated = _stated(
        host=host,
        port=JUDGE_PORT if port is None else port,
        workers=workers,
        cpu_seconds=seconds,
        memory_mb=memory_mb,
        ledger=None if ledger is None else str(ledger),
        unsafe=unsafe,
        body_kb=JUDGE_BODY_KB,
    )
    serving.serve_judge(serve_settings(None, stated), on_ready or (lambda _: None))


def _stated(**options: Any) -> dict[str, Any]:
    """The stated arguments, without None, False and empty lists, for which the configuration file decides."""
    return {name: value for name, value in options.items() if value is not None and value is not False and value != []}


def new_key(name: str, *, budget: str | Sequence[str] = (), ledger: str | Path | None = None) -> str:
    """Make a key of the gateway; it is shown once, and only its hash is kept.

    Args:
        name: the owner's name, for the ledger.
        budget: what the key may spend, such as ``5usd/day``, ``1e6tokens/hour``, ``0.01usd/request`` or ``20usd`` in
            all.
        ledger: as in `serve`.

    Raises:
        InputError: the name or a budget is wrong, or the name is taken.
        StorageError: the ledger cannot be written.
    """
    from isobudget.gateway.keys import make_key
    from isobudget.gateway.store import writing

    with writing(ledger_path(ledger)) as store:
        return make_key(store, name, as_names(budget))


def change_key(
    name: str, change: str, *, budget: str | Sequence[str] = (), ledger: str | Path | None = None
) -> dict[str, str]:
    """Change a key of the gateway at once; returns the changed key: name, since, budgets, state.

    Args:
        name: the key's name.
        change: `open` (a key that was closed because a model spent more than was reserved), `revoke` (for good), or
            `budget`, which replaces the key's budgets.
        budget: the new budgets, such as ``5usd/day``; ``none`` for a key without limits.
        ledger: as in `serve`.

    Raises:
        InputError: there is no such key or change, the key was revoked, or a budget is wrong.
        StorageError: the ledger cannot be written.
    """
    import json

    from isobudget.gateway import keys
    from isobudget.gateway.budgets import parse_period_budgets
    from isobudget.gateway.store import writing

    if change not in _CHANGES:
        raise InputError(f"the change of a key must be one of {', '.join(_CHANGES)}, not {change!r}")
    budgets = as_names(budget)
    if change == "budget" and not budgets:
        raise InputError("name the key's new budgets with --budget, such as 5usd/day; --budget none lifts its limits")
    budgets = () if tuple(budgets) == ("none",) else budgets
    parse_period_budgets(budgets)
    if budgets and change != "budget":
        raise InputError(f"--budget is only for the change 'budget', not for {change!r}")
    events = {
        "open": (keys.OPENED, ""),
        "revoke": (keys.REVOKED, ""),
        "budget": (keys.BUDGET, json.dumps(list(budgets))),
    }
    with writing(ledger_path(ledger)) as store:
        return keys.described_key(keys.change_key(store, name, *events[change]))


def keys(*, ledger: str | Path | None = None) -> Results[dict[str, Any]]:
    """List the keys of the gateway: name, budgets, state.

    Args:
        ledger: as in `serve`.

    Raises:
        InputError: there is no ledger.
    """
    from isobudget.gateway.keys import described_key
    from isobudget.gateway.store import reading

    with reading(ledger_path(ledger)) as store:
        rows = [described_key(one) for one in store.all_keys()]
    return _results(rows)


def ledger(path: str | Path | None = None, *, request: str | None = None) -> Results[dict[str, Any]]:
    """Show what was spent through the gateway, by day, key and model; or the calls of one request.

    Args:
        path: the ledger; by default ~/.local/state/isobudget/ledger.sqlite.
        request: the ledger_id of an answer.

    Raises:
        InputError: there is no ledger, or no such request in it.
    """
    from isobudget.gateway.store import calls_of, reading, summary

    with reading(ledger_path(path)) as store:
        rows = summary(store) if request is None else calls_of(store, request)
    if request is not None and not rows:
        raise InputError(f"{ledger_path(path)}: has no calls of {request[:80]!r}; give the ledger_id of an answer")
    return _results(rows)


def _results(rows: list[dict[str, Any]]) -> Results[dict[str, Any]]:
    from isobudget.grid import json_value

    return Results.of(
        rows, plain=lambda: json_value(rows), rows=lambda: rows, text=lambda: "\n".join(map(str, rows)) or "nothing"
    )


def ledger_path(path: str | Path | None) -> Path:
    """The path of a ledger; the default path for None."""
    from isobudget.gateway.settings import ServeSettings

    return ServeSettings(ledger=None if path is None else str(path)).ledger_path
