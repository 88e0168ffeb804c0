import asyncio

import pytest

from feeds.fetch import Cache, fetch_all, fetch_with_retries


def test_fetch_all():
    running = []

    async def fetch(name):
        running.append(name)
        await asyncio.sleep(0)
        return f"{name} of {len(running)}"

    assert asyncio.run(fetch_all(fetch, ["a", "b"])) == {"a": "a of 2", "b": "b of 2"}
    assert asyncio.run(fetch_all(fetch, [])) == {}


def failing(times, error=OSError):
    calls = []

    async def fetch(name):
        calls.append(name)
        if len(calls) <= times:
            raise error(f"call {len(calls)}")
        return name.upper()

    return fetch, calls


def test_fetch_with_retries():
    fetch, calls = failing(2)
    assert asyncio.run(fetch_with_retries(fetch, "a")) == "A"
    assert calls == ["a", "a", "a"]


def test_fetch_with_retries_gives_up():
    fetch, calls = failing(9)
    with pytest.raises(OSError, match="call 2"):
        asyncio.run(fetch_with_retries(fetch, "a", attempts=2))
    assert len(calls) == 2
    fetch, calls = failing(9, KeyError)
    with pytest.raises(KeyError):
        asyncio.run(fetch_with_retries(fetch, "a"))
    assert len(calls) == 1


@pytest.fixture
def cache():
    made = Cache(2)
    made.texts = {"a": "A", "b": "B"}
    return made


def test_put(cache):
    cache.put("c", "C")
    assert list(cache.texts.items()) == [("b", "B"), ("c", "C")]
    cache.put("b", "new")
    assert list(cache.texts.items()) == [("c", "C"), ("b", "new")]


def test_get(cache):
    async def fetch(name):
        return name * 2

    assert asyncio.run(cache.get("a", fetch)) == "A"
    assert list(cache.texts) == ["b", "a"]
    assert asyncio.run(cache.get("x", fetch)) == "xx"
    assert list(cache.texts) == ["a", "x"]
