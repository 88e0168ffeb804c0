"""The commands as Python functions, under the same names.

    from isobudget import api
    report = api.run("quickstart", problems=5)
    print(report.sentences)

They are gathered here, and not in `isobudget` itself, because some share their name with a room (`isobudget.judge`).
"""

from __future__ import annotations

from pathlib import Path

from isobudget.analysis.compare import curves
from isobudget.analysis.passk import passk
from isobudget.doctor import doctor
from isobudget.judge import Judge
from isobudget.models.catalog import load_catalog as models
from isobudget.models.weights import fetch_weights
from isobudget.paper import equal_budget, pass_tables
from isobudget.pipeline.dry_run import DryRun
from isobudget.pipeline.dry_run import dry_run as _dry_run
from isobudget.pipeline.generate import BackendFactory, Generated, embedded
from isobudget.pipeline.generate import generate as _generate
from isobudget.pipeline.generate_and_judge import generate_and_judge
from isobudget.pipeline.judging import judge_run as judge
from isobudget.pipeline.progress import SILENT, Progress
from isobudget.profiling import profile
from isobudget.prompts import show_prompt as prompt
from isobudget.ranking.rank import rank
from isobudget.records.run import Run
from isobudget.report import Report, require_parts
from isobudget.report import build_report as report
from isobudget.study import Study, load_study

__all__ = [
    "curves",
    "doctor",
    "dry_run",
    "fetch",
    "generate",
    "judge",
    "models",
    "paper",
    "passk",
    "profile",
    "prompt",
    "rank",
    "report",
    "run",
]


def generate(
    study: Study | str,
    out: str | Path | None = None,
    *,
    models: list[str] | None = None,
    n: int | None = None,
    problems: int | None = None,
    progress: Progress = SILENT,
    make_backend: BackendFactory = embedded,
) -> tuple[Run, Generated]:
    """Draw a study's missing samples; the study may be an object, a file, or the name of one that ships.

    See `isobudget.study.load_study` for the arguments that override the study, and `isobudget.pipeline.generate` for
    the rest and the errors.
    """
    plan = study if isinstance(study, Study) else load_study(study, models=models, n=n, problems=problems)
    return _generate(plan, out, progress, make_backend)


def dry_run(
    study: Study | str,
    out: str | Path | None = None,
    *,
    models: list[str] | None = None,
    n: int | None = None,
    problems: int | None = None,
) -> DryRun:
    """What a study would draw and spend: samples, tokens, time, cost, disk, and what is missing here.

    Nothing is fetched or written. See `isobudget.pipeline.dry_run`.
    """
    plan = study if isinstance(study, Study) else load_study(study, models=models, n=n, problems=problems)
    return _dry_run(plan, out)


def run(
    study: Study | str,
    out: str | Path | None = None,
    *,
    models: list[str] | None = None,
    n: int | None = None,
    problems: int | None = None,
    unsafe: bool = False,
    progress: Progress = SILENT,
    make_backend: BackendFactory = embedded,
) -> tuple[Report, Generated]:
    """Make a study from samples to report: generate, judge meanwhile, compare. Only what is missing is done.

    Returns:
        The report, and what was generated, with the problems that failed.

    Raises:
        IsobudgetError: see the stages.
    """
    plan = study if isinstance(study, Study) else load_study(study, models=models, n=n, problems=problems)
    _ready(unsafe)
    made, done, _ = generate_and_judge(plan, out, unsafe=unsafe, progress=progress, make_backend=make_backend)
    return report(made, progress=progress), done


def _ready(unsafe: bool) -> None:
    """Fail now, and not after hours of generating, where samples cannot be judged or the report not be drawn."""
    require_parts()
    with Judge(workers=1, unsafe=unsafe):
        pass


def fetch(name: str) -> Path:
    """Fetch and check the weights of a model of the catalogue; returns the file's path."""
    return fetch_weights(models()[name])


def paper(benchmark: str | None = None) -> dict[str, object]:
    """The paper's pass@k tables, and what each model reaches at equal flops and equal wall time.

    Returns:
        ``{"tables": PassTable, ...}`` and ``{"equal_budget": EqualBudget, ...}`` for one benchmark or all.
    """
    from isobudget.costs.cost import Unit

    tables = pass_tables(benchmark)
    rows = [row for table in tables for unit in (Unit.FLOPS, Unit.SECONDS) for row in equal_budget(table, unit)]
    return {"tables": tables, "equal_budget": rows}
