"""Tables that ranking adds to a run folder as Parquet parts; existing rows are not computed again.

    scores/         log-probability of each sample after its prompt, or of the prompt after the sample
    observations/   what each sample returned for the inputs on which samples are compared
    tests/          tests that a model wrote for the problems

For a file of samples the same tables go into the folder given with `--out`; without it nothing is kept. `KeptRows` is
not used for samples and verdicts, because a run may have too many; `SampleKeys` keeps one bit for each of them.
"""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from isobudget.backends.base import Score
from isobudget.records.part_writer import PartWriter
from isobudget.records.parts import read_rows
from isobudget.records.rows import OfSample, SampleKey, known

if TYPE_CHECKING:
    import pyarrow.dataset as ds

#: tables that show, by having parts, that a run was ranked
RANKED_BY = ("scores", "observations")


@dataclass(frozen=True, slots=True)
class ScoreRow(OfSample):
    """A scoring model's result for one sample.

    Attributes:
        ranker: `likelihood` (the sample after the prompt), `review` (the prompt after the sample), or `classifier`.
        scorer: the scoring model's name.
        value: sum of natural log-probabilities, or log p(right) of a classifier; null for an empty text.
        tokens: number of tokens in the sum, in the scoring model's tokenization.
        prompt_tokens: number of tokens before those in the sum.
        seconds: the sample's share of the engine time; each copy of a repeated text has the full time.
        joules: energy; null if it was not measured.
        engine: engine and hardware that ran the scoring model.
    """

    ranker: str
    scorer: str
    value: float | None
    tokens: int
    prompt_tokens: int
    seconds: float
    joules: float | None
    engine: str


@dataclass(frozen=True, slots=True)
class ObservationRow(OfSample):
    """What one sample returned for the inputs on which samples are compared.

    Attributes:
        inputs: digest of the inputs and limits; only observations with the same digest are compared.
        outcome: how the execution of the sample ended, as in verdicts.
        observed: one text per input.
        cpu_seconds: CPU time of the execution. Equal programs are executed once, and each has the full time.
    """

    inputs: str
    outcome: str
    observed: list[str]
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class TestRow:
    """One test file that a model wrote for a problem."""

    benchmark: str
    task_id: str
    writer: str
    index: int
    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float


def score_row(key: SampleKey, ranker: str, scorer: str, score: Score | None, engine: str) -> ScoreRow:
    """The row of one score; None stands for a text without tokens."""
    if score is None:
        return ScoreRow(*key, ranker, scorer, None, 0, 0, 0.0, None, engine)
    return ScoreRow(
        *key,
        ranker=ranker,
        scorer=scorer,
        value=known(score.sum_logprob),
        tokens=len(score.logprobs),
        prompt_tokens=score.prompt_tokens,
        seconds=score.seconds,
        joules=known(score.joules),
        engine=engine,
    )


Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)


class KeptRows(Generic[Key, Row]):
    """Rows by key: the wanted rows of the table in `folder`, and those added later.

    A row is wanted if its columns have the values in `mine` and `wanted` is true for it; `mine` is checked before rows
    become objects. Without a folder rows are kept in memory only.

    Raises:
        RunError: a part is damaged.
    """

    def __init__(
        self,
        folder: Path | None,
        row_type: type[Row],
        key: Callable[[Row], Key],
        mine: Mapping[str, str],
        wanted: Callable[[Row], bool] = lambda _: True,
    ) -> None:
        self._folder, self._row_type, self._key = folder, row_type, key
        self._writer: PartWriter | None = None
        recorded: Iterable[Row] = read_rows(folder, row_type, _having(mine)) if folder is not None else ()
        self.rows: dict[Key, Row] = {key(row): row for row in recorded if wanted(row)}

    def missing(self, keys: Iterable[Key]) -> list[Key]:
        """The keys that have no row."""
        return [key for key in keys if key not in self.rows]

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """In this context, added rows are written within seconds, or at the end of the context, even after an error.

        Raises:
            StorageError: a part could not be written.
        """
        if self._folder is None:
            yield
            return
        with PartWriter(self._folder, self._row_type) as self._writer:
            yield
        self._writer = None

    def add(self, rows: list[Row]) -> None:
        """Add rows."""
        self.rows.update((self._key(row), row) for row in rows)
        if self._writer is not None:
            self._writer.add(rows)


def _having(values: Mapping[str, str]) -> ds.Expression:
    """A condition that columns have these values."""
    import pyarrow.dataset as ds

    return functools.reduce(operator.and_, (ds.field(name) == value for name, value in values.items()))
