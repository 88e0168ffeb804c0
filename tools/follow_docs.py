"""Follow pages of the documents as a reader does, in an empty folder, and compare what is printed with what they show.

    python tools/follow_docs.py docs/tutorials/results.md ...           # say what differs; exit code 1 if anything does
    python tools/follow_docs.py --write docs/tutorials/results.md ...   # put what was printed into the pages

A fenced block with a title is a file to write (```` ```toml title="costs.toml" ````). A block of `sh` or `python`
without a title is run. A block of `text` right below such a block is what it prints. A line in front changes that:

    <!-- not run: it needs a GPU -->      the block is only shown, for this reason
    <!-- with models: 98 MB -->           the block is run only with --models
    <!-- varies: seconds are measured --> the block below is what was printed once; only the exit code is compared

Output that a page does not show is not compared. Commands run with `set -e`; `isobudget` is the one of this
environment.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>not run|with models|varies): [^\n]+ -->\n+)?"
    r'^(?P<fence>`{3,})(?P<language>\w+)(?: title="(?P<file>[^"]+)")?\n(?P<body>.*?)^(?P=fence)$',
    re.MULTILINE | re.DOTALL,
)
_RUN = {"sh": ["bash", "-e"], "python": [sys.executable]}
_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the file to which it is written, its mark, and its text with its place."""

    language: str
    file: str | None
    mark: str | None
    body: str
    start: int
    end: int


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(one["language"], one["file"], one["mark"], one["body"], one.start("body"), one.end("body"))
        for one in _BLOCK.finditer(page)
    ]


def follow(page: str, folder: Path, models: bool = False) -> Iterator[tuple[Block, str]]:
    """Do what the page says in `folder`; yield each block that shows an output, with what was printed.

    Args:
        page: text of the page.
        folder: an empty folder.
        models: whether blocks that need models are run as well.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """
    left_out = {"not run"} if models else {"not run", "with models"}
    before: Block | None = None
    printed = ""
    for block in blocks(page):
        if block.file is not None:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body, encoding="utf-8")
        elif block.language == "text" and before is not None and _is_below(page[before.end : block.start]):
            yield block, printed
        before = None
        if block.file is None and block.language in _RUN and block.mark not in left_out:
            printed, before = _run(block, folder), block


def _is_below(between: str) -> bool:
    """Whether nothing but fences, a mark and blank lines stands between two blocks."""
    return all(not line or line.startswith(("`", "<!-- ")) for line in between.splitlines())


def _run(block: Block, folder: Path) -> str:
    room = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1", "_TYPER_FORCE_DISABLE_TERMINAL": "1"}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    done = subprocess.run(
        _RUN[block.language],
        input=block.body,
        cwd=folder,
        env=os.environ | room | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, block.body, done.stdout, done.stderr)
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())


def differences(path: Path, models: bool = False) -> str:
    """What a page shows that is not what its commands print, as a unified diff; empty if all is as shown."""
    page = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        found = list(follow(page, Path(folder), models))
    return "".join(
        line
        for block, printed in found
        if block.mark != "varies"
        for line in difflib.unified_diff(
            block.body.splitlines(True), printed.splitlines(True), str(path), "printed now"
        )
    )


def rewritten(path: Path, models: bool = False) -> str:
    """The page with what its commands print now."""
    page = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for block, printed in reversed(list(follow(page, Path(folder), models))):
            page = page[: block.start] + printed + page[block.end :]
    return page


def main() -> int:
    wrong = False
    models = "--models" in sys.argv
    for path in (Path(word) for word in sys.argv[1:] if not word.startswith("--")):
        try:
            if "--write" in sys.argv:
                path.write_text(rewritten(path, models), encoding="utf-8")
            elif found := differences(path, models):
                print(found)
                wrong = True
        except subprocess.CalledProcessError as error:
            print(f"{path}: exit code {error.returncode}\n{error.cmd}{error.stdout}{error.stderr}")
            wrong = True
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
