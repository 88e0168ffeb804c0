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
from isobudget.grid import json_value, listed, times_as_much
from isobudget.report.tables.compared import compared_grid, difference_text, verdict
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


def test_a_row_of_csv_has_what_json_has(tmp_path: Path) -> None:
    lines = [
        {"model": name, "task_id": f"t{at}", "n": 4, "c": (at * step) % 5}
        for name, step in (("a", 1), ("b", 2))
        for at in range(9)
    ]
    source = tmp_path / "counts.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    results = api.compare([source, "a@2", "b@1"], replicates=200)
    (plain,), (row,) = results.to_dict(), json_value(results.to_records())
    for side in ("one", "other"):
        assert [row[f"{side}_{key}"] for key in ("k", "success", "low", "high")] == [
            plain[side][key] for key in ("k", "success", "low", "high")
        ]
    assert {key: row[f"power_{key}"] for key in plain["power"]} == plain["power"]
    assert row["clear"] is plain["clear"]


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
        (["{c}", "codellama@1", "7b@1"], "the names of several models contain it"),
        (["{c}", "7b@0", "34b@1"], "k must be at least 1"),
        (["{c}", "7b@5", "34b@1"], "7b@5"),
    ],
)
def test_what_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    path = counts(tmp_path / "c.jsonl", codellama_7b=[(4, 1), (4, 2)], codellama_34b=[(2, 0), (2, 2)])
    with pytest.raises(InputError) as error:
        api.compare([one.format(c=path) for one in arguments])
    assert said in str(error.value)


def test_the_source_of_every_price_is_shown(tmp_path: Path) -> None:
    path = counts(tmp_path / "c.jsonl", a_7b=[(4, 1), (4, 2)], a_34b=[(2, 0), (2, 2)])
    (tmp_path / "c.toml").write_text('[defaults]\nseconds = 2\nsource = "our server"\n')
    found = api.compare(
        [path, "7b@2", "34b@1"],
        costs=tmp_path / "c.toml",
        tokens_per_second="34b=50",
        completion_tokens=100,
        replicates=50,
    )
    (one,) = found
    rate = "100 completion tokens (command line) at 50 tokens/s (command line)"
    prompts = "not charged separately; included only if the stated tokens per second include their time"
    note = next(note for note in compared_grid(one).notes if "in seconds" in note)
    assert note == (
        f"Cost of a sample in seconds. a-7b@2: our server. a-34b@1: {rate}. "
        f"Prompts: as in the stated price (a-7b@2); {prompts} (a-34b@1)."
    )
    (plain,) = found.to_dict()
    assert plain["one"]["sources"]["seconds"] == "our server"
    assert plain["other"]["sources"]["seconds"] == rate
    assert plain["other"]["prompts"]["seconds"] == prompts
    assert plain["one"]["sources"].keys() == plain["one"]["costs"].keys()
    (row,) = found.to_records()
    assert (row["one_seconds_source"], row["other_seconds_source"]) == ("our server", rate)
    said = "compared with a-34b@1, a-7b@2 costs 2 times as much in seconds, device_seconds and tokens."
    assert verdict(one).endswith(said)


def test_a_stated_unit_that_one_side_lacks_is_named(tmp_path: Path) -> None:
    path = counts(tmp_path / "c.jsonl", codellama_7b=[(4, 1), (4, 2)], codellama_34b=[(2, 0), (2, 2)])
    (one,) = api.compare([path, "7b@1", "34b@1"], tokens_per_second="7b=5", completion_tokens="7b=9", replicates=50)
    assert "no prices in seconds: the command line gives no price for codellama-34b" in one.notes[-1]


def test_few_problems_claim_no_power_that_their_interval_denies(tmp_path: Path) -> None:
    alike = counts(tmp_path / "alike.jsonl", a=[(4, 1)] * 6, b=[(4, 1)] * 6)
    (one,) = api.compare([alike, "a@2", "b@2"], replicates=500)
    assert difference_text(one).endswith(
        "too few of the 6 problems tell the two apart to say which difference would be detected."
    )
    near = counts(tmp_path / "near.jsonl", a=[(4, 2)] * 5 + [(4, 1)], b=[(4, 1)] * 6)
    (one,) = api.compare([near, "a@1", "b@1"], replicates=500)
    assert one.clear or "too few of the 6 problems" in difference_text(one)
    level = counts(tmp_path / "level.jsonl", a=[(40, 20)] * 13 + [(40, 21)], b=[(40, 21)] + [(40, 20)] * 13)
    (one,) = api.compare([level, "a@1", "b@1"], replicates=500)
    assert one.high - one.low > 2 * one.power.detectable > 0  # 14 problems say less than their spread alone
    assert "too few of the 14 problems" in difference_text(one)


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (1, "the same"),
        (1.004, "about the same"),
        (0.996, "about the same"),
        (1.12, "12% more"),
        (1.994, "99% more"),
        (2, "2 times as much"),
        (26.84, "26.8 times as much"),
        (0.96, "4% less"),
        (0.5, "50% less"),
        (0.0102, "99% less"),
        (0.0037, "0.37% as much"),
    ],
)
def test_a_ratio_in_words(ratio: float, said: str) -> None:
    assert times_as_much(ratio) == said


def test_no_ratio_is_said_to_be_none() -> None:
    for ratio in np.geomspace(1e-6, 1e6, 5001):
        words = times_as_much(float(ratio))
        assert not words.startswith(("0%", "1 times", "100%", "0 "))
        assert ("less" in words) <= (ratio < 1)
        assert ("more" in words) <= (ratio > 1)
    assert [listed(["a", "b", "c"][:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


def test_a_source_that_names_no_benchmark_is_compared_with_one_that_does(tmp_path: Path) -> None:
    plain = counts(tmp_path / "plain.jsonl", a=[(4, 1)] * 6, b=[(4, 3)] * 6)
    named = tmp_path / "named.jsonl"
    lines = [json.loads(line) for line in plain.read_text().splitlines()]
    named.write_text("".join(json.dumps(line | {"benchmark": "mine"}) + "\n" for line in lines))
    assert [one.difference for one in api.compare([plain, named])] == [0, 0]
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(line | {"benchmark": "else"}) + "\n" for line in lines))
    with pytest.raises(InputError, match=r"named.jsonl has a and b \(mine\); .*other.jsonl has a and b \(else\)"):
        api.compare([named, other])
