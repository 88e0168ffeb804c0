"""What a study names, looked for: benchmarks, models, prompt formats, architectures, installed parts.

Everything that is not there is listed at once. Benchmarks are loaded: that is how it is known that their data are here;
the loaded ones are handed on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isobudget.errors import InputError, IsobudgetError, ModelError
from isobudget.problems.problem import Benchmark
from isobudget.study.check import Mistake, Place, models_of


@dataclass(slots=True)
class World:
    """What a study names, as far as it exists: loaded benchmarks, and mistakes."""

    benchmarks: list[Benchmark] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def attempt(self, place: Place, action: Callable[[], Any]) -> Any:
        """Do it; an error of ours is a mistake at that place and gives None."""
        try:
            return action()
        except IsobudgetError as error:
            self.mistakes.append(Mistake(place, str(error), error))
            return None


def look_around(fields: Mapping[str, Any], *, extras: bool = True) -> World:
    """Load what a study names: benchmarks, models, formats, architectures; and what is missing, all at once.

    Args:
        fields: the study's plain fields; what has the wrong type is left out.
        extras: whether the backends' optional parts must be installed.
    """
    world = World()
    _load_benchmarks(fields, world)
    _find_formats(fields, world)
    _try_prompts(fields, world)
    labels: list[str] = []
    for at, model in models_of(fields):
        label = _find_model(("models", at), model, world)
        if label in labels:
            message = f"two models of the study would be called {label!r}; rename one of the files"
            world.mistakes.append(Mistake(("models", at, "name"), message))
        labels.append(label)
        _find_parts(("models", at), model, world, extras)
    return world


def _load_benchmarks(fields: Mapping[str, Any], world: World) -> None:
    from isobudget.problems import load_benchmark

    names = fields.get("benchmarks")
    for at, name in enumerate(names if isinstance(names, list) else []):
        if isinstance(name, str) and name:
            loaded = world.attempt(("benchmarks", at), lambda name=name: load_benchmark(name))  # type: ignore[misc]
            if loaded is None:
                continue
            if loaded.name in [other.name for other in world.benchmarks]:
                message = f"two benchmarks of the study are called {loaded.name!r}; leave one out"
                world.mistakes.append(Mistake(("benchmarks", at), message))
            world.benchmarks.append(loaded)


def _find_formats(fields: Mapping[str, Any], world: World) -> None:
    prompt = fields.get("prompt")
    if isinstance(prompt, Mapping):
        _each_text(("prompt", "format"), prompt.get("format"), _format, world)
        _each_text(("prompt", "extraction"), prompt.get("extraction"), _rule, world)
    for at, model in models_of(fields):
        _each_text(("models", at, "prompt"), model.get("prompt"), _format, world)


def _each_text(place: Place, value: Any, check: Callable[[str], Any], world: World) -> None:
    texts = value.items() if isinstance(value, Mapping) else [(None, value)]
    for key, text in texts:
        if isinstance(text, str) and text:
            world.attempt(place if key is None else (*place, key), lambda text=text: check(text))  # type: ignore[misc]


def _format(name: str) -> Any:
    from isobudget.prompts import find_format

    return find_format(name)


def _rule(name: str) -> str:
    from isobudget.prompts.formats import EXTRACTIONS

    if name not in EXTRACTIONS:
        raise InputError(f"unknown extraction rule {name!r}; known are: {', '.join(EXTRACTIONS)}")
    return name


def _try_prompts(fields: Mapping[str, Any], world: World) -> None:
    """Render the first problem of every benchmark in every format it is to be given in."""
    prompt = fields.get("prompt")
    study_choice = prompt.get("format") if isinstance(prompt, Mapping) else None
    tried: set[tuple[str, str, Any]] = set()
    for at, model in models_of(fields):
        for number, benchmark in enumerate(world.benchmarks):
            places: list[tuple[Place, Any]] = [
                (("models", at, "prompt"), model.get("prompt")),
                (("prompt", "format"), study_choice),
                (("benchmarks", number), benchmark.prompt_format),
            ]
            chosen = ((place, chosen_for(choice, benchmark.name)) for place, choice in places)
            place, name = next((place, name) for place, name in chosen if name)
            key = (benchmark.name, name, _server_api(model))
            if key in tried or any(one.place == place for one in world.mistakes):
                continue
            tried.add(key)
            world.attempt(place, lambda name=name, one=benchmark, model=model: _try(name, one, model))  # type: ignore[misc]


def _server_api(model: Mapping[str, Any]) -> Any:
    return model.get("api", "completions") if model.get("backend") == "server" else None


def _try(name: str, benchmark: Benchmark, model: Mapping[str, Any]) -> None:
    """Render a format, and see that the model's server takes what comes out."""
    from isobudget.prompts import find_format, render

    prompt = render(find_format(name), benchmark.problems[0], benchmark.examples).prompt
    api = _server_api(model)
    if api == "completions" and not isinstance(prompt, str):
        raise InputError(f'the prompt format {name!r} gives conversations: set api = "chat" for {model.get("name")!r}')
    if api == "chat" and isinstance(prompt, str):
        raise InputError(
            f'the prompt format {name!r} gives text to continue, but api = "chat" answers conversations: set a prompt '
            f'format such as "chat", or api = "completions" for {model.get("name")!r}'
        )


def chosen_for(choice: Any, benchmark: str) -> str | None:
    """What a name, or a table of names by benchmark, says of a benchmark; None if nothing."""
    name = choice.get(benchmark) if isinstance(choice, Mapping) else choice
    return name if isinstance(name, str) and name else None


def _find_model(place: Place, model: Mapping[str, Any], world: World) -> str:
    """The model's name in the run; a mistake if it is one of this machine and is not there."""
    from isobudget.models.catalog import PathSource, find_model
    from isobudget.models.gguf import read_gguf_header

    name, called = model.get("name"), model.get("model")
    if not isinstance(name, str):
        return ""
    if model.get("backend", "llama.cpp") != "llama.cpp":
        return name
    field = "name" if called is None else "model"
    entry = world.attempt((*place, field), lambda: find_model(str(called or name)))
    if entry is None:
        return name
    paths = [source.path for source in entry.sources if isinstance(source, PathSource)]
    there = [path for path in paths if path.is_file()]
    if len(paths) == len(entry.sources) and not there:
        error = ModelError(f"{paths[0]}: no such file")
        world.mistakes.append(Mistake((*place, field), str(error), error))
    elif there:  # a damaged file is named before a run begins
        world.attempt((*place, field), lambda: read_gguf_header(there[0]))
    return str(entry.name) if called is None else name


def _find_parts(place: Place, model: Mapping[str, Any], world: World, extras: bool) -> None:
    from isobudget.backends.registry import KINDS, missing_extra
    from isobudget.costs.roofline import gpu_named
    from isobudget.models.read_architecture import load_architecture

    kind = model.get("backend", "llama.cpp")
    error = missing_extra(kind) if extras and kind in KINDS else None
    if error is not None:
        world.mistakes.append(Mistake((*place, "backend"), str(error), error))
    if kind == "server" and isinstance(model.get("url"), str):
        world.attempt((*place, "url"), lambda: _check_url(model["url"]))
    for name, find in (("architecture", load_architecture), ("gpu", gpu_named)):
        if isinstance(model.get(name), str):
            world.attempt((*place, name), lambda find=find, name=name: find(model[name]))  # type: ignore[misc]


def _check_url(url: str) -> None:
    from isobudget.backends.server import ServerSettings

    ServerSettings(url=url, model="any")
