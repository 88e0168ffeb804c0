"""The ranking stage: what choosing one of k samples without tests achieves, and what it costs.

Reads a run folder (`run_samples`) or files (`sample_files`), computes the scores, observations and tests that are
missing, and measures every ranker asked for (`measure`): success at each k, success against budget with and
without the ranker's own cost, AUC within problems, calibration.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isobudget.analysis.compare import chosen_benchmarks
from isobudget.analysis.judged import benchmarks_of
from isobudget.analysis.load_samples import load_samples
from isobudget.curves import Bootstrap
from isobudget.errors import InputError
from isobudget.exchange.write_run import write_run
from isobudget.files.whole import make_folder
from isobudget.importers.read import sources_shown, split_sources
from isobudget.pipeline.checking import check_references
from isobudget.progress import SILENT, Progress
from isobudget.rankers.base import Pool
from isobudget.ranking.inputs import ComputedInputs
from isobudget.ranking.measure import RankedModel, measured_ranking, random_sample
from isobudget.ranking.options import RankOptions, check_options
from isobudget.ranking.run_samples import RankingInput, run_inputs
from isobudget.ranking.sample_files import contents_of, counts_inputs
from isobudget.ranking.scores import Scorer
from isobudget.ranking.scoring_model import as_recorded, open_scorer
from isobudget.records.run import Run, load_run
from isobudget.results import Shown
from isobudget.study import StatedModel

ScorerFactory = Callable[[StatedModel, Sequence[Pool], Progress], Scorer]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BenchmarkRanking(Shown):
    """The results of all rankers on one benchmark."""

    benchmark: str
    models: tuple[RankedModel, ...]
    bootstrap: Bootstrap
    filter: str | None = None

    def __repr__(self) -> str:
        about = [f"{model.model}: {', '.join(one.ranker for one in model.ranked)}" for model in self.models]
        return f"{self.benchmark or 'samples'}, {'; '.join(about)}"


def rank(
    source: Any,
    options: RankOptions | None = None,
    *,
    from_: str | None = None,
    benchmark: str | None = None,
    problems: str | None = None,
    verdicts: str | Path | None = None,
    first: int | None = None,
    out: str | Path | None = None,
    make_scorer: ScorerFactory = open_scorer,
    progress: Progress = SILENT,
) -> list[BenchmarkRanking]:
    """Rank the judged samples of a run folder, or of files, and measure the rankers.

    Args:
        source: a run folder; files of results in any known format, which are imported into a temporary run; or, for the
            ranker `order`, verdicts without texts, in the order of the file.
        options: the rankers and how they are measured.
        from_: the format of the files; None: guessed from their content.
        benchmark: the only benchmark to rank; None: all.
        problems: for files with programs: the benchmark of the programs.
        verdicts: for files with programs but without verdicts: a file with the verdicts.
        first: for files with programs: how many problems to take; None: all.
        out: for files with programs: a folder for computed results, such as scores. A run folder keeps its own.
        make_scorer: finds the scoring model.
        progress: shows progress, and notes on what was left out of files.

    Raises:
        InputError: a ranker, model or file is unknown or wrong, an input of a ranker is missing, or an argument cannot
            be combined with the source or the rankers.
        RunError: the folder is not a run, or nothing in it is judged.
        StorageError: results cannot be written.
        BackendError: the scoring model did not answer; earlier scores are kept.
        JudgeError: samples cannot be confined here.
    """
    options = options or RankOptions()
    check_options(options)
    runs, files = split_sources(source)
    stated = {"--benchmark": benchmark, "--problems": problems, "--verdicts": verdicts, "--first": first, "--out": out}
    ranking = _Ranking(options, None, make_scorer, progress)
    if runs:
        if files or len(runs) > 1:
            raise InputError(f"{runs[0]}: rank one run folder at a time, or files of results")
        _check_place(stated, ("--benchmark",), f"{runs[0]} is a run folder, which has its own benchmarks and verdicts")
        return _rank_run(load_run(runs[0]), benchmark, replace(ranking, folder=runs[0]))
    held = contents_of(files, from_)
    if verdicts is None and not held.texts and held.verdicts:
        _check_place(stated, ("--benchmark",), f"{sources_shown(files)} holds verdicts without samples")
        return [ranking.of_benchmark(samples) for samples in _listed(files, benchmark, from_, progress)]
    if verdicts is None and not held.verdicts:
        raise InputError(
            f"{sources_shown(files)}: no sample has a verdict; to rank a file of samples, name its benchmark "
            "(--problems) and verdicts (--verdicts)"
        )
    if problems is not None:
        _check_place({"--benchmark": benchmark}, (), "files of samples belong to the benchmark that --problems names")
    if out is not None:
        ranking = replace(ranking, folder=Path(out))
        make_folder(Path(out))
    with tempfile.TemporaryDirectory(prefix="isobudget-") as place:
        made = write_run(files, Path(place) / "run", from_=from_, problems=problems, verdicts=verdicts)
        for note in made.messages():
            progress.note(note)
        return _rank_run(load_run(made.path), benchmark, ranking, first)


def _rank_run(run: Run, benchmark: str | None, ranking: _Ranking, first: int | None = None) -> list[BenchmarkRanking]:
    options = ranking.options
    if options.model is not None:
        ranking = replace(ranking, options=replace(options, model=as_recorded(options.model, run.facts["models"])))
    with run.writing() if options.writes else contextlib.nullcontext():
        names = chosen_benchmarks(benchmark, benchmarks_of(run), run.path)
        loaded = load_samples(run, names, texts=True)
        ours = [one for (name, _), one in loaded.problems.items() if name in names]
        check_references(ours, options.check, options.unsafe, ranking.progress)
        return [ranking.of_benchmark(run_inputs(loaded, name, options.bootstrap, first)) for name in names]


def _check_place(stated: Mapping[str, object], fitting: Sequence[str], why: str) -> None:
    """Raise `InputError` for an option that belongs to another kind of source."""
    wrong = [name for name, value in stated.items() if value is not None and name not in fitting]
    if wrong:
        raise InputError(f"{' and '.join(wrong)} cannot be used here: {why}")


def _listed(
    files: Sequence[Any], benchmark: str | None, from_: str | None, progress: Progress
) -> list[list[RankingInput]]:
    """The models of files of verdicts: one list for each benchmark."""
    groups: dict[str, list[RankingInput]] = {}
    for one in counts_inputs(files, from_, progress):
        groups.setdefault(one.pool.benchmark, []).append(one)
    return [groups[name] for name in chosen_benchmarks(benchmark, list(groups), sources_shown(files))]


@dataclass(frozen=True, slots=True)
class _Ranking:
    """How samples are ranked: the options, the folder for what is computed, the finder of the scoring model."""

    options: RankOptions
    folder: Path | None
    make_scorer: ScorerFactory
    progress: Progress

    def of_benchmark(self, inputs: Sequence[RankingInput]) -> BenchmarkRanking:
        """The results of all requested rankers on the samples of every model."""
        options = self.options
        if not inputs:
            raise InputError("there is nothing to rank")
        scorer, benchmark = None, inputs[0].pool.benchmark
        if options.model is not None and set(options.rankers) != {"classifier"}:
            scorer = self.make_scorer(options.model, [one.pool for one in inputs], self.progress)
        train = _training(options)
        models = tuple(self._model(samples, scorer, train) for samples in inputs)
        return BenchmarkRanking(benchmark, models, options.bootstrap, options.filter)

    def _model(self, samples: RankingInput, scorer: Scorer | None, train: tuple[Pool, ...]) -> RankedModel:
        options = self.options
        inputs = ComputedInputs(samples.pool, options, train, scorer, self.folder, self.progress)
        ranked = (measured_ranking(samples, inputs.ranking(name), options) for name in options.rankers)
        return RankedModel(samples, (random_sample(samples, options.bootstrap), *ranked))


def _training(options: RankOptions) -> tuple[Pool, ...]:
    """The pools of the runs in `train`; if they have problems that are ranked, the verifier leaves these out."""
    pools: list[Pool] = []
    for path in options.train:
        loaded = load_samples(path, texts=True)
        pools += [one.pool for name in loaded.models for one in run_inputs(loaded, name, options.bootstrap)]
    return tuple(pools)
