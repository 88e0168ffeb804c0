"""The entry point of a worker: an interpreter that forks a zygote before it knows any test, then becomes the tester.

Modules that tester and zygote share are imported and warmed up once. Modules that only the tester needs are imported
after the fork, so that the zygote stays small.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any, NoReturn

from isobudget.judge.messages import WorkerSettings
from isobudget.judge.trusted import zygotes
from isobudget.judge.untrusted import zygote


def main(plain_settings: tuple[Any, ...]) -> NoReturn:
    """Start a worker: fork its zygote, then run as its tester."""
    settings = WorkerSettings.from_plain(plain_settings)
    with contextlib.suppress(OSError):
        # Tests and sample take turns: on one core they do so fastest.
        os.sched_setaffinity(0, {settings.core})
    # For all that comes of this process: Ctrl-C is for the judge.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    zygote.warm()
    started = zygotes.fork(settings)
    if settings.foreign:
        from isobudget.judge.trusted import foreign

        foreign.main(settings, started)
    from isobudget.judge.trusted import tester

    tester.main(settings, started)
