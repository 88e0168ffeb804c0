"""Options of solving a task."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from isobudget.errors import InputError
from isobudget.files.values import TEXT, Check, is_whole, mistakes_of
from isobudget.judge.verdict import MOST_MEMORY_MB, MOST_SECONDS
from isobudget.policies.repair import MOST_REPAIRS

DEFAULT_BUDGET = "60s"
#: how a budget of solve is written
WRITTEN = "60s, 10min, 0.02usd, 5e13flops, 20000tokens or 20samples"
#: the range of each number; seeds leave room below 2^63 for those that follow the first
_BOUNDS: dict[str, tuple[float, float]] = {
    "max_tokens": (1, 10**9),
    "prompt_tokens": (1, 10**9),
    "temperature": (0, 10),
    "test_seconds": (0.001, MOST_SECONDS),
    "memory_mb": (1, MOST_MEMORY_MB),
    "explore": (1, 10**9),
    "repair": (1, MOST_REPAIRS),
    "confirm": (1, 1000),
    "seed": (0, 2**62),
}

_WHOLE: Check = (lambda value: is_whole(value, -math.inf), "a whole number")
#: also nan, which `_BOUNDS` then refuses with a message that states the range
_NUMBER: Check = (lambda value: isinstance(value, int | float) and not isinstance(value, bool), "a number")
_NAMES: Check = (
    lambda value: (
        isinstance(value, str) or (isinstance(value, Collection) and all(isinstance(one, str) for one in value))
    ),
    "a string or a list of strings",
)
#: the types of arguments in Python, checked if they are stated; `_BOUNDS` has their ranges
_ARGUMENTS: dict[str, Check] = {
    **dict.fromkeys(("target", "budget", "python", "format"), TEXT),
    **dict.fromkeys(("max_tokens", "prompt_tokens", "memory_mb", "explore", "repair", "confirm", "seed"), _WHOLE),
    **dict.fromkeys(("temperature", "test_seconds"), _NUMBER),
    "models": _NAMES,
}

#: a setting of the project -> stated options with which it cannot be combined, so that it is ignored
_NOT_WITH = {"policy": ("models", "repair"), "models": ("policy",), "repair": ("policy",), "confirm": ("explore",)}


@dataclass(frozen=True, slots=True)
class SolveOptions:
    """Options of solving a task; None means the value in the project's ``[tool.isobudget]``, else the default.

    The fields are arguments of `isobudget.api.solve`, where they are described, plus `view_mb`, the maximum size of the
    project's copy in MiB.
    """

    tests: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    budget: str | None = None
    models: tuple[str, ...] = ()
    policy: str | None = None
    python: str | None = None
    run: str | None = None
    show_tests: bool | None = None
    allow_subprocess: bool | None = None
    format: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    prompt_tokens: int | None = None
    test_seconds: float | None = None
    memory_mb: int | None = None
    view_mb: int | None = None
    explore: int | None = None
    repair: int | None = None
    confirm: int | None = None
    seed: int = 0
    only_reaching: bool = False

    @classmethod
    def stated(cls, given: Mapping[str, Any]) -> Self:
        """The options from the arguments of `isobudget.api.solve`, by name.

        Raises:
            InputError: arguments are of the wrong type; the message names all such arguments.
        """
        typed = {name: given[name] for name in _ARGUMENTS if given[name] is not None or name == "target"}
        if mistakes := mistakes_of(typed, _ARGUMENTS, ""):
            raise InputError("\n".join(mistakes))
        options = {one.name: given[one.name] for one in fields(cls) if one.name in given}
        options |= {name: tests_argument(given[name]) for name in ("tests", "also")}
        options |= {name: None if given[name] is None else str(given[name]) for name in ("policy", "run")}
        return cls(**options | {"models": separated(given["models"])})

    def with_settings(self, settings: Mapping[str, Any]) -> SolveOptions:
        """These options, with the project's settings for those that are not stated."""
        given: dict[str, Any] = {}
        for name, value in settings.items():
            # What is stated comes before the project's settings that cannot be combined with it.
            beside = any(getattr(self, other) for other in _NOT_WITH.get(name, ()))
            if getattr(self, name) in (None, ()) and not beside:
                if name == "models" or (name in ("tests", "also") and isinstance(value, str)):
                    value = separated(value)
                elif name in ("tests", "also"):
                    value = tuple(value)  # its ids may hold commas
                given[name] = value
        return replace(self, **given)

    def check(self) -> None:
        """Refuse empty texts, conflicting options, and numbers that timers, the system or the run's tables cannot hold.

        Raises:
            InputError: a text is empty, a number is outside of its bounds, which the message states, or two options
                cannot be combined.
        """
        for one in fields(self):
            value = getattr(self, one.name)
            if value == "" or (isinstance(value, tuple) and "" in value):
                option = f"--{one.name.replace('_', '-')}"
                raise InputError(f"{option} is empty; state it, or leave the option out for its default")
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} must be between {least:,} and {most:,}, not {value:,}")
        if self.repair and self.policy:
            raise InputError(
                "--repair and --policy cannot be combined: the policy itself says which models repair (NAME+repair)"
            )
        if self.confirm and self.explore:
            raise InputError(
                "--confirm and --explore cannot be combined: --explore draws a fixed number of samples, pass or fail"
            )


def tests_argument(tests: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    """The names of tests as a tuple; `tests` is one name or several."""
    return (str(tests),) if isinstance(tests, str | Path) else tuple(map(str, tests))


def separated(names: str | Sequence[str]) -> tuple[str, ...]:
    """The names as a tuple, from one text or several; each text is split at commas."""
    return tuple(one.strip() for text in ([names] if isinstance(names, str) else names) for one in text.split(","))
