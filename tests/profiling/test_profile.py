"""Random weights in a given shape, timing them in the engine, and seconds from a throughput profile."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from isobudget.backends.llamacpp import LlamaCpp, LlamaCppSettings
from isobudget.costs.cost import Unit
from isobudget.costs.costs_file import cost_from_entry, read_costs
from isobudget.costs.seconds import Figure, Profile, SlotSpeed, parse_profile, profile_seconds, read_profile
from isobudget.costs.usage import TokenUse
from isobudget.errors import BackendError, InputError, ModelError, StorageError
from isobudget.models import Architecture, from_gguf, named, read_gguf_header
from isobudget.models.random_gguf import Quantisation, random_gguf_bytes, write_random_gguf
from isobudget.profiling import Timing, parse_slots, profile
from isobudget.profiling.measure import random_weights
from isobudget.profiling.timing import _speed, _time
from isobudget.progress import SILENT
from support.command import isobudget

TINY = Architecture("tiny", layers=2, hidden=64, mlp_width=96, heads=4, kv_heads=2, head_size=16, vocabulary=320)
SHAPES = [
    TINY,
    replace(TINY, name="tied", tied_embeddings=True),
    replace(TINY, name="experts", experts=4, active_experts=2),
    replace(TINY, name="wide-heads", head_size=32),
    replace(TINY, name="odd-width", mlp_width=100),
]
CONFIG = {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 320,
}
SHORT = Timing(slots=(2, 1), prompt_tokens=8, completion_tokens=200, threads=1, repeats=1)


def one(value: float) -> Figure:
    return Figure(value, value, value)


#: reading a prompt takes 0.1 s a token and 0.1 s a slot, a decoding step 1 s and 0.5 s a slot
PROFILE = Profile("m", (SlotSpeed(2, one(2 / 0.3), one(2 / 2.0)), SlotSpeed(10, one(10 / 1.1), one(10 / 6.0))))


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A scratch folder of the test's own, and no user's cache."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def engine_is_here() -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)


# random weights


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("form", Quantisation)
def test_the_header_read_back_is_the_architecture(tmp_path: Path, shape: Architecture, form: Quantisation) -> None:
    path = tmp_path / "random.gguf"
    written = write_random_gguf(path, shape, form)
    found = from_gguf(path)
    assert replace(found, source=shape.source) == shape
    header = read_gguf_header(path)
    assert written == path.stat().st_size == header.data_start + random_gguf_bytes(shape, form)
    assert header.parameters == shape.params


@pytest.mark.parametrize(
    ("name", "form", "gigabytes"),
    [("codellama-7b", "q4_0", 3.79), ("codellama-70b", "f16", 137.96), ("mistral-7b", "q8_0", 7.695)],
)
def test_sizes_of_known_models(name: str, form: str, gigabytes: float) -> None:
    """4.5, 16 and 8.5 bits a weight: 6.74e9, 68.98e9 and 7.24e9 of them."""
    size = random_gguf_bytes(named(name), Quantisation(form))
    assert size / 1e9 == pytest.approx(gigabytes, rel=2e-3)


def test_numbers_have_the_spread_that_keeps_sums_finite(tmp_path: Path) -> None:
    path = tmp_path / "random.gguf"
    spreads = {}
    for form in Quantisation:
        write_random_gguf(path, TINY, form)
        header = read_gguf_header(path)
        tensor = header.tensors["blk.1.ffn_up.weight"]
        data = path.read_bytes()[header.data_start + tensor.offset :][: tensor.size]
        spreads[form] = unpacked(data, form).std()
    assert all(spread == pytest.approx(64**-0.5, rel=0.05) for spread in spreads.values())


def unpacked(data: bytes, form: Quantisation) -> np.ndarray:
    """The numbers of a tensor, as the GGUF format defines its blocks."""
    if form is Quantisation.F16:
        return np.frombuffer(data, "<f2").astype(float)
    width = 16 if form is Quantisation.Q4_0 else 32
    blocks = np.frombuffer(data, [("scale", "<f2"), ("numbers", "i1", width)])
    numbers = blocks["numbers"]
    if form is Quantisation.Q4_0:
        halves = numbers.view(np.uint8)
        numbers = np.concatenate([halves & 15, halves >> 4], axis=1).astype(int) - 8
    return (numbers * blocks["scale"][:, None].astype(float)).ravel()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"gated_mlp": False}, "no gate"),
        ({"experts": 4, "active_experts": 1, "shared_mlp_width": 32}, "beside its experts"),
        ({"vocabulary": 258}, "vocabulary of 258"),
        ({"head_size": 15}, "odd size 15"),
    ],
)
def test_shapes_that_cannot_be_written_are_refused(tmp_path: Path, change: dict[str, int], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        write_random_gguf(tmp_path / "random.gguf", replace(TINY, **change))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_behind(scratch: Path) -> None:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old[1]))
    try:
        with (
            pytest.raises(StorageError, match=r"tiny-q4_0\.gguf: cannot be written"),
            random_weights(TINY, Quantisation.Q4_0, True, SILENT),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert not list(scratch.iterdir())
    assert write_random_gguf(scratch / "again.gguf", TINY) > 20_000


def test_what_does_not_fit_the_disk_is_not_begun(scratch: Path) -> None:
    huge = replace(named("llama-3-70b"), layers=10**12, name="huge")
    with pytest.raises(StorageError, match=r"huge need [\d.]+ EB, .* GB free\. Set TMPDIR"):
        profile_of(huge)
    assert not list(scratch.iterdir())


def test_what_does_not_fit_the_memory_is_not_begun(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 8, "SC_PAGE_SIZE": 4096}.__getitem__)
    with pytest.raises(InputError, match="the disk would be timed, not the model"):
        profile_of(TINY)
    assert not list(scratch.iterdir())


def profile_of(shape: Architecture) -> None:
    with random_weights(shape, Quantisation.Q4_0, False, SILENT):
        pass


def test_a_scratch_folder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "absent"))
    with pytest.raises(StorageError, match="absent"):
        profile_of(TINY)


# in the engine


@pytest.mark.usefixtures("engine_is_here")
@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2]], ids=lambda shape: shape.name)
def test_the_engine_runs_random_weights_at_exact_lengths(tmp_path: Path, shape: Architecture) -> None:
    path = tmp_path / "random.gguf"
    write_random_gguf(path, shape)
    prompts = np.random.default_rng(0).integers(0, shape.vocabulary, (3, 20))
    with LlamaCpp(LlamaCppSettings(model=str(path), slots=3, context_tokens=64, threads=1)) as engine:
        assert _time(engine, prompts, 12) > 0
        with pytest.raises(BackendError, match="each of 3 slots was to process"):
            _time(engine, prompts, 400)  # more than there is room for


@pytest.mark.usefixtures("engine_is_here")
def test_a_bare_architecture_is_profiled_and_read_back(scratch: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    done = profile(str(config), SHORT, quantisation=Quantisation.Q8_0, out=tmp_path / "new" / "profile.toml")
    found = done.profile
    assert read_profile(done.path) == found
    assert parse_profile(json.loads(json.dumps(found.as_dict())), "JSON") == found
    assert [speed.slots for speed in found.speeds] == [1, 2]
    assert (found.prompt_tokens, found.completion_tokens, found.threads, found.repeats) == (8, 200, 1, 1)
    assert found.weights == "random, q8_0"
    assert "xllamacpp" in found.engine
    assert list(scratch.iterdir()) == []
    assert done.kept is None
    for speed in found.speeds:
        cost = profile_seconds(found, TokenUse.of(8, [[200]], share_prompt=False), speed.slots)
        assert speed.sample is not None
        assert cost.per_sample == pytest.approx(speed.sample.median, rel=1e-4)


@pytest.mark.usefixtures("engine_is_here")
def test_a_file_is_profiled_and_kept_weights_stay(scratch: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    made = profile(str(config), replace(SHORT, slots=(1,)), keep=True)
    assert made.path.parent == tmp_path / "cache" / "isobudget" / "profiles"
    assert made.kept is not None
    assert made.kept.is_relative_to(scratch)
    done = profile(str(made.kept), replace(SHORT, slots=(1,)), out=tmp_path / "file.toml")
    assert done.profile.weights == made.kept.name
    assert done.kept is None
    assert made.kept.is_file()


@pytest.mark.usefixtures("engine_is_here")
@pytest.mark.parametrize(
    ("model", "form", "error", "message"),
    [
        ("codelama-7b", None, InputError, "not a model of the catalogue .*nearest known names: codellama-7b"),
        ("absent.gguf", None, ModelError, "absent.gguf: no such file"),
        ("absent/config.json", None, InputError, "absent/config.json: cannot be read: No such file"),
        ("smollm2-135m", Quantisation.F16, InputError, "leave --quantisation out"),
        ("short-sighted.json", None, InputError, "has a sliding window of 16 tokens"),
        ("damaged.gguf", None, ModelError, "damaged.gguf"),
    ],
)
def test_models_that_cannot_be_profiled_are_named(
    scratch: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    form: Quantisation | None,
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short-sighted.json").write_text(json.dumps(CONFIG | {"model_type": "mistral", "sliding_window": 16}))
    Path("damaged.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    with pytest.raises(error, match=message):
        profile(model, SHORT, quantisation=form, out="profile.toml")
    assert not list(scratch.iterdir())
    assert not Path("profile.toml").exists()


# timing


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"slots": ()}, "slots must be"),
        ({"slots": (1, 0)}, "slots must be numbers from 1 to 254, not 1, 0"),
        ({"slots": (300,)}, "not 300"),
        ({"prompt_tokens": 0}, "prompt_tokens must be at least 1"),
        ({"completion_tokens": 1}, "completion_tokens must be at least 2"),
        ({"repeats": 0}, "repeats must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_numbers_that_cannot_be_timed_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Timing(**settings)


def test_rates_follow_from_the_seconds_to_the_first_token_and_the_last() -> None:
    timing = Timing(slots=(4,), prompt_tokens=100, completion_tokens=51)
    speed = _speed(4, timing, first=[2.0, 1.0, 4.0], whole=[7.0, 12.0, 6.0])
    assert speed.prompt == Figure(200.0, 100.0, 400.0)
    assert speed.completion == Figure(40.0, 20.0, 50.0)
    assert speed.sample == Figure(1.75, 1.5, 3.0)


def test_noise_above_the_signal_is_an_error() -> None:
    with pytest.raises(BackendError, match="raise --completion-tokens"):
        _speed(1, Timing(completion_tokens=2), first=[1.0, 1.0], whole=[1.5, 1.0])


# seconds from a profile


def test_seconds_are_exact_where_it_was_profiled() -> None:
    cost = profile_seconds(PROFILE, TokenUse.of(100, [[21, 41], [11]]), 10)
    assert cost.unit is Unit.SECONDS
    assert cost.per_sample == pytest.approx(20 * 0.6)  # mean over problems of 30 and 10 steps
    assert cost.per_problem == pytest.approx(100 * 0.11)
    assert cost.source.startswith("profile: m (weights: not stated), 10 slots")
    apart = profile_seconds(PROFILE, TokenUse.of(100, [[21]], share_prompt=False), 2)
    assert (apart.per_sample, apart.per_problem) == pytest.approx((20 * 1.0 + 100 * 0.15, 0.0))


@pytest.mark.parametrize("slots", range(2, 11))
def test_between_slots_the_time_of_a_step_is_linear(slots: int) -> None:
    cost = profile_seconds(PROFILE, TokenUse.of(1, [[2]]), slots)
    assert cost.per_sample == pytest.approx((1 + 0.5 * slots) / slots, rel=1e-12)
    assert cost.per_problem == pytest.approx((0.1 + 0.1 * slots) / slots, rel=1e-12)


def test_by_default_all_slots_are_used() -> None:
    use = TokenUse.of(5, [[9]])
    assert profile_seconds(PROFILE, use) == profile_seconds(PROFILE, use, 10)
    worse = replace(PROFILE, speeds=(*PROFILE.speeds, SlotSpeed(20, one(20 / 2.1), one(20 / 30.0))))
    assert profile_seconds(worse, use) == profile_seconds(worse, use, 10)  # the best batch, not the largest
    assert worse.best.slots == 10


def test_the_first_token_comes_with_the_prompt() -> None:
    use = TokenUse.of(10, [[1], [0, 3]], share_prompt=False)
    assert profile_seconds(PROFILE, use, 2).per_sample == pytest.approx(0.5 * 1.0 + 10 * 0.15)
    with pytest.raises(InputError, match="positive amount"):
        profile_seconds(PROFILE, TokenUse.of(10, [[1], [1]]), 2)


@pytest.mark.parametrize("slots", [1, 11])
def test_outside_of_what_was_profiled_nothing_is_guessed(slots: int) -> None:
    with pytest.raises(InputError, match=rf"timed with 2, 10 slots, not with {slots}; .*--slots"):
        profile_seconds(PROFILE, TokenUse.of(1, [[2]]), slots)


COSTS = """
[models."m"]
profile = "speed.toml"
prompt_tokens = 100
completion_tokens = 21
"""
BY_HAND = """
model = "m"
[[slots]]
slots = 1
prompt_tokens_per_second = 500
completion_tokens_per_second = 10
"""


def seconds(folder: Path, costs: str, speed: str, unit: Unit = Unit.SECONDS, use: TokenUse | None = None) -> float:
    (folder / "speed.toml").write_text(speed)
    (folder / "costs.toml").write_text(costs)
    entry = read_costs(folder / "costs.toml").find("m")
    assert entry is not None
    return cost_from_entry(entry, "m", unit, use).cost(1)


def test_a_costs_file_takes_a_profile(tmp_path: Path) -> None:
    assert seconds(tmp_path, COSTS, BY_HAND) == pytest.approx(0.2 + 2.0)
    assert seconds(tmp_path, COSTS + "share_prompt = false", BY_HAND) == pytest.approx(2.2)
    recorded = TokenUse.of(1, [[41], [41, 41]])
    assert seconds(tmp_path, COSTS, BY_HAND, use=recorded) == pytest.approx(0.2 + 4.0)
    hourly = COSTS + 'usd_per_gpu_hour = 3600\ndate = 2025-01-01\nsource = "ours"'
    assert seconds(tmp_path, hourly, BY_HAND, Unit.USD) == pytest.approx(2.2)
    assert seconds(tmp_path, COSTS + "seconds = 9", BY_HAND) == 9  # what is stated wins


@pytest.mark.parametrize(
    ("costs", "speed", "message"),
    [
        (COSTS.replace("speed", "absent"), BY_HAND, "absent.toml: cannot be read: No such file"),
        (COSTS.replace('"speed.toml"', "3"), BY_HAND, "profile: must be a string"),
        (
            COSTS.replace("completion_tokens = 21", ""),
            BY_HAND,
            "completion_tokens and tokens_per_second \\(or a profile",
        ),
        (COSTS + "batch = 4", BY_HAND, r'models\."m".*not with 4'),
        (COSTS, "model =", "not valid TOML"),
        (COSTS, 'model = "m"', r"no \[\[slots\]\] table"),
        (COSTS, "slots = 3", r"no \[\[slots\]\] table"),
        (COSTS, "format = 2\n" + BY_HAND, "format 2"),
        (COSTS, BY_HAND + BY_HAND.partition('"m"')[2], "two .* slots = 1"),
        (COSTS, BY_HAND.replace("500", "0"), "prompt_tokens_per_second, .*above 0, not 0"),
        (COSTS, BY_HAND.replace("500", "nan"), "above 0, not nan"),
        (COSTS, BY_HAND.replace("500", "true"), "above 0, not True"),
        (COSTS, BY_HAND + "completion_tokens_per_second_low = -1", "completion_tokens_per_second, .*not -1"),
        (COSTS, BY_HAND.replace("prompt_tokens_per_second = 500", ""), "needs slots"),
        (COSTS, BY_HAND.replace("slots = 1", "slots = 0"), "needs slots of at least 1"),
        (COSTS, BY_HAND.replace("slots = 1", "slots = 1.5"), "slots must be a whole number"),
        (COSTS, "repeats = -1\n" + BY_HAND, "repeats must be a whole number"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, costs: str, speed: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        seconds(tmp_path, costs, speed)


# the command


def command(*arguments: str, folder: Path) -> CompletedProcess[str]:
    return isobudget("profile", *arguments, cwd=folder)


@pytest.mark.usefixtures("engine_is_here", "scratch")
def test_the_command_prints_json_and_writes_the_same(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    lengths = ["--slots", "1,2", "--prompt-tokens", "8", "--completion-tokens", "200", "--repeat", "1"]
    done = command("config.json", *lengths, "-o", "p.toml", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed.pop("path") == "p.toml"
    assert printed == read_profile(tmp_path / "p.toml").as_dict()


@pytest.mark.parametrize("slots", ["1,x", "", "1.5", "-1", "²", "1,,2", "9" * 5000])
def test_slots_that_are_no_numbers_are_refused(slots: str) -> None:
    with pytest.raises(InputError, match="--slots takes whole numbers"):
        parse_slots(slots)
    assert parse_slots(" 4, 1,4") == (4, 1)


def test_the_command_ends_with_one_message(tmp_path: Path) -> None:
    done = command("codellama-7b", "--slots=1,x", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: --slots takes whole numbers of 1 or more, and at most 254, separated by commas, such as 1,4,16; "
        "got '1,x'"
    ]
