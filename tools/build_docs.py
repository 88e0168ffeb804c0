"""Generate docs/api.md and docs/cli.md from docstrings and help texts; `--check` only says whether they are current."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: most characters of a line of code in the reference
LINE = 110
#: commands within `serve`
SERVE = (["serve", "ledger"], *(["serve", "key", name] for name in ("new", "list", "change")))
API, CLI = ROOT / "docs" / "api.md", ROOT / "docs" / "cli.md"


def api_reference() -> str:
    """The API reference: a section for each public name of the package, then for each command as a function."""
    import isobudget
    from isobudget import api

    lines = ["# API reference", "", "Made from the docstrings by `make docs`.", ""]
    for module in (isobudget, api):
        lines += [f"# {module.__name__}", ""]
        if module is api:
            lines += [inspect.cleandoc(api.__doc__ or ""), ""]
        for name in module.__all__:
            lines += section(name, getattr(module, name))
    return "\n".join(lines).rstrip() + "\n"


def section(name: str, thing: object) -> list[str]:
    lines = [f"## {name}", ""]
    if callable(thing):
        lines += ["```python", signature(name, thing), "```", ""]
    lines += [inspect.cleandoc(thing.__doc__ or ""), ""]
    return lines + members(thing) if inspect.isclass(thing) else lines


class Plain(str):
    """An annotation shown without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def signature(name: str, thing: Callable[..., object]) -> str:
    """The signature as in the source, with a line for each parameter if it does not fit on one line."""
    kind = "class " if inspect.isclass(thing) else ""
    try:
        known = inspect.signature(thing)
    except (TypeError, ValueError):
        return f"{kind}{name}"
    parameters = [
        one.replace(annotation=Plain(one.annotation)) if isinstance(one.annotation, str) else one
        for one in known.parameters.values()
    ]
    returns = known.empty if inspect.isclass(thing) else known.return_annotation
    returns = Plain(returns) if isinstance(returns, str) else returns
    known = known.replace(parameters=parameters, return_annotation=returns)
    whole = f"{kind}{name}{known}"
    if len(whole) <= LINE:
        return whole
    end = whole[whole.rindex(")") + 1 :]
    each, starred = [], False
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not starred:
            each.append("*")
            starred = True
        each.append(str(one))
    return f"{kind}{name}(\n" + "".join(f"    {one},\n" for one in each) + f"){end}"


def members(cls: type) -> list[str]:
    """Public methods and properties that the class itself defines, with their docstrings."""
    lines = []
    for name, member in vars(cls).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property | classmethod)):
            continue
        shown = name if isinstance(member, property) else signature(name, getattr(cls, name))
        lines += [
            f"- **`{shown}`**",
            "",
            *("  " + line for line in inspect.cleandoc(member.__doc__ or "").splitlines()),
            "",
        ]
    return lines


def run_help(arguments: list[str]) -> str:
    """What a command prints, at a fixed width and without colour."""
    environment = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "_TYPER_FORCE_DISABLE_TERMINAL": "1"}
    command = [sys.executable, "-m", "isobudget", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def cli_reference() -> str:
    """The help text of every command."""
    from isobudget.cli import COMMANDS

    lines = ["# Command reference", "", "Made from the help texts by `make docs`.", ""]
    for arguments in ([], *([name.rstrip("_")] for name in COMMANDS), ["models", "fetch"], *SERVE):
        title = " ".join(["isobudget", *arguments])
        lines += [f"## {title}", "", "```text", run_help([*arguments, "--help"]), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if project["version"] != version("isobudget"):
        print("the installed isobudget is another version than pyproject.toml states; run make install")
        return 1
    check = "--check" in sys.argv
    wrong = False
    for path, text in ((API, api_reference()), (CLI, cli_reference())):
        if check and (not path.is_file() or path.read_text(encoding="utf-8") != text):
            print(f"{path.relative_to(ROOT)} is not current; update it with: make docs")
            wrong = True
        elif not check:
            path.write_text(text, encoding="utf-8")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
