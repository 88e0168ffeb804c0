"""Measures a ranked run again from its records, without a model and without running samples.

A run keeps scores, observations and written tests (`records.ranking_rows`), but not which rankers were requested. Every
ranker is measured for which the records cover all judged samples of a model, and also `own` if the model's own
likelihood is known. Not covered: sums instead of means, filters, tests from files, the verifier (which would have to
learn again), and observations of inputs by another seed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from isobudget.analysis.load_samples import LoadedRun, load_samples
from isobudget.curves import Bootstrap
from isobudget.errors import InputError
from isobudget.models.architecture import Architecture
from isobudget.models.named import find_named
from isobudget.progress import SILENT
from isobudget.rankers.base import BACKWARD, FORWARD, Pool
from isobudget.rankers.ranker import Observed, Scored
from isobudget.ranking.classifier import KIND
from isobudget.ranking.inputs import ComputedInputs
from isobudget.ranking.measure import Ranked, RankedModel, measured_ranking, random_sample
from isobudget.ranking.observations import kept_observations, observed
from isobudget.ranking.options import RankOptions
from isobudget.ranking.rank import BenchmarkRanking
from isobudget.ranking.run_samples import RankingInput, run_inputs
from isobudget.ranking.scores import Scorer, kept_scores, scored_by
from isobudget.records.parts import read_each
from isobudget.records.ranking_rows import ObservationRow, ScoreRow, TestRow
from isobudget.records.run import Run

#: the rankers for which recorded scores of each kind, and recorded outputs, may suffice
_BY_SCORES = {FORWARD: "likelihood", BACKWARD: "reviewer", KIND: "classifier"}
_BY_OUTPUTS = ("agreement", "votes", "tests")


@dataclass(frozen=True, slots=True)
class _Asked:
    """One way in which a ranker may have been used: its name, the model whose scores or tests it used, its options."""

    ranker: str
    scorer: str | None
    options: RankOptions


def recorded_ranking(run: Run, benchmark: str, bootstrap: Bootstrap | None = None) -> BenchmarkRanking | None:
    """The results of the rankers for which a run's records suffice, on one benchmark; None if there are none.

    Raises:
        RunError: a part is damaged.
    """
    options = RankOptions(bootstrap=bootstrap or Bootstrap())
    asked = list(_asked(run.path, benchmark, options))
    if not asked:
        return None
    loaded = load_samples(run, [benchmark], texts=True)
    models = [_ranked_model(loaded, samples, asked) for samples in run_inputs(loaded, benchmark, options.bootstrap)]
    ranked = tuple(one for one in models if one is not None)
    return BenchmarkRanking(benchmark, ranked, options.bootstrap) if ranked else None


def _asked(path: Path, benchmark: str, options: RankOptions) -> Iterator[_Asked]:
    """Every ranker for which the tables may suffice, those by scores first."""
    scores = _different(path / "scores", ScoreRow, benchmark, "ranker", "scorer")
    for kind, name in _BY_SCORES.items():
        yield from (_Asked(name, scorer, options) for known, scorer in sorted(scores) if known == kind)
    most = _most_inputs(path / "observations", benchmark)
    if not most:
        return
    for examples in ("benchmark", "given", "none"):
        same = replace(options, inputs=most, examples=examples)
        yield from (_Asked(name, None, same) for name in _BY_OUTPUTS)
    writers = _different(path / "tests", TestRow, benchmark, "writer")
    yield from (_Asked("tests", writer, options) for (writer,) in sorted(writers))


def _different(folder: Path, row_type: type[Any], benchmark: str, *columns: str) -> set[tuple[str, ...]]:
    """The distinct values of these columns in a table's rows of one benchmark."""
    blocks = read_each(folder, row_type, list(columns), _of(benchmark))
    rows = (row for block in blocks for row in block.group_by(columns).aggregate([]).to_pylist())
    return {tuple(row[name] for name in columns) for row in rows}


