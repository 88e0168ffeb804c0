from pathlib import Path

import pytest

from inventory import Item, Stock

DATA = Path(__file__).parent / "data"


@pytest.fixture
def pen():
    return Item("A1", "Pen", 150, ("office", "small"))


@pytest.fixture
def stock(pen):
    made = Stock()
    made.items = {"A1": pen, "A2": Item("A2", "Desk", 120000, ("office",)), "B1": Item("B1", "Apple", 40)}
    made.quantities = {"A1": 10, "A2": 1, "B1": 3}
    return made


@pytest.fixture
def csv_file():
    return DATA / "stock.csv"
