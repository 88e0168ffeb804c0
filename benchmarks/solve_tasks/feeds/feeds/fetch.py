"""Fetching feeds side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

Fetch = Callable[[str], Awaitable[str]]


async def fetch_all(fetch: Fetch, names: Sequence[str]) -> dict[str, str]:
    """Fetch all names at the same time; name -> text."""
    texts = await asyncio.gather(*(fetch(name) for name in names))
    return dict(zip(names, texts))


async def fetch_with_retries(fetch: Fetch, name: str, attempts: int = 3) -> str:
    """Fetch a name; after an OSError try again, `attempts` times in all, then raise the last error."""
    for attempt in range(attempts):
        try:
            return await fetch(name)
        except OSError:
            if attempt == attempts - 1:
                raise
    raise ValueError("attempts must be at least 1")


class Cache:
    """Keeps the newest texts, at most `size` of them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.texts: dict[str, str] = {}

    def put(self, name: str, text: str) -> None:
        """Keep a text as the newest; the oldest one goes if there are more than `size`."""
        self.texts.pop(name, None)
        self.texts[name] = text
        while len(self.texts) > self.size:
            del self.texts[next(iter(self.texts))]

    async def get(self, name: str, fetch: Fetch) -> str:
        """The text that is kept, which becomes the newest; else it is fetched and kept."""
        text = self.texts[name] if name in self.texts else await fetch(name)
        self.put(name, text)
        return text
