"""`api.view`: serves the page of a run while the run goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from isobudget.api.names import Names, as_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from isobudget.costs.cost import Unit

    Ready = Callable[[str], object]


def view(
    run: str | Path,
    port: int = 8765,
    unit: Names | Sequence[Unit] = (),
    *,
    texts: str | int = 3,
    ready: Ready | None = None,
) -> None:
    """Serve a run's page to this machine's browsers until it is interrupted; the page follows the run as it goes on.

    Args:
        run: a run folder; another process may be writing it.
        port: port on this machine; 0: any that is free.
        unit: as in `report`.
        texts: as in `report`.
        ready: called with the page's address once it is served.

    Raises:
        RunError: there is no such run.
        InputError: the port is in use, or an option is wrong.
    """
    from isobudget.costs.cost import parse_unit
    from isobudget.curves import Bootstrap
    from isobudget.report.contents import Asked
    from isobudget.report.live import make_server
    from isobudget.report.page.texts import as_texts

    units = tuple(dict.fromkeys(map(parse_unit, as_names(unit))))
    asked = Asked(units, bootstrap=Bootstrap(replicates=2_000), texts=as_texts(texts))
    with make_server(run, port, asked) as server, contextlib.suppress(KeyboardInterrupt):
        if ready is not None:
            ready(f"http://127.0.0.1:{server.server_address[1]}/")
        server.serve_forever(poll_interval=0.2)
