from textkit.tables import align, column_widths, parse_table, preview

ROWS = [["name", "count"], ["apple", "3"], ["fig"]]


def test_column_widths():
    assert column_widths(ROWS) == [5, 5]
    assert column_widths([]) == []
    assert column_widths([["a"], ["b", "ccc"]]) == [1, 3]


def test_align():
    assert align(ROWS) == ["name   count", "apple  3", "fig"]
    assert align([["a", "b"], ["cc", "d"]], " | ") == ["a  | b", "cc | d"]
    assert align([]) == []


def test_parse_table():
    text = """
    | name | count |
    |------|-------|
    | fig  | 3     |
    | kiwi | 12    |
    """
    assert parse_table(text) == [{"name": "fig", "count": "3"}, {"name": "kiwi", "count": "12"}]


def test_preview():
    assert preview([["a long cell of text", "b"]], 10) == [["a long...", "b"]]
    assert preview([]) == []
