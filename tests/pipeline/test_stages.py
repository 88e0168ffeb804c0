"""The stages on a small benchmark of one's own: resumption, larger n, refusals, evaluation.

The model is a fake at the backend's protocol; records, judge, estimators and curves are the real ones.
"""

from __future__ import annotations

import math
import threading
from itertools import groupby
from pathlib import Path

import pytest

from isobudget import api
from isobudget.analysis.compare_run import run_comparison
from isobudget.analysis.load_samples import load_samples
from isobudget.backends.base import Sampling
from isobudget.costs.cost import Unit
from isobudget.curves import LIKELIHOOD
from isobudget.errors import InputError, RunError
from isobudget.pipeline.generate import generate
from isobudget.pipeline.judging import judge_run_samples
from isobudget.pipeline.work import base_seed, groups_of
from isobudget.records.run import Run, load_run
from isobudget.study import Study
from isobudget.study.read import parse_study
from support.fakes import FakeBackend
from support.stage_study import Backends, answer, read_failures, write_study
from support.tiny_gguf import tiny_gguf


@pytest.fixture
def study_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ISOBUDGET_MODELS", str(tmp_path / "models"))
    return write_study(tmp_path)


def finished(study: Study, out: Path) -> Run:
    run, _ = generate(study, out, make_backend=Backends())
    judge_run_samples(run, workers=1)
    return load_run(out)


def test_everything_is_drawn_once(tmp_path: Path, study_text: str) -> None:
    study = parse_study(study_text, "mine")
    first = Backends()
    run, done = generate(study, tmp_path / "run", make_backend=first)
    assert done.samples == first.drawn == len(run.sample_keys()) == 3 * (10 + 1) + 3 * (2 + 1)
    again = Backends()
    _, done = generate(study, tmp_path / "run", make_backend=again)
    assert (done.samples, again.made) == (0, [])


def test_a_larger_n_only_adds(tmp_path: Path, study_text: str) -> None:
    finished(parse_study(study_text, "mine"), tmp_path / "run")
    before = {row.key: row for row in load_run(tmp_path / "run").samples()}
    more = Backends()
    run, done = generate(
        parse_study(study_text.replace("n = 10", "n = 14"), "mine"), tmp_path / "run", make_backend=more
    )
    after = {row.key: row for row in run.samples()}
    assert done.samples == more.drawn == 12
    assert {key: after[key] for key in before} == before
    judge_run_samples(run, workers=1)
    assert run.verdict_keys() == set(after)


def test_seeds_follow_from_study_model_problem_and_index(tmp_path: Path, study_text: str) -> None:
    run = finished(parse_study(study_text, "mine"), tmp_path / "run")
    for row in run.samples():
        assert row.seed == base_seed(0, row.model, row.benchmark, row.task_id) + row.index
    seeds = {base_seed(s, m, b, t) for s in (0, 1) for m in "ab" for b in "ab" for t in "ab"}
    assert len(seeds) == 16
    assert all(0 <= seed < 2**30 for seed in seeds)


def test_greedy_samples_are_drawn_without_temperature(tmp_path: Path, study_text: str) -> None:
    backends = Backends()
    generate(parse_study(study_text, "mine"), tmp_path / "run", make_backend=backends)
    temperatures = [temperature for backend in backends.made for _, _, temperature in backend.drawn]
    assert temperatures.count(0.0) == 6
    assert set(temperatures) == {0.0, 0.8}


def test_prompts_are_stripped_or_kept_by_model_and_programs_fit(tmp_path: Path, study_text: str) -> None:
    backends = Backends()
    run, _ = generate(parse_study(study_text, "mine"), tmp_path / "run", make_backend=backends)
    small, large = backends.made
    assert all(not prompt.endswith("\n") for prompt, _, _ in small.drawn)
    assert all(prompt.endswith('"""\n') for prompt, _, _ in large.drawn)
    judge_run_samples(run, workers=1)
    by_model = {one.model: one for one in load_samples(run, ["own"]).samples("own")}
    assert by_model["small"].c.tolist()[0] == 10
    assert by_model["large"].c.tolist()[0] == 2
    assert by_model["large"].c.tolist()[2] == 0


