"""Items and their prices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """An item: stock keeping unit, name, price in cents, tags."""

    sku: str
    name: str
    cents: int
    tags: tuple[str, ...] = ()


def format_price(cents: int, symbol: str = "$") -> str:
    """An amount in cents as text, with thousands separated by commas: 123456 is "$1,234.56", -50 is "-$0.50"."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{symbol}{whole:,}.{rest:02d}"


def parse_price(text: str) -> int:
    """Cents of a price such as "$1,234.5" or "3"; a leading "$" and commas are allowed.

    Raises ValueError if there are more than two decimals or it is no number.
    """
    whole, _, rest = text.strip().removeprefix("$").replace(",", "").partition(".")
    if len(rest) > 2 or not (whole + rest).isdigit():
        raise ValueError(f"no price: {text!r}")
    return int(whole or "0") * 100 + int(rest.ljust(2, "0"))


def with_discount(item: Item, percent: int) -> Item:
    """The item with its price reduced by so many percent, rounded down to whole cents.

    Raises ValueError unless 0 <= percent <= 100.
    """
    if not 0 <= percent <= 100:
        raise ValueError("percent must lie between 0 and 100")
    return Item(item.sku, item.name, item.cents * (100 - percent) // 100, item.tags)
