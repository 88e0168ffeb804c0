"""Looks up everything that a study names, once: benchmarks, models, prompt formats, architectures, packages.

What a study leaves open is also decided here: sampling by the benchmark; stop texts by study, prompt format and
benchmark, in this order; the format by model, study and benchmark. Budget, dry run, preparing and the recorded facts
read the result. Everything that is missing is listed at once. Benchmarks are loaded, which shows that their data are
here; nothing is fetched for models.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from isobudget.backends.base import Sampling
from isobudget.backends.llamacpp.settings import LlamaCppSettings
from isobudget.backends.registry import Settings
from isobudget.costs.roofline import gpu_named
from isobudget.errors import InputError, IsobudgetError, ModelError
from isobudget.files.hints import unknown
from isobudget.files.near import not_a_file
from isobudget.models.architecture import Architecture
from isobudget.models.catalog import ModelEntry, NewlineRule, PathSource, find_model
from isobudget.models.gguf import read_gguf_header
from isobudget.models.named import find_named
from isobudget.models.read_architecture import load_architecture
from isobudget.models.read_gguf import from_gguf, is_covered
from isobudget.models.weights import local_weights
from isobudget.problems import load_benchmark
from isobudget.problems.problem import Benchmark, Problem
from isobudget.problems.stops import BODY_STOPS
from isobudget.prompts import find_format
from isobudget.prompts.formats import EXTRACTIONS
from isobudget.study.check import Mistake, raise_mistakes
from isobudget.study.lines import Place
from isobudget.study.prompts import ModelPrompts, chosen_format, model_prompts
from isobudget.study.study import StatedModel, Study


@dataclass(frozen=True, slots=True)
class ResolvedBenchmark:
    """A benchmark as the study uses it.

    Attributes:
        name: name of the benchmark.
        problems: the problems that the study uses.
        sampling: how to sample, with the stop texts of the study, or else of the benchmark.
        own_stop: whether the stop texts are those of the study, which take precedence over those of prompt formats.
        benchmark: the loaded benchmark, with prompt format, examples and source.
    """

    name: str
    problems: tuple[Problem, ...]
    sampling: Sampling
    own_stop: bool
    benchmark: Benchmark


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that a study or a command names, as far as it is known without fetching anything.

    Attributes:
        stated: the model as the study or the command states it.
        name: name of the model in the run.
        settings: how it is reached. For the embedded engine, they are final only once the weights are here (`prepare`).
        prompt_newline: its rule for newlines if a prompt format has none.
        architecture: its shape, None if not known.
        entry: its entry in the catalogue, for the embedded engine.
        prompts: how its prompts are made, by benchmark.
        samples: number of samples of each problem, by benchmark; known once the model is prepared.
        sha256: checksum of its weights' file; known once the model is prepared.
    """

    stated: StatedModel
    name: str
    settings: Settings
    prompt_newline: NewlineRule
    architecture: Architecture | None = None
    entry: ModelEntry | None = None
    prompts: Mapping[str, ModelPrompts] = field(default_factory=dict)
    samples: Mapping[str, int] = field(default_factory=dict)
    sha256: str | None = None

    @property
    def lacks_weights(self) -> bool:
        """Whether it is a GGUF model whose weights and shape are unknown."""
        return self.entry is None and isinstance(self.settings, LlamaCppSettings)

    def sampling(self, benchmark: ResolvedBenchmark) -> Sampling:
        """How this model is sampled: the benchmark's sampling, with the stop texts of its prompt format if any."""
        stop = self.prompts[benchmark.name].format.stop
        own = benchmark.own_stop or stop is None
        return benchmark.sampling if own else replace(benchmark.sampling, stop=tuple(stop or ()))


