"""Device seconds: seconds x the GPUs that a model holds, for comparing models on one machine by time.

    device seconds = seconds x GPUs held            a processor is one device

Not covered: devices of different kinds, and devices that a model holds but leaves idle.
"""

from __future__ import annotations

from isobudget.costs.cost import SampleCost, Unit
from isobudget.errors import InputError


def device_seconds(seconds: SampleCost, devices: int | None, devices_source: str = "") -> SampleCost:
    """Seconds x the GPUs that the model holds meanwhile; a processor counts as one device, and so does what is unknown.

    This makes models of different size on one machine comparable: a model that holds eight GPUs blocks seven more than
    a model that holds one. `devices_source` is who says how many. A cost in another unit than seconds is an
    `InputError`.
    """
    if seconds.unit is not Unit.SECONDS:
        raise InputError(f"devices are held for seconds, not for {seconds.unit} ({seconds.source})")
    source = f"{seconds.source}; x {held(devices, devices_source)}"
    return seconds.times(devices or 1, Unit.DEVICE_SECONDS, source)


def held(devices: int | None, source: str = "") -> str:
    """The number of held devices, in words, with its source; None if it is not known."""
    if devices is None:
        return "1 device, as it is not stated how many are held"
    return f"{devices} held{f' ({source})' if source else ''}"
