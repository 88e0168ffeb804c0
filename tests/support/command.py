"""The command line in this process: for tests of what a command says, not of the process that it is."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

from isobudget import cli


def isobudget(*words: str | Path, cwd: Path | None = None) -> CompletedProcess[str]:
    """Run a command and give what `subprocess.run` gives; an error that is none of ours is raised."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    arguments = ["isobudget", *map(str, words)]
    with _arguments(arguments), contextlib.chdir(cwd or Path.cwd()):
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _arguments(arguments: list[str]) -> Iterator[None]:
    before, columns = sys.argv, os.environ.get("COLUMNS")
    sys.argv = arguments
    os.environ.setdefault("COLUMNS", "80")
    try:
        yield
    finally:
        sys.argv = before
        if columns is None:
            del os.environ["COLUMNS"]
