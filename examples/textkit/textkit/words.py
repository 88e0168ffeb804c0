"""Words of a text."""


def longest(words: list[str]) -> str:
    """Return the longest word; of several, the first."""
    ...


def count_words(text: str) -> dict[str, int]:
    """Return how often each word occurs in the text, in lower case.

    >>> count_words("Yes yes no")
    {'yes': 2, 'no': 1}
    """
    ...
