"""Facts of wrong types in run.toml: one message from every reader, and never another error."""

from __future__ import annotations

import contextlib
import copy
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from isobudget.analysis.run_costs import devices_of, processor_of, recorded_architecture
from isobudget.backends.registry import recorded_fields
from isobudget.errors import InputError, RunError
from isobudget.judge.verdict import Limits
from isobudget.records.check import check_run
from isobudget.records.example import copy_example
from isobudget.records.facts import read_facts
from isobudget.records.run import Run
from isobudget.report import build_report
from isobudget.report.page.provenance import machine_facts, model_facts

STRANGE: tuple[Any, ...] = (
    ["server"],
    {"a": 1},
    [{}],
    float("nan"),
    float("inf"),
    -1,
    2**70,
    True,
    "x",
    date(2025, 1, 1),
)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The run that ships, copied."""
    return copy_example(tmp_path / "example")


def edit(run: Path, place: tuple[str, ...], value: Any) -> None:
    """Put another value in a fact's place."""
    path = run / "run.toml"
    facts = tomllib.loads(path.read_text())
    table = facts
    for name in place[:-1]:
        table = table.setdefault(name, {})
    table[place[-1]] = value
    path.write_text(tomli_w.dumps(facts))


def places(facts: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The place of every fact and table."""
    for name, value in facts.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from places(value, (*above, name))


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("models", "smollm2-135m", "backend"), ["server"], r"135m\.backend: must be a string, not \['server'\]"),
        (("benchmarks", "demo", "temperature"), float("nan"), r"demo\.temperature: must be a number .*, not nan"),
        (("models", "smollm2-135m", "prompts", "demo", "format"), 3, r"prompts\.demo\.format: must be a string, not 3"),
        (("models", "smollm2-135m", "architecture", "layers"), "a", r"architecture\.layers: must be a whole number"),
        (("models", "smollm2-135m", "architecture", "kv_heads"), 4, "9 query heads cannot share 4"),
        (("models", "smollm2-135m", "architecture", "wings"), 2, r"architecture\.wings: unknown key"),
        (("models", "smollm2-135m", "notes"), "none", r"smollm2-135m\.notes: must be a list of strings"),
        (("machine", "processor"), [1], r"machine\.processor: must be a string"),
        (("judge", "memory_mb"), "much", r"judge\.memory_mb: must be a whole number"),
        (("judge_layers",), {"landlock": 1}, r"judge_layers\.landlock: must be true or false"),
    ],
)
def test_every_reader_says_which_fact_is_wrong(example: Path, place: tuple[str, ...], value: Any, said: str) -> None:
    edit(example, place, value)
    for read in (read_facts, Run.open, check_run, build_report):
        with pytest.raises(RunError, match=rf"run\.toml: .*{said}.*; was the file edited\?"):
            read(example)


def test_whatever_stands_in_a_fact_there_is_no_other_error(example: Path) -> None:
    text = (example / "run.toml").read_text()
    refused = 0
    for place in [*places(tomllib.loads(text)), ("models", "smollm2-135m", "notes"), ("imported",), ("judge_layers",)]:
        for value in STRANGE:
            (example / "run.toml").write_text(text)
            edit(example, place, copy.deepcopy(value))
            try:
                run = Run.open(example)
            except RunError:
                refused += 1
                continue
            assert dict(machine_facts(run.facts))
            assert processor_of(run)
            Limits(**run.facts["judge"])
            for name, stated in run.facts["models"].items():
                assert dict(model_facts(stated))
                recorded_fields(stated)
                devices_of(run, name)
                with contextlib.suppress(InputError):  # it states none any more
                    recorded_architecture(run, name)
    assert refused > 100
