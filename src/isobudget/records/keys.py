"""The set of samples in a table, stored compactly: one bit per sample instead of one tuple.

A run as large as the paper's has millions of samples. For each problem and model there is one integer, whose bit i says
whether sample i exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Any

import numpy as np

from isobudget.records.parts import read_each
from isobudget.records.rows import KEY_COLUMNS, SampleKey

#: benchmark, model, task_id, greedy
Group = tuple[str, str, str, bool]


class SampleKeys(Set[SampleKey]):
    """A set of sample keys, with the operations of a read-only set and `add`."""

    def __init__(self, keys: Iterable[SampleKey] = ()) -> None:
        self._bits: dict[Group, int] = {}
        for key in keys:
            self.add(key)

    @classmethod
    def of_table(cls, folder: Path, row_type: type[Any]) -> SampleKeys:
        """The keys of the table in `folder`, read one part at a time.

        Raises:
            RunError: a part is damaged.
        """
        keys = cls()
        for part in read_each(folder, row_type, KEY_COLUMNS):
            grouped = part.group_by(KEY_COLUMNS[:4]).aggregate([("index", "list")])
            names = zip(*(grouped[name].to_pylist() for name in KEY_COLUMNS[:4]), strict=True)
            for group, indexes in zip(names, grouped["index_list"], strict=True):
                keys._add_all(group, indexes.values.to_numpy())
        return keys

    def _add_all(self, group: Group, indexes: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        bits = bits_of(indexes)
        self._bits[group] = self._bits.get(group, 0) | bits

    def add(self, key: SampleKey) -> None:
        """Add a key."""
        group = key[:4]
        self._bits[group] = self._bits.get(group, 0) | (1 << key[4])

    def missing(self, group: Group, n: int) -> list[int]:
        """Which of the samples 0 ... n - 1 of a problem and model are missing."""
        bits = self._bits.get(group, 0)
        return [index for index in range(n) if not bits >> index & 1]

    def count(self, group: Group, n: int) -> int:
        """How many of the samples 0 ... n - 1 of a problem and model exist."""
        return (self._bits.get(group, 0) & ((1 << n) - 1)).bit_count()

    def groups(self) -> Iterator[Group]:
        """The pairs of problem and model that have samples."""
        return iter(self._bits)

    def lacks(self, other: SampleKeys) -> int:
        """How many keys of another set are missing from this set."""
        return sum((bits & ~self._bits.get(group, 0)).bit_count() for group, bits in other._bits.items())

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, tuple) or len(key) != 5:
            return False
        return bool(self._bits.get(key[:4], 0) >> key[4] & 1)

    def __iter__(self) -> Iterator[SampleKey]:
        for group, bits in self._bits.items():
            for index in range(bits.bit_length()):
                if bits >> index & 1:
                    yield (*group, index)

    def __len__(self) -> int:
        return sum(bits.bit_count() for bits in self._bits.values())


def bits_of(indexes: np.ndarray[Any, np.dtype[np.int64]]) -> int:
    """An integer whose bit i says whether i is among the indexes.

    Raises:
        ValueError: an index is negative.
    """
    if int(indexes.min()) < 0:
        raise ValueError(f"an index is negative: {indexes.min()}")
    marks = np.zeros(int(indexes.max()) + 1, dtype=np.uint8)
    marks[indexes] = 1
    return int.from_bytes(np.packbits(marks, bitorder="little").tobytes(), "little")
