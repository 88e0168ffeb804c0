"""Help of commands with many options: in groups, on a screen."""

from __future__ import annotations

import importlib
import inspect
from typing import Annotated, Any, get_args

import pytest
import typer
from typer.testing import CliRunner

from isobudget.cli import COMMANDS, build_app
from isobudget.cli.declared import with_options
from isobudget.cli.grouped import grouped, short_help


@pytest.mark.parametrize("command", ["curves", "rank"])
def test_help_fits_a_screen_of_60_lines_and_100_columns(command: str) -> None:
    shown = CliRunner().invoke(build_app(command), [command, "--help"], env={"COLUMNS": "100", "TERM": "dumb"})
    assert shown.exit_code == 0
    lines = shown.stdout.rstrip().splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    assert "│ --" in shown.stdout


@pytest.mark.parametrize("name", ["curves", "rank"])
def test_each_option_is_in_one_group_and_each_text_is_of_an_option(name: str) -> None:
    command = getattr(importlib.import_module(f"isobudget.cli.{name}"), name)
    groups, texts = command.groups
    listed = " ".join(groups.values()).split()
    options = list(inspect.signature(with_options(command)).parameters)
    assert sorted([*listed, "source"]) == sorted(options)
    assert set(texts) <= set(listed)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("Costs file, see docs/costs.md; or `paper` for Table 1.", "Costs file, see docs/costs.md"),
        ("Model that scores: a name, a GGUF file.", "Model that scores"),
        ("Extrapolate pass@k up to this k (beyond n). Not used.", "Extrapolate pass@k up to this k"),
        ("Only this benchmark.", "Only this benchmark"),
        ("", ""),
    ],
)
def test_a_short_help_is_the_first_clause(text: str, short: str) -> None:
    assert short_help(text) == short


def test_a_long_clause_is_kept_whole_and_what_is_repeatable_says_so() -> None:
    text = "one two three four five six seven eight nine ten eleven twelve"
    assert short_help(text) == text
    assert short_help("Only these: names. Repeatable.") == "Only these, repeatable"


def every_command() -> list[tuple[str, ...]]:
    """The words of all commands, those within groups too."""
    found: list[tuple[str, ...]] = [()]
    for name in COMMANDS:
        group = typer.main.get_command(build_app(name)).commands[name]  # type: ignore[attr-defined]
        found += [(name, *words) for words in below(group)]
    return found


def below(command: Any) -> list[tuple[str, ...]]:
    """The words behind a command that name it or one within it."""
    within = getattr(command, "commands", {}).items()
    return [(), *((name, *words) for name, one in within for words in below(one))]


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_help_on_80_columns_cuts_nothing_and_names_every_option(words: tuple[str, ...]) -> None:
    app = build_app(*words[:1])
    command: Any = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert shown.exit_code == 0
    assert "…" not in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    names = [name for one in command.params if one.param_type_name == "option" for name in one.opts]
    assert set(names) <= set(shown.stdout.split())


def test_groups_leave_values_and_flags_as_they_are() -> None:
    def command(
        k: Annotated[int, typer.Option(min=1, help="How many: a number.")] = 3,
        kind: Annotated[str | None, typer.Option(metavar="one|another|a-third", show_default="none")] = None,
        quiet: Annotated[bool, typer.Option("--quiet")] = False,
        other: str = "x",
    ) -> None:
        print(k, kind, quiet, other)

    parameters = list(inspect.signature(command, eval_str=True).parameters.values())
    made = grouped(parameters, {"First": "k kind", "Second": "quiet"}, {"kind": "a kind"})
    by_name: dict[str, Any] = {one.name: get_args(one.annotation)[1] for one in made if get_args(one.annotation)}
    assert [by_name[name].rich_help_panel for name in ("k", "kind", "quiet")] == ["First", "First", "Second"]
    assert [by_name[name].help for name in ("k", "kind")] == ["How many (3)", "a kind (none)"]
    assert [by_name[name].metavar for name in ("k", "kind", "quiet")] == ["N", "TEXT", ""]
    assert made[3] == parameters[3]
    assert get_args(parameters[0].annotation)[1].rich_help_panel is None
