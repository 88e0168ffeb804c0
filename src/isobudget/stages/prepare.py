"""From a study to a run that can begin: problems loaded, models found and verified, all of it stated in the run folder.

Everything that can be wrong with a study is found here, before anything is generated.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isobudget.backends.base import Sampling
from isobudget.backends.catalog import ModelEntry, NewlineRule, find_model
from isobudget.backends.llamacpp import EngineSettings, engine_label
from isobudget.backends.weights import fetch_weights, file_sha256
from isobudget.costs.configs import from_gguf
from isobudget.errors import InputError
from isobudget.problems import load_benchmark
from isobudget.problems.problem import Benchmark, Problem
from isobudget.problems.stops import BODY_STOPS
from isobudget.records.run import Run
from isobudget.stages.progress import SILENT, Progress, fetch_progress
from isobudget.study import Study, StudyModel

#: Python source needs at least one token for so many characters; tokenizers of small models come close to it.
_CHARACTERS_PER_TOKEN = 2.0
_CONTEXT_STEP = 256


@dataclass(frozen=True, slots=True)
class PreparedBenchmark:
    """A benchmark as the study asks for it: its first problems, and how to sample."""

    name: str
    problems: tuple[Problem, ...]
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model as the study asks for it, its weights verified."""

    entry: ModelEntry
    path: Path
    n: int
    prompt_newline: NewlineRule
    settings: EngineSettings

    @property
    def name(self) -> str:
        """The model's name in the run."""
        return self.entry.name

    def prompt(self, problem: Problem) -> str:
        """What this model is given for a problem."""
        return model_prompt(problem, self.prompt_newline)


def model_prompt(problem: Problem, prompt_newline: str) -> str:
    """The problem's prompt as a model gets it: newlines at its end kept or stripped."""
    return problem.prompt.rstrip("\n") if prompt_newline == "strip" else problem.prompt


def prepare_benchmarks(study: Study) -> list[PreparedBenchmark]:
    """The study's benchmarks, loaded.

    Raises:
        InputError: a benchmark is not known or a file of problems is wrong.
    """
    prepared = []
    for name in study.benchmarks:
        benchmark = load_benchmark(name)
        problems = benchmark.problems[: study.problems]
        prepared.append(PreparedBenchmark(benchmark.name, problems, _sampling(study, benchmark)))
    return prepared


def find_entries(study: Study) -> list[ModelEntry]:
    """The study's models in the catalogue.

    Raises:
        InputError: a model is not known, or two have the same name in the run.
    """
    entries = [find_model(model.name) for model in study.models]
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two models of the study would be called {name!r}; rename one of the files")
    return entries


def prepare_model(
    model: StudyModel, entry: ModelEntry, benchmarks: list[PreparedBenchmark], progress: Progress = SILENT
) -> PreparedModel:
    """A model of the study with its weights on this machine, fetched if need be.

    Raises:
        ModelError: the weights cannot be had or are damaged.
    """
    path = fetch_weights(entry, fetch_progress(entry.name, progress))
    settings = EngineSettings(
        slots=min(model.slots, max(1, model.n) * sum(len(one.problems) for one in benchmarks)),
        context_tokens=model.context_tokens or _context_tokens(benchmarks),
        threads=model.threads,
    )
    return PreparedModel(entry, path, model.n, model.prompt_newline or entry.prompt_newline, settings)


def state_facts(run: Run, study: Study, benchmarks: list[PreparedBenchmark], models: list[PreparedModel]) -> None:
    """Write into the run what will be run; it must agree with what is recorded already.

    Raises:
        RunError: the run was made with other sampling, problems or weights.
    """
    for benchmark in benchmarks:
        facts = asdict(benchmark.sampling) | {"stop": list(benchmark.sampling.stop), "seed": study.seed}
        run.state("benchmarks", benchmark.name, facts | {"problems": len(benchmark.problems)})
    for model in models:
        run.state("models", model.name, model_facts(model))
    for benchmark in benchmarks:
        run.add_problems(benchmark.problems)
    run.save_facts()


def model_facts(model: PreparedModel) -> dict[str, Any]:
    """What the run states of a model: enough to price its samples without its weights."""
    architecture = {key: value for key, value in asdict(from_gguf(model.path, model.name)).items() if key != "source"}
    return {
        "title": model.entry.title,
        "file": model.path.name,
        "sha256": file_sha256(model.path, expected=model.entry.sha256),
        "licence": model.entry.licence,
        "prompt_newline": model.prompt_newline,
        "engine": engine_label(model.settings),
        "architecture": architecture,
    }


def _sampling(study: Study, benchmark: Benchmark) -> Sampling:
    own = study.sampling
    return Sampling(
        temperature=own.temperature if own.temperature is not None else benchmark.temperature,
        top_p=own.top_p if own.top_p is not None else benchmark.top_p,
        max_tokens=own.max_tokens if own.max_tokens is not None else benchmark.max_tokens,
        stop=BODY_STOPS if own.stop == "body" else benchmark.stop if own.stop is None else tuple(own.stop),
    )


def _context_tokens(benchmarks: list[PreparedBenchmark]) -> int:
    """Room for the longest prompt and completion, rounded up."""
    need = max(
        len(problem.prompt) / _CHARACTERS_PER_TOKEN + benchmark.sampling.max_tokens
        for benchmark in benchmarks
        for problem in benchmark.problems
    )
    return int(-(-need // _CONTEXT_STEP) * _CONTEXT_STEP)
