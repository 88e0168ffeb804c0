"""Bootstrap weights for so many problems that the whole matrix does not fit into memory.

The matrix of weights has replicates x problems entries, 10^10 for a million problems. Only weighted means of
this matrix are needed. So the means are computed block by block, in the faster of two ways:

- *by problem*: the same random numbers as the whole matrix, a few replicates at a time;
- *by kind*: problems that are alike in everything a call looks at, such as those with the same n and c of every model,
  are drawn together: how often each kind is drawn is multinomial. The distribution is the same, the random numbers are
  not.

All columns of one call are drawn together, so that comparisons stay paired. Two calls by kind are not paired, unless
they have the same kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: with more problems than this, the matrix is not kept in memory, and problems that are alike may be drawn together
MANY = 5000
#: with more weights than this, some 100 MB, the matrix is not kept in memory either
_HELD = 50_000_000
#: number of weights that are computed at once
_BLOCK = 4_000_000
#: one draw of a kind takes as long as this many draws of a problem, as measured
_KIND = 20
#: most draws of a call, about a minute's
_MOST = 6_000_000_000


@dataclass(frozen=True, slots=True)
class BlockwiseWeights:
    """The weights of a bootstrap over problems, computed when means are taken; replaces a matrix that is too large.

    Attributes:
        problems, replicates, seed: as in `intervals.bootstrap_weights`.
    """

    problems: int
    replicates: int
    seed: int

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the matrix that this object replaces: (replicates, problems)."""
        return self.replicates, self.problems

    def __len__(self) -> int:
        return self.replicates

    def means(self, values: Floats, kind: type[np.floating] = np.float64) -> NDArray[np.floating]:
        """The weighted mean of every column in every replicate.

        Args:
            values: shape (problems, points).
            kind: the data type of the numbers that are added up.

        Returns:
            Shape (replicates, points).

        Raises:
            InputError: the computation would take too long.
        """
        distinct, many = kinds(values) if self.problems > MANY else (values, np.ones(len(values), dtype=np.int64))
        self._check(len(many))
        if len(many) * _KIND < self.problems:
            blocks = kind_blocks(many, self.replicates, np.random.default_rng(self.seed), block_rows(len(many)))
        else:
            distinct, blocks = values, problem_blocks(self.problems, self.replicates, self.seed)
        means, start = np.empty((self.replicates, values.shape[1]), dtype=kind), 0
        held = np.ascontiguousarray(distinct, dtype=kind)
        for block in blocks:
            means[start : start + len(block)] = block.astype(kind) @ held
            start += len(block)
        means /= self.problems
        return means

    def means_apart(self, values: Floats, kind: type[np.floating] = np.float64) -> NDArray[np.floating]:
        """Like `means`, for columns that are not compared: each column may be drawn separately, if this is faster."""
        columns = np.split(values, values.shape[1], axis=1)
        if self.problems > MANY and sum(len(kinds(one)[1]) for one in columns) * _KIND < self.problems:
            return np.concatenate([self.means(one, kind) for one in columns], axis=1)
        return self.means(values, kind)

    def _check(self, different: int) -> None:
        each = min(different * _KIND, self.problems)
        if each * self.replicates > _MOST:
            raise InputError(
                f"intervals over {self.problems:,} problems, {different:,} of them different, would take too long with "
                f"{self.replicates:,} bootstrap replicates; use at most {_MOST // each:,} replicates, or fewer "
                "problems or models at a time"
            )


def held(problems: int, replicates: int) -> bool:
    """Whether the weights are few enough to be kept in memory as one matrix."""
    return problems <= MANY and problems * replicates <= _HELD


def block_rows(columns: int) -> int:
    """The number of rows that are computed at once, if a row has this many columns."""
    return max(_BLOCK // columns, 1)


def problem_blocks(problems: int, replicates: int, seed: int, rows: int | None = None) -> Iterator[Ints]:
    """How often each replicate draws each problem, in blocks of `rows` replicates.

    The numbers do not depend on `rows`. By default, `block_rows` chooses it.

    Yields:
        Shape (up to `rows`, problems); every row adds up to `problems`.
    """
    generator, rows = np.random.default_rng(seed), rows or block_rows(problems)
    for start in range(0, replicates, rows):
        drawn = generator.integers(0, problems, size=(min(rows, replicates - start), problems))
        yield np.stack([np.bincount(row, minlength=problems) for row in drawn])


def kind_blocks(many: Ints, replicates: int, generator: np.random.Generator, rows: int) -> Iterator[Ints]:
    """How often each replicate draws each kind of problems, in blocks of `rows` replicates.

    `many` is the number of problems of each kind.
    """
    whole = many.sum()
    for start in range(0, replicates, rows):
        yield generator.multinomial(whole, many / whole, size=min(rows, replicates - start))


def kinds(values: Floats) -> tuple[Floats, Ints]:
    """The distinct rows of values, and the number of each."""
    rows = np.ascontiguousarray(values)
    if not rows.shape[1]:
        return rows[:1], np.array([len(rows)])
    whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, many = np.unique(whole, return_index=True, return_counts=True)
    return rows[first], many.astype(np.int64)
