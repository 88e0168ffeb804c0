"""Ctrl-C at every line of a writer's flush: whatever came before and comes after it is there, once."""

from __future__ import annotations

import linecache
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from isobudget.records.manifest import Manifest, write_manifest
from isobudget.records.part_writer import PartWriter
from isobudget.records.parts import read_rows

FILES = ("part_writer.py", "manifest.py")


@dataclass(frozen=True, slots=True)
class Row:
    name: str


class CtrlC:
    """Raises KeyboardInterrupt at the line that is the `at`-th one that runs in the writer's files.

    Not at a ``with``, whose line runs once more before its lock is released: no signal is handled there.
    """

    def __init__(self, at: int) -> None:
        self.left = at

    def __enter__(self) -> None:
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith(FILES):
            return None
        source = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        if event == "line" and not source.lstrip().startswith("with "):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self._trace


def interrupted(folder: Path, at: int) -> bool:
    """Whether a flush was interrupted at that line; rows are added before and after it."""
    with PartWriter(folder, Row) as writer:
        writer.add([Row("a"), Row("b")])
        try:
            with CtrlC(at):
                writer.flush()
        except KeyboardInterrupt:
            came = True
        else:
            came = False
        writer.add([Row("c")])
    return came


@pytest.mark.parametrize("listed", [True, False], ids=["a run", "parts alone"])
def test_every_row_is_written_once(tmp_path: Path, *, listed: bool) -> None:
    at, came = 0, True
    while came:
        at += 1
        assert at < 500
        run = tmp_path / str(at)
        run.mkdir()
        if listed:
            write_manifest(run, Manifest())
        # in a thread of its own: what a trace raises while an error is handled stays behind as the thread's context
        with ThreadPoolExecutor(1) as thread:
            came = thread.submit(interrupted, run / "rows", at).result()
        assert sorted(row.name for row in read_rows(run / "rows", Row)) == ["a", "b", "c"], at
    assert at > (30 if listed else 20)  # so many lines were tried


def test_a_part_that_nobody_is_told_of_counts_once(tmp_path: Path) -> None:
    """A fault of what is told of parts comes when the part counts already."""

    def fault(_: Path) -> None:
        raise OSError("told in vain")

    write_manifest(tmp_path, Manifest())
    writer = PartWriter(tmp_path / "rows", Row, on_part=fault)
    writer.add([Row("a")])
    for _ in range(2):
        with pytest.raises(OSError, match="told in vain"):
            writer.flush()
        writer.add([Row("b")])
    assert sorted(row.name for row in read_rows(tmp_path / "rows", Row)) == ["a", "b"]
