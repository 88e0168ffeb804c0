"""Commands about the machine: the models it has, how fast it runs them, what it can do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from isobudget.api.names import Names, as_names
from isobudget.results import Results

if TYPE_CHECKING:
    from isobudget.doctor import Check
    from isobudget.models.catalog import ModelEntry
    from isobudget.profiling import Profiled
    from isobudget.progress import Progress


def models() -> Results[ModelEntry]:
    """The models known by name: those that ship, and those of your models file."""
    from isobudget.models.catalog import load_catalog
    from isobudget.models.weights import describe_entry
    from isobudget.study.study import load_declared

    entries, declared = list(load_catalog().values()), load_declared()

    def rows() -> list[dict[str, object]]:
        return [*map(describe_entry, entries), *({"name": one.name} | one.settings.facts() for one in declared)]

    return Results.of(entries, plain=rows, rows=rows, text=lambda: "\n".join(str(row["name"]) for row in rows()))


def fetch(names: Names, *, progress: Progress | None = None) -> dict[str, Path]:
    """Fetch weights and check them; weights that are already here are only checked. Returns the files by name.

    Args:
        names: models to fetch.
        progress: shows the progress.

    Raises:
        InputError: no such model.
        ModelError: the weights are not available, or do not match their checksum.
    """
    from isobudget.models.catalog import find_model
    from isobudget.models.weights import fetch_weights
    from isobudget.progress import SILENT

    entries = [find_model(name) for name in as_names(names)]
    return {one.name: fetch_weights(one, progress or SILENT) for one in entries}


def profile(
    model: str,
    slots: str | int | Sequence[int] = (1, 4, 16),
    *,
    prompt_tokens: int = 128,
    completion_tokens: int = 128,
    threads: int | None = None,
    repeat: int = 3,
    quantisation: str | None = None,
    out: str | Path | None = None,
    keep: bool = False,
    backend: str = "llama.cpp",
    progress: Progress | None = None,
) -> Profiled:
    """Benchmark throughput on this machine, even without the model's weights: speed depends on their shape.

    Args:
        model: a model by name, a .gguf file; or, with random weights, a known architecture or a config.json.
        slots: samples generated at the same time; several, separated by commas. In Python also a list.
        prompt_tokens: tokens of each sample's prompt.
        completion_tokens: tokens of each sample.
        threads: CPU threads; by default every core.
        repeat: timings of each number of slots; the median counts.
        quantisation: quantization of the generated random weights; by default q4_0 for an architecture. In Python
            ``q4_0``, ``q8_0`` or ``f16``.
        out: the profile's file; by default in ~/.cache/isobudget/profiles.
        keep: do not remove the file of random weights.
        backend: ``llama.cpp``; or transformers, for an architecture with random weights, on a GPU where there is one.
        progress: shows the progress.

    Raises:
        IsobudgetError: see `isobudget.profiling.profile`.
    """
    from isobudget.profiling import Quantisation, Timing, parse_slots
    from isobudget.profiling import profile as measure
    from isobudget.progress import SILENT

    timing = Timing(parse_slots(slots), prompt_tokens, completion_tokens, threads, repeat)
    form = None if quantisation is None else Quantisation.parsed(quantisation)
    return measure(model, timing, quantisation=form, out=out, keep=keep, backend=backend, progress=progress or SILENT)


def doctor() -> Results[Check]:
    """What this machine can do: extras, the judge's confinement, models. Nothing is changed."""
    from dataclasses import asdict

    from isobudget.doctor import doctor as look

    checks = look()

    def rows() -> list[dict[str, object]]:
        return [asdict(check) for check in checks]

    return Results.of(
        checks, plain=rows, rows=rows, text=lambda: "\n".join(f"{one.name}: {one.found}" for one in checks)
    )
