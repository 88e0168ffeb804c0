"""How many of each item there are."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from .items import Item, parse_price


class OutOfStock(Exception):
    """More was asked for than there is."""


class Stock:
    """Quantities of items by their SKU."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.quantities: dict[str, int] = {}

    def add(self, item: Item, quantity: int = 1) -> None:
        """Add so many of an item; raises ValueError if the quantity is not above 0."""
        if quantity <= 0:
            raise ValueError("quantity must be above 0")
        self.items[item.sku] = item
        self.quantities[item.sku] = self.quantities.get(item.sku, 0) + quantity

    def remove(self, sku: str, quantity: int = 1) -> None:
        """Take so many of an item away; an item of which none is left is forgotten.

        Raises KeyError for an unknown SKU and OutOfStock if there are fewer.
        """
        have = self.quantities[sku]
        if quantity > have:
            raise OutOfStock(sku)
        self.quantities[sku] = have - quantity
        if have == quantity:
            del self.quantities[sku]
            del self.items[sku]

    def total_cents(self) -> int:
        """What all items in stock are worth together, in cents."""
        return sum(self.items[sku].cents * quantity for sku, quantity in self.quantities.items())

    def tagged(self, tag: str) -> list[Item]:
        """Items with a tag, sorted by name."""
        return sorted((item for item in self.items.values() if tag in item.tags), key=lambda item: item.name)


def load_stock(path: Path) -> Stock:
    """Read a CSV file with the columns sku, name, price, quantity and tags (separated by ``;``, may be empty)."""
    stock = Stock()
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            tags = tuple(tag for tag in row["tags"].split(";") if tag)
            item = Item(row["sku"], row["name"], parse_price(row["price"]), tags)
            stock.add(item, int(row["quantity"]))
    return stock


def low_stock(stock: Stock, least: int, skip: Iterable[str] = ()) -> dict[str, int]:
    """SKU -> how many are missing to `least`, for items of which there are fewer; SKUs in `skip` are left out."""
    left_out = set(skip)
    return {
        sku: least - quantity
        for sku, quantity in stock.quantities.items()
        if quantity < least and sku not in left_out
    }
