"""Generating tells what it spends: tokens of every model, usd of those with a stated price."""

from __future__ import annotations

from pathlib import Path

import pytest

from isobudget.cli.progress import TerminalProgress
from isobudget.costs.prices import TokenPrice
from isobudget.grid import short
from isobudget.pipeline.generate import generate
from isobudget.study.read import parse_study
from support.stage_study import Backends, write_study
from support.steps import Steps


def test_tokens_of_every_sample_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    steps = Steps()
    run, _ = generate(parse_study(write_study(tmp_path), "mine"), tmp_path / "run", steps, Backends())
    rows = list(run.samples())
    assert rows
    assert {unit for _, unit in steps.spent} == {"tokens"}
    assert sum(steps.spent.values()) == sum(row.completion_tokens for row in rows) > 0


def test_the_last_line_counts_the_last_samples_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    study = parse_study(write_study(tmp_path), "mine")
    with TerminalProgress() as progress:
        run, _ = generate(study, tmp_path / "run", progress, Backends())
    tokens: dict[str, int] = {}
    for row in run.samples():
        tokens[row.model] = tokens.get(row.model, 0) + row.completion_tokens
    last = [line for line in capsys.readouterr().err.splitlines() if "done in" in line]
    assert len(last) == len(tokens) > 0
    for line, spent in zip(last, tokens.values(), strict=True):
        assert line.endswith(f"spent {short(spent)} tokens")


def test_what_a_request_costs() -> None:
    price = TokenPrice("m", usd_per_million_input=2.0, usd_per_million_output=8.0)
    assert price.usd_of(1_000_000, 500_000) == 6.0
    assert price.usd_of(0, 0) == 0.0
