"""Two models compared: success and difference by hand, the sign-flip test by brute force, prices, what is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from isobudget import api
from isobudget.analysis.compare_two import sign_flip_p_value
from isobudget.errors import InputError
from isobudget.report.tables.compared import difference_text
from support.synthetic_run import synthetic_run


def counts(path: Path, **models: list[tuple[int, int]]) -> Path:
    lines = [
        {"model": model.replace("_", "-"), "task_id": f"t{at}", "n": n, "c": c}
        for model, problems in models.items()
        for at, (n, c) in enumerate(problems)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_success_difference_and_prices(tmp_path: Path) -> None:
    path = counts(tmp_path / "c.jsonl", codellama_7b=[(4, 1), (4, 2), (4, 4)], codellama_34b=[(2, 0), (2, 2), (2, 2)])
    (one,) = api.compare([path, "7b@2", "34b@1"], costs="paper", replicates=500)
    assert one.one.success == pytest.approx((1 / 2 + 5 / 6 + 1) / 3)
    assert one.other.success == pytest.approx(2 / 3)
    assert one.difference == pytest.approx(one.one.success - one.other.success)
    assert one.low <= one.difference <= one.high
    assert (one.one.label, one.other.label, one.problems) == ("codellama-7b@2", "codellama-34b@1", 3)
    assert one.one.costs["seconds"] == pytest.approx(2 * 0.395)
    assert "usd" in one.one.costs


def test_no_difference_of_over_100_points_is_named(tmp_path: Path) -> None:
    path = counts(tmp_path / "c.jsonl", a=[(8, 1), (8, 7)], b=[(8, 8), (8, 2)])
    (one,) = api.compare([path, "a@1", "b@1"], replicates=500)
    assert one.power.detectable > 1
    assert "2 problems cannot tell any difference from chance" in difference_text(one)


@pytest.mark.parametrize("size", [1, 4, 9])
def test_the_exact_test_by_brute_force(size: int) -> None:
    values = np.random.default_rng(size).normal(0.2, 0.5, size)
    sums = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True))) for signs in itertools.product((1, -1), repeat=size)
    ]
    expected = sum(one >= abs(values.sum()) - 1e-12 for one in sums) / len(sums)
    assert sign_flip_p_value(np.append(values, [0.0, 0.0])) == pytest.approx(expected)


def test_the_random_test_has_its_level_and_sees_what_is_plain() -> None:
    rng = np.random.default_rng(0)
    found = [sign_flip_p_value(rng.choice([-0.5, 0.0, 0.5], 40), seed) for seed in range(60)]
    assert sum(one < 0.05 for one in found) <= 9  # binomial (60, 0.05): more in one of 3,000
    assert sign_flip_p_value(np.full(30, 0.5)) == pytest.approx(1 / 20_001)
    assert sign_flip_p_value(np.zeros(5)) == 1.0


def test_the_same_models_in_two_sources(tmp_path: Path) -> None:
    before = counts(tmp_path / "before.jsonl", a=[(4, 1), (4, 2)], b=[(4, 1), (4, 1)])
    after = counts(tmp_path / "after.jsonl", a=[(4, 4), (4, 2)], c=[(4, 1), (4, 1)])
    (one,) = api.compare([before, after], k=2)
    assert (one.one.label, one.other.label) == (f"a@2 ({before})", f"a@2 ({after})")
    assert one.difference == pytest.approx(((1 / 2 + 5 / 6) - (1 + 5 / 6)) / 2)
    for name, seed in (("x", 0), ("y", 1)):
        synthetic_run(tmp_path / name, benchmarks={"mine": 12}, seed=seed)
    compared = api.compare([tmp_path / "x", tmp_path / "y"])
    assert len(compared) == 2
    assert all({"flops", "seconds", "tokens"} <= set(one.one.costs) for one in compared)
    assert [row["sentence"] for row in compared.to_dict()] == repr(compared).split("\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{c}", "7b@1"], "name sources and two models"),
        (["7b@1", "34b@1"], "name sources and two models"),
        (["{c}", "7b@1", "8b@1"], "8b@1: no such model"),
        (["{c}", "codellama@1", "7b@1"], "several models have it as a part"),
        (["{c}", "7b@0", "34b@1"], "k must be at least 1"),
        (["{c}", "7b@5", "34b@1"], "7b@5"),
    ],
)
def test_what_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    path = counts(tmp_path / "c.jsonl", codellama_7b=[(4, 1), (4, 2)], codellama_34b=[(2, 0), (2, 2)])
    with pytest.raises(InputError) as error:
        api.compare([one.format(c=path) for one in arguments])
    assert said in str(error.value)
