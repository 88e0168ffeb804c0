"""Commands that show results and their inputs: curves, compare, passk, report, paper, prompt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from isobudget.api.names import Names, Sources, as_names, costs_of, figure_target
from isobudget.results import Results

if TYPE_CHECKING:
    from isobudget.analysis.compare_two import Compared
    from isobudget.analysis.passk import PassAtK
    from isobudget.costs.cost import Unit
    from isobudget.curves import Comparison
    from isobudget.grid import Grid
    from isobudget.importers.counts import ModelCounts
    from isobudget.paper.tables import PassTable
    from isobudget.progress import Progress
    from isobudget.prompts import ShownPrompt
    from isobudget.prompts.formats import PromptFormat
    from isobudget.records.run import Run
    from isobudget.report import Report
    from isobudget.report.figures.parts import Plot


def curves(
    source: Sources,
    unit: Unit | str | None = None,
    *,
    costs: str | Path | None = None,
    budgets: str | float | Sequence[str | float] | None = None,
    benchmark: str | None = None,
    select: str = "tests",
    stop: str = "fixed",
    charge: Names = (),
    ranker_architecture: str | None = None,
    extrapolate: int | None = None,
    level: float = 0.95,
    replicates: int = 10_000,
    seed: int = 0,
    simultaneous: bool | None = None,
    share_prompt: bool | None = None,
    tokens_per_second: str | float | None = None,
    usd_per_gpu_hour: str | float | None = None,
    gpus: str | int | None = None,
    completion_tokens: str | int | None = None,
    from_: str | None = None,
    figure: str | Path | None = None,
    panel: Names = (),
    width: str | float | None = None,
    font: str | None = None,
) -> Results[Comparison]:
    """Compare models at equal budget: each gets as many samples as the budget buys. One comparison per benchmark.

    Without `costs`, a run is priced by what it recorded, a file by the architectures of models whose names are known.

    Args:
        source: run folders, or files of results: human-eval, EvalPlus, Inspect, NeMo-Skills, LiveCodeBench, lm-eval,
            counts as JSON lines, CSV or Parquet, and more; folders of them and patterns; ``example``: a recorded run
            that ships, copied to runs/example. A model is named by the records, else by its file. In Python one or
            several of these, also data frames of counts. See docs/importing.md for what tells models apart.
        unit: unit of the budgets: flops, seconds, device_seconds, tokens, usd or joules; by default that of a budget
            such as 6s, else flops where known, else what the costs state, else usd, then tokens (docs/costs.md).
        costs: costs file, see docs/costs.md; or ``paper`` for the paper's Table 1.
        budgets: budgets per problem: ``1e12,5e12`` in the unit, or ``1x,4x`` in samples of the cheapest model, or
            ``4x:NAME`` in samples of that model. In Python also a list.
        benchmark: only this benchmark; by default all.
        select: how one of k samples is chosen: by ``tests``, or (runs only) by the model's own ``likelihood``.
        stop: ``fixed``: always generate and charge k samples, as in the paper. ``first-pass``: stop at the first sample
            that passes; budgets are expected spending.
        charge: charge for judging or scoring as well; free by default, as in the paper. Repeatable. In Python
            ``judge``, ``scoring`` or both.
        ranker_architecture: architecture of the scoring model (with --charge scoring, in flops). A model's own
            likelihood is free.
        extrapolate: extrapolate pass@k up to this k (beyond n). Not used for recommendations. In Python see
            `Comparison.beyond`.
        level: confidence level of all intervals.
        replicates: bootstrap replicates over problems.
        seed: seed of the bootstrap.
        simultaneous: call a lead clear only if it is clear with all budgets of the table tested together; by default
            only in the recommendation, while tables test each budget by itself.
        share_prompt: charge a problem's prompt once, or to every sample; by default as the costs state or
            the server billed, else once.
        tokens_per_second: tokens generated per second by all samples together; prices samples in seconds without a
            costs file. In Python a number for every model, or ``"7b=2600,34b=480"``; it takes precedence over a costs
            file.
        usd_per_gpu_hour: price of a GPU-hour; prices samples in usd by their seconds. In Python as `tokens_per_second`.
        gpus: GPUs that a model holds; by default 1 each. In Python as `tokens_per_second`.
        completion_tokens: tokens per completion if the results do not state them. In Python as `tokens_per_second`.
        from_: format of the files, see docs/importing.md; by default by content.
        figure: plot success against samples, flops and time: a file .svg, .pdf or .png.
        panel: panels of the figure: k, or a unit; by default k, flops and seconds. Repeatable.
        width: width of the figure: text, column, a template such as neurips, or 89mm; by default text.
        font: font of the figure and its size, such as times,9; by default sans,8.

    Raises:
        InputError: a file or a budget is wrong, a model has no cost, or options cannot be combined.
        RunError: the folder is not a run, or nothing in it is judged.
    """
    from isobudget.analysis.compare import curves as compare
    from isobudget.analysis.greedy import greedy_of_source
    from isobudget.costs.cost import parse_unit
    from isobudget.curves import Bootstrap
    from isobudget.grid import headed
    from isobudget.report.figures.units import curve_plots, parse_panels
    from isobudget.report.json.comparison import comparisons_json, point_records
    from isobudget.report.tables.comparison import comparison_grids
    from isobudget.report.tables.sentence import winner_sentence

    target, panels = figure_target(figure, width, font), parse_panels(as_names(panel))
    table = costs_of(costs, tokens_per_second, usd_per_gpu_hour, gpus, completion_tokens)
    same = partial(
        compare,
        source,
        from_=from_,
        costs=table,
        benchmark=benchmark,
        selection=select,
        stop=stop,
        charge=as_names(charge),
        ranker=ranker_architecture,
        share_prompt=share_prompt,
        bootstrap=Bootstrap(level, replicates, seed, simultaneous),
    )
    comparisons = same(None if unit is None else parse_unit(unit), budgets=budgets, extrapolate=extrapolate)
    greedy = partial(greedy_of_source, source, recorded=table is None)
    plots = partial(curve_plots, comparisons, same, greedy, panels)
    saved = target.save(plots()) if target else ()
    return Results.of(
        comparisons,
        plain=lambda: comparisons_json(comparisons),
        rows=lambda: [record for one in comparisons for record in point_records(one)],
        text=lambda: "\n".join(headed(one.benchmark, winner_sentence(one)) for one in comparisons),
        grids=lambda: [grid for one in comparisons for grid in comparison_grids(one)],
        plots=plots,
        saved=saved,
    )


def compare(
    sources: str | Path | Sequence[str | Path],
    k: int = 1,
    *,
    benchmark: str | None = None,
    costs: str | Path | None = None,
    tokens_per_second: str | float | None = None,
    usd_per_gpu_hour: str | float | None = None,
    gpus: str | int | None = None,
    completion_tokens: str | int | None = None,
    level: float = 0.95,
    replicates: int = 10_000,
    seed: int = 0,
    from_: str | None = None,
) -> Results[Compared]:
    """Compare two models on the same problems: success, paired difference with p-value, power, and prices.

    Args:
        sources: run folders or files of results, then two models with numbers of samples; or two sources. A model is
            named by the records, else by its file. In Python a list, which may end with ``"7b@5", "34b@1"``. Of two
            sources alone, models with the same name are compared at `k` samples; of one source alone, its two models.
        k: samples of each problem, if no models are named.
        benchmark, costs, tokens_per_second, usd_per_gpu_hour, gpus, completion_tokens: as in `curves`.
        level, replicates: as in `curves`.
        seed: seed of the bootstrap and of the test.
        from_: as in `curves`.

    Raises:
        InputError: a source, model, k or price is wrong, or the two have fewer than two problems in common.
        RunError: a folder is not a run, or nothing in it is judged.
    """
    from isobudget.analysis.compare_two import compare_two
    from isobudget.curves import Bootstrap
    from isobudget.report.tables.compared import compared_grid, compared_json, compared_record, verdict
    from isobudget.report.tables.labels import said_of

    both = compare_two(
        sources,
        k=k,
        benchmark=benchmark,
        costs=costs_of(costs, tokens_per_second, usd_per_gpu_hour, gpus, completion_tokens),
        from_=from_,
        bootstrap=Bootstrap(level, replicates, seed),
    )
    return Results.of(
        both,
        plain=lambda: [compared_json(one) for one in both],
        rows=lambda: [compared_record(one) for one in both],
        text=lambda: "\n".join(said_of((one.benchmark, verdict(one)) for one in both)),
        grids=lambda: [compared_grid(one) for one in both],
    )


def passk(
    counts: Sources | Sequence[ModelCounts],
    k: str | int | Sequence[int] = (1, 10, 100),
    *,
    from_: str | None = None,
    level: float = 0.95,
    replicates: int = 10_000,
    seed: int = 0,
    figure: str | Path | None = None,
    width: str | float | None = None,
    font: str | None = None,
) -> Results[PassAtK]:
    """Estimate pass@k, with intervals over problems, for each benchmark and model.

    Args:
        counts: as `source` in `curves`.
        k: values of k, separated by commas. In Python also a list.
        from_, level, replicates, seed: as in `curves`.
        figure: plot pass@k against k: a file .svg, .pdf or .png.
        width, font: as in `curves`.

    Raises:
        InputError: a file or a k is wrong.
        RunError: a folder is not a run, or a part of it is damaged.
    """
    from isobudget.analysis.passk import parse_k, passk_records
    from isobudget.analysis.passk import passk as compute
    from isobudget.analysis.source_counts import as_counts
    from isobudget.report.tables.passk import passk_grid, passk_lines

    target = figure_target(figure, width, font)
    groups, notes = as_counts(counts, from_)
    results = compute(groups, parse_k(k), level, replicates, seed)

    def plots() -> dict[str, Plot]:
        from isobudget.report.figures.passk import passk_plots

        return passk_plots(results)

    return Results.of(
        results,
        plain=lambda: [one.to_dict() for one in results],
        rows=lambda: passk_records(results),
        text=lambda: "\n".join([*passk_lines(results), *notes]),
        grids=lambda: [passk_grid(results, notes)],
        notes=notes,
        plots=plots,
        saved=target.save(plots()) if target else (),
    )


def report(
    run: Run | Sources,
    out: str | Path | None = None,
    unit: Names | Sequence[Unit] = (),
    *,
    costs: str | Path | None = None,
    tokens_per_second: str | float | None = None,
    usd_per_gpu_hour: str | float | None = None,
    gpus: str | int | None = None,
    completion_tokens: str | int | None = None,
    from_: str | None = None,
    simultaneous: bool | None = None,
    share_prompt: bool | None = None,
    texts: str | int = 3,
    progress: Progress | None = None,
) -> Report:
    """Make the report of runs or of files of results: tables, figures, JSON and one HTML page.

    Args:
        run: as `source` in `curves`; several runs are shown side by side. ``example`` is compared in flops, since its
            seconds were measured on a busy machine. In Python also a run.
        out: folder for the report; by default RUN/report, or reports/NAME for several runs and for files.
        unit: unit of the budgets: flops, seconds, device_seconds, tokens, usd or joules. Repeatable; by default what
            the options below state, flops and device_seconds, and what a costs file states.
        costs, tokens_per_second, usd_per_gpu_hour, gpus, completion_tokens: as in `curves`.
        from_, simultaneous, share_prompt: as in `curves`.
        texts: failed outputs of each problem and model that the page can open, beside the greedy one and the first that
            passed; 0: no outputs, all: every sample.
        progress: shows the progress.

    Raises:
        IsobudgetError: see `isobudget.report.build.build_report` and `import_results`.
    """
    from isobudget.costs.cost import parse_unit
    from isobudget.curves import Bootstrap
    from isobudget.progress import SILENT
    from isobudget.records.example import is_example
    from isobudget.report import build_report
    from isobudget.report.page.texts import as_texts

    if is_example(run):
        unit = unit or "flops"  # its seconds were measured on a busy machine
    units, bootstrap = tuple(dict.fromkeys(map(parse_unit, as_names(unit)))), Bootstrap(simultaneous=simultaneous)
    table = costs_of(costs, tokens_per_second, usd_per_gpu_hour, gpus, completion_tokens)
    return build_report(
        run,
        out,
        units=units,
        costs=table,
        bootstrap=bootstrap,
        share_prompt=share_prompt,
        from_=from_,
        texts=as_texts(texts),
        progress=progress or SILENT,
    )


def prompt(target: str, format: str | None = None, newline: str | None = None) -> ShownPrompt:  # noqa: A002
    """Show a prompt exactly as a model gets it.

    Args:
        target: BENCHMARK/TASK or PATH/TASK, such as mbpp/11.
        format: a prompt format, or PATH.toml#NAME; by default that of the benchmark.
        newline: keep or strip newlines that end the prompt; by default keep.

    Raises:
        InputError: no such benchmark, problem or format.
        MissingExtraError: the benchmark's data needs a package that is not installed.
    """
    from isobudget.prompts import show_prompt

    return show_prompt(target, format, newline)


def formats() -> Results[PromptFormat]:
    """The prompt formats that ship: `isobudget prompt --list`."""
    from isobudget.prompts import formats as shipped

    known = list(shipped().values())

    def rows() -> list[dict[str, object]]:
        return [{name: getattr(one, name) for name in ("name", "kind", "title", "extraction")} for one in known]

    return Results.of(known, plain=rows, rows=rows, text=lambda: "\n".join(one.name for one in known))


def paper(
    table: Names = (),
    benchmark: str | None = None,
    unit: Unit | str | None = None,
    *,
    figures: str | Path | None = None,
    width: str | float | None = None,
    font: str | None = None,
) -> Results[PassTable]:
    """The paper's Tables 1-4, the equal-budget tables that follow from them, and where the winner flips.

    Args:
        table: only this table: its number, ``budget`` or ``flips``; by default all. Repeatable.
        benchmark: only this benchmark: humaneval, mbpp, apps, or one split such as apps-interview.
        unit: equal-budget tables in this unit only; by default both. In Python ``flops`` or ``seconds``.
        figures: folder to plot the paper's Figures 2-6, 10 and 11 into, from the tables.
        width, font: as in `curves`.

    Returns:
        The tables of pass@k. `to_dict()` has all parts by name; `to_records()` the rows of a single part.

    Raises:
        InputError: there is no such table, benchmark or unit.
    """
    from isobudget.paper.tables import pass_tables
    from isobudget.report.figures.paper import paper_plots
    from isobudget.report.tables.paper import paper_grids, paper_json, paper_rows, parse_parts, parse_units
    from isobudget.report.tables.terminal import grids_text

    target = figure_target(figures, width, font, folder=True)
    tables, parts, units = pass_tables(benchmark), parse_parts(as_names(table)), parse_units(unit)

    def grids() -> list[Grid]:
        return [grid for part in parts for grid in paper_grids(part, tables, units)]

    return Results.of(
        tables,
        plain=lambda: paper_json(parts, tables, units),
        rows=lambda: paper_rows(parts, tables, units),
        text=lambda: grids_text(grids()),
        grids=grids,
        plots=lambda: paper_plots(tables),
        saved=target.save_all(paper_plots(tables)) if target else (),
    )
