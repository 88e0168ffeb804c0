"""Runs a server: creates its parts from the settings, locks the ledger against a second server, and starts uvicorn."""

from __future__ import annotations

import contextlib
import gc
import logging
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket
from typing import TYPE_CHECKING

from isobudget.errors import InputError, IsobudgetError, MissingExtraError
from isobudget.files.whole import locked, make_folder
from isobudget.gateway.settings import ServeSettings
from isobudget.progress import SILENT, Progress

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

    from isobudget.gateway.app import Gateway
    from isobudget.gateway.budgets import PeriodBudget
    from isobudget.gateway.judge_service import JudgeService
    from isobudget.gateway.models import Offer
    from isobudget.gateway.store import SqliteStore

#: called with the base URL once requests are accepted
OnReady = Callable[[str], None]
#: how long requests in flight may take to end when the server is stopped
GRACE_SECONDS = 30
#: open files in addition to those of connections: ledger, judges, upstreams
_MORE_DESCRIPTORS = 2048
#: the number of new objects that starts a garbage collection; seventy requests in flight hold as many
_OBJECTS_BETWEEN_COLLECTIONS = 25_000
log = logging.getLogger("isobudget.gateway")


def need_extra() -> None:
    """Raise `MissingExtraError` if packages that servers need are not installed."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("a server", "serve") from None


@contextlib.contextmanager
def open_ledger(settings: ServeSettings) -> Iterator[SqliteStore]:
    """Open the ledger, and lock it against a second server.

    Raises:
        RunError: another server uses the ledger.
        StorageError: the ledger cannot be used.
        InputError: the server would be open to a network without any key.
    """
    from isobudget.gateway.store import SqliteStore

    path = settings.ledger_path
    make_folder(path.parent)
    same = path.resolve()  # by whichever links it is reached
    with (
        locked(same.with_name(same.name + ".lock"), f"the ledger {path}"),
        contextlib.closing(SqliteStore(path)) as store,
    ):
        check_open(settings, store)
        yield store


def check_open(settings: ServeSettings, store: SqliteStore) -> None:
    """Raise `InputError` if a server would be reachable by others without any key."""
    if not settings.is_local and not store.all_keys():
        raise InputError(
            f"--host {settings.host} is open to others: make a key first, with isobudget serve key new NAME"
        )


def check_budgets(offer: Offer, budgets: Sequence[PeriodBudget]) -> None:
    """Log the models that a budget excludes because their cost is not known; raise `InputError` if it excludes all."""
    from isobudget.gateway.ledger import cannot_keep

    for unit in dict.fromkeys(one.unit for one in budgets):
        unpriced = offer.unpriced(unit)
        if unpriced and len(unpriced) == len(offer.models):
            raise InputError(f"--budget in {unit}: every request would be refused. {cannot_keep(unpriced[0], unit)}")
        for name in unpriced:
            log.warning("requests for %s are refused: %s", name, cannot_keep(name, unit))


def check_keys(offer: Offer, store: SqliteStore) -> None:
    """Log the keys whose budget excludes every model."""
    from isobudget.gateway.keys import account_of, is_revoked
    from isobudget.gateway.ledger import cannot_keep

    for account in (account_of(row) for row in store.all_keys() if not is_revoked(row)):
        for unit in dict.fromkeys(one.unit for one in account.budgets):
            if len(unpriced := offer.unpriced(unit)) == len(offer.models):
                told = f"every request with it is refused: {cannot_keep(unpriced[0], unit)}"
                log.warning("the key %s has a budget in %s: %s", account.name, unit, told)


@contextlib.contextmanager
def open_gateway(settings: ServeSettings, progress: Progress = SILENT) -> Iterator[Gateway]:
    """Create a gateway from its settings.

    Raises:
        IsobudgetError: a model, a policy or the ledger cannot be used.
    """
    need_extra()
    from isobudget.gateway.app import Gateway
    from isobudget.gateway.judging import Judges
    from isobudget.gateway.ledger import Ledger
    from isobudget.gateway.metrics import Metrics
    from isobudget.gateway.models import make_offer, read_policies

    policies = read_policies(settings)  # before anything is opened or locked
    with ExitStack() as stack:
        store = stack.enter_context(open_ledger(settings))
        offer = make_offer(settings, progress, policies)
        check_budgets(offer, settings.budgets)
        check_keys(offer, store)
        judges = Judges(settings.workers, settings.limits, unsafe=settings.unsafe)
        yield Gateway(settings, offer, store, Ledger(store, settings.budgets), judges, Metrics())


@contextlib.contextmanager
def open_judge_service(settings: ServeSettings) -> Iterator[JudgeService]:
    """Create a judge service. Raises the same errors as `open_gateway`."""
    need_extra()
    from isobudget.gateway.judge_service import JudgeService
    from isobudget.gateway.judging import Judges
    from isobudget.gateway.metrics import Metrics
    from isobudget.gateway.store import writing

    # Beside a gateway: it only looks keys up.
    with writing(settings.ledger_path) as store:
        check_open(settings, store)
        judges = Judges(settings.workers, settings.limits, unsafe=settings.unsafe)
        yield JudgeService(settings, store, judges, Metrics())


def make_server(app: Starlette, settings: ServeSettings) -> uvicorn.Server:
    """A uvicorn server for an application; its `run` serves until it is stopped."""
    import uvicorn

    from isobudget.gateway.connections import ConnectionLimits, protocol

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=protocol(ConnectionLimits(settings.first_byte_seconds, settings.connections)),
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, int(settings.first_byte_seconds)),
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=1024,
    )
    return uvicorn.Server(config)


def serve(settings: ServeSettings, on_ready: OnReady, progress: Progress = SILENT) -> None:
    """Serve the gateway until SIGINT or SIGTERM.

    Args:
        settings: settings of the server.
        on_ready: called with the base URL once requests are accepted.
        progress: receives the progress of downloads.

    Raises:
        IsobudgetError: the server cannot start: a model, a policy, the ledger or a package cannot be used.
    """
    raise_descriptors(settings.connections)
    with open_gateway(settings, progress) as gateway:
        run(gateway.app(), settings, on_ready)


def serve_judge(settings: ServeSettings, on_ready: OnReady) -> None:
    """Serve the judge until SIGINT or SIGTERM. Raises the same errors as `serve`."""
    raise_descriptors(settings.connections)
    with open_judge_service(settings) as service:
        run(service.app(), settings, on_ready)


def run(app: Starlette, settings: ServeSettings, on_ready: OnReady) -> None:
    """Serve an application; `on_ready` is called with its address.

    Raises:
        InputError: the server cannot listen at this address.
        IsobudgetError: a part of the application cannot start.
    """

    def failure() -> IsobudgetError | None:
        found: IsobudgetError | None = getattr(app.state, "failure", None)
        return found

    server = make_server(app, settings)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("isobudget").setLevel(logging.INFO)
    # An error that prevents the start is raised here; uvicorn would log it as a traceback.
    logging.getLogger("uvicorn.error").addFilter(lambda _: failure() is None)
    listener = bound(settings)
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    startup = server.startup

    async def started(sockets: list[socket] | None = None) -> None:
        await startup(sockets)
        if server.started:
            gc.collect()
            gc.freeze()
            on_ready(f"http://{host}:{port}/v1")

    shutdown = server.shutdown

    async def stopping(sockets: list[socket] | None = None) -> None:
        log.info("stopping: requests in flight have %d s to end; programs being judged are finished", GRACE_SECONDS)
        await shutdown(sockets)
        log.info("stopped")

    server.startup = started  # type: ignore[method-assign]
    server.shutdown = stopping  # type: ignore[method-assign]
    try:
        with listener, seldom_collected():
            server.run(sockets=[listener])
    except SystemExit:
        if (error := failure()) is not None:
            raise error from None
        raise


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """Run garbage collection rarely in this context, and never on objects that existed before.

    A waiting request holds hundreds of objects and creates almost no cycles. Scanning the objects of a few hundred
    requests, every time a few new ones arrive, takes a tenth of a second, during which no request is answered.
    """
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def bound(settings: ServeSettings) -> socket:
    """A socket bound to the server's address.

    Raises:
        InputError: the address does not exist on this machine, or its port is in use.
    """
    listener = socket(AF_INET6 if ":" in settings.host else AF_INET)
    try:
        listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot listen at {settings.host}, port {settings.port}: {reason}; name another --host or --port"
        ) from None
    return listener


def raise_descriptors(connections: int) -> None:
    """Raise this process's limit of open files to what its connections need, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _MORE_DESCRIPTORS
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
