"""Computes the inputs of rankers: scores by a model, outputs by the judge, tests by a model or from a file.

Inputs that are recorded in the folder's tables are not computed again; see `isobudget.records.ranking_rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isobudget.errors import InputError
from isobudget.judge.trusted.canonical import canonical
from isobudget.progress import Progress
from isobudget.rankers.base import Ranking
from isobudget.rankers.filters import rank_filtered
from isobudget.rankers.ranker import Observed, RankerInputs, Scored, WrittenTests
from isobudget.rankers.registry import find_ranker
from isobudget.ranking.classifier import KIND, classify_pool
from isobudget.ranking.observations import observe
from isobudget.ranking.options import RankOptions
from isobudget.ranking.scores import Scorer, score_pool, scored_by
from isobudget.ranking.written_tests import read_written_tests, write_tests


@dataclass
class ComputedInputs(RankerInputs):
    """The inputs that rankers may use for one model's samples, computed unless they are recorded.

    Attributes:
        folder: the folder of the tables in which inputs are recorded; None: they are not recorded.
        progress: shows the progress.
    """

    options: RankOptions
    scorer: Scorer | None
    folder: Path | None
    progress: Progress

    def ranking(self, name: str) -> Ranking:
        """The ranking of the samples by the ranker of that name, after the filter if one was requested.

        Raises:
            InputError: an input that the ranker or the filter needs is missing.
        """
        ranker, kind = find_ranker(name), self.options.filter
        if ranker.needs_texts or kind is not None:
            self._check_texts(f"the ranker {name!r}" if ranker.needs_texts else f"the filter {kind!r}")
        return ranker.rank(self) if kind is None else rank_filtered(ranker, self, kind)

    def _check_texts(self, what: str) -> None:
        """Refuse rankers that need texts if the source has none: of those, only lists of verdicts can be ranked."""
        if not any(sample.text for one in self.pool.problems for sample in one.samples):
            instead = (
                "verdicts alone can be ranked in the order of the file: --ranker order"
                if self.pool.ordered
                else "they were imported from counts, which no ranker can use: import samples with their texts, or "
                "lists of verdicts (`passed`) for --ranker order"
            )
            raise InputError(f"{self.pool.model}: the samples have no texts, which {what} needs; {instead}")

    def score(self, ranker: str, direction: str) -> Scored:
        """The scores by the scoring model."""
        scorer = self.scorer
        if scorer is None:
            raise InputError(f"the ranker {ranker!r} needs a model that scores the samples: --model NAME")
        rows = score_pool(self.pool, scorer, direction, self._table("scores"), self.progress)
        return scored_by(self.pool, rows, scorer.name, direction, scorer.architecture)

    def classify(self) -> Scored:
        """The scores by the sequence classifier."""
        if self.options.model is None:
            raise InputError(
                "the ranker 'classifier' needs a sequence classifier of the Hugging Face hub: --model NAME"
            )
        name = self.options.model.name
        rows = classify_pool(self.pool, name, self._table("scores"), self.progress)
        return scored_by(self.pool, rows, name, KIND)

    def run(self, arguments: Mapping[str, Sequence[str]]) -> Observed:
        """The outputs that the judge observes."""
        if not any(arguments.values()):
            raise InputError(
                f"{self.pool.benchmark or self.pool.model}: no problem has a function to call with inputs; use "
                "another ranker (outputs of whole programs are not compared)"
            )
        options = self.options
        return observe(
            self.pool,
            arguments,
            self._table("observations"),
            self.progress,
            workers=options.workers,
            unsafe=options.unsafe,
            executor=options.executor,
        )

    def written_tests(self) -> WrittenTests | None:
        """The tests from the file, or by the model; None without either."""
        if self.options.tests is not None:
            return read_written_tests(self.options.tests, self.pool)
        if self.scorer is None:
            return None
        chat = self.options.model is not None and bool(self.options.model.settings.refuses("text"))
        return write_tests(self.pool, self.scorer, chat, self._table("tests"), self.progress, seed=self.options.seed)

    def text_of(self, value: object) -> str:
        """The value as the judge writes it."""
        return canonical(value)

    def _table(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / name
