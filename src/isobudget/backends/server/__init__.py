"""Models behind OpenAI-compatible servers.

`backend` is the face; `session` generates, `calls` sends and repeats, `faults` says what failures mean, `keys` which
key goes to which server, `answers` builds requests and reads replies (pure), `traits` keeps what was noticed of the
server, `scoring` scores by echo, `loop` is the event loop's thread.
"""

from isobudget.backends.server.backend import ServerBackend
from isobudget.backends.server.settings import ServerSettings

__all__ = ["ServerBackend", "ServerSettings"]
