"""Continuous batching: a tiny model of random weights, made on the spot, and really run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from isobudget.backends.base import FinishReason, Generation, Sampling
from isobudget.backends.engine.engine_clock import StepClock
from isobudget.backends.engine.in_flight import Request
from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.backends.llamacpp.context import TILE_TOKENS
from isobudget.backends.llamacpp.model import LlamaModel
from isobudget.backends.llamacpp.scoring import LlamaScorer
from isobudget.backends.llamacpp.settings import KEPT_PROMPTS, MOST_SLOTS
from isobudget.backends.llamacpp.slots import Slots
from isobudget.errors import BackendError, InputError, ModelError
from isobudget.models.random_gguf import Quantisation
from isobudget.study.study import StudyModel
from support.tiny_llama import ENDS, PROMPTS, WARM, asked, begins_alike, contents, write
from support.tiny_q4_1 import LIVELY, write_q4_1


@pytest.fixture(scope="module", params=[Quantisation.Q4_0, Quantisation.Q8_0, "q4_1"])
def path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    return write_q4_1(folder, LIVELY) if request.param == "q4_1" else write(folder, request.param)


def draw(path: Path, slots: int, each: int, shuffle: int | None = None) -> tuple[list[list[Generation]], int]:
    """Every prompt's 12 samples, asked for by calls of `each`, from several threads; and the prompt tokens computed."""
    calls = [(prompt, range(start, start + each)) for prompt in PROMPTS for start in range(0, 12, each)]
    order = list(range(len(calls)))
    if shuffle is not None:
        Random(shuffle).shuffle(order)
    with (
        LlamaCpp(LlamaCppSettings(model=str(path), slots=slots, context_tokens=128, threads=1)) as engine,
        ThreadPoolExecutor(len(calls)) as pool,
    ):
        futures = {place: pool.submit(engine.generate_all, [asked(*calls[place])]) for place in order}
        found = [futures[place].result()[0] for place in range(len(calls))]
        computed = engine.computed_prompt_tokens
    step = 12 // each
    own = [found[start : start + step] for start in range(0, len(found), step)]
    return [[one for those in calls_of_one for one in those] for calls_of_one in own], computed


@pytest.fixture(scope="module")
def alone(path: Path) -> list[list[tuple[object, ...]]]:
    """Every sample drawn by itself."""
    found, _ = draw(path, slots=1, each=1)
    return [contents(those) for those in found]


@pytest.mark.parametrize(("slots", "each"), [(1, 12), (3, 1), (4, 4), (7, 6), (16, 12), (64, 1)])
def test_a_sample_is_the_same_whatever_is_drawn_beside_it(
    path: Path, alone: list[list[tuple[object, ...]]], slots: int, each: int
) -> None:
    found, _ = draw(path, slots, each)
    assert [contents(those) for those in found] == alone
    assert len({one.completion_tokens for those in found for one in those}) > 5


@pytest.mark.parametrize(("slots", "each"), [(1, 12), (3, 1), (4, 4), (7, 6), (16, 12), (64, 1)])
def test_a_prompt_is_computed_once_for_all_its_calls(path: Path, slots: int, each: int) -> None:
    """Calls that wait at the same time, prompt by prompt: from threads of their own they would come in any order."""
    calls = [asked(prompt, range(start, start + each)) for prompt in PROMPTS for start in range(0, 12, each)]
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=slots, context_tokens=128, threads=1)) as engine:
        engine.generate_all(calls)
        assert engine.computed_prompt_tokens == sum(map(len, PROMPTS))


def _samples_of(path: Path, prompts: list[tuple[int, ...]]) -> tuple[list[list[tuple[object, ...]]], int]:
    """Four samples of each prompt, one prompt after the other, and the prompt tokens computed."""
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=4, context_tokens=768, threads=1)) as engine:
        found = [engine.generate_all([asked(prompt, range(4))])[0] for prompt in prompts]
        return [contents(one) for one in found], engine.computed_prompt_tokens


@pytest.mark.parametrize(
    ("shared", "own"),
    [
        (300, [90, 64, 120, 77]),  # the beginning and what is left are computed in tiles
        (300, [5, 30, 63, 70]),  # of these so much is computed again as makes a tile
        (40, [100, 100, 100]),  # too short a beginning
        (500, [20, 80, 60]),  # longer than a batch, with a short rest
        (70, [20, 58, 400]),
    ],
)
def test_prompts_that_begin_alike_give_the_same_samples_as_alone(path: Path, shared: int, own: list[int]) -> None:
    prompts = begins_alike(shared, own, shared)
    together, computed = _samples_of(path, prompts)
    alone = [_samples_of(path, [prompt])[0][0] for prompt in prompts]
    assert together == alone
    known = [min(shared, shared + length - TILE_TOKENS) for length in own[1:]]
    assert computed == sum(map(len, prompts)) - sum(each for each in known if each >= TILE_TOKENS)


def test_the_beginning_of_few_shot_prompts_is_computed_once(path: Path) -> None:
    prompts = begins_alike(400, list(range(70, 130, 5)), 1)
    _, computed = _samples_of(path, prompts)
    distinct = 400 + sum(len(prompt) - 400 for prompt in prompts)
    assert computed == distinct


