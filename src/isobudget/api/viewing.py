"""`api.view`: the page of a run while it goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path


def view(
    run: str | Path,
    port: int = 8765,
    *,
    unit: str | tuple[str, ...] = ("flops", "device_seconds"),
    texts: str | int = 3,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a run's page to this machine's browsers until it is interrupted; the page follows the run as it goes on.

    Args:
        run: a run folder; another process may be writing it.
        port: port on this machine; 0: any that is free.
        unit: as in `report`.
        texts: failed outputs of each problem and model that can be opened, as `report`. In Python 0 for no outputs,
            ``"all"`` for every sample.
        ready: called with the page's address once it is served.

    Raises:
        RunError: no such run.
        InputError: the port is in use, or an option is wrong.
        MissingExtraError: Jinja2 is not installed.
    """
    from isobudget.api.names import as_names
    from isobudget.costs.cost import parse_unit
    from isobudget.curves import Bootstrap
    from isobudget.report.contents import Asked
    from isobudget.report.live import make_server
    from isobudget.report.page.texts import as_texts

    units = tuple(map(parse_unit, as_names(unit)))
    asked = Asked(units, bootstrap=Bootstrap(replicates=2_000), texts=as_texts(texts))
    with make_server(run, port, asked) as server, contextlib.suppress(KeyboardInterrupt):
        if ready is not None:
            ready(f"http://127.0.0.1:{server.server_address[1]}/")
        server.serve_forever(poll_interval=0.2)
