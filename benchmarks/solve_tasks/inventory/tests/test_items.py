import pytest

from inventory.items import format_price, parse_price, with_discount


@pytest.mark.parametrize(
    ("cents", "text"), [(5, "$0.05"), (123456, "$1,234.56"), (-50, "-$0.50"), (0, "$0.00"), (100, "$1.00")]
)
def test_format_price(cents, text):
    assert format_price(cents) == text


def test_format_price_symbol():
    assert format_price(1000000, "€") == "€10,000.00"


@pytest.mark.parametrize(
    ("text", "cents"), [("$1,234.5", 123450), ("3", 300), ("0.05", 5), (" $2.00 ", 200), (".5", 50)]
)
def test_parse_price(text, cents):
    assert parse_price(text) == cents


@pytest.mark.parametrize("text", ["1.234", "abc", "", "$", "1.2.3"])
def test_parse_price_refuses(text):
    with pytest.raises(ValueError):
        parse_price(text)


def test_with_discount(pen):
    assert with_discount(pen, 10).cents == 135
    assert with_discount(pen, 33).cents == 100
    assert with_discount(pen, 0) == pen
    assert with_discount(pen, 100).cents == 0
    assert pen.cents == 150


@pytest.mark.parametrize("percent", [-1, 101])
def test_with_discount_refuses(pen, percent):
    with pytest.raises(ValueError):
        with_discount(pen, percent)
