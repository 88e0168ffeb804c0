"""Run every command line that the docs and the help texts show, on small files made here; part of `make check`.

A command line that needs weights, a server or fetched data is only parsed, which checks its options. The reason is in
`docs_commands.toml`, by a part of the command line.

    python tools/docs_commands.py [WORD]     only command lines with WORD
"""

from __future__ import annotations

import ast
import contextlib
import gzip
import io
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIXTURES, GOLDEN = ROOT / "tests" / "importers" / "fixtures", ROOT / "tests" / "golden" / "run"
NOT_RUN: dict[str, str] = tomllib.loads((ROOT / "tools" / "docs_commands.toml").read_text("utf-8"))["not_run"]
#: pages that are generated from the help texts and docstrings, or log what was run
_NOT_READ = ("cli.md", "api.md", "experiments.md")
_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SHELLS = ("", "sh", "console", "bash")
_INDENTED = re.compile(r"^ {4}(isobudget .*)$", re.MULTILINE)
_BEGINNINGS = ("isobudget ", "$ isobudget ")
_IN_HELP = re.compile(r"`(isobudget [a-z][^`]*)`|^    (isobudget .*)$", re.MULTILINE)


def command_lines() -> dict[str, str]:
    """Every command line, without its comment, and the first file that has it."""
    found: dict[str, str] = {}
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if path.name in _NOT_READ:
            continue
        for line in _lines_of(path.read_text("utf-8")):
            found.setdefault(shlex.join(shlex.split(line, comments=True)), path.name)
    for path in sorted((ROOT / "src" / "isobudget" / "cli").glob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            text = (ast.get_docstring(node) or "") if isinstance(node, ast.FunctionDef) else ""
            examples = re.sub(r"\n(?=\S)", " ", "".join(text.partition("Example")[1:]))
            for one, other in _IN_HELP.findall(examples):
                found.setdefault(shlex.join(shlex.split(one or other, comments=True)), path.name)
    return found


def _lines_of(page: str) -> Iterator[str]:
    """The command lines of a page: in blocks of a shell or without a language, and indented ones."""
    blocks = [block for language, block in _BLOCK.findall(page) if language in _SHELLS]
    for block in blocks:
        yield from (line.removeprefix("$ ") for line in block.splitlines() if line.startswith(_BEGINNINGS))
    yield from _INDENTED.findall(_BLOCK.sub("", page))


def lay_out(command: str) -> None:
    """Write the files that the docs name into the working folder, except for the output of the command itself."""
    for name in ("quickstart", "mine", "before", "after", "he", "monday", "tuesday"):
        shutil.copytree(GOLDEN, Path("runs") / name)
    models = ("codellama-7b", "codellama-34b")
    passed = {
        (model, at): [int((at + 3 * k + len(model)) % 5 < 1 + at % 3) for k in range(100)]
        for model in models
        for at in range(12)
    }
    counts = [{"model": model, "task_id": f"t/{at}", "passed": own} for (model, at), own in passed.items()]
    for name in ("counts.jsonl", "visible.jsonl", "hidden.jsonl", "file.jsonl"):
        _lines(name, counts)
    sample = {"completion": "    return 1\n", "completion_tokens": 9}
    samples = [
        {"model": model, "task_id": f"t/{at}", "passed": bool(one), **sample}
        for (model, at), own in passed.items()
        for one in own[:10]
    ]
    _lines("results.jsonl", samples)
    bodies = [(at, value) for at in (0, 1) for value in (0, 1)]
    programs = [{"task_id": f"HumanEval/{at}", "completion": f"    return {value}\n"} for at, value in bodies]
    _lines("samples.jsonl", programs)
    _lines("verdicts.jsonl", [one | {"passed": value == 0} for one, (_, value) in zip(programs, bodies, strict=True)])
    rows = [f"{model},t/{at},{len(own)},{sum(own)}" for (model, at), own in passed.items()]
    Path("counts.csv").write_text("\n".join(["model,task_id,n,c", *rows]) + "\n")
    for name in ("costs.toml", "my_costs.toml"):
        Path(name).write_text("[defaults]\nseconds = 1.5\n")
    Path("study.toml").write_text(
        'name = "mine"\nbenchmarks = ["quickstart"]\n[[models]]\nname = "smollm2-135m"\nn = 2\n'
    )
    Path("logs").mkdir()
    # The toy's problems by HumanEval's ids; logs are known by what they hold, not by their ending.
    log = gzip.decompress((FIXTURES / "inspect_toy.json.gz").read_bytes()).replace(b"toy/", b"HumanEval/")
    Path("logs/humaneval.eval").write_bytes(log)
    for model in ("7b", "34b", "qwen-7b"):
        shutil.copy(FIXTURES / "evalplus_model-7b_eval_results.json", f"{model}_eval_results.json")
        judged = {"code_list": ["x"] * 4, "graded_list": [True, False] * 2}
        Path(f"{model}_eval_all.json").write_text(json.dumps([{"question_id": f"q{at}", **judged} for at in range(6)]))
        folder = Path(model) / "eval-results" / "human-eval"
        folder.mkdir(parents=True)
        for seed in range(4):
            lines = [
                {
                    "task_id": f"HumanEval/{at}",
                    "generation": "x",
                    "num_generated_tokens": 9,
                    "is_correct": at % 3 == seed % 2,
                    "is_correct-plus": False,
                }
                for at in range(6)
            ]
            _lines(str(folder / f"output-rs{seed}.jsonl"), lines)
    shutil.copy("7b_eval_results.json", "eval_results.json")
    made = re.search(r" (?:-o|--out) (\S+)", command)
    if made and Path(made[1]).is_dir():
        shutil.rmtree(made[1])
    elif made:
        Path(made[1]).unlink(missing_ok=True)


def _lines(name: str, records: Sequence[Mapping[str, object]]) -> None:
    Path(name).write_text("".join(json.dumps(one) + "\n" for one in records))


def run(command: str, *, parse_only: bool) -> str:
    """What went wrong with a command line; empty if nothing did."""
    from isobudget import cli
    from isobudget.errors import IsobudgetError

    words = shlex.split(command)[1:]
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            if parse_only:
                _parse(words)
            else:
                sys.argv = ["isobudget", *words]
                cli.build_app(words[0])(words)
        except SystemExit as end:
            return output.getvalue() if end.code else ""
        except IsobudgetError as error:
            return str(error)
    return ""


def _parse(words: list[str]) -> None:
    """Read a command's options as the command line does, and go no further."""
    import typer

    from isobudget import cli

    group = typer.main.get_command(cli.build_app(words[0]))
    context = group.make_context("isobudget", list(words), resilient_parsing=False)
    name, command, rest = group.resolve_command(context, words)  # type: ignore[attr-defined]
    command.make_context(name, rest, parent=context)


@contextlib.contextmanager
def _fresh_folder() -> Iterator[None]:
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


def main() -> int:
    """Run all command lines; exit code 1 if one fails, or if a reason in the file fits no command line."""
    os.environ |= {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    commands = {command: where for command, where in command_lines().items() if word in command}
    used, wrong = set(), 0
    for command, where in commands.items():
        reason = next((part for part in NOT_RUN if part in command), None)
        used.add(reason)
        begin = time.monotonic()
        with _fresh_folder():
            here = str(Path.cwd())
            os.environ |= {"HOME": here, "XDG_STATE_HOME": here, "XDG_CONFIG_HOME": here}
            if reason is None:
                lay_out(command)
            mistake = run(command, parse_only=reason is not None)
        if mistake:
            wrong += 1
            print(f"{where}: {command}\n{mistake.strip()}\n")
        elif word:
            print(f"{where}: {command}: {'parsed' if reason else 'runs'} in {time.monotonic() - begin:.1f} s")
    for start in NOT_RUN if not word else ():
        if start not in used:
            wrong += 1
            print(f"tools/docs_commands.toml: no command line has {start!r}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
