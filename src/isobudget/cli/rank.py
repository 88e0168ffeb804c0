"""`isobudget rank`: what choosing one of k samples without tests achieves, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from isobudget.cli import rank_options as given
from isobudget.cli.options import BenchmarkOption, JsonOption, LevelOption

if TYPE_CHECKING:
    from isobudget.ranking.rank import BenchmarkRanking
    from isobudget.ranking.scoring_model import ModelChoice


def rank(
    source: given.Source,
    ranker: given.Rankers = None,
    model: given.Model = None,
    backend: given.Backend = "llama.cpp",
    url: given.Url = None,
    api: given.ServerApi = given.Api.COMPLETIONS,
    key_env: given.KeyEnv = None,
    architecture: given.Architecture = None,
    filter_by: given.Filter = None,
    benchmark: BenchmarkOption = None,
    problems: given.Problems = None,
    verdicts: given.Verdicts = None,
    first: given.First = None,
    out: given.Out = None,
    inputs: given.Inputs = 16,
    examples: given.Examples = "benchmark",
    tests: given.Tests = None,
    train: given.Train = None,
    power: given.Power = 1.0,
    orders: given.Orders = 200,
    k: given.K = None,
    figure: given.Figure = None,
    workers: given.Workers = None,
    unsafe: given.Unsafe = False,
    level: LevelOption = 0.95,
    seed: given.Seed = 0,
    as_json: JsonOption = False,
) -> None:
    """Choose one of k samples without tests, by rankers, and measure it: success at equal budget, AUC, calibration.

    Scores that are missing are computed and kept in the run folder; the same command goes on where it was stopped.

    Examples:

        isobudget rank runs/quickstart --ranker own --ranker agreement

        isobudget rank samples.jsonl --problems humaneval --verdicts verdicts.jsonl --ranker agreement --ranker tests

        isobudget rank counts.jsonl --ranker order
    """
    from isobudget.cli.show import TerminalProgress, interruptible
    from isobudget.curves import Bootstrap
    from isobudget.ranking.options import RankOptions
    from isobudget.ranking.rank import rank as rank_samples

    _check_figure(figure)
    options = RankOptions(
        rankers=tuple(ranker or ["own"]),
        model=_choice(model, backend, url, api, key_env, architecture),
        filter=filter_by,
        inputs=inputs,
        examples=examples,
        tests=tests,
        train=tuple(train or ()),
        power=power,
        orders=orders,
        k=k,
        seed=seed,
        workers=workers,
        unsafe=unsafe,
        bootstrap=Bootstrap(level, seed=seed),
    )
    with interruptible(), TerminalProgress() as progress:
        found = rank_samples(
            source,
            options,
            benchmark=benchmark,
            problems=problems,
            verdicts=verdicts,
            first=first,
            out=out,
            progress=progress,
        )
    _show(found, [] if figure is None else _draw(found, figure), as_json)


def _choice(
    model: str | None, backend: str, url: str | None, api: given.Api, key_env: str | None, architecture: str | None
) -> ModelChoice | None:
    from isobudget.errors import InputError
    from isobudget.ranking.scoring_model import ModelChoice

    of_server = {"--url": url, "--key-env": key_env, "--api": None if api is given.Api.COMPLETIONS else api}
    stated = [name for name, value in of_server.items() if value is not None]
    if model is None:
        stated += ["--backend"] * (backend != "llama.cpp") + ["--architecture"] * (architecture is not None)
        if stated:
            raise InputError(f"{' and '.join(stated)} cannot be used without --model: which model is meant?")
        return None
    if stated and backend != "server":
        raise InputError(f"{' and '.join(stated)} cannot be used with --backend {backend}, only with --backend server")
    return ModelChoice(model, backend, url, api.value, key_env, architecture)


def _show(found: list[BenchmarkRanking], drawn: list[Path], as_json: bool) -> None:
    from isobudget.cli.show import print_json
    from isobudget.report.json.ranking import ranking_json
    from isobudget.report.tables.ranking import ranking_grids
    from isobudget.report.tables.terminal import print_grids

    if as_json:
        print_json({"benchmarks": [ranking_json(one) for one in found], "figures": [str(path) for path in drawn]})
        return
    for one in found:
        print_grids(ranking_grids(one))
    for path in drawn:
        typer.echo(f"figure: {path}")


def _check_figure(path: Path | None) -> None:
    """What would fail after all the work is told before it."""
    from isobudget.errors import InputError

    if path is None:
        return
    if path.suffix.lower() not in (".svg", ".png"):
        raise InputError(f"--figure {path}: the name must end in .svg or .png")
    if not path.parent.is_dir():
        raise InputError(f"--figure {path}: there is no folder {path.parent}")


def _draw(found: list[BenchmarkRanking], path: Path) -> list[Path]:
    """One figure for each model; several get the model's name before the ending."""
    from isobudget.files.whole import write_whole
    from isobudget.report.build import file_stems
    from isobudget.report.figures.ranking import draw_ranking

    pairs = [(one, model) for one in found for model in one.models]
    stems = file_stems(["-".join(filter(None, (path.stem, one.benchmark, model.model))) for one, model in pairs])
    drawn = []
    for (one, model), stem in zip(pairs, stems, strict=True):
        place = path if len(pairs) == 1 else path.with_name(f"{stem}{path.suffix}")
        write_whole(place, draw_ranking(one, model, path.suffix.removeprefix(".").lower()))
        drawn.append(place)
    return drawn
