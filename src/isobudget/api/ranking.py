"""`api.rank`: evaluates rankers, which pick one of k samples without running tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isobudget.api.names import Names, Sources, as_names, figure_target
from isobudget.results import Results

if TYPE_CHECKING:
    from isobudget.grid import Grid
    from isobudget.progress import Progress
    from isobudget.ranking.options import RankOptions
    from isobudget.ranking.rank import BenchmarkRanking, ScorerFactory


def rank(
    source: Sources,
    ranker: Names = "own",
    model: str | None = None,
    *,
    backend: str | None = None,
    url: str | None = None,
    api: str | None = None,
    key_env: str | None = None,
    setting: Names = (),
    architecture: str | None = None,
    filter: str | None = None,  # noqa: A002
    benchmark: str | None = None,
    problems: str | None = None,
    verdicts: str | Path | None = None,
    first: int | None = None,
    out: str | Path | None = None,
    inputs: int = 16,
    examples: str = "benchmark",
    tests: str | Path | None = None,
    train: Sequence[str | Path] = (),
    power: float = 1.0,
    orders: int = 200,
    k: int | None = None,
    figure: str | Path | None = None,
    width: str | float | None = None,
    font: str | None = None,
    workers: int | None = None,
    check: bool = True,
    unsafe: bool = False,
    level: float = 0.95,
    seed: int = 0,
    from_: str | None = None,
    cluster: str | None = None,
    progress: Progress | None = None,
    make_scorer: ScorerFactory | None = None,
) -> Results[BenchmarkRanking]:
    """Evaluate rankers: how well they pick one of k samples without running tests (equal budget, AUC, calibration).

    Args:
        source: a run folder, or files of results of any known format, see docs/importing.md. In Python, one or several.
        ranker: names of rankers, see docs/rankers.md. Repeatable.
        model: model that scores the samples or writes tests: a name, a GGUF file.
        backend: how to reach --model: llama.cpp, server (or openai), vllm, transformers; by default server with
            --url, else llama.cpp, or as your models file declares.
        url: base URL of a server, such as http://localhost:8000/v1.
        api: API of the server: completions, or chat, which can only write tests (--ranker tests); by default
            completions, or as your models file declares.
        key_env: the environment variable with the server's key. api.openai.com gets OPENAI_API_KEY.
        setting: any other setting of the backend, as in a study (docs/studies.md). Repeatable.
        architecture: architecture of --model, to count flops: a name, a config.json.
        filter: first drop samples that fail on the prompt's examples, or that return other values than the examples
            state. In Python ``executable`` or ``examples``.
        benchmark: as in `curves`.
        problems: the problems that the samples in files belong to.
        verdicts: verdicts on the samples, if they are in another file.
        first: only the first N problems of the benchmark.
        out: folder for the scores of a file of samples; a run keeps its own.
        inputs: inputs per problem on which samples are compared.
        examples: which examples to use: the benchmark prompt's, those of the prompt as given to the model, or none. In
            Python ``benchmark``, ``given`` or ``none``.
        tests: file of tests for --ranker tests, JSON lines.
        train: run for the verifier to learn from. Repeatable.
        power: exponent of the sample count in the CodeT dual-agreement score.
        orders: random orders, for rankers that look at all samples together.
        k: samples to choose from when calibration is measured; by default half of them.
        figure: plot each model's rankers against samples and budgets: a file .svg, .pdf or .png.
        width, font: as in `curves`.
        workers: samples run at the same time; by default one per core.
        check: first judge the references of own problems, on which verdicts and tests rest.
        unsafe: run samples even where they cannot be confined (use a disposable VM).
        level: as in `curves`.
        seed: seed of inputs, random orders and bootstrap.
        from_: as in `curves`.
        cluster: the Ray cluster to run samples on, as in `generate`; the model scores here.
        progress: shows the progress.
        make_scorer: opens the scoring model.

    Raises:
        IsobudgetError: see `isobudget.ranking.rank.rank`.
    """
    from isobudget.cluster.executor import executor_at
    from isobudget.progress import SILENT
    from isobudget.ranking.rank import rank as rank_samples
    from isobudget.ranking.scoring_model import open_scorer
    from isobudget.report.figures.ranking import ranking_plots
    from isobudget.report.json.ranking import ranking_json, ranking_records
    from isobudget.report.tables.ranking import ranking_grids
    from isobudget.report.tables.terminal import grids_text

    options, target = _rank_options(locals()), figure_target(figure, width, font)
    with executor_at(cluster, None, progress or SILENT) as executor:
        ranked = rank_samples(
            source,
            replace(options, executor=executor),
            from_=from_,
            benchmark=benchmark,
            problems=problems,
            verdicts=verdicts,
            first=first,
            out=out,
            make_scorer=make_scorer or open_scorer,
            progress=progress or SILENT,
        )
    saved = target.save(ranking_plots(ranked)) if target else ()

    def grids() -> list[Grid]:
        return [grid for one in ranked for grid in ranking_grids(one)]

    return Results.of(
        ranked,
        plain=lambda: {"benchmarks": [ranking_json(one) for one in ranked], "figures": list(map(str, saved))},
        rows=lambda: [record for one in ranked for record in ranking_records(one)],
        text=lambda: grids_text(grids()),
        grids=grids,
        plots=lambda: ranking_plots(ranked),
        saved=saved,
    )


def _rank_options(given: Mapping[str, Any]) -> RankOptions:
    """The options for ranking and measuring, from the arguments of `rank` by name."""
    from isobudget.curves import Bootstrap
    from isobudget.ranking.options import RankOptions
    from isobudget.ranking.scoring_model import state_scorer

    settings = {name: given[name] for name in ("backend", "url", "api", "key_env", "architecture")}
    same = ("filter", "inputs", "examples", "power", "orders", "k", "seed", "workers", "check", "unsafe")
    return RankOptions(
        rankers=as_names(given["ranker"]),
        model=state_scorer(given["model"], as_names(given["setting"]), settings),
        tests=None if given["tests"] is None else Path(given["tests"]),
        train=tuple(map(Path, given["train"])),
        bootstrap=Bootstrap(given["level"], seed=given["seed"]),
        **{name: given[name] for name in same},
    )
