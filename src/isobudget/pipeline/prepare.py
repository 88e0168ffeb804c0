"""From a study to a run that can begin: problems loaded, models found and verified, all of it stated in the run folder.

Everything that can be wrong with a study is found here, before anything is generated. What a study leaves open is
decided here: sampling by the benchmark, the stop texts by study, prompt format and benchmark in this order, the format
by model, study and benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from isobudget.backends.base import Chat, Sampling
from isobudget.backends.llamacpp import EngineSettings
from isobudget.backends.registry import BackendSpec, spec_facts
from isobudget.errors import IsobudgetError
from isobudget.models.architecture import Architecture
from isobudget.models.catalog import ModelEntry, NewlineRule, find_model
from isobudget.models.named import find_named
from isobudget.models.read_architecture import from_gguf, load_architecture
from isobudget.models.weights import fetch_weights, file_sha256
from isobudget.pipeline.progress import SILENT, Progress, fetch_progress
from isobudget.pipeline.prompts import ModelPrompts, prompt_facts, prompt_rows
from isobudget.problems.problem import Benchmark, Problem
from isobudget.problems.stops import BODY_STOPS
from isobudget.records.run import Run
from isobudget.study import Study, StudyModel
from isobudget.study.check import raise_mistakes
from isobudget.study.world import look_around

#: Python source needs at least one token for so many characters; tokenizers of small models come close to it.
_CHARACTERS_PER_TOKEN = 2.0
_CONTEXT_STEP = 256


@dataclass(frozen=True, slots=True)
class PreparedBenchmark:
    """A benchmark as the study asks for it.

    Attributes:
        name: the benchmark's.
        problems: those that the study wants.
        sampling: how to sample; the stop texts are the study's or the benchmark's.
        own_stop: whether the stop texts are the study's, which stand above those of prompt formats.
        benchmark: as it was loaded: prompt format, examples, source.
    """

    name: str
    problems: tuple[Problem, ...]
    sampling: Sampling
    own_stop: bool
    benchmark: Benchmark


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model as the study asks for it, ready to be reached.

    Attributes:
        name: the model's name in the run.
        spec: how it is reached.
        samples: of each problem, by benchmark.
        prompts: what it is given, by benchmark.
        prompt_newline: its rule for newlines where a prompt format has none.
        architecture: its shape, None if that is not known.
        entry: the catalogue's, for the embedded engine.
    """

    name: str
    spec: BackendSpec
    samples: Mapping[str, int]
    prompts: Mapping[str, ModelPrompts]
    prompt_newline: NewlineRule
    architecture: Architecture | None
    entry: ModelEntry | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The weights' file, for the embedded engine."""
        return Path(self.spec.model)

    @property
    def settings(self) -> EngineSettings:
        """How the embedded engine is set up."""
        return self.spec.engine or EngineSettings()

    def sampling(self, benchmark: PreparedBenchmark) -> Sampling:
        """How this model is sampled: the benchmark's sampling, with the stop texts of its prompt format if any."""
        stop = self.prompts[benchmark.name].format.stop
        own = benchmark.own_stop or stop is None
        return benchmark.sampling if own else replace(benchmark.sampling, stop=tuple(stop or ()))


def check_study(study: Study, *, extras: bool = True) -> list[Benchmark]:
    """Find everything that the study names; returns its benchmarks, loaded.

    Args:
        study: to check.
        extras: whether the optional parts that its backends need must be installed.

    Raises:
        StudyError: something is wrong or missing; every mistake is in the message, with its line.
    """
    world = look_around(study.model_dump(exclude_unset=True), extras=extras)
    raise_mistakes(world.mistakes, study.text, study.origin)
    return world.benchmarks


def prepare_benchmarks(study: Study, loaded: Sequence[Benchmark] | None = None) -> list[PreparedBenchmark]:
    """The study's benchmarks with its own sampling.

    Raises:
        StudyError: see `check_study`, which is called unless the benchmarks are `loaded` already.
    """
    own_stop = study.sampling.stop is not None
    return [
        PreparedBenchmark(one.name, one.problems[: study.problems], _sampling(study, one), own_stop, one)
        for one in (check_study(study) if loaded is None else loaded)
    ]


def prepare_model(
    model: StudyModel,
    study: Study,
    benchmarks: Sequence[PreparedBenchmark],
    samples: Mapping[str, int],
    progress: Progress = SILENT,
) -> PreparedModel:
    """A model of the study, its weights fetched and verified if it runs by the embedded engine.

    Raises:
        ModelError: the weights cannot be had or are damaged.
    """
    entry = find_model(model.model or model.name) if model.backend == "llama.cpp" else None
    newline: NewlineRule = model.prompt_newline or (entry.prompt_newline if entry else "keep")
    prompts = {one.name: ModelPrompts.chosen(study, model, one.benchmark, newline) for one in benchmarks}
    if entry is None:
        shape = known_architecture(model)
        return PreparedModel(model.name, _spec(model, model.model or model.name), samples, prompts, newline, shape)
    name = model.name if model.model else entry.name
    path = fetch_weights(entry, fetch_progress(name, progress))
    settings = EngineSettings(
        slots=min(model.slots, max(1, sum(samples[one.name] * len(one.problems) for one in benchmarks))),
        context_tokens=model.context_tokens or _context_tokens(benchmarks, prompts),
        threads=model.threads,
    )
    spec = replace(_spec(model, str(path)), engine=settings, context_tokens=None)
    shape = load_architecture(model.architecture) if model.architecture else from_gguf(path, name)
    facts = {"sha256": file_sha256(path, expected=entry.sha256)}
    return PreparedModel(name, spec, samples, prompts, newline, shape, entry, facts)


