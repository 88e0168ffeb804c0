"""Seconds of a sample: measured in a run, or from a throughput profile. A planning estimate is in `roofline`.

Seconds depend on the machine, the server and the batch; the source says which. `measured_seconds` takes any record of
seconds per sample, whichever tool timed it. A `Profile` says how many tokens a second a model reads and writes on one
machine, for some numbers of slots (samples generated at the same time); a sample then costs

    prompt tokens / prompt tokens per second + (completion tokens - 1) / completion tokens per second

where the rates are those of all slots together, so that this is the sample's share of the machine. The first token
comes out of the prompt's computation. Between two profiled numbers of slots, the time in which every slot gets one
token is interpolated linearly: a part for reading the weights, and a part for each slot.

Not covered: queueing, and the slowdown of tokens in longer contexts: a profile is valid for contexts about as long as
those used for timing, which its source states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.usage import TokenUse, mean_over_problems
from isobudget.errors import InputError
from isobudget.files.toml import read_toml
from isobudget.files.values import is_number, is_whole

_FORMAT = 1


def measured_seconds(
    seconds: Sequence[Sequence[float] | NDArray[np.float64]], source: str, per_problem: float = 0.0
) -> SampleCost:
    """The mean over problems of the mean seconds of a sample.

    Args:
        seconds: for each problem, the seconds of its samples: a sample's share of the time that its batch took.
        source: the machine, backend and batch, in words.
        per_problem: mean seconds for computing a prompt, if `seconds` does not include them.
    """
    mean = mean_over_problems(seconds, f"measured seconds ({source})")
    if not all(np.all(np.isfinite(times)) and np.min(times) >= 0 for times in [*seconds, [per_problem]]):
        raise InputError(f"measured seconds ({source}): a time is negative or not finite")
    return SampleCost(Unit.SECONDS, mean, per_problem, f"measured seconds: {source}")


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of repeated measurements with their minimum and maximum.

    All three are equal for a single measurement.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """The figure of one or more values."""
        return cls(float(np.median(values)), float(min(values)), float(max(values)))


@dataclass(frozen=True, slots=True)
class SlotSpeed:
    """The speed of a model that generates `slots` samples at the same time.

    Attributes:
        slots: samples generated at the same time, each with a prompt of its own.
        prompt: prompt tokens per second, of all slots together.
        completion: completion tokens per second, of all slots together.
        sample: seconds of the machine per sample at the profile's lengths, its prompt included; None if not stated.
    """

    slots: int
    prompt: Figure
    completion: Figure
    sample: Figure | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """The throughput of one model on one machine.

    Attributes:
        model: the model's name.
        speeds: one for each number of slots, ascending.
        prompt_tokens, completion_tokens: lengths that the model was timed with, 0 if not stated.
        repeats: how often each timing was taken.
        weights: which weights, and their number format.
        machine, engine, threads: hardware and software used for timing.
        date: when the model was timed.
    """

    model: str
    speeds: tuple[SlotSpeed, ...]
    prompt_tokens: int = 0
    completion_tokens: int = 0
    repeats: int = 1
    weights: str = "not stated"
    machine: str = "machine not stated"
    engine: str = "engine not stated"
    threads: int = 0
    date: str = "undated"

    @property
    def best(self) -> SlotSpeed:
        """The number of slots with the lowest machine time per sample of the profile's lengths."""
        return min(self.speeds, key=lambda speed: speed.sample.median if speed.sample else 1 / speed.completion.median)

    def as_dict(self) -> dict[str, Any]:
        """The profile as it is written to TOML and JSON; `parse_profile` reads it."""
        stated = ("model", "weights", "machine", "engine", "threads", "date", "prompt_tokens", "completion_tokens")
        facts = {name: getattr(self, name) for name in (*stated, "repeats")}
        return {"format": _FORMAT} | facts | {"slots": [_speed_as_dict(speed) for speed in self.speeds]}


