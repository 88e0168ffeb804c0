"""vLLM offline: what it is asked and what is read from its answers; the engine itself where vLLM can run."""

from __future__ import annotations

import contextlib
import inspect
import math
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from isobudget.backends.base import Chat, FinishReason, Generation, Message, Sampling
from isobudget.backends.engine.engine_clock import Charge
from isobudget.backends.registry import recorded_fields
from isobudget.backends.vllm.backend import Vllm
from isobudget.backends.vllm.calls import (
    read_completion,
    read_prompt_logprobs,
    sampling_arguments,
    scoring_arguments,
)
from isobudget.backends.vllm.settings import VllmSettings
from isobudget.errors import BackendError, InputError, MissingExtraError, ModelError, RunError
from isobudget.records.facts import merge
from isobudget.study import stated_model
from support.engine_study import check_a_study_end_to_end
from support.tiny_hf import CHAT_TEMPLATE, write_llama, write_tokenizer

#: vLLM and what it imports warn of their own affairs
pytestmark = pytest.mark.filterwarnings("default")

WARM = Sampling(temperature=0.8, top_p=0.95, max_tokens=12, stop=("\ndef",))
PROMPTS = ["def add(a, b):\n", "x", "class Box:\n    def get(self):\n        return self.value\n"]


def test_the_engine_is_asked_for_plain_sampling_and_a_shared_prefix() -> None:
    settings = VllmSettings(model="org/model", revision="v1", tensor_parallel=2, context_tokens=4096)
    assert settings.engine_arguments() == {
        "model": "org/model",
        "revision": "v1",
        "tokenizer_revision": "v1",
        "tensor_parallel_size": 2,
        "dtype": "auto",
        "quantization": None,
        "max_model_len": 4096,
        "gpu_memory_utilization": 0.9,
        "max_num_seqs": 256,
        "enable_prefix_caching": True,
        "generation_config": "vllm",
        "logprobs_mode": "raw_logprobs",
        "trust_remote_code": False,
        "disable_log_stats": True,
    }


def test_a_sample_is_asked_for_with_its_seed_and_nothing_but_temperature_and_top_p() -> None:
    asked = sampling_arguments(WARM, 7, {9, 3})
    assert (asked["temperature"], asked["top_p"], asked["seed"], asked["max_tokens"]) == (0.8, 0.95, 7, 12)
    assert (asked["top_k"], asked["min_p"]) == (0, 0.0)
    assert (asked["repetition_penalty"], asked["presence_penalty"], asked["frequency_penalty"]) == (1.0, 0.0, 0.0)
    assert (asked["stop"], asked["stop_token_ids"], asked["n"], asked["logprobs"]) == (["\ndef"], [3, 9], 1, 0)
    assert asked["include_stop_str_in_output"] is False
    assert scoring_arguments()["prompt_logprobs"] == 0


def test_quantization_reaches_the_engine_and_the_run_which_keeps_to_it(tmp_path: Path) -> None:
    fields = {"name": "m", "backend": "vllm", "model": "org/m", "quantization": "fp8"}
    settings = stated_model(fields, "here").settings
    assert settings.engine_arguments()["quantization"] == "fp8"
    run: dict[str, Any] = {}
    merge(run, "models", "m", settings.facts(), tmp_path)
    assert recorded_fields(run["models"]["m"])["quantization"] == "fp8"
    other = stated_model({**fields, "quantization": "awq"}, "here").settings
    with pytest.raises(RunError, match=r"models\.m\.quantization = 'fp8', but the study says 'awq'"):
        merge(run, "models", "m", other.facts(), tmp_path)