def _most_inputs(folder: Path, benchmark: str) -> int:
    """The largest number of inputs that any sample of the benchmark was run on; 0 if none was run."""
    import pyarrow.compute as pc

    blocks = read_each(folder, ObservationRow, ["observed"], _of(benchmark))
    counts = (pc.max(pc.list_value_length(block["observed"])).as_py() for block in blocks)
    return max((count or 0 for count in counts), default=0)


def _of(benchmark: str) -> Any:
    import pyarrow.dataset as ds

    return ds.field("benchmark") == benchmark


def _ranked_model(loaded: LoadedRun, samples: RankingInput, asked: list[_Asked]) -> RankedModel | None:
    """What the recorded rankers achieve on one model's samples; None if the records suffice for no ranker."""
    ranked: dict[str, Ranked] = {}
    inputs: dict[tuple[str | None, str], _Kept] = {}  # what several rankers need is read once
    done: set[tuple[str, str | None]] = set()
    for recorded in asked:
        if (recorded.ranker, recorded.scorer) in done:  # with other examples
            continue
        place = recorded.scorer, recorded.options.examples
        kept = inputs[place] = inputs.get(place) or _Kept.of(loaded, samples.pool, recorded)
        with contextlib.suppress(InputError):  # what is missing is not computed now
            ranking = kept.ranking(recorded.ranker)
            done.add((recorded.ranker, recorded.scorer))
            ranked[ranking.ranker] = measured_ranking(samples, ranking, recorded.options)
    if not ranked:
        return None
    own, usual = _Kept.of(loaded, samples.pool, replace(asked[0], scorer=None)), asked[0].options
    if samples.pool.problems and own.own("mean") is not None:
        ranked = {"own": measured_ranking(samples, own.ranking("own"), usual), **ranked}
    return RankedModel(samples, (random_sample(samples, usual.bootstrap), *ranked.values()))


def _not_opened() -> NoReturn:
    raise InputError("this model is not asked again")


class _Kept(ComputedInputs):
    """Only recorded inputs: a missing one raises `InputError`, and nothing is written."""

    @classmethod
    def of(cls, loaded: LoadedRun, pool: Pool, asked: _Asked) -> _Kept:
        """Create for one ranker on one model's samples."""
        scorer = None
        if asked.scorer is not None:
            scorer = Scorer(asked.scorer, _not_opened, _shape(loaded.run.facts, asked.scorer))
        return cls(pool, asked.options, (), scorer, loaded.run.path, SILENT)

    def score(self, ranker: str, direction: str) -> Scored:
        """The recorded scores."""
        assert self.scorer is not None, ranker
        return self._scored(direction, self.scorer)

    def classify(self) -> Scored:
        """The recorded scores of the classifier."""
        assert self.scorer is not None
        return self._scored(KIND, replace(self.scorer, architecture=None))

    def run(self, arguments: Mapping[str, Sequence[str]]) -> Observed:
        """The recorded outputs. If a sample was not run on these inputs, this fails before any program is parsed."""
        pool = self.pool
        kept = kept_observations(pool, arguments, self._table("observations"))
        keys = (pool.key(one, s.index) for one in pool.problems if arguments[one.problem.task_id] for s in one.samples)
        if not any(arguments.values()) or kept.missing(keys):
            raise InputError(f"{pool.model}: not all samples were run on these inputs")
        return observed(pool, arguments, kept.rows)

    def _scored(self, kind: str, scorer: Scorer) -> Scored:
        pool = self.pool
        kept = kept_scores(pool, scorer.name, kind, self._table("scores"))
        if kept.missing(pool.key(one, sample.index) for one in pool.problems for sample in one.samples):
            raise InputError(f"{pool.model}: some samples have no score by {scorer.name} ({kind})")
        return scored_by(pool, kept.rows, scorer.name, kind, scorer.architecture)


def _shape(facts: Mapping[str, Any], scorer: str) -> Architecture | None:
    """The scoring model's architecture: as the run states it, or else by the model's name."""
    stated = facts.get("models", {}).get(scorer, {})
    return Architecture(**stated["architecture"]) if "architecture" in stated else find_named(scorer)
