"""Measures how fast this machine runs a model: `isobudget profile`.

Speed depends on the shape and the quantization of the weights, not on their values. So an architecture can be timed
without its weights: random ones are written to a scratch folder, and removed afterwards. `timing` says what is timed,
and `costs.seconds` computes from the result what a sample costs. Before anything is written, disk and memory are
checked for room.

An architecture can also be timed with the transformers backend, on a GPU if there is one; see `by_transformers`.

Not covered: vLLM and servers, whose throughput can be written into a profile by hand, see docs/costs.md; and memory
limits of this process alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w

from isobudget.backends.llamacpp import import_engine, usable_cores
from isobudget.costs.seconds import Profile
from isobudget.errors import InputError, StorageError
from isobudget.files.whole import make_folder, storage_error, user_cache, write_whole
from isobudget.grid import short
from isobudget.models.architecture import Architecture
from isobudget.models.catalog import load_catalog
from isobudget.models.random_gguf import Quantisation, random_gguf_bytes, write_random_gguf
from isobudget.models.read_architecture import load_architecture
from isobudget.models.weights import fetch_weights
from isobudget.profiling.timing import Timing, time_engine, time_model
from isobudget.progress import SILENT, Progress
from isobudget.records.facts import processor_name

#: backends that can be timed
LLAMA_CPP, TRANSFORMERS = "llama.cpp", "transformers"


@dataclass(frozen=True, slots=True, repr=False)
class Profiled:
    """A profile, where it was written, and the file of random weights if it was kept."""

    profile: Profile
    path: Path
    kept: Path | None = None

    def __repr__(self) -> str:
        return f"profile of {self.profile.model}: {self.path}"

    def to_dict(self) -> dict[str, Any]:
        """What `isobudget profile --json` prints."""
        places = {"path": str(self.path)} | ({"kept": str(self.kept)} if self.kept else {})
        return self.profile.as_dict() | places


@dataclass(frozen=True, slots=True)
class _Weights:
    """The weights to time: name of the model, its file, kind of weights, the profile's name, and whether random."""

    name: str
    path: Path
    kind: str
    label: str
    made: bool = False


def profile(
    model: str,
    timing: Timing | None = None,
    *,
    quantisation: Quantisation | None = None,
    out: str | Path | None = None,
    keep: bool = False,
    backend: str = LLAMA_CPP,
    progress: Progress = SILENT,
) -> Profiled:
    """Time a model on this machine, and write its throughput profile.

    Arguments are those of `isobudget.api.profile`, with `timing` for slots, lengths, threads and repeats.

    Raises:
        InputError: the model is not known, or does not fit this machine's memory.
        ModelError: the weights cannot be loaded.
        StorageError: there is no room for the random weights or the profile.
        BackendError: the engine did not generate the requested tokens, or too few of them to be timed.
        MissingExtraError: the packages of the backend are not installed.
    """
    timing = timing or Timing()
    if out is not None and Path(out).is_dir():  # report what is missing or wrong before anything is fetched or written
        raise InputError(f"{out} is a folder; name a file for the profile")
    if backend == TRANSFORMERS:
        if keep or quantisation is not None:
            raise InputError(
                "the transformers backend times weights in 16 or 32 bits and writes no file, "
                "so leave out --quantisation and --keep"
            )
        return _written(_by_transformers(_architecture(model, timing), timing, progress), f"{model}-transformers", out)
    if backend != LLAMA_CPP:
        raise InputError(f"the backend of a profile must be {LLAMA_CPP} or {TRANSFORMERS}, not {backend!r}")
    import_engine()
    with _weights(model, timing, quantisation, keep, progress) as weights:
        file = Path(out) if out else profiles_folder() / f"{safe_file_name(weights.label)}.toml"
        make_folder(file.parent)
        speeds = time_model(weights.path, timing, weights.name, progress)
    measured = Profile(weights.name, speeds, weights=weights.kind, **_circumstances(timing))
    write_whole(file, tomli_w.dumps(measured.as_dict()).encode())
    return Profiled(measured, file, weights.path if weights.made and keep else None)


def _written(measured: Profile, label: str, out: str | Path | None) -> Profiled:
    file = Path(out) if out else profiles_folder() / f"{safe_file_name(label)}.toml"
    make_folder(file.parent)
    write_whole(file, tomli_w.dumps(measured.as_dict()).encode())
    return Profiled(measured, file)