def test_calls_in_any_order_give_the_same_samples(path: Path, alone: list[list[tuple[object, ...]]]) -> None:
    found, _ = draw(path, slots=5, each=2, shuffle=1)
    assert [contents(those) for those in found] == alone


def test_unquantised_weights_differ_by_rounding_alone(tmp_path: Path) -> None:
    path = write(tmp_path, Quantisation.F16)
    one_by_one, _ = draw(path, slots=1, each=1)
    together, computed = draw(path, slots=16, each=12)
    pairs = [pair for those in zip(one_by_one, together, strict=True) for pair in zip(*those, strict=True)]
    same = [(one, other) for one, other in pairs if one.token_ids == other.token_ids]
    assert len(same) > 0.9 * len(pairs)
    for one, other in same:
        assert one.sum_logprob == pytest.approx(other.sum_logprob, abs=0.01, nan_ok=True)
    assert computed == sum(map(len, PROMPTS))
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=2, context_tokens=64, threads=1)) as engine:
        assert "as far as rounding allows" in engine.describe().repeatable


def test_what_is_recorded_follows_from_the_tokens(path: Path) -> None:
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=4, context_tokens=128, threads=1)) as engine:
        assert "whatever is generated beside it" in engine.describe().repeatable
        found = [one for prompt in PROMPTS for one in engine.generate_all([asked(prompt, range(8))])[0]]
    model = LlamaModel(path)
    scorer = LlamaScorer(model, 1)
    for one, prompt in zip(found, (prompt for prompt in PROMPTS for _ in range(8)), strict=True):
        assert one.prompt_tokens == len(prompt)
        ended = one.finish_reason is FinishReason.STOP
        assert one.completion_tokens == len(one.token_ids) + ended
        assert ended or one.completion_tokens == WARM.max_tokens
        assert not ENDS.intersection(one.token_ids)
        assert one.text == model.decode(one.token_ids)
        if one.token_ids:
            (scores,) = scorer.score(prompt, [one.token_ids])
            assert one.sum_logprob == pytest.approx(float(scores.sum()), abs=0.2 * len(scores))
            assert one.mean_logprob == one.sum_logprob / len(one.token_ids)
        else:
            assert math.isnan(one.sum_logprob)
    scorer.close()
    model.close()


def _driven(slots: Slots, *requests: Request) -> list[Generation]:
    """The samples of these requests, as the engine's thread generates them."""
    waiting = list(requests)
    while waiting or slots.is_busy:
        while slots.has_room and (unit := slots.choose(waiting)):
            slots.begin(unit)
        slots.step()
    return [one for request in requests for one in request.future.result()]


def test_a_prompt_s_time_is_recorded_apart_whatever_uses_it(path: Path) -> None:
    """Told by this thread's processor time, which other work on the machine does not lengthen."""
    long = tuple(2 + place % 300 for place in range(1500))
    model = LlamaModel(path)
    slots = Slots(model, 4, 1600, 1, StepClock(now=time.thread_time))
    _driven(slots, asked((5,), range(1)))
    one_token = Sampling(temperature=0.8, top_p=0.95, max_tokens=1)
    found = _driven(slots, Request(long, one_token, frozenset(), tuple(range(8))))
    later = _driven(slots, Request(long, one_token, frozenset(), (9,)))
    slots.close()
    model.close()
    assert len({one.prompt_seconds for one in [*found, *later]}) == 1  # computed once, and told in whole by each
    assert max(one.seconds for one in [*found, *later]) < found[0].prompt_seconds / 4
    assert all(one.latency_seconds >= one.prompt_seconds for one in found)


def test_tokens_that_came_while_slots_were_idle_are_told_from_others(path: Path) -> None:
    sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=9)
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=4, context_tokens=128, threads=1)) as engine:
        requests = [Request(prompt, sampling, frozenset(), (1, 2)) for prompt in PROMPTS[:3]]
        found = [one for those in engine.generate_all(requests) for one in those]
    # four samples in full slots, then two alone; a sample's first token is the prompt's
    assert sorted(one.idle_tokens or 0 for one in found) == [0, 0, 0, 0, 8, 8]
    for one in found:
        assert 0 <= one.idle_seconds <= one.seconds
        assert (one.idle_seconds > 0) is bool(one.idle_tokens)


def test_a_sample_ends_where_the_context_does(path: Path) -> None:
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=2, context_tokens=64, threads=1)) as engine:
        prompt = tuple(range(70, 130))
        (found,) = engine.generate_all([Request(prompt, WARM, frozenset(), (1, 2, 3))])
        assert [one.completion_tokens for one in found] == [4, 4, 4]
        assert all(one.finish_reason is FinishReason.LENGTH for one in found)
        assert [text.split(",")[0] for text in engine.describe().notes] == [
            f"{len(found)} samples ended before max_tokens"
        ]
        assert engine.describe().notes[0].endswith("set a larger context_tokens and start another run")
        with pytest.raises(BackendError, match=r"64 tokens exceeds the context size of 64 .*context_tokens"):
            engine.generate_all([Request((*prompt, 1, 2, 3, 4), WARM, frozenset(), (1,))])
        with pytest.raises(BackendError, match="without tokens"):
            engine.generate_all([Request((), WARM, frozenset(), (1,))])


