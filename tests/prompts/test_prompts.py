"""Prompt formats, rendering, and the command that shows prompts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from isobudget.backends.base import Chat
from isobudget.cli import main
from isobudget.cli.declared import with_options
from isobudget.cli.prompt import prompt as prompt_command
from isobudget.errors import InputError
from isobudget.files.toml import parse_toml
from isobudget.problems import load_benchmark
from isobudget.problems.problem import AssertList, Form, Problem, ProgramTests
from isobudget.prompts import PromptKind, find_format, formats, render, show_prompt
from isobudget.prompts.formats import EXTRACTIONS, parse_formats
from isobudget.prompts.template import PLACES, parse_template

TESTS = AssertList(("assert f(1) == 1",))
SOURCE = Problem("own/s", "own", 'def f(x):\n    """{x}"""\n', "f", TESTS, "    return x\n")
TEXT = Problem(
    "own/t", "own", "Return x {as} is.\n", "f", TESTS, "def f(x):\r\n  return x\r\n", Form.TEXT, "", ("assert f(1)",)
)
OTHER = Problem("own/u", "own", "Another.", "f", TESTS, "def f(x):\n  return 2\n", Form.TEXT)
STDIN = Problem("own/v", "own", "Read.", "", ProgramTests(("1",), ("1",)), "print(input())", Form.TEXT)
EMPTY = dict.fromkeys(PLACES, "")


# --- templates ---


@pytest.mark.parametrize(
    ("template", "texts", "filled"),
    [
        ("a{prompt}b", {"prompt": "{tests}{{}}{#x}"}, "a{tests}{{}}{#x}b"),
        ("{{prompt}} {{{prompt}}}", {"prompt": "x"}, "{prompt} {x}"),
        ("{#starter}[{starter}]{/starter}{^starter}none{/starter}", {"starter": "s"}, "[s]"),
        ("{#starter}[{starter}]{/starter}{^starter}none{/starter}", {}, "none"),
        ("{#task}a{#tests}b{/tests}c{/task}", {"task": "t", "tests": "u"}, "abc"),
        ("{#task}a{^tests}b{/tests}c{/task}", {"task": "t", "tests": "u"}, "ac"),
        ("", {}, ""),
    ],
)
def test_templates(template: str, texts: dict[str, str], filled: str) -> None:
    assert parse_template(template).fill(EMPTY | texts) == filled


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\n{promt}", r"unknown placeholder \{promt\} in line 2.*prompt, source"),
        ("{ prompt }", r"a single '\{' in line 1"),
        ("a } b", r"a single '\}'"),
        ("{#task}x", r"section 'task' is not closed; write \{/task\}"),
        ("x{/task}", r"\{/task\} in line 1 .* closes no section"),
        ("{#task}{#tests}{/task}{/tests}", r"\{/task\} in line 1"),
        ("{prompt!r}", r"a single '\{'"),
        ("{0}", "unknown placeholder"),
    ],
)
def test_mistakes_in_templates_are_named(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_template(template)


@given(st.text(), st.text())
def test_what_fills_a_place_is_never_read(text: str, around: str) -> None:
    escaped = around.replace("{", "{{").replace("}", "}}")
    assert parse_template(escaped + "{prompt}" + escaped).fill(EMPTY | {"prompt": text}) == around + text + around


# --- formats ---


def test_shipped_formats() -> None:
    known = formats()
    assert {"completion", "mbpp-3-shot", "apps-2-shot", "chat", "livecodebench", "fill-in-qwen"} <= set(known)
    for name, one in known.items():
        assert find_format(name) == one
        assert one.name == name
        assert one.title
        assert one.extraction in EXTRACTIONS
        assert bool(one.needs_examples) == bool(one.instead)
        assert not one.instead or known[one.instead].needs_examples == 0
    assert known["completion"].stop is None
    assert known["mbpp-3-shot"].stop == ("[DONE]",)
    assert (known["mbpp-3-shot"].needs_examples, known["apps-2-shot"].needs_examples) == (3, 2)


def test_unknown_format_names_close_ones() -> None:
    with pytest.raises(InputError, match=r"unknown prompt format 'mbpp-3shot'. Did you mean 'mbpp-3-shot'\?.*PATH"):
        find_format("mbpp-3shot")


def test_formats_of_your_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[formats.short]\nkind = "text"\ntemplate = "{task}\\n"\nextraction = "program"\nstop = ["END"]\n')
    mine = find_format(f"{path}#short")
    assert (mine.name, mine.kind, mine.stop) == (f"{path}#short", PromptKind.TEXT, ("END",))
    assert render(mine, TEXT).prompt == "Return x {as} is.\n"
    with pytest.raises(InputError, match=r"no format 'shrt'. Did you mean 'short'\? It has short"):
        find_format(f"{path}#shrt")
    with pytest.raises(InputError, match=r"name one of its formats: .*mine.toml#short"):
        find_format(str(path))
    with pytest.raises(InputError, match=r"none.toml: cannot be read"):
        find_format(f"{tmp_path / 'none.toml'}#short")


def test_every_mistake_of_a_file_is_named() -> None:
    text = """