@pytest.mark.parametrize("wrong", [{"tensor_parallel": 0}, {"concurrency": 0}, {"memory_fraction": 0.0}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        stated_model({"name": "org/model", "backend": "vllm", **wrong}, "here")


@dataclass
class Known:
    logprob: float


@dataclass
class Output:
    text: str
    token_ids: list[int]
    finish_reason: str
    stop_reason: str | int | None = None

    @property
    def logprobs(self) -> list[dict[int, Known]]:
        return [{token: Known(-float(place + 1))} for place, token in enumerate(self.token_ids)]


@dataclass
class Answer:
    outputs: list[Output]
    prompt_token_ids: Sequence[int] = (0, 1)
    prompt_logprobs: Sequence[dict[int, Known] | None] = ()


WORDS = ["def f():", "\n", "    return", " 1", "\n\n", "def", " g", ""]


def read(output: Output) -> Generation:
    def decode(ids: Sequence[int]) -> str:
        return "".join(WORDS[token] for token in ids)

    return read_completion(Answer([output]), decode, 5, Charge(0.5, 2.0), 1.5, "model")


def test_a_sample_that_a_stop_text_ended_is_read() -> None:
    one = read(Output("    return 1\n", [2, 3, 4, 5], "stop", "\ndef"))
    assert (one.text, one.token_ids, one.completion_tokens) == ("    return 1\n", (2, 3), 4)
    assert (one.sum_logprob, one.mean_logprob) == (-3.0, -1.5)
    assert (one.seconds, one.joules, one.latency_seconds, one.seed) == (0.5, 2.0, 1.5, 5)
    assert (one.prompt_tokens, one.finish_reason) == (2, FinishReason.STOP)


@pytest.mark.parametrize("reason", [None, 7])
def test_a_sample_that_an_end_token_ended_is_read(reason: int | None) -> None:
    one = read(Output("    return 1", [2, 3, 7], "stop", reason))
    assert (one.token_ids, one.completion_tokens, one.sum_logprob) == ((2, 3), 3, -3.0)
    nothing = read(Output("", [7], "stop", reason))
    assert (nothing.token_ids, nothing.completion_tokens) == ((), 1)
    assert math.isnan(nothing.mean_logprob)


def test_a_sample_at_its_limit_keeps_all_of_its_tokens() -> None:
    one = read(Output("    return 1\n\n", [2, 3, 4], "length"))
    assert (one.token_ids, one.completion_tokens, one.finish_reason) == ((2, 3, 4), 3, FinishReason.LENGTH)


def test_a_sample_that_was_broken_off_is_an_error() -> None:
    with pytest.raises(BackendError, match="abort"):
        read(Output("", [2], "abort"))


def test_scores_begin_behind_the_prompt() -> None:
    known = [None, {1: Known(-1.0)}, {2: Known(-2.0), 9: Known(-0.1)}, {3: Known(-3.0)}]
    assert read_prompt_logprobs(Answer([], [0, 1, 2, 3], known), 2) == (-2.0, -3.0)


def test_without_vllm_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    backend = Vllm(VllmSettings(model="org/model", revision="v1"))
    assert backend.describe().model == "org/model@v1"
    with pytest.raises(MissingExtraError, match=r"pip install 'isobudget\[vllm\]'"):
        backend.__enter__()
    with pytest.raises(BackendError, match="context manager"):
        backend.generate("x", WARM, [1])


PARENT = """
import os, subprocess, sys
from isobudget.backends.vllm.guard import Guard
from isobudget.study import stated_model
guard = Guard()
with guard.marking():
    child = subprocess.Popen(["sh", "-c", "sleep 600 & wait"], pass_fds=[int(sys.argv[1])], process_group=0)
assert "ISOBUDGET_GUARD" not in os.environ
if sys.argv[2] == "farewell":
    guard.release()
print(child.pid, flush=True)
sys.stdin.read()
"""


def guarded(kind: str) -> tuple[int, bool]:
    """Kill a process that has started others; the first one's id, and whether all of those ended with it."""
    ended, held = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(held), kind], pass_fds=[held], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        os.close(held)
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    alone = bool(select.select([ended], [], [], 20 if kind == "none" else 1)[0])  # at the end of the last that holds it
    os.close(ended)
    return child, alone


@pytest.mark.skipif(sys.platform != "linux", reason="the guard looks into /proc")
def test_what_an_engine_started_does_not_outlive_a_killed_parent() -> None:
    assert guarded("none")[1]


@pytest.mark.skipif(sys.platform != "linux", reason="the guard looks into /proc")
def test_a_guard_that_was_released_ends_nothing() -> None:
    child, ended = guarded("farewell")
    os.killpg(child, signal.SIGKILL)  # it leads a group of its own
    assert not ended


# -- against the installed vLLM


@pytest.fixture(scope="module")
def vllm() -> Any:
    return pytest.importorskip("vllm", reason="needs the extra `vllm`")


def test_the_installed_version_takes_these_arguments(vllm: Any) -> None:
    from vllm.engine.arg_utils import EngineArgs

    llm = inspect.signature(vllm.LLM).parameters
    further = inspect.signature(EngineArgs).parameters if "kwargs" in llm else {}
    assert not set(VllmSettings(model="m").engine_arguments()) - set(llm) - set(further)
    known = set(inspect.signature(vllm.SamplingParams).parameters)
    assert not {*sampling_arguments(WARM, 1), *scoring_arguments()} - known
    vllm.SamplingParams(**sampling_arguments(WARM, 1, {3}))
    vllm.SamplingParams(**sampling_arguments(Sampling(0.0, 1.0, 1), 1))
    vllm.SamplingParams(**scoring_arguments())
    add = inspect.signature(vllm.LLMEngine.add_request).parameters
    assert list(add)[1:4] == ["request_id", "prompt", "params"]
    assert list(inspect.signature(vllm.LLMEngine.step).parameters) == ["self"]


@pytest.fixture(scope="module")
def folder(vllm: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    write_llama(folder, len(write_tokenizer(folder, CHAT_TEMPLATE)), spread=0.3)
    return folder


@pytest.fixture(scope="module")
def backend(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB; used by builds for the CPU alone
        patch.setenv("HF_HUB_OFFLINE", "1")
        with contextlib.ExitStack() as stack:
            try:
                backend = stack.enter_context(Vllm(settings(folder)))
            except ModelError as error:
                pytest.skip(f"vLLM is installed but cannot run here: {error}")
            yield backend


def settings(folder: Path) -> VllmSettings:
    return VllmSettings(model=str(folder), dtype="float32", context_tokens=256, memory_fraction=0.3, concurrency=16)


def plain_logprobs(folder: Path, ids: Sequence[int], skip: int) -> list[float]:
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        known = torch.log_softmax(model(torch.tensor([list(ids)])).logits[0], dim=-1)
    return [float(known[place - 1, ids[place]]) for place in range(skip, len(ids))]


def together(backend: Vllm, calls: Sequence[tuple[str, Sampling, list[int]]]) -> list[list[Generation]]:
    """Several calls at the same time, each from a thread of its own."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: backend.generate(*call), calls))


def test_greedy_equals_the_transformers_library(backend: Vllm, folder: Path) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    answers = together(backend, [(prompt, Sampling(0.0, 1.0, 12), [0]) for prompt in PROMPTS])
    for prompt, (answer,) in zip(PROMPTS, answers, strict=True):
        given = tokenizer(prompt, return_tensors="pt")
        own = model.generate(**given, do_sample=False, max_new_tokens=12, pad_token_id=0)[0, given.input_ids.shape[1] :]
        assert list(answer.token_ids) == [token for token in own.tolist() if token not in (1, 2)]
        assert answer.prompt_tokens == given.input_ids.shape[1]


def test_a_sample_follows_from_its_seed_whatever_is_drawn_beside_it(backend: Vllm) -> None:
    alone = [backend.generate(PROMPTS[0], WARM, [seed])[0] for seed in (3, 4)]
    crowd = together(
        backend, [(PROMPTS[0], WARM, [9, 3, 4]), (PROMPTS[1], WARM, [1, 2]), (PROMPTS[2], WARM, list(range(30)))]
    )
    assert [one.token_ids for one in alone] == [one.token_ids for one in crowd[0][1:]]
    assert [one.seed for one in crowd[2]] == list(range(30))
    assert len({one.token_ids for one in crowd[2]}) > 20


def test_log_probabilities_and_scores_are_those_of_a_plain_forward_pass(backend: Vllm, folder: Path) -> None:
    assert backend._tokens is not None
    one = backend.generate(PROMPTS[0], WARM, [1])[0]
    ids = backend._tokens.prompt_ids(PROMPTS[0])
    plain = plain_logprobs(folder, [*ids, *one.token_ids], len(ids))
    assert one.mean_logprob == pytest.approx(math.fsum(plain) / len(plain), abs=1e-5)
    text = "    return a\n"
    given, empty, apart = backend.score(PROMPTS[0], [one.text, "", text], [one.token_ids, (), ()])
    assert given.logprobs == pytest.approx(plain, abs=1e-4)
    assert (empty.logprobs, empty.prompt_tokens) == ((), len(ids))
    wanted = plain_logprobs(folder, [*ids, *backend._tokens.text_ids(text)], len(ids))
    assert apart.logprobs == pytest.approx(wanted, abs=1e-4)
    assert backend.score(PROMPTS[0], [text])[0].logprobs == pytest.approx(wanted, abs=1e-4)  # prefix known by now


def test_stop_texts_and_end_tokens_end_a_sample(backend: Vllm) -> None:
    sampling = Sampling(1.6, 1.0, 40)
    drawn = backend.generate(PROMPTS[0], sampling, list(range(48)))
    ended = [one for one in drawn if one.finish_reason is FinishReason.STOP]
    assert ended
    assert all(one.completion_tokens == len(one.token_ids) + 1 for one in ended)
    assert all(not {1, 2} & set(one.token_ids) for one in drawn)
    whole = max(drawn, key=lambda one: len(one.text))
    stop = next(whole.text[i : i + 2] for i in range(6, len(whole.text)) if "�" not in whole.text[i : i + 2])
    cut = backend.generate(PROMPTS[0], Sampling(1.6, 1.0, 40, ("@@never@@", stop)), [whole.seed])[0]
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason is FinishReason.STOP
    assert cut.token_ids == whole.token_ids[: len(cut.token_ids)]
    assert len(cut.token_ids) < cut.completion_tokens <= len(whole.token_ids)


def test_time_is_shared_and_latency_is_longer(backend: Vllm) -> None:
    before = time.perf_counter()
    drawn = [one for calls in together(backend, [(prompt, WARM, [1, 2, 3]) for prompt in PROMPTS]) for one in calls]
    passed = time.perf_counter() - before
    assert 0 < math.fsum(one.seconds for one in drawn) <= passed
    assert all(one.seconds < one.latency_seconds <= passed for one in drawn)


def test_a_request_that_does_not_fit_fails_alone(backend: Vllm) -> None:
    with pytest.raises(BackendError, match="vLLM refuses the request"):
        backend.generate("a@" * 300, WARM, [1])
    with pytest.raises(BackendError, match="no system messages here"):
        backend.generate(Chat((Message("system", "x"),)), WARM, [1])
    assert backend.generate(Chat((Message("user", "hi"),)), WARM, [1])[0].prompt_tokens > 3


def test_an_interrupt_from_the_keyboard_does_not_end_the_engine(backend: Vllm) -> None:
    children = multiprocessing.active_children()
    assert children
    for child in children:
        assert child.pid is not None
        os.kill(child.pid, signal.SIGINT)
    assert len(backend.generate(PROMPTS[0], WARM, [1, 2])) == 2


def test_an_engine_that_died_is_an_error_and_not_a_wait_without_end(folder: Path, backend: Vllm) -> None:
    theirs = set(multiprocessing.active_children())
    with Vllm(settings(folder)) as other:
        (child,) = [child for child in multiprocessing.active_children() if child not in theirs]
        child.kill()
        for _ in range(2):
            with pytest.raises(BackendError, match=r"died|vLLM failed|refuses"):
                other.generate(PROMPTS[0], WARM, [1, 2])


def test_a_study_from_samples_to_report(folder: Path, backend: Vllm, tmp_path: Path) -> None:
    lines = 'backend = "vllm"\ndtype = "float32"\ncontext_tokens = 512\nmemory_fraction = 0.3\nconcurrency = 16\n'
    check_a_study_end_to_end(tmp_path, folder, lines)


def test_closing_ends_what_is_in_flight(backend: Vllm) -> None:  # the last test: it closes the engine
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(backend.generate, PROMPTS[0], Sampling(0.8, 1.0, 240), [k] * 40) for k in range(3)]
        assert backend._tokens is not None
        backend.generate(PROMPTS[0], Sampling(0.8, 1.0, 1), [1])
        backend.__exit__(None, None, None)
        ended = [call.exception(60) for call in calls]
    assert any(isinstance(error, BackendError) for error in ended)
    assert all(error is None or isinstance(error, BackendError) for error in ended)
    with pytest.raises(BackendError, match="context manager"):
        backend.generate("x", WARM, [1])
