"""Different numbers of samples: every command that takes files names the file, the line and the problem."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.importers.ragged import Counted, ragged_notes
from isobudget.importers.source import Source
from isobudget.progress import Silent

NOTE = "codellama-7b.jsonl, line 3: b has 1 sample, others up to 2"


class Said(Silent):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def rank_notes(path: Path) -> list[str]:
    said = Said()
    api.rank(path, "order", progress=said)
    return said.notes


@pytest.fixture
def ragged(tmp_path: Path) -> Path:
    path = tmp_path / "codellama-7b.jsonl"
    rows = [{"task_id": task, "completion": "x", "passed": True} for task in "aab"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    "notes_of",
    [
        lambda path: api.passk(path, 1).notes,
        lambda path: [json.dumps(api.curves(path).to_dict())],
        lambda path: [json.dumps(api.plan(path).to_dict())],
        lambda path: api.import_results(path, path.parent / "run").notes,
        rank_notes,
    ],
    ids=["passk", "curves", "plan", "import", "rank"],
)
def test_every_command_names_file_and_line(ragged: Path, notes_of: Callable[[Path], Any]) -> None:
    assert NOTE in "\n".join(notes_of(ragged))


def test_nothing_is_said_of_equal_numbers(ragged: Path) -> None:
    ragged.write_text("".join(ragged.read_text().splitlines(keepends=True)[1:]))
    assert not api.passk(ragged, 1).notes
    assert not rank_notes(ragged)


def test_models_are_told_apart_and_counted(tmp_path: Path) -> None:
    rows = [Counted("", f"m{at}", "", task, n, 2 * at) for at in range(5) for task, n in (("a", 4), ("b", 2), ("c", 1))]
    path = tmp_path / "x.csv"
    path.write_text("model,task_id,n,c\n")
    notes = ragged_notes(Source(path), rows)
    assert "x.csv: c has 1 sample of m0, others up to 4 (2 of 3 problems have fewer)" in notes[0]
    assert len(notes) == 4
    assert notes[-1].endswith("numbers of samples differ in 2 more models")
