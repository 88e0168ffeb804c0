"""What a sample costs in usd: per token from a provider, or by the hour on GPUs of your own.

    usd = (prompt tokens x input + completion tokens x output) / 1e6        per token
    usd = seconds x GPUs x usd per GPU-hour / 3600                          by the hour

Completion tokens are all that the model produced, reasoning included. If a server's bills for prompts were recorded,
prompts are charged as billed (`bills`). Without bills, if every sample pays for its prompt, and the provider has a
lower price for prompt tokens that it has seen before (`cached`), the first sample of a problem pays `input` and the
others `cached`. If a model has several prices, the one valid at the run's date is used. Prices always come from the
user, with a date and a source; `data/prices.toml` holds only a few examples. Taxes, minimum fees and batch discounts
are not covered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar

from isobudget.costs.bills import billed_usd
from isobudget.costs.cost import AS_BILLED, EACH_PAYS, SHARED, UNCOUNTED, SampleCost, Unit
from isobudget.costs.devices import held
from isobudget.costs.usage import TokenUse
from isobudget.errors import InputError
from isobudget.files.toml import shipped_toml
from isobudget.files.values import AMOUNT, ANYTHING, DAY, Check, mistakes_of

_MILLION = 1e6
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """A provider's price of one model.

    Attributes:
        model: the provider's name for the model.
        usd_per_million_input, usd_per_million_output: price of prompt tokens, and of completion tokens.
        usd_per_million_cached: price of prompt tokens seen before, None if there is no such price.
        date, source: when and where the price was seen.
    """

    model: str
    usd_per_million_input: float
    usd_per_million_output: float
    usd_per_million_cached: float | None = None
    date: str = "undated"
    source: str = "not stated"

    def usd_of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What a request with this many tokens costs, if none of the tokens is cached."""
        paid = prompt_tokens * self.usd_per_million_input + completion_tokens * self.usd_per_million_output
        return paid / 1e6

    def as_table(self) -> dict[str, Any]:
        """The price as written in a costs file, a models file or a run, without the model; `parse_prices` reads it."""
        values = (self.usd_per_million_input, self.usd_per_million_output, self.usd_per_million_cached)
        stated = dict(zip(("input", "output", "cached"), values, strict=True)) | {
            "date": self.date,
            "source": self.source,
        }
        return {key: value for key, value in stated.items() if value is not None}


@dataclass(frozen=True, slots=True)
class GpuHour:
    """What an hour of one GPU costs, with date and source."""

    gpu: str
    usd: float
    date: str = "undated"
    source: str = "not stated"


def _origin(price: TokenPrice | GpuHour) -> str:
    """When and where a price was seen, as the end of its description."""
    return f"{f', {price.date}' * bool(price.date)} ({price.source})"


def usd_cost(price: TokenPrice, use: TokenUse) -> SampleCost:
    """Usd of a sample at a provider's token prices."""
    per_token = price.usd_per_million_output / _MILLION
    shared, each, prompt_note = _prompt_usd(price, use)
    source = f"price of {price.model}{_origin(price)}, {use.said}{prompt_note}"
    counted = SHARED if use.share_prompt else EACH_PAYS
    prompt = AS_BILLED if use.bills is not None else counted if use.prompt_known else UNCOUNTED
    completion = use.mean_completion * price.usd_per_million_output / _MILLION
    return SampleCost(Unit.USD, each + completion, shared, source, per_token, prompt)


def _prompt_usd(price: TokenPrice, use: TokenUse) -> tuple[float, float, str]:
    """The usd for a prompt that a problem's samples share, the usd that each sample pays, and how prompts are counted.

    The last of the three is a text, which becomes part of the price's source.
    """
    full, cached = price.usd_per_million_input / _MILLION, price.usd_per_million_cached
    if use.bills is not None:
        shared, each, prompt_note = billed_usd(use.bills, full, None if cached is None else cached / _MILLION)
        return shared, each, f", {prompt_note}"
    if not use.prompt_known:
        return 0.0, 0.0, ""
    prompt = use.mean_prompt * price.usd_per_million_input / _MILLION
    if use.share_prompt:
        unused = ", the cached price not used: the prompt is charged once" if cached is not None else ""
        return prompt, 0.0, f", prompt shared{unused}"
    if cached is None:
        return 0.0, prompt, ", prompt paid by every sample"
    later = use.mean_prompt * cached / _MILLION
    if later > prompt:
        return 0.0, prompt, ", prompt paid by every sample, the cached price not used: it is above the full price"
    return prompt - later, later, ", prompt paid by every sample, cached after the first"


