"""Device seconds: seconds x the GPUs that a model holds, for comparing models on one machine by time.

    device seconds = seconds x GPUs held            a processor is one device

Not covered: devices of different kinds, and devices that a model holds but leaves idle.
"""

from __future__ import annotations

from isobudget.costs.cost import SampleCost, Unit
from isobudget.errors import InputError


def device_seconds(seconds: SampleCost, devices: int | None, devices_source: str = "") -> SampleCost:
    """Seconds x the GPUs that the model holds meanwhile; a processor, or an unknown number, counts as one device.

    This makes models of different size on one machine comparable: a model that holds eight GPUs blocks seven more than
    a model that holds one. `devices_source` says where the number comes from. A cost in another unit than seconds is an
    `InputError`.
    """
    if seconds.unit is not Unit.SECONDS:
        raise InputError(f"device seconds need a cost in seconds, not in {seconds.unit} ({seconds.source})")
    source = f"{seconds.source}; x {held(devices, devices_source)}"
    return seconds.times(devices or 1, Unit.DEVICE_SECONDS, source)


def held(devices: int | None, source: str = "") -> str:
    """The number of held devices in words, with its source; `devices` is None if the number is not known."""
    if devices is None:
        return "1 device, as it is not stated how many are held"
    return f"{devices} held{f' ({source})' if source else ''}"
