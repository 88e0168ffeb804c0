"""Seconds x the GPUs that a model holds meanwhile: what the models of one machine are compared by in time.

    device seconds = seconds x GPUs held            a processor is one device

Not covered: devices that differ, and what a model leaves idle of the ones that it holds.
"""

from __future__ import annotations

from isobudget.costs.cost import SampleCost, Unit
from isobudget.errors import InputError


def device_seconds(seconds: SampleCost, devices: int | None, devices_source: str = "") -> SampleCost:
    """Seconds x the GPUs that the model holds meanwhile; a processor counts as one device, and so does what is unknown.

    Compare models of different size on one machine by it: one that holds eight GPUs keeps seven more
    of them from others than one that holds one. `devices_source` is who says how many. A cost in another unit than
    seconds is an `InputError`.
    """
    if seconds.unit is not Unit.SECONDS:
        raise InputError(f"devices are held for seconds, not for {seconds.unit} ({seconds.source})")
    source = f"{seconds.source}; x {held(devices, devices_source)}"
    return seconds.times(devices or 1, Unit.DEVICE_SECONDS, source)


def held(devices: int | None, source: str = "") -> str:
    """How many devices are held, in words, and who says so; None if nothing does."""
    if devices is None:
        return "1 device, as it is not stated how many are held"
    return f"{devices} held{f' ({source})' if source else ''}"
