"""What a sample costs in usd: by the token from a provider, or by the hour on GPUs of your own.

    usd = (prompt tokens x input + completion tokens x output) / 1e6        by the token
    usd = seconds x GPUs x usd per GPU-hour / 3600                          by the hour

If a provider gives a lower price for prompt tokens it has seen (`cached`) and every sample pays for its prompt, the
first sample of a problem pays `input` and the others `cached`. Prices are data with a date and a source, and always an
input of the user: `data/prices.toml` holds a few examples only. Taxes, minimum fees and batch discounts are not
covered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.usage import TokenUse
from isobudget.errors import InputError
from isobudget.files.toml import shipped_toml
from isobudget.files.values import AMOUNT, ANYTHING, Check, mistakes_of

_MILLION = 1e6
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """A provider's price of one model.

    Attributes:
        model: the provider's name for it.
        usd_per_million_input, usd_per_million_output: of prompt and completion tokens.
        usd_per_million_cached: of prompt tokens already seen, None if there is no such price.
        date, source: when and where the price was seen.
    """

    model: str
    usd_per_million_input: float
    usd_per_million_output: float
    usd_per_million_cached: float | None = None
    date: str = "undated"
    source: str = "not stated"


@dataclass(frozen=True, slots=True)
class GpuHour:
    """What an hour of one GPU costs, with date and source."""

    gpu: str
    usd: float
    date: str = "undated"
    source: str = "not stated"


def usd_cost(price: TokenPrice, use: TokenUse) -> SampleCost:
    """Usd of a sample at a provider's token prices."""
    completion = use.mean_completion * price.usd_per_million_output / _MILLION
    prompt = use.mean_prompt * price.usd_per_million_input / _MILLION
    source = f"price of {price.model}, {price.date} ({price.source}), {use.label}"
    if use.share_prompt or price.usd_per_million_cached is None:
        return use.split(Unit.USD, prompt, completion, source)
    cached = use.mean_prompt * price.usd_per_million_cached / _MILLION
    return SampleCost(Unit.USD, cached + completion, prompt - cached, f"{source}, prompt cached after the first sample")


def rent_cost(seconds: SampleCost, gpus: int, price: GpuHour) -> SampleCost:
    """Usd of a sample on rented GPUs, from its seconds; a cost in another unit is an `InputError`."""
    if seconds.unit is not Unit.SECONDS:
        raise InputError(f"GPU-hours are paid by seconds, not by {seconds.unit} ({seconds.source})")
    rate = gpus * price.usd / _SECONDS_PER_HOUR
    source = f"{price.usd:g} usd per GPU-hour x {gpus}, {price.date} ({price.source}); {seconds.source}"
    return SampleCost(Unit.USD, seconds.per_sample * rate, seconds.per_problem * rate, source)


@cache
def example_prices() -> tuple[tuple[TokenPrice, ...], tuple[GpuHour, ...]]:
    """The example prices that ship with isobudget: by the token, and by the GPU-hour."""
    return parse_prices(shipped_toml("isobudget.costs", "data/prices.toml"), "prices.toml")


def parse_prices(tables: dict[str, Any], where: str) -> tuple[tuple[TokenPrice, ...], tuple[GpuHour, ...]]:
    """The `[[price]]` and `[[gpu_hour]]` tables of a TOML document; every price needs a date and a source."""
    prices = tuple(TokenPrice(*values) for values in _rows(tables, "price", where))
    hours = tuple(GpuHour(*values) for values in _rows(tables, "gpu_hour", where))
    return prices, hours


_ORIGIN: dict[str, Check] = {"date": ANYTHING, "source": ANYTHING}
#: array of tables -> its keys, in the order of the fields of what they state; all are needed but `cached`
_KEYS: dict[str, dict[str, Check]] = {
    "price": {"model": ANYTHING, "input": AMOUNT, "output": AMOUNT, "cached": AMOUNT, **_ORIGIN},
    "gpu_hour": {"gpu": ANYTHING, "usd": AMOUNT, **_ORIGIN},
}


def _rows(tables: dict[str, Any], name: str, where: str) -> Iterator[list[Any]]:
    known = _KEYS[name]
    needed = [key for key in known if key != "cached"]
    for table in tables.get(name, ()):
        if not isinstance(table, dict):
            raise InputError(f"{where}: {name} must be tables [[{name}]], not {table!r}")
        if mistakes := mistakes_of(table, known, f"{where}, [[{name}]]: ", needed):
            raise InputError("\n".join([*mistakes, f"in the table {table}; every price needs a date and a source"]))
        values = {key: float(value) if known[key] is AMOUNT else str(value) for key, value in table.items()}
        yield [values.get(key) for key in known]
