"""Verdicts for an event loop: a thread waits for each one, so the loop is not blocked while samples run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from isobudget.judge.verdict import Verdict


async def off_the_loop(verdicts: Iterator[Verdict]) -> AsyncIterator[Verdict]:
    """Yield the verdicts of a `run` asynchronously. The `run` is closed at the end, even after an error."""
    try:
        while (verdict := await asyncio.to_thread(next, verdicts, None)) is not None:
            yield verdict
    finally:
        verdicts.close()  # type: ignore[attr-defined]
