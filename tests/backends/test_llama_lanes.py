"""Lanes of the embedded engine: the same samples, prompts computed once, time that adds up, room that is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from isobudget.backends.base import Generation
from isobudget.backends.engine.engine_clock import Charge, StepClock
from isobudget.backends.engine.in_flight import Request
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings, usable_cores
from isobudget.backends.llamacpp.context import Context
from isobudget.backends.llamacpp.kinds import are_even
from isobudget.backends.llamacpp.lanes import Lanes, SavedPrompt
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.backends.llamacpp.settings import KEPT_PROMPTS
from isobudget.backends.llamacpp.slots import Slots
from isobudget.errors import BackendError, ModelError
from isobudget.grid import counted
from isobudget.models.random_gguf import Quantisation
from support.tiny_llama import PROMPTS, WARM, asked, begins_alike, contents, write
from support.tiny_q4_1 import write_q4_1

#: slots and threads of two, three and two lanes
LANES = [(16, 2), (25, 3), (40, 2)]


@pytest.fixture(scope="module", params=[Quantisation.Q4_0, Quantisation.Q8_0, "q4_1"])
def path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    return write_q4_1(folder) if request.param == "q4_1" else write(folder, request.param)


def opened(path: Path, slots: int | None, threads: int, context_tokens: int = 128) -> LlamaCpp:
    return LlamaCpp(LlamaCppSettings(model=str(path), slots=slots, context_tokens=context_tokens, threads=threads))


@pytest.fixture(scope="module")
def alone(path: Path) -> list[list[tuple[object, ...]]]:
    """Twelve samples of every prompt, drawn one by one."""
    with opened(path, 1, 1) as engine:
        return [contents(engine.generate_all([asked(prompt, range(12))])[0]) for prompt in PROMPTS]


@pytest.fixture(scope="module")
def few_shot(path: Path) -> tuple[list[tuple[int, ...]], list[list[tuple[object, ...]]]]:
    """Prompts that begin alike, and four samples of each, one prompt after the other in one lane."""
    prompts = begins_alike(400, list(range(70, 130, 5)), 1)
    with opened(path, 4, 1, 768) as engine:
        return prompts, [contents(engine.generate_all([asked(prompt, range(4))])[0]) for prompt in prompts]


@pytest.mark.parametrize(("slots", "threads"), LANES)
@pytest.mark.parametrize("each", [1, 4, 12])
def test_a_sample_is_the_same_in_any_lane(
    path: Path, alone: list[list[tuple[object, ...]]], slots: int, threads: int, each: int
) -> None:
    calls = [(prompt, range(start, start + each)) for prompt in PROMPTS for start in range(0, 12, each)]
    with opened(path, slots, threads) as engine, ThreadPoolExecutor(len(calls)) as pool:
        assert engine.settings.lanes > 1
        found = list(pool.map(lambda call: engine.generate_all([asked(*call)])[0], calls))
    step = 12 // each
    groups = [found[start : start + step] for start in range(0, len(found), step)]
    assert [[one for call in group for one in contents(call)] for group in groups] == alone


@pytest.mark.parametrize(("slots", "threads"), LANES)
def test_a_prompt_is_computed_once_for_all_lanes(path: Path, slots: int, threads: int) -> None:
    with opened(path, slots, threads) as engine:
        engine.generate_all([asked(prompt, range(24)) for prompt in PROMPTS])
        assert engine.computed_prompt_tokens == sum(map(len, PROMPTS))


@pytest.mark.parametrize(("slots", "threads"), LANES)
def test_the_beginning_of_few_shot_prompts_is_computed_once_for_all_lanes(
    path: Path, few_shot: tuple[list[tuple[int, ...]], list[list[tuple[object, ...]]]], slots: int, threads: int
) -> None:
    prompts, alone = few_shot
    with opened(path, slots, threads, 768) as engine:
        found = engine.generate_all([asked(prompt, range(4)) for prompt in prompts])
        computed = engine.computed_prompt_tokens
    assert list(map(contents, found)) == alone
    assert computed == 400 + sum(len(prompt) - 400 for prompt in prompts)


def test_a_prompt_s_cost_is_told_by_samples_of_every_lane(path: Path) -> None:
    with opened(path, 16, 2) as engine:
        (found,) = engine.generate_all([asked(PROMPTS[0], range(16))])
    assert len({one.prompt_seconds for one in found}) == 1
    assert found[0].prompt_seconds > 0


def test_what_the_engine_refuses_fails_alone_in_lanes(path: Path) -> None:
    with opened(path, 16, 2) as engine:
        (before,) = engine.generate_all([asked(PROMPTS[0], range(20))])
        with pytest.raises(BackendError, match=r"could not compute 2 tokens"):
            engine.generate_all([asked((70, 4000), range(20))])
        (after,) = engine.generate_all([asked(PROMPTS[0], range(20))])
    assert contents(after) == contents(before)


def test_slots_of_other_lanes_that_are_empty_count_as_idle(path: Path) -> None:
    def drawn(samples: int) -> list[Generation]:
        request = Request(PROMPTS[0], WARM, frozenset(), tuple(range(samples)))
        return engine.generate_all([request])[0]

    with opened(path, 16, 2) as engine:
        eight, sixteen = drawn(8), drawn(16)  # eight fill a lane, or parts of both
    assert all(one.idle_tokens == one.completion_tokens - 1 for one in eight)
    assert any((one.idle_tokens or 0) < one.completion_tokens - 1 for one in sixteen)


def test_who_waits_for_a_sample_is_told_when_the_model_is_closed(path: Path) -> None:
    engine = opened(path, 16, 2, 4096)
    with ThreadPoolExecutor(1) as pool:
        with engine:
            long = Request(PROMPTS[0], WARM.__class__(0.8, 1.0, 4000), frozenset(), tuple(range(64)))
            waiting = pool.submit(engine.generate_all, [long])
            while not engine.computed_prompt_tokens:
                engine.load()
        with pytest.raises(BackendError, match="closed before this sample was generated"):
            waiting.result()


@pytest.mark.parametrize(
    ("quantisation", "slots", "threads", "at_once", "lanes"),
    [
        (Quantisation.Q4_0, None, 2, 16, 2),
        (Quantisation.Q8_0, None, 8, 16, 2),
        (Quantisation.Q8_0, 64, 8, 64, 8),
        (Quantisation.Q4_0, None, 1, 16, 1),
        (Quantisation.Q4_0, 15, 2, 15, 1),
        (Quantisation.F16, None, 2, 32, 2),
        (Quantisation.F16, 16, 2, 16, 1),
        (Quantisation.F16, 40, 2, 40, 2),
    ],
)
def test_slots_and_lanes_follow_from_the_weights_and_threads(
    tmp_path: Path, quantisation: Quantisation, slots: int | None, threads: int, at_once: int, lanes: int
) -> None:
    settings = LlamaCppSettings(model=str(write(tmp_path, quantisation)), slots=slots, threads=threads)
    assert (settings.at_once, settings.lanes) == (at_once, lanes)
    assert settings.open().concurrency == at_once
    several = f" in {lanes} lanes" if lanes > 1 else ""
    assert settings.label == f"llama.cpp on CPU, {counted(threads, 'thread')}, {at_once} slots{several}"


def test_a_file_that_is_not_there_says_nothing_of_its_weights(tmp_path: Path) -> None:
    assert are_even(tmp_path / "none.gguf")
    assert LlamaCppSettings(model=str(tmp_path / "none.gguf")).at_once == 16


def test_another_file_at_the_same_path_is_read_anew(tmp_path: Path) -> None:
    assert are_even(write(tmp_path, Quantisation.Q4_0))
    assert not are_even(write(tmp_path, Quantisation.F16))


def test_the_memory_of_all_lanes_is_held_against_the_machine_s(path: Path) -> None:
    sequences = 200 + 2 * KEPT_PROMPTS
    with opened(path, 200, 2, 10_000_000) as engine, pytest.raises(ModelError, match=rf"{sequences} sequences"):
        engine.generate_all([asked(PROMPTS[0], range(1))])


def test_a_prompt_of_another_lane_overwrites_none_that_is_still_to_be_copied(
    path: Path, alone: list[list[tuple[object, ...]]]
) -> None:
    """More prompts begin between two steps than a lane keeps: the engine copies a sequence only with its next step."""
    model, lanes = LlamaModel(path), Lanes(2, 8, len(PROMPTS))
    first, second = (Slots(model, 8, 128, 1, StepClock(), lanes) for _ in range(2))
    for slots in (first, second):
        requests = [asked(prompt, range(1)) for prompt in PROMPTS]
        for request in requests:
            unit = slots.choose([request])
            assert unit
            slots.begin(unit)
        while slots.is_busy:
            slots.step()
        assert [contents(request.future.result()) for request in requests] == [those[:1] for those in alone]
    assert (first.prompt_tokens, second.prompt_tokens) == (sum(map(len, PROMPTS)), 0)
    first.close()
    second.close()
    model.close()


def test_what_is_no_saved_sequence_is_refused(path: Path) -> None:
    model = LlamaModel(path)
    context = Context(model, 128, 2, 64, 1, is_shared=False)
    context.decode_prompt(PROMPTS[0], 0)
    state = context.save(0)
    assert not context.restore(1, state[: len(state) // 2])
    assert context.restore(1, state)
    logits = context.decode([80, 80], [len(PROMPTS[0])] * 2, [[0], [1]], [True] * 2)
    assert np.array_equal(logits[0], logits[1])
    context.close()
    model.close()


def test_time_with_several_lanes_at_work_is_shared_among_them() -> None:
    now = 0.0
    lanes = Lanes(2, now=lambda: now, meter=lambda: 10 * now)
    with lanes.at_work():
        now = 4.0
        assert lanes.seconds() == 4.0
        with lanes.at_work():
            now = 6.0
            assert (lanes.seconds(), lanes.joules()) == (5.0, 50.0)  # two seconds, one for each
            with lanes.at_work(-1):  # one waits for the other
                now = 9.0
                assert lanes.seconds() == 8.0


def test_a_lane_waits_for_another_that_computes_a_prompt_of_the_same_beginning() -> None:
    first, second = begins_alike(200, [70, 90], 3)
    lanes, order = Lanes(2, 8, 2), list[tuple[str, bool]]()

    def other() -> None:
        with lanes.at_work(), lanes.computing(second) as waited:
            order.append(("second", waited))

    thread = threading.Thread(target=other)
    with lanes.computing(first):
        thread.start()
        while not lanes._changed._waiters:  # type: ignore[attr-defined]
            pass
        order.append(("first", False))
    thread.join()
    assert order == [("first", False), ("second", True)]


def test_a_lane_goes_on_with_what_no_other_computes(path: Path) -> None:
    """The other lane is another thread's, which computes the first prompt and those that begin alike."""
    first, alike = begins_alike(200, [70, 90], 3)
    model, lanes = LlamaModel(path), Lanes(2, 4, KEPT_PROMPTS)
    slots, held = Slots(model, 4, 512, 1, StepClock(), lanes), lanes.computing(first)
    with ThreadPoolExecutor(1) as other:
        other.submit(held.__enter__).result()
        waiting = [asked(first, range(1)), asked(alike, range(1)), asked(PROMPTS[0], range(1))]
        unit = slots.choose(waiting)
        assert unit == (waiting[2], 0)
        slots.begin(unit)
        assert slots.is_busy
        assert slots.choose(waiting) is None  # it has a sample to go on with
        other.submit(held.__exit__, None, None, None).result()
        assert other.submit(lanes.claim, alike).result()
        assert not lanes.claim(first)
        other.submit(lanes.release).result()
    assert slots.choose(waiting) == (waiting[0], 0)
    slots.close()
    model.close()


