"""Verdicts for an event loop, which is not blocked while samples run: each is waited for in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from isobudget.judge.verdict import Verdict


async def off_the_loop(verdicts: Iterator[Verdict]) -> AsyncIterator[Verdict]:
    """The verdicts of a `run`, which is closed at the end, however that comes."""
    try:
        while (verdict := await asyncio.to_thread(next, verdicts, None)) is not None:
            yield verdict
    finally:
        verdicts.close()  # type: ignore[attr-defined]