def valid_at(prices: Sequence[Priced], when: date | None, what: str) -> Priced | None:
    """The price that was valid at a date (by default today): the newest of the prices that are not dated later.

    A single price is valid whatever its date. If all prices are dated later, the earliest is used. None if there is no
    price.

    Raises:
        InputError: there are several prices, and their dates do not tell which is newer.
    """
    if len(prices) < 2:
        return prices[0] if prices else None
    dated = [(_date(price.date), price) for price in prices]
    days = [day for day, _ in dated if day is not None]
    if len(set(days)) < len(prices):
        raise InputError(f"{what} has {len(prices)} prices; each needs a date of its own, such as 2025-01-31")
    by_day = sorted(((day, price) for day, price in dated if day is not None), key=itemgetter(0))
    return next((price for day, price in reversed(by_day) if day <= (when or date.today())), by_day[0][1])


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def rent_cost(seconds: SampleCost, gpus: int | None, price: GpuHour, gpus_source: str = "") -> SampleCost:
    """Usd of a sample on rented GPUs, from its seconds; a cost in another unit is an `InputError`.

    Args:
        seconds: what a sample costs in seconds.
        gpus: the number of rented GPUs; None if it is not known, which counts as one.
        price: what an hour of one GPU costs.
        gpus_source: where the number of GPUs comes from.
    """
    if seconds.unit is not Unit.SECONDS:
        raise InputError(f"a price per GPU-hour applies to a cost in seconds, not in {seconds.unit} ({seconds.source})")
    rate = (gpus or 1) * price.usd / _SECONDS_PER_HOUR
    source = f"{price.usd:g} usd per GPU-hour{_origin(price)} x {held(gpus, gpus_source)}; {seconds.source}"
    return seconds.times(rate, Unit.USD, source)


#: what is priced: per token, or per GPU-hour
Priced = TypeVar("Priced", TokenPrice, GpuHour)


@cache
def example_prices() -> tuple[tuple[TokenPrice, ...], tuple[GpuHour, ...]]:
    """The example prices that ship with isobudget: per token, and per GPU-hour."""
    return parse_prices(shipped_toml("isobudget.costs", "data/prices.toml"), "prices.toml")


def parse_prices(
    tables: dict[str, Any], where: str, date: Check = DAY
) -> tuple[tuple[TokenPrice, ...], tuple[GpuHour, ...]]:
    """The `[[price]]` and `[[gpu_hour]]` tables of a TOML document; every price needs a date and a source.

    Args:
        tables: the document.
        where: the document's name in messages.
        date: the check of dates; runs of earlier versions have recorded dates in other forms.
    """
    prices = tuple(TokenPrice(*values) for values in _rows(tables, "price", where, date))
    hours = tuple(GpuHour(*values) for values in _rows(tables, "gpu_hour", where, date))
    return prices, hours


_ORIGIN: dict[str, Check] = {"date": DAY, "source": ANYTHING}
#: keys of each array of tables, in the order of the fields of `TokenPrice` and `GpuHour`; only `cached` is optional
_KEYS: dict[str, dict[str, Check]] = {
    "price": {"model": ANYTHING, "input": AMOUNT, "output": AMOUNT, "cached": AMOUNT, **_ORIGIN},
    "gpu_hour": {"gpu": ANYTHING, "usd": AMOUNT, **_ORIGIN},
}


def _rows(tables: dict[str, Any], name: str, where: str, date: Check) -> Iterator[list[Any]]:
    known = _KEYS[name] | {"date": date}
    needed = [key for key in known if key != "cached"]
    for table in tables.get(name, ()):
        if not isinstance(table, dict):
            raise InputError(f"{where}: {name} must be tables [[{name}]], not {table!r}")
        if mistakes := mistakes_of(table, known, f"{where}, [[{name}]]: ", needed):
            raise InputError("\n".join([*mistakes, f"in the table {table}; every price needs a date and a source"]))
        values = {key: float(value) if known[key] is AMOUNT else str(value) for key, value in table.items()}
        yield [values.get(key) for key in known]
