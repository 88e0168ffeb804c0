"""Options are declared once, by the functions of `isobudget.api`: what the command line makes of a declaration."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import pytest
import typer
from typer.testing import CliRunner

from isobudget import api
from isobudget.cli import COMMANDS, build_app
from isobudget.cli.declared import declared_options, described, of_api, with_options

if TYPE_CHECKING:
    from isobudget.progress import Progress


def commands() -> list[Any]:
    """Every command's function that shows one of the api."""
    names = [(f"{name}_" if name == "import" else name) for name in COMMANDS]
    found = [getattr(importlib.import_module(f"isobudget.cli.{name}"), name) for name in names]
    return [one for one in found if hasattr(one, "of_api")]


def measure(
    source: str,
    names: Sequence[str] = (),
    *,
    k: str | int | Sequence[int] = (1, 10),
    level: float = 0.5,
    workers: int | None = None,
    out: str | Path | None = None,
    keep: bool = False,
    check: bool = True,
    share_prompt: bool | None = None,
    hidden: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Measure.

    Args:
        source: what is measured, such as ``paper``;
            on two lines. In Python also a run.
        names: only these; by default all. Repeatable.
        k: values of k.
        level, share_prompt: as in `curves`.
        workers: as in `curves`; only not.
        out: as `output` in `judge`.
        keep: keep it.
        check: ``a.b`` and c; by default a.b.
        hidden: for programs alone.
        progress: shows how far it is.

    Raises:
        InputError: never.
    """


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command of `measure` above; it says what it was called with."""
    monkeypatch.setattr(api, "measure", measure, raising=False)

    @of_api("measure", hidden=None)
    def command(given: dict[str, Any], as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
        """Measure."""
        print(json.dumps(given, default=str), as_json)

    app = typer.Typer()
    app.command()(with_options(command))
    return lambda *words: CliRunner().invoke(app, words, env={"COLUMNS": "120"})


def test_a_declaration_says_types_defaults_and_help(invoke: Any) -> None:
    options = {one.name: one for one in declared_options("measure", {"hidden": None})}
    types = {name: get_args(one.annotation)[0] for name, one in options.items()}
    assert types == {
        "source": str,
        "names": list[str] | None,
        "k": str,
        "level": float,
        "workers": int | None,
        "out": Path | None,
        "keep": bool,
        "check": bool,
        "share_prompt": bool | None,
    }
    helps = {name: get_args(one.annotation)[1].help for name, one in options.items()}
    assert helps["source"] == "What is measured, such as `paper`; on two lines."
    assert helps["names"] == "Only these. Repeatable."
    assert helps["level"] == "Confidence level of all intervals."
    assert helps["out"] == "File for the verdicts on a file of samples (.gz is compressed)."
    assert helps["check"] == "`a.b` and c."
    assert get_args(options["check"].annotation)[1].show_default == "a.b"
    assert get_args(options["names"].annotation)[1].show_default == "all"
    assert options["k"].default == "1,10"


def test_a_command_is_called_with_what_was_stated(invoke: Any) -> None:
    plain = '{"source": "x", "k": "1,10", "level": 0.5, "keep": false, "check": true}'
    assert invoke("x").stdout == f"{plain} False\n"
    words = "x --names a --names b --k 3 --level 1 --workers 2 -o f --keep --no-check --no-share-prompt --json"
    assert json.loads(invoke(*words.split()).stdout.rpartition(" ")[0]) == {
        "source": "x",
        "names": ["a", "b"],
        "k": "3",
        "level": 1.0,
        "workers": 2,
        "out": "f",
        "keep": True,
        "check": False,
        "share_prompt": False,
    }
    assert invoke("x", "--no-keep").exit_code == invoke("x", "--hidden", "y").exit_code == 2
    assert invoke("x", "--workers", "0").exit_code == 2


@pytest.mark.parametrize("name", [name for name in api.__all__ if name not in ("solve_failing",)])
def test_every_parameter_is_described(name: str) -> None:
    parameters = inspect.signature(getattr(api, name)).parameters
    assert list(described(name)) == sorted(parameters, key=list(described(name)).index)
    assert all(text.endswith(".") for text in described(name).values())


@pytest.mark.parametrize("command", commands(), ids=lambda one: one.__name__)
def test_what_a_command_adds_is_of_an_option_that_is_declared(command: Any) -> None:
    name, shown = command.of_api
    assert set(shown) <= set(inspect.signature(getattr(api, name)).parameters)
    for one in declared_options(name, shown):
        assert get_args(one.annotation)[1].help, one.name


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        (["passk"], "passk [OPTIONS] SOURCE..."),
        (["compare"], "compare [OPTIONS] SOURCE... NAME@K NAME@K"),
        (["report"], "report [OPTIONS] RUN|FILE..."),
        (["judge"], "judge [OPTIONS] [SAMPLES]"),
        (["run"], "run [OPTIONS] STUDY"),
        (["models", "fetch"], "models fetch [OPTIONS] NAME..."),
        (["serve", "ledger"], "serve ledger [OPTIONS] [FILE]"),
    ],
)
def test_the_usage_line_has_placeholders_as_they_are_stated(command: list[str], usage: str) -> None:
    shown = CliRunner().invoke(build_app(command[0]), [*command, "--help"], env={"COLUMNS": "200"}).output
    (line,) = [one for one in shown.splitlines() if "Usage:" in one]
    assert line.split("Usage: ")[1].split(maxsplit=1)[1].rstrip() == usage