def test_a_problem_that_fails_does_not_stop_the_others(tmp_path: Path, study_text: str) -> None:
    study = parse_study(study_text, "mine")
    run, done = generate(study, tmp_path / "run", make_backend=Backends(fails_on="f1"))
    assert {(one.model, one.task_id, one.samples) for one in done.failures} == {
        ("small", "p/1", 11),
        ("large", "p/1", 3),
    }
    assert read_failures(run) == done.failures
    assert {key[2] for key in run.sample_keys()} == {"p/0", "p/2"}
    run, done = generate(study, tmp_path / "run", make_backend=Backends())
    assert not done.failures
    assert read_failures(run) == []
    assert len(run.sample_keys()) == 42


def test_a_stopped_stage_keeps_what_came_back(tmp_path: Path, study_text: str) -> None:
    study = parse_study(study_text, "mine")

    class Stopped(FakeBackend):
        def generate(self, prompt: str, sampling: Sampling, seeds: list[int]):  # type: ignore[no-untyped-def]
            if "f2" in prompt:
                raise KeyboardInterrupt
            return super().generate(prompt, sampling, seeds)

    with pytest.raises(KeyboardInterrupt):
        generate(study, tmp_path / "run", make_backend=lambda _model: Stopped(answer, concurrency=1))
    kept = load_run(tmp_path / "run").sample_keys()
    assert 0 < len(kept) < 42
    rest = Backends()
    run, _ = generate(study, tmp_path / "run", make_backend=rest)
    assert rest.drawn == 42 - len(kept)
    assert len(list(run.samples())) == 42


def test_two_runs_at_once_are_refused(tmp_path: Path, study_text: str) -> None:
    study = parse_study(study_text, "mine")
    entered, go_on = threading.Event(), threading.Event()

    def slow(prompt: str, seed: int) -> str:
        entered.set()
        assert go_on.wait(60)
        return answer(prompt, seed)

    thread = threading.Thread(target=generate, args=(study, tmp_path / "run"), kwargs={"make_backend": Backends(slow)})
    thread.start()
    assert entered.wait(60)
    try:
        with pytest.raises(RunError, match="is in use by another isobudget"):
            generate(study, tmp_path / "run", make_backend=Backends())
        with pytest.raises(RunError, match="is in use by another isobudget"):
            judge_run_samples(tmp_path / "run")
    finally:
        go_on.set()
        thread.join()
    assert len(load_run(tmp_path / "run").sample_keys()) == 42


def test_changed_settings_are_refused_before_anything_is_drawn(tmp_path: Path, study_text: str) -> None:
    generate(parse_study(study_text, "mine"), tmp_path / "run", make_backend=Backends())
    warmer = parse_study(study_text + "[sampling]\ntemperature = 1.5\n", "mine")
    backends = Backends()
    with pytest.raises(RunError, match=r"benchmarks\.own\.temperature = 0\.8, but the study says 1\.5"):
        generate(warmer, tmp_path / "run", make_backend=backends)
    kept_newline = parse_study(study_text.replace('"strip"', '"keep"'), "mine")
    with pytest.raises(RunError, match=r"models\.small\.prompt_newline"):
        generate(kept_newline, tmp_path / "run", make_backend=backends)
    (tmp_path / "large.gguf").write_bytes(tiny_gguf(layers=3))
    with pytest.raises(RunError, match=r"models\.large\.(architecture|sha256)"):
        generate(parse_study(study_text, "mine"), tmp_path / "run", make_backend=backends)
    assert backends.made == []


