"""Models behind OpenAI-compatible servers.

`backend` is the face; `session` generates, `calls` sends and repeats, `faults` says what failures mean, `keys` which
key goes to which server and `proxies` on which way, `scoring` scores by echo, `loop` is the event loop's thread. Pure
are `requests` and `answers`, `features` (what may be refused), `usage` (what is counted). `traits`, `tally` and
`counting` keep what was noticed of the server, of its samples, and of its counts.
"""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.backends.server.backend import ServerBackend
    from isobudget.backends.server.settings import ServerSettings

__getattr__, __dir__ = lazy_package(__name__, {"ServerBackend": "backend", "ServerSettings": "settings"})

__all__ = ["ServerBackend", "ServerSettings"]