@dataclass(frozen=True, slots=True)
class Resolved:
    """A study and everything that it names.

    Attributes:
        study: the study.
        benchmarks: the benchmarks that are here, in the study's order.
        models: the models in the study's order; None for a model that is not known, or whose prompts are not.
        mistakes: what is missing or not known.
    """

    study: Study
    benchmarks: tuple[ResolvedBenchmark, ...]
    models: tuple[ResolvedModel | None, ...]
    mistakes: tuple[Mistake, ...]

    def complete(self) -> tuple[ResolvedModel, ...]:
        """The models, if everything is there.

        Raises:
            StudyError: something is missing; the message has every mistake, with its line.
        """
        raise_mistakes(self.mistakes, *self.study.source)
        return tuple(model for model in self.models if model is not None)


class _Mistakes(list[Mistake]):
    """Collects mistakes as they are found."""

    @contextlib.contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """An `IsobudgetError` in this context becomes a mistake at this place."""
        try:
            yield
        except IsobudgetError as error:
            self.append(Mistake(place, str(error), error))

    def has(self, *place: str | int) -> bool:
        """Whether something at this place or below it is wrong."""
        return any(one.place[: len(place)] == place for one in self)


def resolve(study: Study, *, extras: bool = True) -> Resolved:
    """Look up what a study names.

    Args:
        study: the study; its wrong parts may have been left out.
        extras: whether the optional packages that its backends need must be installed.
    """
    mistakes = _Mistakes()
    benchmarks = dict(_benchmarks(study, mistakes))
    _check_formats(study, mistakes)
    models: list[ResolvedModel | None] = []
    names: set[str] = set()
    tried: set[object] = set()
    for at, stated in enumerate(study.models):
        model = _model(stated, ("models", at), mistakes, extras)
        with mistakes.at("models", at, "name"):
            before = [one.name for one in study.models[:at]]
            if model.name and model.name in names and stated.name not in before:  # the study's own check names those
                raise InputError(f"two models of the study would be called {model.name!r}; rename one of the files")
        names.add(model.name)
        prompts = _prompts(study, at, model, benchmarks, tried, mistakes)
        unknown = model.lacks_weights or mistakes.has("models", at, "architecture")
        models.append(None if unknown or prompts is None else replace(model, prompts=prompts))
    return Resolved(study, tuple(benchmarks.values()), tuple(models), tuple(mistakes))


def resolve_model(stated: StatedModel) -> ResolvedModel:
    """Look up one model that a command names.

    Raises:
        InputError, ModelError, MissingExtraError: the model is not known, or something that it needs is not here.
    """
    mistakes = _Mistakes()
    model = _model(stated, (), mistakes, extras=True)
    raise_mistakes(mistakes, "", f"model {stated.name!r}")
    return model


def _benchmarks(study: Study, mistakes: _Mistakes) -> Iterator[tuple[int, ResolvedBenchmark]]:
    """The benchmarks that are here, with their positions in the study."""
    names: set[str] = set()
    for at, name in enumerate(study.benchmarks):
        with mistakes.at("benchmarks", at):
            if not name:
                continue
            loaded = load_benchmark(name)
            own_stop = study.sampling.stop is not None
            problems = loaded.problems[: study.problems]
            yield at, ResolvedBenchmark(loaded.name, problems, _sampling(study, loaded), own_stop, loaded)
            if loaded.name in names:
                raise InputError(f"two benchmarks of the study are called {loaded.name!r}; leave one out")
            names.add(loaded.name)


def _sampling(study: Study, benchmark: Benchmark) -> Sampling:
    own = study.sampling
    return Sampling(
        temperature=own.temperature if own.temperature is not None else benchmark.temperature,
        top_p=own.top_p if own.top_p is not None else benchmark.top_p,
        max_tokens=own.max_tokens if own.max_tokens is not None else benchmark.max_tokens,
        stop=BODY_STOPS if own.stop == "body" else benchmark.stop if own.stop is None else tuple(own.stop),
    )


def _check_formats(study: Study, mistakes: _Mistakes) -> None:
    """Check every prompt format and extraction rule that is named, even for benchmarks that are not here."""
    choices: list[tuple[Place, Any, Callable[[str], object]]] = [
        (("prompt", "format"), study.prompt.format, find_format),
        (("prompt", "extraction"), study.prompt.extraction, _check_rule),
        *((("models", at, "prompt"), model.prompt, find_format) for at, model in enumerate(study.models)),
    ]
    for place, choice, check in choices:
        named = choice.items() if isinstance(choice, Mapping) else [(None, choice)]
        for key, name in named:
            if name:
                with mistakes.at(*place, *filter(None, [key])):
                    check(name)