def test_a_run_of_imported_results_is_left_as_it_is(tmp_path: Path, study_text: str) -> None:
    (tmp_path / "counts.csv").write_text("model,task_id,n,c\nsmall,p/0,4,2\n")
    run = api.import_results(tmp_path / "counts.csv", tmp_path / "run")
    before = {path: path.read_bytes() for path in sorted(run.path.rglob("*")) if path.is_file()}
    study, backends = parse_study(study_text, "mine"), Backends()
    assert [one for one in api.dry_run(study, run.path).missing if "holds imported results" in one]
    with pytest.raises(RunError, match=r"holds imported results.*use another folder"):
        generate(study, run.path, make_backend=backends)
    assert {path: path.read_bytes() for path in sorted(run.path.rglob("*")) if path.is_file()} == before
    assert backends.made == []


def test_verdicts_under_other_limits_do_not_mix(tmp_path: Path, study_text: str) -> None:
    from isobudget.judge.verdict import Limits

    run = finished(parse_study(study_text, "mine"), tmp_path / "run")
    with pytest.raises(RunError, match=r"other limits \(cpu_seconds = 3\.0"):
        judge_run_samples(run, limits=Limits(cpu_seconds=1.0))
    _, judged = judge_run_samples(run, limits=Limits(cpu_seconds=1.0), again=True, workers=1)
    assert sum(judged.outcomes.values()) == 42
    assert load_run(run.path).facts["judge"]["cpu_seconds"] == 1.0


def test_layers_of_confinement_are_recorded(tmp_path: Path, study_text: str) -> None:
    from isobudget.judge import layers_of_confinement

    run = finished(parse_study(study_text, "mine"), tmp_path / "run")
    assert load_run(run.path).facts["judge_layers"] == layers_of_confinement()


def test_layers_stand_only_where_they_stood_around_every_sample(tmp_path: Path, study_text: str) -> None:
    from isobudget.judge.confinement.confine import LAYERS
    from isobudget.pipeline.judging import state_layers

    def standing() -> list[str]:
        return [layer for layer, stood in load_run(run.path).facts["judge_layers"].items() if stood]

    run = finished(parse_study(study_text, "mine"), tmp_path / "run")
    with run.writing():
        state_layers(run, LAYERS[:5])
        assert standing() == [layer for layer in LAYERS[:5] if layer in standing()]
        state_layers(run, LAYERS[2:])
        assert set(standing()) <= set(LAYERS[2:5])
        state_layers(run, None)  # a judge that does not say: nothing is known of all samples
        assert "judge_layers" not in load_run(run.path).facts
        state_layers(run, LAYERS)  # and nothing can be known later, while there are its verdicts
        assert "judge_layers" not in load_run(run.path).facts
        run.drop("verdicts")
        state_layers(run, LAYERS[:4])
        assert standing() == list(LAYERS[:4])


def test_unjudged_samples_are_left_out_and_counted(tmp_path: Path, study_text: str) -> None:
    run = finished(parse_study(study_text, "mine"), tmp_path / "run")
    generate(parse_study(study_text.replace("n = 10", "n = 12"), "mine"), tmp_path / "run", make_backend=Backends())
    comparison = run_comparison(run.path)
    assert comparison.notes == ("small: 6 samples have no verdict and are left out",)
    assert comparison.curve("small").k_max == 10


def test_curves_follow_from_what_was_recorded(tmp_path: Path, study_text: str) -> None:
    run = finished(parse_study(study_text, "mine"), tmp_path / "run")
    small, large = load_samples(run, ["own"]).samples("own")
    assert small.n.tolist() == [10, 10, 10]
    assert small.c.tolist() == [10, 5, 0]
    assert large.n.tolist() == [2, 2, 2]
    assert small.greedy is not None
    assert small.greedy.c.mean() in (1 / 3, 2 / 3)
    tokens = run_comparison(run, unit=Unit.TOKENS).curve("small")
    assert tokens.success[0] == pytest.approx((1 + 0.5) / 3)
    assert tokens.success[9] == pytest.approx(2 / 3)
    rows = [row for row in run.samples() if row.model == "small" and not row.greedy]
    assert tokens.price.per_sample == pytest.approx(sum(row.completion_tokens for row in rows) / 30)
    seconds = run_comparison(run, unit=Unit.SECONDS).curve("small")
    assert seconds.price.per_sample == pytest.approx(sum(row.seconds for row in rows) / 30)
    assert seconds.price.source.startswith("measured seconds: llama.cpp on CPU")
    joules = run_comparison(run, unit=Unit.JOULES).curve("small")
    assert joules.price.per_sample == pytest.approx(sum(row.completion_tokens for row in rows) / 30 * 0.5)
    assert joules.price.source.startswith("measured joules")
    flops = run_comparison(run, unit=Unit.FLOPS)
    assert flops.curve("small").price.per_sample > 0
    assert [curve.model for curve in flops.curves] != []