def test_more_memory_than_there_is_is_not_asked_for(path: Path) -> None:
    with (
        LlamaCpp(LlamaCppSettings(model=str(path), slots=200, context_tokens=10_000_000, threads=1)) as engine,
        pytest.raises(ModelError, match=r"202 sequences of 10,000,000 tokens need 517 GB of memory.*context_tokens"),
    ):
        engine.generate_all([asked(PROMPTS[0], range(1))])


def test_what_the_engine_refuses_fails_alone(path: Path) -> None:
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=2, context_tokens=64, threads=1)) as engine:
        (before,) = engine.generate_all([asked(PROMPTS[0], range(3))])
        with pytest.raises(BackendError, match=r"could not compute 2 tokens"):
            engine.generate_all([asked((70, 4000), range(3))])
        (after,) = engine.generate_all([asked(PROMPTS[0], range(3))])
    assert contents(after) == contents(before)


def test_a_seed_that_gives_no_numbers_is_refused_and_the_model_goes_on(path: Path) -> None:
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=2, context_tokens=64, threads=1)) as engine:
        with pytest.raises(InputError, match=r"seeds must be whole numbers of 0 or more, not -1"):
            engine.generate_all([asked(PROMPTS[0], range(-1, 2))])
        (after,) = engine.generate_all([asked(PROMPTS[0], range(2**70, 2**70 + 2))])
    assert [one.seed for one in after] == [2**70, 2**70 + 1]


def test_half_of_a_character_is_no_text(path: Path) -> None:
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=2, context_tokens=64, threads=1)) as engine:
        said = r"\.gguf: a text has half of a surrogate pair at character 1"
        with pytest.raises(BackendError, match=said):
            engine.generate("a\ud800", WARM, [1])
        with pytest.raises(BackendError, match=said):
            engine.generate("a", replace(WARM, stop=("b\udfff",)), [1])
        with pytest.raises(BackendError, match=said):
            engine.score("a", ["b\ud800"])


def test_what_nobody_waits_for_any_more_is_dropped(path: Path) -> None:
    with (
        LlamaCpp(LlamaCppSettings(model=str(path), slots=2, context_tokens=64, threads=1)) as engine,
        ThreadPoolExecutor(1) as pool,
    ):
        (before,) = engine.generate_all([asked(PROMPTS[0], range(3))])
        many = pool.submit(engine.generate_all, [asked(PROMPTS[0], range(100_000))])
        while not many.done():
            engine.drop()
        with pytest.raises(BackendError, match="nobody waits for this sample"):
            many.result()
        (after,) = engine.generate_all([asked(PROMPTS[0], range(3))])
    assert contents(after) == contents(before)


@pytest.fixture
def slots(path: Path) -> Iterator[Slots]:
    model = LlamaModel(path)
    slots = Slots(model, 2, 128, 1, StepClock())
    yield slots
    slots.close()
    model.close()


def test_samples_of_a_prompt_that_is_there_begin_first(slots: Slots) -> None:
    first, second = asked(PROMPTS[0], range(2)), asked(PROMPTS[1], range(3))
    again = asked(PROMPTS[0], range(2, 3))
    waiting = [first, second, again]
    chosen = []
    while unit := slots.choose(waiting):
        chosen.append(unit)
        slots.begin(unit)
        while not slots.has_room:
            slots.step()
    assert chosen == [(first, 0), (first, 1), (again, 0), (second, 0), (second, 1), (second, 2)]
    assert waiting == []
    while slots.is_busy:
        slots.step()
    assert [len(one.future.result()) for one in (first, second, again)] == [2, 3, 1]


def test_a_prompt_gives_way_to_a_newer_one(slots: Slots) -> None:
    for prompt in [*PROMPTS, PROMPTS[-1], PROMPTS[0]]:
        request = asked(prompt, range(1))
        unit = slots.choose([request])
        assert unit
        slots.begin(unit)
        while slots.is_busy:
            slots.step()
    assert slots.prompt_tokens == sum(map(len, PROMPTS)) + len(PROMPTS[0])
    assert len(PROMPTS) > KEPT_PROMPTS


def test_a_study_may_ask_for_as_many_slots_as_there_are() -> None:
    assert StudyModel(name="m", slots=MOST_SLOTS).settings.slots == MOST_SLOTS
    with pytest.raises(ValueError, match=f"less than or equal to {MOST_SLOTS}"):
        StudyModel(name="m", slots=MOST_SLOTS + 1)


def test_the_most_slots_work(path: Path) -> None:
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=MOST_SLOTS, context_tokens=64, threads=1)) as engine:
        (found,) = engine.generate_all([asked(PROMPTS[0], range(MOST_SLOTS + 3))])
    assert len(found) == MOST_SLOTS + 3
