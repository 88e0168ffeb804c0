"""The models and policies that a gateway serves, by name."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isobudget.backends.llamacpp.settings import LlamaCppSettings
from isobudget.backends.server.settings import ServerSettings
from isobudget.costs.cost import Unit
from isobudget.errors import InputError
from isobudget.gateway.faults import RefusedRequestError
from isobudget.gateway.served import ServerUpstream
from isobudget.gateway.settings import ServeSettings
from isobudget.gateway.upstream import EngineUpstream, Upstream
from isobudget.pipeline.prepare import fetch_model
from isobudget.policies.schedule import Schedule
from isobudget.progress import SILENT, Progress
from isobudget.solving.policy_file import read_policy, split_label
from isobudget.study.resolve import ResolvedModel
from isobudget.tasks.models import choose_models, default_schedule

#: name of the default policy, which a request names as `isobudget/auto`
AUTO = "auto"
#: slots of an embedded engine
_SLOTS = 8


@dataclass(frozen=True, slots=True)
class Offer:
    """The served models and policies by name."""

    models: Mapping[str, Upstream]
    policies: Mapping[str, Schedule]

    def schedule(self, name: str, chance: float, param: str = "model") -> Schedule:
        """A policy's schedule. Raises `RefusedRequestError` (404, the name in `param`) if the policy does not exist."""
        if name not in self.policies:
            there = ", ".join(self.policies)
            raise RefusedRequestError(404, "model_not_found", f"no policy {name[:80]!r}; served: {there}", param=param)
        return self.policies[name].chosen(chance)

    def model(self, name: str) -> Upstream:
        """A model. Raises `RefusedRequestError` (404) if it does not exist."""
        if name not in self.models:
            raise self.unknown_model(name)
        return self.models[name]

    def unknown_model(self, name: str) -> RefusedRequestError:
        """The error for a model that does not exist."""
        there = ", ".join(self.names())
        return RefusedRequestError(404, "model_not_found", f"no model {name[:80]!r}; served: {there}", param="model")

    def names(self) -> list[str]:
        """The names that a request may give as `model`."""
        return [*(f"isobudget/{name}" for name in self.policies), *self.models]

    def unpriced(self, unit: Unit) -> list[str]:
        """Models whose cost in a unit is not known."""
        costs = {name: model.price("", 1).most(prompt_paid=False) for name, model in self.models.items()}
        return [name for name, amounts in costs.items() if math.isnan(amounts.get(unit, 0.0))]

    async def close(self) -> None:
        """Close all models."""
        for model in self.models.values():
            with contextlib.suppress(Exception):
                await model.close()


def read_policies(settings: ServeSettings) -> dict[str, Schedule]:
    """The policies that the settings name, by name.

    Raises:
        InputError: a file cannot be read or is no policy, or its policy needs labels or counts of passed tests; or two
            policies have the same name.
    """
    policies: dict[str, Schedule] = {}
    for place in settings.policies:
        name = Path(place).stem
        if name in policies or name == AUTO:
            raise InputError(f"{place}: a policy {name!r} exists already; give the file another name")
        policies[name] = _schedule(place)
    return policies


def make_offer(
    settings: ServeSettings, progress: Progress = SILENT, policies: Mapping[str, Schedule] | None = None
) -> Offer:
    """The models and policies that the settings name; weights of embedded models are downloaded.

    Args:
        settings: settings of the server.
        progress: receives the progress of downloads.
        policies: the policies, if `read_policies` has read them already.

    Raises:
        InputError: see `read_policies`; or a policy draws from a model that is not served.
        ModelError, MissingExtraError: a model, or an extra that a model needs, is not installed on this machine.
    """
    policies = read_policies(settings) if policies is None else policies
    models = choose_models(_model_names(settings, list(policies.values())))
    upstreams = {one.name: _upstream(one, settings, progress) for one in models}
    for name, schedule in policies.items():
        if missing := [arm for arm in schedule.arms if arm not in upstreams]:
            raise InputError(
                f"the policy {name!r} draws from {missing[0]!r}, which is not served; served: "
                f"{', '.join(upstreams)}. Add it to --models, or leave --models out"
            )
    auto = next(iter(policies.values()), None) or default_schedule(list(upstreams))
    return Offer(upstreams, {AUTO: auto, **policies})


def _schedule(place: str) -> Schedule:
    """The schedule of a policy file. Policies by label or by passed tests are refused, since requests have neither."""
    path, label = split_label(place)
    policy = read_policy(path)
    if policy.labelled or label:
        raise InputError(
            f"{place}: the policy depends on labels of problems, which requests do not have; name a policy without "
            "labels"
        )
    if policy.by_case:
        raise InputError(
            f"{place}: the policy depends on how many tests the best sample passes, which only solve can use; name "
            "another policy"
        )
    return policy.schedule


def _model_names(settings: ServeSettings, schedules: Sequence[Schedule]) -> tuple[str, ...]:
    """The models in the settings; without any, those that the policies draw from. Empty if there are no policies."""
    if settings.models:
        return settings.models
    arms = [arm for schedule in schedules for arm in schedule.arms]
    return tuple(dict.fromkeys(arms))


def _upstream(model: ResolvedModel, settings: ServeSettings, progress: Progress) -> Upstream:
    if isinstance(model.settings, ServerSettings):
        return ServerUpstream(model, settings.overhead_tokens)
    ready = fetch_model(model, _SLOTS, settings.context_tokens, progress)
    places = _SLOTS if isinstance(ready.settings, LlamaCppSettings) else 1
    return EngineUpstream(ready, settings.overhead_tokens, ready.settings.open, places)
