from textkit.words import count_words, longest


def test_longest() -> None:
    assert longest(["a", "ccc", "bb"]) == "ccc"
    assert longest(["aa", "bb"]) == "aa"


def test_count_words() -> None:
    assert count_words("Yes yes no") == {"yes": 2, "no": 1}
    assert count_words("") == {}
