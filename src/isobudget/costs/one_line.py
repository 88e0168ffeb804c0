"""Costs in one line: rates and prices by model, stated as options of a command instead of in a costs file.

    --tokens-per-second 7b=2600,34b=480 --completion-tokens 200 --usd-per-gpu-hour 2.0 --gpus 34b=2

A number alone holds for every model. A name means the model of that name, or the models whose names contain it as a
part: `7b` stands for `codellama-7b`. Options override a costs file; recorded token counts override stated ones. The
source of a price says which figures were stated in this way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from isobudget.costs.costs_file import BY_TOKEN, MOST_TOKENS, CostsFile
from isobudget.costs.entry import Entry
from isobudget.costs.prices import example_prices
from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean, is_part

#: option -> key of a costs file, and whether it is a whole number
_OPTIONS = {
    "--tokens-per-second": ("tokens_per_second", False),
    "--usd-per-gpu-hour": ("usd_per_gpu_hour", False),
    "--gpus": ("gpus", True),
    "--completion-tokens": ("completion_tokens", True),
}
#: an example of each option's value, for messages
_EXAMPLES = {
    "--tokens-per-second": "7b=2600",
    "--usd-per-gpu-hour": "7b=2.50",
    "--gpus": "7b=2",
    "--completion-tokens": "7b=200",
}
#: the origin of these figures, which is shown with each of them
_ORIGIN = "command line"
#: keys of a costs file that give seconds
_TIMES = ("seconds", "profile", "tokens_per_second", "gpu")
#: the name under which values for every model are stated
_ALL = ""


@dataclass(frozen=True, slots=True)
class OneLine(CostsFile):
    """The values that options state, by the model's name. They override the values of a costs file, if there is one."""

    stated: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    base: CostsFile | None = None

    def tables(self) -> list[Mapping[str, Any]]:
        """The stated values, and the tables of the costs file."""
        return [*self.stated.values(), *(self.base.tables() if self.base else [])]

    def find(self, model: str) -> Entry | None:
        """The stated values for a model, combined with those of the costs file."""
        values = dict(self.stated.get(_ALL, {}))
        for name, own in self.stated.items():
            if name != model and name and is_part(name, model):
                values |= own
        values |= self.stated.get(model, {}) if model else {}
        below = None if self.base is None else self.base.find(model)
        origins = dict.fromkeys(values, _ORIGIN)
        if below is not None:
            merged = MappingProxyType({**_without(below.values, values), **values})
            return replace(below, values=merged, origins=MappingProxyType({**below.origins, **origins}))
        if not values:
            return None
        prices, hours = example_prices()
        return Entry("command line", MappingProxyType(values), prices, hours, Path(), origins=MappingProxyType(origins))

    def lacks(self, model: str) -> InputError:
        """The error for a model whose cost is not stated here."""
        if self.base is not None:
            return self.base.lacks(model)
        how = "price it in a costs file (--costs)" if "," in model else f"add {model}=..."
        return InputError(f"the command line gives no price for {model}; {how}, or give one number for all models")

    def require(self, names: Sequence[str]) -> None:
        """Refuse a stated name that matches no model, and parts of a model's name with conflicting values.

        Raises:
            InputError: a name matches no model (the message lists the models), or values conflict.
        """
        for model in names:
            self._tell_apart(model)
        for name in self.stated:
            if name and not any(name == one or is_part(name, one) for one in names):
                known = f"There are: {', '.join(dict.fromkeys(names))}"
                raise InputError(f"{name}=... on the command line: no such model.{did_you_mean(name, names)} {known}")

    def _tell_apart(self, model: str) -> None:
        parts = [name for name in self.stated if name and name != model and is_part(name, model)]
        for key in dict.fromkeys(key for name in parts for key in self.stated[name]):
            figures = {name: self.stated[name][key] for name in parts if key in self.stated[name]}
            if len(set(figures.values())) > 1 and key not in self.stated.get(model, {}):
                option = next(option for option, (of, _) in _OPTIONS.items() if of == key)
                figures_text = " and ".join(f"{name}={value:g}" for name, value in figures.items())
                raise InputError(f"{option}: {figures_text} both mean {model}; keep one, with the model's full name")


def require_models(costs: CostsFile | str | None, names: Sequence[str]) -> None:
    """Refuse options that name unknown models; the `InputError` lists the known ones."""
    if isinstance(costs, OneLine):
        costs.require(names)


def _without(below: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A file's values without those that options replace.

    A rate replaces seconds and profiles; GPUs and their prices replace values derived from them.
    """
    rated, rented = "tokens_per_second" in values, "usd_per_gpu_hour" in values
    replaced = {"seconds", "seconds_per_problem", "profile"} if rated else set[str]()
    if rated or ("gpus" in values and not below.keys().isdisjoint(_TIMES)):
        replaced |= {"device_seconds", "device_seconds_per_problem"}
        replaced |= {"usd", "usd_per_problem"} if "usd_per_gpu_hour" in below else set()
    if rented:
        replaced |= {"usd", "usd_per_problem", "price", *BY_TOKEN}
    return {key: value for key, value in below.items() if key not in replaced}


def one_line_costs(
    base: CostsFile | None,
    tokens_per_second: str | float | None = None,
    usd_per_gpu_hour: str | float | None = None,
    gpus: str | int | None = None,
    completion_tokens: str | int | None = None,
) -> CostsFile | None:
    """The costs from options, on top of a costs file. If no option is given, `base` itself, which may be None.

    Raises:
        InputError: a value is not a number, or a part is not ``NAME=NUMBER``.
    """
    given = zip(_OPTIONS.items(), (tokens_per_second, usd_per_gpu_hour, gpus, completion_tokens), strict=True)
    stated: dict[str, dict[str, Any]] = {}
    for (option, (key, whole)), text in given:
        for name, value in _parsed(option, text, whole).items():
            stated.setdefault(name, {})[key] = value
    if not stated:
        return base
    return OneLine(Path("command line"), {}, None, MappingProxyType(stated), base)


def _parsed(option: str, text: str | float | None, whole: bool) -> dict[str, float | int]:
    amounts: dict[str, float | int] = {}
    for part in [] if text is None else str(text).split(","):
        name, given, number = part.rpartition("=")
        try:
            value = int(number) if whole else float(number)
        except ValueError:
            value = -1
        if not 0 < value < MOST_TOKENS or (given and not name.strip()):
            kind = "a whole number of at least 1" if whole else "a number of more than 0"
            kind += " and below 10^12" if value >= MOST_TOKENS else ""
            comma = "; a name with a comma is priced in a costs file, --costs" if "," in str(text) and not given else ""
            raise InputError(
                f"{option}: {part.strip()!r} is neither {kind} nor NAME=NUMBER, such as {_EXAMPLES[option]}{comma}"
            )
        if name.strip() in amounts:
            whose = f"{name.strip()}=..." if given else "a number for every model"
            raise InputError(f"{option}: {whose} is stated twice in {str(text)!r}; write it once")
        amounts[name.strip()] = value
    return amounts