def test_ranking_by_likelihood_at_one_sample_is_pass_at_1(tmp_path: Path, study_text: str) -> None:
    run = finished(parse_study(study_text, "mine"), tmp_path / "run")
    by_tests = run_comparison(run).curve("small")
    ranked = run_comparison(run, selection=LIKELIHOOD).curve("small (likelihood)")
    assert ranked.success[0] == pytest.approx(by_tests.success[0])
    assert all(ranked.success <= by_tests.success + 1e-12)


def test_units_and_benchmarks_that_are_not_recorded_are_named(tmp_path: Path, study_text: str) -> None:
    run = finished(parse_study(study_text, "mine"), tmp_path / "run")
    with pytest.raises(InputError, match="does not record usd"):
        run_comparison(run, unit=Unit.USD)
    with pytest.raises(RunError, match="no benchmark 'humaneval' in this run; it has: own"):
        run_comparison(run, "humaneval")


def test_a_run_without_verdicts_says_how_to_judge(tmp_path: Path, study_text: str) -> None:
    run, _ = generate(parse_study(study_text, "mine"), tmp_path / "run", make_backend=Backends())
    with pytest.raises(RunError, match="isobudget judge"):
        run_comparison(run)


def test_models_of_the_same_name_are_refused(tmp_path: Path, study_text: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "small.gguf").write_bytes(tiny_gguf())
    twice = parse_study(study_text.replace("large.gguf", "other/small.gguf"), "mine")
    with pytest.raises(InputError, match="two models of the study would be called 'small'"):
        generate(twice, tmp_path / "run", make_backend=Backends())


def test_groups_are_even_and_small() -> None:
    keys = [("b", "m", "t", False, i) for i in range(20)] + [("b", "m", "t", True, 0)]
    groups = list(groups_of(keys, 8))
    assert [len(group) for group in groups] == [7, 7, 6, 1]
    assert [key for group in groups for key in group] == keys
    assert list(groups_of([], 8)) == []


def test_a_problems_samples_follow_each_other_the_greedy_one_last(tmp_path: Path, study_text: str) -> None:
    one_at_a_time = FakeBackend(answer, concurrency=1)
    only_small = study_text.rpartition("[[models]]")[0]  # n = 10
    generate(parse_study(only_small, "test"), tmp_path / "run", make_backend=lambda _model: one_at_a_time)
    calls = [(prompt[4:6], temperature > 0) for prompt, _, temperature in one_at_a_time.drawn]
    assert [key for key, _ in groupby(calls)] == [
        *[("f0", True), ("f0", False)],
        *[("f1", True), ("f1", False)],
        *[("f2", True), ("f2", False)],
    ]
    assert len(calls) == 33


def test_context_room_covers_the_longest_prompt(study_text: str) -> None:
    from isobudget.pipeline.prepare import prepare_model
    from isobudget.study.resolve import resolve

    resolved = resolve(parse_study(study_text, "mine"))
    prepared = prepare_model(resolved.complete()[0], resolved.benchmarks, {"own": 10})
    assert prepared.settings.context_tokens % 256 == 0
    assert prepared.settings.context_tokens >= resolved.benchmarks[0].sampling.max_tokens + 20
    assert math.isfinite(prepared.settings.slots)
