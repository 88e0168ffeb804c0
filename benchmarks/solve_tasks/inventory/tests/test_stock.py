import pytest

from inventory.stock import OutOfStock, Stock, load_stock, low_stock


def test_remove(stock):
    stock.remove("A1", 4)
    assert stock.quantities["A1"] == 6
    stock.remove("A2")
    assert "A2" not in stock.quantities
    assert "A2" not in stock.items


def test_remove_refuses(stock):
    with pytest.raises(OutOfStock):
        stock.remove("B1", 4)
    with pytest.raises(KeyError):
        stock.remove("Z")
    assert stock.quantities == {"A1": 10, "A2": 1, "B1": 3}


def test_total_cents(stock):
    assert stock.total_cents() == 1500 + 120000 + 120
    assert Stock().total_cents() == 0


def test_tagged(stock):
    assert [item.name for item in stock.tagged("office")] == ["Desk", "Pen"]
    assert stock.tagged("none") == []


def test_load_stock(csv_file):
    stock = load_stock(csv_file)
    assert stock.quantities == {"A1": 10, "A2": 1, "B1": 3}
    assert stock.items["A2"].cents == 120000
    assert stock.items["A1"].tags == ("office", "small")
    assert stock.items["B1"].tags == ()


def test_low_stock(stock):
    assert low_stock(stock, 5) == {"A2": 4, "B1": 2}
    assert low_stock(stock, 5, skip=["B1"]) == {"A2": 4}
    assert low_stock(stock, 1) == {}
