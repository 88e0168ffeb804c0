"""Names of the signals that end processes."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """The signal's name, such as ``SIGSEGV``. ``signal 40`` for a signal without a name, such as most real-time signals."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
