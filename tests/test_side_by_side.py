"""How a parallel run of the tests is divided."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.side_by_side import LONGEST, SHARED_START, piece_of_work

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("test", "piece"),
    [
        ("tests/test_lazy.py::test_a[x-y]", "tests/test_lazy.py::test_a[x-y]"),
        ("tests/judge/test_judge_tasks.py::test_a[sums]", "tests/judge/test_judge_tasks.py"),
        ("tests/report/test_page_browser.py::test_a", "tests/report/test_page_"),
        ("tests/report/test_page_access.py::test_a[light-390]", "tests/report/test_page_"),
        ("tests/judge/test_judge_hostile.py::test_a[as this user]", "tests/judge/test_judge_hostile.py[as this user]"),
        ("tests/backends/test_llama_slots.py::test_a[q4_0]", "tests/backends/test_llama_slots.py[q4_0]"),
        ("tests/backends/test_llama_slots.py::test_a[q4_0-1-12]", "tests/backends/test_llama_slots.py[q4_0]"),
    ],
)
def test_what_shares_its_start_is_one_piece_of_work(test: str, piece: str) -> None:
    assert piece_of_work(test) == piece


def test_every_place_that_is_named_is_there() -> None:
    starts = [start.partition("::")[0] for start in (*SHARED_START, *LONGEST)]
    assert [start for start in starts if not list(ROOT.glob(f"{start}*"))] == []