def profile_seconds(profile: Profile, use: TokenUse, slots: int | None = None) -> SampleCost:
    """Seconds of a sample of these lengths, by a throughput profile; the prompt is shared or not, as `use` says.

    Args:
        profile: throughput of the model.
        use: token counts of the samples.
        slots: samples generated at the same time; by default the profiled number at which a sample costs least.

    Raises:
        InputError: `slots` is outside the profiled range, or no sample has a second token and the prompt is shared, so
            that samples cost nothing.
    """
    steps = mean_over_problems([np.maximum(tokens - 1, 0) for tokens in use.completions])

    def parts(slots: int) -> tuple[float, float]:
        prompt = use.mean_prompt * _seconds_per_token(profile, slots, lambda speed: speed.prompt.median)
        return prompt, steps * _seconds_per_token(profile, slots, lambda speed: speed.completion.median)

    best = min((speed.slots for speed in profile.speeds), key=lambda number: sum(parts(number)))
    slots = best if slots is None else slots
    prompt, completion = parts(slots)
    timed = f", timed at {profile.prompt_tokens} + {profile.completion_tokens} tokens"
    lengths = timed if profile.prompt_tokens else ""
    source = (
        f"profile: {profile.model} (weights: {profile.weights}), {slots} slots, {profile.engine} on {profile.machine}"
        f"{lengths}, {profile.date}; {use.said}"
    )
    return use.split(Unit.SECONDS, prompt, completion, source)


def _seconds_per_token(profile: Profile, slots: int, rate: Callable[[SlotSpeed], float]) -> float:
    """A token's share of machine time: exact for profiled numbers of slots, interpolated between them."""
    known = {speed.slots: speed.slots / rate(speed) for speed in profile.speeds}
    if slots in known:
        return known[slots] / slots
    for (low, first), (high, second) in pairwise(known.items()):
        if low < slots < high:
            return (first + (second - first) * (slots - low) / (high - low)) / slots
    raise InputError(
        f"the profile of {profile.model} was timed with {', '.join(map(str, known))} slots, not with "
        f"{slots}; time it with: isobudget profile {profile.model} --slots ...,{slots}"
    )


def read_profile(path: str | Path) -> Profile:
    """Read a profile: what `isobudget profile` wrote, or one written by hand from another tool's throughput."""
    return parse_profile(read_toml(Path(path)), str(path))


def parse_profile(tables: Mapping[str, Any], where: str) -> Profile:
    """A profile from its TOML or JSON: `model`, and a `[[slots]]` table for each number of slots.

    Each table needs only `slots`, `prompt_tokens_per_second` and `completion_tokens_per_second`: numbers above 0.
    """
    if (given := tables.get("format", _FORMAT)) != _FORMAT:
        raise InputError(f"{where}: format {given!r} is not supported; profile again, or use a newer isobudget")
    rows = tables.get("slots")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        why = "is not a throughput profile: it has no [[slots]] table; make one: isobudget profile MODEL"
        raise InputError(f"{where}: {why}")
    speeds = sorted((_speed(row, where) for row in rows), key=lambda speed: speed.slots)
    for first, second in pairwise(speeds):
        if first.slots == second.slots:
            raise InputError(f"{where}: two [[slots]] tables say slots = {first.slots}")
    texts = {name: str(tables[name]) for name in ("weights", "machine", "engine", "date") if name in tables}
    counts = ("prompt_tokens", "completion_tokens", "repeats", "threads")
    numbers = {name: _whole(tables, name, where) for name in counts if name in tables}
    return Profile(str(tables.get("model", "model")), tuple(speeds), **numbers, **texts)  # type: ignore[arg-type]


def _speed(row: Mapping[str, Any], where: str) -> SlotSpeed:
    slots = _whole(row, "slots", f"{where}, [[slots]]")
    where = f"{where}, [[slots]] of {slots}"
    figures = [_figure(row, name, where) for name in _FIGURES]
    if slots < 1 or figures[0] is None or figures[1] is None:
        raise InputError(f"{where}: needs slots of at least 1, {_FIGURES[0]} and {_FIGURES[1]}")
    return SlotSpeed(slots, figures[0], figures[1], figures[2])


_FIGURES = ("prompt_tokens_per_second", "completion_tokens_per_second", "seconds_per_sample")


def _speed_as_dict(speed: SlotSpeed) -> dict[str, Any]:
    values: dict[str, Any] = {"slots": speed.slots}
    for name, figure in zip(_FIGURES, (speed.prompt, speed.completion, speed.sample), strict=True):
        if figure is not None:
            values |= {name: figure.median, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return values


def _figure(row: Mapping[str, Any], name: str, where: str) -> Figure | None:
    if name not in row:
        return None
    values = [row.get(key, row[name]) for key in (name, f"{name}_low", f"{name}_high")]
    for value in values:
        if not is_number(value) or value <= 0:
            raise InputError(f"{where}: {name}, its _low and its _high must be numbers above 0, not {value!r}")
    return Figure(*map(float, values))


def _whole(tables: Mapping[str, Any], name: str, where: str) -> int:
    value = tables.get(name)
    if not is_whole(value):
        raise InputError(f"{where}: {name} must be a whole number of 0 or more, not {value!r}")
    return int(value)  # type: ignore[arg-type]
