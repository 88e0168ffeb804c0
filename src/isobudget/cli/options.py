"""Options shared by commands that print results."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer


def one_of(*values: str) -> Any:
    """An option that accepts one of these values, with a clearer message for others than Typer's."""
    return typer.Option(
        parser=partial(_chosen, values), metavar=f"<{'|'.join(values)}>", autocompletion=lambda: list(values)
    )


def _chosen(values: tuple[str, ...], text: object) -> str:
    if str(text) not in values:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(values)}")
    return str(text)


#: a number for every model, or numbers by model
BY_MODEL = typer.Option(metavar="N|MODEL=N,...")
#: details of options that several commands share
SHARED: dict[str, Any] = {
    "cluster": typer.Option(metavar="local|auto|HOST:PORT"),
    "completion_tokens": BY_MODEL,
    "costs": typer.Option(metavar="FILE.toml"),
    "from_": typer.Option("--from", metavar="FORMAT"),
    "api": Annotated[str | None, one_of("completions", "chat")],
    "gpus": BY_MODEL,
    "key_env": typer.Option(metavar="NAME"),
    "model": typer.Option("-m", "--model"),
    "out": typer.Option("-o", "--out"),
    "replicas": typer.Option(min=1),
    "replicates": typer.Option(min=100, max=1_000_000),
    "seed": typer.Option(min=0),
    "setting": typer.Option(metavar="NAME=VALUE"),
    "tokens_per_second": BY_MODEL,
    "usd_per_gpu_hour": BY_MODEL,
    "workers": typer.Option(min=1),
}
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only show samples, tokens, time, cost and disk; generate and write nothing.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
_FORMS = ("table", "markdown", "latex", "csv", "json")


def one_form(
    form: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="|".join(_FORMS), help=f"{', '.join(_FORMS[:-1])} or {_FORMS[-1]}", show_default="table"
        ),
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV on stdout and nothing else: one flat table.")
    ] = False,
) -> str:
    """The requested form of output, from the options of commands that print tables; only one may be given."""
    asked = [name for name, given in (("json", as_json), ("csv", as_csv)) if given] + ([form] if form else [])
    if len(set(asked)) > 1:
        raise typer.BadParameter(f"choose one of {' and '.join(f'--{one}' for one in asked)}", param_hint="--format")
    if asked and asked[0] not in _FORMS:
        raise typer.BadParameter(f"{asked[0]!r} is not one of {', '.join(_FORMS)}", param_hint="--format")
    return asked[0] if asked else "table"
