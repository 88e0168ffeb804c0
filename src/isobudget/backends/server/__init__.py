"""Models behind OpenAI-compatible servers.

`backend` has the interface; `session` generates, `calls` sends and retries, `faults` interprets failures, `keys`
decides which key goes to which server and `proxies` on which route, `scoring` scores by echo, `loop` is the event
loop's thread. `requests`, `answers`, `features` (what may be refused) and `usage` (what is counted) are pure. `traits`,
`tally` and `counting` keep observations of the server, of its samples, and of its counts.
"""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.backends.server.backend import ServerBackend
    from isobudget.backends.server.settings import ServerSettings

__getattr__, __dir__ = lazy_package(__name__, {"ServerBackend": "backend", "ServerSettings": "settings"})

__all__ = ["ServerBackend", "ServerSettings"]