def known_architecture(model: StudyModel) -> Architecture | None:
    """The shape of a model that another engine runs: as stated, by its folder, or by its name; None if not known."""
    if model.architecture:
        return load_architecture(model.architecture)
    for name in (model.model, model.name):
        if name is None:
            continue
        try:
            return load_architecture(name) if Path(name).is_dir() else find_named(name)
        except IsobudgetError:
            continue
    return None


def state_facts(run: Run, study: Study, benchmarks: list[PreparedBenchmark], models: list[PreparedModel]) -> None:
    """Write into the run what will be run; it must agree with what is recorded already.

    Raises:
        RunError: the run was made with other sampling, problems, prompts or weights.
    """
    for model in models:
        run.state("models", model.name, model_facts(model, benchmarks))
    for benchmark in benchmarks:
        facts = asdict(benchmark.sampling) | {"stop": list(benchmark.sampling.stop), "seed": study.seed}
        facts |= {"problems": len(benchmark.problems)}
        if benchmark.benchmark.source:
            facts |= {"source": benchmark.benchmark.source}
        run.state("benchmarks", benchmark.name, facts)
    for benchmark in benchmarks:
        run.add_problems(benchmark.problems)
    run.add_prompts(row for one in benchmarks for row in prompt_rows(models, one.name, one.problems))
    run.save_facts()


def model_facts(model: PreparedModel, benchmarks: Sequence[PreparedBenchmark]) -> dict[str, Any]:
    """What the run states of a model: enough to price its samples without its weights."""
    facts: dict[str, Any] = {"title": model.name, "prompt_newline": model.prompt_newline} | spec_facts(model.spec)
    if model.entry is not None:
        facts |= {"title": model.entry.title, "file": model.path.name, "licence": model.entry.licence}
    facts |= model.facts
    if model.architecture is not None:
        shape = asdict(model.architecture)
        facts["architecture_source"] = shape.pop("source")
        facts["architecture"] = shape
    prompts = {
        one.name: prompt_facts(model.prompts[one.name], one.problems, _own_stop(model, one)) for one in benchmarks
    }
    return facts | {"prompts": prompts}


def _own_stop(model: PreparedModel, benchmark: PreparedBenchmark) -> Sequence[str] | None:
    """The stop texts of the model's prompt format where they differ from what the run states of the benchmark."""
    stop = model.sampling(benchmark).stop
    return None if stop == benchmark.sampling.stop else stop


def _spec(model: StudyModel, called: str) -> BackendSpec:
    return BackendSpec(
        kind=model.backend,
        model=called,
        revision=model.revision,
        url=model.url,
        api=model.api,
        key_env=model.key_env,
        requests_per_minute=model.requests_per_minute,
        timeout_seconds=model.timeout_seconds,
        attempts=model.attempts,
        concurrency=model.concurrency,
        tensor_parallel=model.tensor_parallel,
        context_tokens=model.context_tokens,
        memory_fraction=model.memory_fraction,
        dtype=model.dtype,
        device=model.device,
        batch=model.batch,
    )


def _sampling(study: Study, benchmark: Benchmark) -> Sampling:
    own = study.sampling
    return Sampling(
        temperature=own.temperature if own.temperature is not None else benchmark.temperature,
        top_p=own.top_p if own.top_p is not None else benchmark.top_p,
        max_tokens=own.max_tokens if own.max_tokens is not None else benchmark.max_tokens,
        stop=BODY_STOPS if own.stop == "body" else benchmark.stop if own.stop is None else tuple(own.stop),
    )


def _context_tokens(benchmarks: Sequence[PreparedBenchmark], prompts: Mapping[str, ModelPrompts]) -> int:
    """Room for the longest prompt and completion, rounded up."""
    need = max(
        characters(prompts[benchmark.name].render(problem).prompt) / _CHARACTERS_PER_TOKEN
        + benchmark.sampling.max_tokens
        for benchmark in benchmarks
        for problem in benchmark.problems
    )
    return int(-(-need // _CONTEXT_STEP) * _CONTEXT_STEP)


def characters(prompt: str | Chat) -> int:
    """Characters of a prompt; of a conversation, those of its messages."""
    return len(prompt) if isinstance(prompt, str) else sum(len(message.content) for message in prompt.messages)
