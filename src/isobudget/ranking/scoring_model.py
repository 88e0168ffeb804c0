"""Finds the model that scores samples or writes tests for `isobudget rank`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isobudget.backends.llamacpp.settings import MOST_SLOTS, context_for
from isobudget.backends.registry import recorded_fields
from isobudget.pipeline.prepare import fetch_model
from isobudget.progress import Progress
from isobudget.rankers.base import Pool
from isobudget.ranking.scores import Scorer, plain
from isobudget.study import StatedModel, flagged_fields, stated_model
from isobudget.study.resolve import find_architecture, resolve_model

#: tokens that a test-writing model may add to its prompt
_WRITTEN = 512
#: slots of the embedded engine, if no number is stated
_SLOTS = 8


def state_scorer(
    name: str | None, settings: Sequence[str] = (), options: Mapping[str, str | None] | None = None
) -> StatedModel | None:
    """The model that the options of a command state; None if there is no name.

    Args:
        name: name of the model, as for `--model`.
        settings: any settings of its backend, as ``NAME=VALUE``.
        options: settings that have an option of their own, by field; None if not stated.

    Raises:
        InputError: settings are stated without a name, or belong to another backend.
    """
    fields = flagged_fields(None if name is None else {"name": name}, settings, options or {})
    return stated_model(fields, f"--model {name}") if fields else None


def as_recorded(model: StatedModel, models: Mapping[str, Mapping[str, Any]]) -> StatedModel:
    """The stated model. If the run has this model, the recorded settings are added, so that the weights are the same.

    Args:
        model: the model as stated; its stated settings take precedence.
        models: what the run states about each of its models, by name.
    """
    for name, facts in models.items():
        known = recorded_fields(facts)
        if known.get("backend") == model.settings.backend and model.name in (name, known.get("model")):
            if "commit" in facts:
                known["revision"] = facts["commit"]
            stated = {field: getattr(model, field) for field in ("architecture", "prompt_newline", "price")}
            return StatedModel.model_validate({**known, **stated, **model.settings.stated(), "name": name})
    return model


def open_scorer(stated: StatedModel, pools: Sequence[Pool], progress: Progress) -> Scorer:
    """The model ready to be opened; weights of the embedded engine are fetched now.

    Raises:
        InputError: the model is not known.
        MissingExtraError: a package that its backend needs is not installed.
        ModelError: weights are not available.
    """
    slots = MOST_SLOTS if "slots" in stated.settings.model_fields_set else _SLOTS
    model = fetch_model(resolve_model(stated), slots, _context(pools), progress)
    shape = model.architecture
    if model.entry is None:  # its name in a run says nothing here: flops are counted by what the backend calls it
        shape = find_architecture(stated.model_copy(update={"name": stated.settings.model}), None)
    return Scorer(model.name, model.settings.open, shape)


def _context(pools: Sequence[Pool]) -> int:
    longest = max(
        len(plain(one.prompt)) + max((len(sample.text) for sample in one.samples), default=0)
        for pool in pools
        for one in pool.problems
    )
    return context_for(longest, _WRITTEN)