def _by_transformers(shape: Architecture, timing: Timing, progress: Progress) -> Profile:
    from isobudget.profiling.by_transformers import random_model

    task, sizes = f"timing {shape.name}", sorted(set(timing.slots))
    progress.start(task, len(sizes) * timing.repeats)
    context = timing.prompt_tokens + timing.completion_tokens + 1
    with random_model(shape, context, timing.threads) as model:
        speeds = tuple(
            time_engine(model, shape.name, timing, size, shape.vocabulary, lambda: progress.advance(task, 1))
            for size in sizes
        )
        return Profile(
            shape.name,
            speeds,
            timing.prompt_tokens,
            timing.completion_tokens,
            timing.repeats,
            weights=f"random, {model.loaded.dtype}",
            machine=f"{processor_name()}; {model.machine}",
            engine=model.engine,
            threads=model.threads,
            date=datetime.now(UTC).date().isoformat(),
        )


def profiles_folder() -> Path:
    """Where profiles are written by default: a folder in the user's cache."""
    return user_cache() / "profiles"


@contextlib.contextmanager
def _weights(
    model: str, timing: Timing, quantisation: Quantisation | None, keep: bool, progress: Progress
) -> Iterator[_Weights]:
    entry = load_catalog().get(model)
    if entry is None and not model.endswith(".gguf"):
        shape, form = _architecture(model, timing), quantisation or Quantisation.Q4_0
        with random_weights(shape, form, keep, progress) as path:
            yield _Weights(shape.name, path, f"random, {form}", f"{shape.name}-{form}", made=True)
    elif quantisation is not None:
        raise InputError(f"{model} has its own weights, already quantised, so leave --quantisation out")
    elif entry is None:
        path = Path(model).expanduser()
        yield _Weights(path.stem, path, path.name, path.stem)
    else:
        path = fetch_weights(entry, progress)
        yield _Weights(entry.name, path, entry.file, entry.name)


def _architecture(model: str, timing: Timing) -> Architecture:
    try:
        shape = load_architecture(model)
    except InputError as error:
        if model.endswith(".json") or Path(model).is_dir():
            raise
        raise InputError(f"{model!r} is not a model of the catalogue (see: isobudget models); {error}") from None
    context = timing.prompt_tokens + timing.completion_tokens
    if 0 < shape.sliding_window < context:
        raise InputError(
            f"{shape.name} has a sliding window of {shape.sliding_window} tokens, which cannot be timed with random "
            f"weights. Time at most that many prompt and completion tokens together, not {context}, or give a GGUF "
            "file of the model"
        )
    return shape


def _circumstances(timing: Timing) -> dict[str, Any]:
    """The circumstances of a measurement, which its profile states."""
    engine = import_engine()
    gpus = [device["description"] for device in engine.get_device_info() if "GPU" in device["type"].name]
    return {
        "prompt_tokens": timing.prompt_tokens,
        "completion_tokens": timing.completion_tokens,
        "repeats": timing.repeats,
        "machine": "; ".join([processor_name(), *gpus]),
        "engine": f"llama.cpp (xllamacpp {engine.__version__})",
        "threads": timing.threads or usable_cores(),
        "date": datetime.now(UTC).date().isoformat(),
    }


#: room that must stay free on disk
_SPARE_BYTES = 64 << 20


@contextlib.contextmanager
def random_weights(shape: Architecture, form: Quantisation, keep: bool, progress: Progress) -> Iterator[Path]:
    """A file of random weights, which is removed at the end unless `keep`, and always after an error.

    Raises:
        InputError: the architecture is not covered, or its weights are larger than this machine's memory.
        StorageError: the disk has no room for the file.
    """
    size = random_gguf_bytes(shape, form)
    folder = Path(os.environ.get("TMPDIR") or tempfile.gettempdir())
    _check_room(shape.name, size, folder)
    try:
        scratch = Path(tempfile.mkdtemp(prefix="isobudget-profile-", dir=folder))
    except OSError as error:
        raise storage_error(error, folder) from error
    try:
        path = scratch / f"{safe_file_name(f'{shape.name}-{form}')}.gguf"
        progress.note(f"writing {short(size, 'B')} of random weights to {path}")
        write_random_gguf(path, shape, form)
        yield path
    except BaseException:
        keep = False
        raise
    finally:
        if not keep:
            shutil.rmtree(scratch, ignore_errors=True)


def safe_file_name(text: str) -> str:
    """The text with only characters that every file system allows in a name."""
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-.") or "model"


def _check_room(name: str, size: int, folder: Path) -> None:
    """Check the room on disk, then in memory: weights that do not fit would be read from disk again for every token."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise storage_error(error, folder) from error
    if size + _SPARE_BYTES > free:
        raise StorageError(
            f"random weights of {name} need {short(size, 'B')}, but {folder} has {short(free, 'B')} free. Set TMPDIR "
            "to a folder with more room, or choose a smaller --quantisation"
        )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise InputError(
            f"{name} needs {short(size, 'B')} of memory, but this machine has {short(memory, 'B')}: the disk would be "
            "timed, not the model. Choose a smaller --quantisation or a larger machine"
        )
