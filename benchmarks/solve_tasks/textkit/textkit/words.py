"""Words and sentences."""

import re
from collections import Counter

STOP_WORDS = {"a", "an", "and", "of", "or", "the"}


def words(text):
    """The words of a text in lower case: runs of letters, digits and apostrophes."""
    return re.findall(r"[a-z0-9']+", text.lower())


def most_common(text, count=3):
    """The most frequent words that are no stop words, as (word, number) pairs; the more frequent first, then by
    alphabet.
    """
    counter = Counter(word for word in words(text) if word not in STOP_WORDS)
    return sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:count]


def title_case(text):
    """Every word with a capital first letter, but for stop words that are not the first word; the rest in lower case.

    Words are separated by single spaces.
    """
    parts = text.lower().split(" ")
    return " ".join(
        part if number and part in STOP_WORDS else part.capitalize() for number, part in enumerate(parts)
    )


def truncate(text, width, ellipsis="..."):
    """The text if it has at most `width` characters, else its beginning up to a whole word and the ellipsis, together
    at most `width` characters. If no whole word fits, the ellipsis alone.
    """
    if len(text) <= width:
        return text
    room = width - len(ellipsis)
    cut = text[: room + 1].rpartition(" ")[0].rstrip() if room >= 0 else ""
    return cut + ellipsis


def is_palindrome(text):
    """Whether a text reads the same backwards; only letters and digits count, and their case does not."""
    kept = [one.lower() for one in text if one.isalnum()]
    return kept == kept[::-1]
