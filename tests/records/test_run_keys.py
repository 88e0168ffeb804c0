"""Which samples a table holds: bit sets against plain sets."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from isobudget.backends.base import FinishReason, Generation
from isobudget.records.keys import SampleKeys
from isobudget.records.part_writer import PartWriter
from isobudget.records.rows import SampleKey, SampleRow, sample_row

KEYS = st.tuples(
    st.sampled_from(["b", "c"]),
    st.sampled_from(["m", "ü"]),
    st.sampled_from(["t/0", "t/1"]),
    st.booleans(),
    st.integers(0, 130),
)
GENERATION = Generation("x", FinishReason.STOP, 1, 1, -1.0, -1.0, 0.1, float("nan"), 3)


@given(st.sets(KEYS), KEYS)
def test_it_is_the_set_of_its_keys(keys: set[SampleKey], other: SampleKey) -> None:
    found = SampleKeys(keys)
    assert found == keys
    assert set(found) == keys
    assert len(found) == len(keys)
    assert (other in found) == (other in keys)
    group, n = other[:4], 100
    missing = [index for index in range(n) if (*group, index) not in keys]
    assert found.missing(group, n) == missing
    assert found.count(group, n) == n - len(missing)


def test_what_is_no_key_is_not_in_it() -> None:
    keys = SampleKeys([("b", "m", "t", False, 0)])
    assert "b" not in keys
    assert ("b", "m") not in keys


def test_keys_are_read_over_parts_and_doubles_count_once(tmp_path: Path) -> None:
    places = itertools.product(range(3), (False, True), (0, 7, 64))
    wanted: list[SampleKey] = [("b", "m", f"t/{task}", greedy, at) for task, greedy, at in places]
    for rows in (wanted[:7], wanted[5:], wanted[:1]):
        with PartWriter(tmp_path / "t", SampleRow) as writer:
            writer.add([sample_row(key, GENERATION) for key in rows])
    assert SampleKeys.of_table(tmp_path / "t", SampleRow) == set(wanted)
    assert SampleKeys.of_table(tmp_path / "none", SampleRow) == set()