title = "no table"
[formats.a]
kind = "chatt"
tempalte = "x"
[formats.b]
kind = "text"
examples = 2
template = "{solution} {prompt"
[formats.c]
kind = "chat"
template = "{solution}"
newline = "keep"
[formats.d]
kind = "fill-in"
template = "{task}"
stop = ["x", ""]
extraction = "guess"
[formats.e]
template = "x"
[formats.f]
kind = "completion"
examples = true
newline = "trim"
"""
    with pytest.raises(InputError) as caught:
        parse_formats(parse_toml(text, "mine.toml"), "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: 13 mistakes")
    for part in (
        "unknown key 'title'",
        "formats.a.tempalte: unknown key",
        "formats.a.kind: must be one of completion, text, chat, fill-in, not 'chatt'",
        "formats.b.example: is missing",
        "formats.b.template: a single '{'",
        "formats.c.newline: is not a key of formats of kind chat",
        "formats.c.template: {solution} can be used for solved examples only",
        "formats.d.template: must hold {prompt}",
        "formats.d.stop: must be a list of strings",
        "formats.d.extraction: must be one of none, function, block, program, not 'guess'",
        "formats.e.kind: is missing",
        "formats.f.examples: must be a whole number from 0 to 100, not True",
        "formats.f.newline: must be 'keep' or 'strip', not 'trim'",
    ):
        assert part in message


@pytest.mark.parametrize("text", ["", "formats = 1", "[formats]", "x", "[formats]\na = 1", "[formats.a]\nkind = []"])
def test_files_that_hold_no_formats(text: str) -> None:
    with pytest.raises(InputError, match=r"mine\.toml"):
        parse_formats(parse_toml(text, "mine.toml"), "mine.toml")


# --- rendering ---


@pytest.mark.parametrize(
    ("name", "rule", "kept"),
    [
        ("completion", None, True),
        ("completion", "keep", True),
        ("completion", "strip", False),
        ("completion-stripped", None, False),
        ("completion-stripped", "keep", False),
        ("completion-body", "strip", False),
    ],
)
def test_newlines_at_the_end(name: str, rule: str | None, kept: bool) -> None:
    rendered = render(find_format(name), SOURCE, newline=rule)  # type: ignore[arg-type]
    assert rendered.prompt == (SOURCE.prompt if kept else SOURCE.prompt.rstrip("\n"))
    assert rendered.head == rendered.prompt


def test_the_models_rule_holds_where_it_goes_on() -> None:
    text = render(find_format("mbpp-0-shot"), TEXT, newline="strip").prompt
    assert isinstance(text, str)
    assert text.endswith("[BEGIN]")
    hole = render(find_format("fill-in-starcoder"), SOURCE, newline="strip")
    assert hole.prompt == f"<fim_prefix>{hole.head}<fim_suffix>\n<fim_middle>"
    assert hole.head == SOURCE.prompt.rstrip("\n")
    chat = find_format("chat")
    assert render(chat, SOURCE, newline="strip") == render(chat, SOURCE, newline="keep")


def test_heads() -> None:
    assert render(find_format("chat"), SOURCE).head == SOURCE.prompt
    for name in ("completion", "chat", "mbpp-0-shot"):
        assert render(find_format(name), TEXT).head == ""
    assert render(find_format("completion"), TEXT).prompt == TEXT.prompt


def test_examples_are_shown_as_turns_and_never_the_problem_itself() -> None:
    rendered = render(find_format("chat-few-shot"), TEXT, (TEXT, OTHER, STDIN)).prompt
    assert isinstance(rendered, Chat)
    assert [message.role for message in rendered.messages] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert rendered.messages[2].content == "```python\ndef f(x):\n  return 2\n```"
    assert "return x" not in rendered.messages[-1].content


def test_line_ends_of_shown_solutions() -> None:
    rendered = render(find_format("chat-few-shot"), STDIN, (TEXT, OTHER)).prompt
    assert isinstance(rendered, Chat)
    assert rendered.messages[2].content == "```python\ndef f(x):\n  return x\n```"


def test_too_few_examples() -> None:
    unsolved = Problem("own/w", "own", "Open.", "f", TESTS, None, Form.TEXT)
    with pytest.raises(
        InputError, match=r"own: format 'apps-2-shot' shows 2 solved problems, but there is 1. Load .*'apps-0-shot'"
    ):
        render(find_format("apps-2-shot"), STDIN, (OTHER, unsolved, STDIN))


def test_fill_in_needs_source() -> None:
    with pytest.raises(InputError, match="own/t: its prompt is text"):
        render(find_format("fill-in-qwen"), TEXT)


def test_references_pass_through_completion_and_extraction_unchanged() -> None:
    from isobudget.prompts import extract

    for problem in load_benchmark("quickstart").problems:
        head = render(find_format("completion-body"), problem).head
        assert problem.reference is not None
        assert extract("function", problem, head, problem.reference).program == problem.program(problem.reference)
        answer = f"Sure:\n```python\n{head}{problem.reference}```\nDone."
        assert extract("block", problem, head, answer).program.endswith(problem.reference)


# --- showing ---


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    lines = [
        {
            "task_id": f"set/{name}",
            "prompt": f"def {name}(x):\n",
            "entry_point": name,
            "test_list": [f"assert {name}(1)"],
        }
        for name in ("first", "second")
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_show_prompt_finds_problems(own: Path) -> None:
    for target in (f"{own}/set/first", f"{own}/first", f"{own}/SET/First"):
        shown = show_prompt(target)
        assert (shown.problem.task_id, shown.rendered.prompt) == ("set/first", "def first(x):\n")
    quickstart = load_benchmark("quickstart").problems[0]
    for target in (
        quickstart.task_id,
        quickstart.task_id.upper(),
        "quickstart/" + quickstart.task_id.rpartition("/")[2],
    ):
        assert show_prompt(target).problem == quickstart
    assert show_prompt(f"{own}/first", "completion-stripped").rendered.prompt == "def first(x):"
    assert show_prompt(f"{own}/first", "chat").stop == ()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "{own}/frist",
            r"mine has no problem 'frist'. Did you mean set/first\? It has 2, from set/first to set/second",
        ),
        ("first", "names no problem: write BENCHMARK/TASK"),
        ("", "names no problem"),
        ("humanevall/0", r"unknown benchmark 'humanevall'. Did you mean 'humaneval'"),
        ("/0", "names no problem"),
        ("mbpp=/nowhere/at/all/11", "nowhere"),
        ("a\0b/0", "."),
    ],
)
def test_unknown_targets(target: str, message: str, own: Path) -> None:
    with pytest.raises(InputError, match=message):
        show_prompt(target.replace("{own}", str(own)))


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command("prompt")(with_options(prompt_command))
    answer = CliRunner().invoke(app, list(arguments))
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_the_command_prints_exactly_what_the_model_gets(own: Path) -> None:
    assert run(f"{own}/first") == "def first(x):\n"
    assert run(f"{own}/first", "--newline", "strip") == "def first(x):"
    chat = run(f"{own}/first", "--format", "chat")
    assert chat.startswith("[system]\nYou are an expert Python programmer.\n\n[user]\nComplete")


def test_the_command_as_json(own: Path) -> None:
    told = json.loads(run(f"{own}/first", "--json"))
    assert told["prompt"] == told["head"] == "def first(x):\n"
    assert (told["benchmark"], told["task_id"], told["format"]) == ("mine", "set/first", "completion")
    assert told["extraction"] == "none"
    chat = json.loads(run(f"{own}/first", "--json", "--format", "chat"))
    assert [message["role"] for message in chat["messages"]] == ["system", "user"]
    listed = json.loads(run("--list", "--json"))
    assert [one["name"] for one in listed] == list(formats())
    assert "mbpp-3-shot" in run("--list")


@pytest.mark.parametrize("arguments", [[], ["quickstart/1", "--newline", "cut"]])
def test_the_command_refuses(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["isobudget", "prompt", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