def _check_rule(name: str) -> None:
    if name not in EXTRACTIONS:
        raise InputError(unknown("extraction rule", name, EXTRACTIONS))


def _model(stated: StatedModel, place: Place, mistakes: _Mistakes, extras: bool) -> ResolvedModel:
    """A model without its prompts."""
    settings, entry, shape = stated.settings, None, None
    if isinstance(settings, LlamaCppSettings) and stated.name:
        with mistakes.at(*place, "name" if stated.model is None else "model"):
            entry = find_model(settings.model)
            _check_file(entry)
    with mistakes.at(*place, "backend"):
        if extras and (missing := settings.needs.missing()):
            raise missing
    with mistakes.at(*place, "gpu"):
        if hardware := settings.hardware():
            gpu_named(hardware.gpu)
    with mistakes.at(*place, "architecture"):
        shape = find_architecture(stated, entry)
    name = entry.name if entry is not None and stated.model is None else stated.name
    newline = stated.prompt_newline or (entry.prompt_newline if entry else "keep")
    return ResolvedModel(stated, name, settings, newline, shape, entry)


def _check_file(entry: ModelEntry) -> None:
    """Report a weights file that is damaged or not available, before a run begins."""
    paths = [source.path for source in entry.sources if isinstance(source, PathSource)]
    here = [path for path in paths if path.is_file()]
    if here:
        read_gguf_header(here[0])
    elif len(paths) == len(entry.sources):
        raise ModelError(not_a_file(paths[0]))


def find_architecture(
    stated: StatedModel, entry: ModelEntry | None, weights: Path | None = None
) -> Architecture | None:
    """The shape of a model: as stated, else from its weights' file, its folder or its name; None if not known.

    Args:
        stated: the model.
        entry: its entry in the catalogue, if it is a GGUF model.
        weights: its weights' file; if given, the shape is read from this file alone.

    Raises:
        InputError: the stated architecture is not known.
        ModelError: the shape cannot be read from the file.
    """
    if stated.architecture:
        return load_architecture(stated.architecture)
    if weights is not None and entry is not None:
        if not is_covered(weights):  # it can be run, but its flops are not known
            return None
        return from_gguf(weights, entry.name if stated.model is None else stated.name)
    here = local_weights(entry) if entry else None
    for name in (entry.name,) if entry else (stated.settings.model, stated.name):
        with contextlib.suppress(IsobudgetError):
            known = from_gguf(here, name) if here else load_architecture(name) if Path(name).is_dir() else None
            if known := known or find_named(name):
                return known
    return None


def _prompts(
    study: Study,
    at: int,
    model: ResolvedModel,
    benchmarks: Mapping[int, ResolvedBenchmark],
    tried: set[object],
    mistakes: _Mistakes,
) -> dict[str, ModelPrompts] | None:
    """A model's prompts; None if a format is not known. The first problem is tried in every format once."""
    prompts = {}
    for number, benchmark in benchmarks.items():
        place, name = chosen_format(study, at, number, benchmark.benchmark)
        was_wrong = mistakes.has(*place)
        with contextlib.suppress(IsobudgetError) if was_wrong else mistakes.at(*place):
            prompts[benchmark.name] = model_prompts(study, benchmark.benchmark, name, model.prompt_newline)
            key = (benchmark.name, name, model.settings.refuses(""))
            if not was_wrong and key not in tried:
                tried.add(key)
                prompt = prompts[benchmark.name].render(benchmark.problems[0]).prompt
                if wrong := model.settings.refuses(prompt):
                    raise InputError(f"the prompt format {name!r} gives {wrong} for {model.stated.name!r}")
        if benchmark.name not in prompts:
            return None
    return prompts
