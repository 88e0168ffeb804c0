import pytest

from textkit.words import is_palindrome, most_common, title_case, truncate, words


@pytest.mark.parametrize(
    ("text", "expected"), [("Hello, World!", ["hello", "world"]), ("don't 2", ["don't", "2"]), ("", []), ("--", [])]
)
def test_words(text, expected):
    assert words(text) == expected


def test_most_common():
    assert most_common("b a the the b c c c") == [("c", 3), ("b", 2)]
    assert most_common("x y z w", 2) == [("w", 1), ("x", 1)]
    assert most_common("") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the lord of the rings", "The Lord of the Rings"),
        ("HELLO", "Hello"),
        ("a tale", "A Tale"),
        ("war and peace", "War and Peace"),
    ],
)
def test_title_case(text, expected):
    assert title_case(text) == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 10, "short"),
        ("a longer text", 11, "a longer..."),
        ("a longer text", 10, "a..."),
        ("unbreakable", 8, "..."),
        ("exactly", 7, "exactly"),
    ],
)
def test_truncate(text, width, expected):
    assert truncate(text, width) == expected
    assert len(truncate(text, width)) <= width


def test_truncate_ellipsis():
    assert truncate("one two three", 9, "…") == "one two…"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("A man, a plan, a canal: Panama", True), ("ab", False), ("", True), ("1 2 1", True), ("No lemon", False)],
)
def test_is_palindrome(text, expected):
    assert is_palindrome(text) is expected
