"""Computes what a study would generate and spend, without downloading, writing or requesting anything (``--dry-run``).

Numbers of samples are exact. Tokens are estimates with an upper bound (see `lengths`); if the run folder already has
samples of a model, their mean length is used for completions. Time comes from the seconds recorded in the run folder.
Without these, a roofline model gives a lower bound, if the study names the GPU and the model's shape is known. Cost
comes from the price stated with the model, else from the shipped price tables: per token for servers, per GPU-hour
otherwise. Unknown values are None, never a guess. Disk space is a rough estimate if nothing is recorded: about 3 bytes
per completion token.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isobudget.backends.settings import HubSettings
from isobudget.errors import IsobudgetError
from isobudget.files.hub import OFFLINE, is_commit, may_be_repo
from isobudget.files.near import RUN_FILE
from isobudget.files.store_path import place
from isobudget.grid import counted
from isobudget.pipeline.estimates import Estimate, Expected, absent, known_of
from isobudget.pipeline.prepare import imported_note, memory_note, mismatch_note
from isobudget.pipeline.samples_from_budget import samples_of
from isobudget.progress import Silent
from isobudget.records.run import load_run
from isobudget.study import Study, StudyModel
from isobudget.study.check import plain_name
from isobudget.study.resolve import resolve

_OFFLINE = "HF_HUB_OFFLINE"


@dataclass(frozen=True, slots=True, repr=False)
class DryRun:
    """What a study would do.

    Attributes:
        study: name of the study.
        run: the run folder that the study would write to.
        expected: one entry for each model and benchmark.
        missing: what prevents the study from running here: missing data, models or packages.
        notes: how numbers of samples follow from a budget, and other remarks.
        replicas: the replicas of each model on a cluster, if requested.
    """

    study: str
    run: Path
    expected: tuple[Expected, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    replicas: tuple[PlannedReplicas, ...] = ()

    def __repr__(self) -> str:
        left = sum(one.left or 0 for one in self.expected)
        ready = "" if not self.missing else f"; it cannot run here yet: {'; '.join(self.missing)}"
        return f"{self.study} in {self.run}: {counted(left, 'sample')} to generate{ready}"

    def to_dict(self) -> dict[str, Any]:
        """The dict that ``--dry-run --json`` prints."""
        plain = asdict(self) | {"run": str(self.run), "ready": not self.missing}
        return plain if self.replicas else {name: value for name, value in plain.items() if name != "replicas"}


@dataclass(frozen=True, slots=True)
class PlannedReplicas:
    """The replicas of one model on a cluster, for all its benchmarks together. None means not known.

    Attributes:
        model: name of the model.
        replicas: number of replicas running at the same time.
        gpus: number of GPUs that they hold together; 0 if the model needs none.
        gpu_hours: GPU-hours for all samples; a replica's GPUs count for as long as they are held.
        hours: wall-clock hours, with all replicas busy.
        usd: cost of the GPUs.
    """

    model: str
    replicas: int
    gpus: int
    gpu_hours: float | None
    hours: float | None
    usd: float | None


class _Notes(Silent):
    """A progress display that collects the notes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def dry_run(study: Study, out: str | Path | None = None, replicas: int | None = None) -> DryRun:
    """What the study would generate and spend in the run folder `out` (default: ``runs/`` and the study's name).

    With `replicas`, each model runs as that many replicas on a cluster. Nothing is downloaded or written. Missing data,
    models or packages are listed; they are not an error.

    Raises:
        RunError: the run folder is damaged.
    """
    path = place(out or Path("runs") / study.name)
    with _no_downloads():
        resolved = resolve(study)
    missing = [_without_downloads(mistake.message) for mistake in resolved.mistakes]
    unpinned = [text for model in study.models if (text := _unpinned(model))]
    known, notes = known_of(path), _Notes()
    if (path / RUN_FILE).is_file():
        run = load_run(path)
        models = [one for one in resolved.models if one is not None]
        refused = imported_note(run) or mismatch_note(run, study, resolved.benchmarks, models)
        missing += [refused] * bool(refused)
    try:
        counts = samples_of(resolved, notes)
    except IsobudgetError as error:
        missing.append(str(error))
        counts = {}
    benchmarks = {one.name: one for one in resolved.benchmarks}
    expected, memory = [], list[str | None]()
    for stated, model in zip(study.models, resolved.models, strict=True):
        for name in map(plain_name, study.benchmarks):
            if name not in benchmarks or model is None:
                expected.append(absent(study, stated, name, None if model is None else model.architecture))
                continue
            n = counts.get(stated.name, {}).get(name)
            expected.append(Estimate(study, model, benchmarks[name], n, known, notes.note).expected())
        if model is not None and stated.name in counts and len(benchmarks) == len(study.benchmarks):
            memory.append(memory_note(model, resolved.benchmarks, counts[stated.name]))
    return DryRun(
        study.name,
        path,
        tuple(expected),
        tuple(dict.fromkeys(missing)),
        tuple(dict.fromkeys([*notes.texts, *filter(None, memory), *unpinned])),
        () if replicas is None else tuple(_replicas(one, expected, replicas) for one in study.models),
    )


def _replicas(model: StudyModel, expected: Sequence[Expected], replicas: int) -> PlannedReplicas:
    """The samples of a model on several replicas, assuming that none waits for another."""
    mine = [one for one in expected if one.model == model.name]
    each = model.settings.gpus_held(model.settings.hardware() is not None)
    hours = _sum(None if one.seconds is None else one.seconds / 3600 for one in mine)
    return PlannedReplicas(
        model.name,
        replicas,
        replicas * each,
        None if hours is None else hours * each,
        None if hours is None else hours / replicas,
        _sum(one.usd for one in mine) if each else None,
    )


def _sum(amounts: Iterable[float | None]) -> float | None:
    """The sum of the amounts; None if one is not known or there are none."""
    known = list(amounts)
    return sum(one for one in known if one is not None) if known and None not in known else None


def _without_downloads(message: str) -> str:
    """The message, changed where it blames the user for being offline although the dry run disabled downloads."""
    return (
        message if os.environ.get(_OFFLINE) else message.replace(OFFLINE, "not in its cache; a dry run fetches nothing")
    )


def _unpinned(model: StudyModel) -> str | None:
    """A warning about a model from the Hub that the study does not pin to a commit."""
    settings = model.settings
    if not isinstance(settings, HubSettings) or not may_be_repo(settings.model) or is_commit(settings.revision):
        return None
    asked = f" at {settings.revision}" if settings.revision else ""
    return (
        f"{model.name}: {settings.model}{asked} is not pinned to a commit; its weights may change. The run "
        "records the commit that it loads and keeps to it; to pin it, set revision to the 40 digits of a commit"
    )


@contextlib.contextmanager
def _no_downloads() -> Iterator[None]:
    """Restrict the Hub's client, which loaders may use, to its cache."""
    constants = sys.modules.get("huggingface_hub.constants")
    before = os.environ.get(_OFFLINE), getattr(constants, _OFFLINE, None)
    os.environ[_OFFLINE] = "1"
    if constants is not None:
        setattr(constants, _OFFLINE, True)
    try:
        yield
    finally:
        if before[0] is None:
            del os.environ[_OFFLINE]
        else:
            os.environ[_OFFLINE] = before[0]
        constants = sys.modules.get("huggingface_hub.constants")
        if constants is not None:  # it may have been imported meanwhile, and then thinks that it is always offline
            setattr(constants, _OFFLINE, bool(before[1]))
