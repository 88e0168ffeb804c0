"""Models behind OpenAI-compatible servers.

`backend` has the interface. `session` generates, `calls` sends and retries, `faults` interprets failures, `scoring`
scores by echo, `loop` is the event loop's thread. `keys` decides which key a server gets, `proxies` which route a
request takes. `requests`, `answers`, `features` (parts of a request that may be refused) and `usage` (token counts) are
pure. `traits`, `tally` and `counting` keep observations of the server, of its samples, and of its counts.
"""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.backends.server.backend import ServerBackend
    from isobudget.backends.server.settings import ServerSettings

__getattr__, __dir__ = lazy_package(__name__, {"ServerBackend": "backend", "ServerSettings": "settings"})

__all__ = ["ServerBackend", "ServerSettings"]