def test_the_newest_prompts_are_kept_for_other_lanes() -> None:
    def saved() -> SavedPrompt:
        return SavedPrompt(np.zeros(1, np.uint8), np.zeros((1, 1), np.float32), Charge())

    lanes, alone = Lanes(2, 8, 2), Lanes(1, 8, 2)
    for prompt in PROMPTS:
        lanes.keep(prompt, saved)
        alone.keep(prompt, saved)
    assert [lanes.find(prompt) is not None for prompt in PROMPTS] == [False, False, False, True, True]
    assert not any(map(alone.find, PROMPTS))


def test_a_prompt_that_a_lane_needs_next_is_kept_however_long_the_lane_is_halted() -> None:
    def saved() -> SavedPrompt:
        return SavedPrompt(np.zeros(1, np.uint8), np.zeros((1, 1), np.float32), Charge())

    def held(lanes: Lanes) -> list[bool]:
        return [lanes.find(prompt) is not None for prompt in PROMPTS]

    lanes = Lanes(3, 8, 2)
    with ThreadPoolExecutor(1) as claiming, ThreadPoolExecutor(1) as awaiting:
        awaiting.submit(lanes.expect, PROMPTS[1]).result()
        for prompt in PROMPTS[:2]:
            lanes.keep(prompt, saved)
        assert claiming.submit(lanes.claim, PROMPTS[0]).result()
        for prompt in PROMPTS[2:]:
            lanes.keep(prompt, saved)
        assert held(lanes) == [True, True, False, False, False]
        for lane in (claiming, awaiting):
            lane.submit(lanes.release).result()
    for prompt in PROMPTS[3:]:
        lanes.keep(prompt, saved)
    assert held(lanes) == [False, False, False, True, True]


def test_threads_that_would_only_wait_for_each_other_are_refused(path: Path) -> None:
    most = 4 * usable_cores()
    with opened(path, 2, usable_cores()) as engine:
        assert len(engine.generate_all([asked(PROMPTS[0], range(2))])[0]) == 2
    with pytest.raises(ModelError, match=rf"threads = {most + 1:,} is too many for .* State at most {most}, or leave"):
        opened(path, 2, most + 1).__enter__()
