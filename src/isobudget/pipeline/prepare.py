"""Turns what a study names into a run that can start: downloads and verifies weights, and records the run's facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from isobudget.backends.base import characters
from isobudget.backends.llamacpp.memory import stated_memory
from isobudget.backends.llamacpp.settings import LlamaCppSettings, context_for
from isobudget.errors import RunMismatchError
from isobudget.models.weights import fetch_weights, file_sha256, local_weights
from isobudget.pipeline.prompts import prompt_facts, prompt_rows
from isobudget.progress import SILENT, Progress
from isobudget.records.run import Run
from isobudget.study import Study
from isobudget.study.resolve import ResolvedBenchmark, ResolvedModel, find_architecture


def prepare_model(
    model: ResolvedModel,
    benchmarks: Sequence[ResolvedBenchmark],
    samples: Mapping[str, int],
    progress: Progress = SILENT,
) -> ResolvedModel:
    """Prepare a model of the study to be opened; the embedded engine gets room for its prompts and samples.

    Raises:
        ModelError: the weights are not available or are damaged.
    """
    if model.entry is None:
        return replace(model, samples=samples)
    total = sum(samples[one.name] * len(one.problems) for one in benchmarks)
    return replace(fetch_model(model, total, _room(model, benchmarks), progress), samples=samples)


def memory_note(
    model: ResolvedModel, benchmarks: Sequence[ResolvedBenchmark], samples: Mapping[str, int]
) -> str | None:
    """A note on how much memory a model of the embedded engine needs, if its weights are here and show it."""
    here = local_weights(model.entry) if model.entry else None
    if here is None or not isinstance(model.settings, LlamaCppSettings):
        return None
    total = sum(samples[one.name] * len(one.problems) for one in benchmarks)
    said = stated_memory(_filled(model.settings, here, total, _room(model, benchmarks)))
    return f"{model.name}: {said}" if said else None


def _room(model: ResolvedModel, benchmarks: Sequence[ResolvedBenchmark]) -> int:
    """Tokens needed for the longest prompt and its completion."""
    return max(
        context_for(characters(model.prompts[one.name].render(problem).prompt), one.sampling.max_tokens)
        for one in benchmarks
        for problem in one.problems
    )


def fetch_model(model: ResolvedModel, samples: int, context_tokens: int, progress: Progress) -> ResolvedModel:
    """Make a model ready to be opened: weights of the embedded engine are downloaded and verified.

    Models of other backends are returned unchanged. Where the settings leave it open, the number of slots is at most
    `samples`, because more would stay empty, and each has room for `context_tokens`: a prompt and its completion.

    Raises:
        ModelError: the weights are not available or are damaged.
    """
    settings = model.settings
    if model.entry is None or not isinstance(settings, LlamaCppSettings):
        return model
    path = fetch_weights(model.entry, progress)
    return replace(
        model,
        settings=_filled(settings, path, samples, context_tokens),
        architecture=find_architecture(model.stated, model.entry, path),
        sha256=file_sha256(path, expected=model.entry.sha256),
    )


def _filled(settings: LlamaCppSettings, path: Path, samples: int, context_tokens: int) -> LlamaCppSettings:
    """The settings with open values filled in from the weights, the samples and their prompts."""
    named = settings.model_copy(update={"model": str(path)})
    slots = min(named.at_once, max(1, samples))
    return named.model_copy(update={"slots": slots, "context_tokens": settings.context_tokens or context_tokens})


def imported_note(run: Run) -> str:
    """Why no samples are added to a run of imported results: its verdicts are another tool's. Empty for other runs."""
    if "imported" not in run.facts or "judge" in run.facts:
        return ""
    return (
        f"{run.path}: holds imported results, with verdicts of another tool. Samples of isobudget are not added to "
        "them; use another folder (--out)."
    )


def state_facts(
    run: Run, study: Study, benchmarks: Sequence[ResolvedBenchmark], models: Sequence[ResolvedModel]
) -> None:
    """Write the facts of what will run into the run; they must agree with what is recorded already.

    Raises:
        RunError: the run was made with other sampling, problems, prompts or weights.
    """
    for model in models:
        run.state("models", model.name, model_facts(model, benchmarks))
    for benchmark in benchmarks:
        run.state("benchmarks", benchmark.name, _benchmark_facts(study, benchmark))
    for benchmark in benchmarks:
        run.add_problems(benchmark.problems)
    run.add_prompts(
        row
        for one in benchmarks
        for row in prompt_rows((model.prompts[one.name] for model in models), one.name, one.problems)
    )
    run.save_facts()


def mismatch_note(
    run: Run, study: Study, benchmarks: Sequence[ResolvedBenchmark], models: Sequence[ResolvedModel]
) -> str:
    """Why the run refuses the study's sampling or prompts; empty if it does not. Weights are not compared."""
    recorded = run.facts
    run.facts = deepcopy(recorded)
    try:
        for benchmark in benchmarks:
            run.state("benchmarks", benchmark.name, _benchmark_facts(study, benchmark))
        for model in models:
            if old := run.facts.get("models", {}).get(model.name):
                made = [one for one in benchmarks if one.name in model.prompts]
                run.state("models", model.name, old | {"prompts": _prompts_of(model, made)})
    except RunMismatchError as error:
        return str(error)
    finally:
        run.facts = recorded
    return ""


def _benchmark_facts(study: Study, benchmark: ResolvedBenchmark) -> dict[str, Any]:
    """The facts that a run states about a benchmark."""
    facts = asdict(benchmark.sampling) | {"stop": list(benchmark.sampling.stop), "seed": study.seed}
    facts |= {"problems": len(benchmark.problems)}
    return facts | ({"source": benchmark.benchmark.source} if benchmark.benchmark.source else {})


def model_facts(model: ResolvedModel, benchmarks: Sequence[ResolvedBenchmark]) -> dict[str, Any]:
    """The facts that a run states about a model: enough to price its samples without the weights."""
    facts: dict[str, Any] = {"title": model.name, "prompt_newline": model.prompt_newline} | model.settings.facts()
    if model.entry is not None:
        facts |= {"title": model.entry.title, "file": Path(model.settings.model).name, "licence": model.entry.licence}
    if model.sha256 is not None:
        facts["sha256"] = model.sha256
    if model.settings.devices is not None:
        facts["devices"] = model.settings.devices
    if (price := model.stated.price) is not None:
        facts["price"] = price.as_table()
    if model.architecture is not None:
        shape = asdict(model.architecture)
        facts["architecture_source"] = shape.pop("source")
        facts["architecture"] = shape
    return facts | {"prompts": _prompts_of(model, benchmarks)}


def _prompts_of(model: ResolvedModel, benchmarks: Sequence[ResolvedBenchmark]) -> dict[str, Any]:
    """How the model's prompts are made, by benchmark."""
    prompts = {}
    for benchmark in benchmarks:
        stop = model.sampling(benchmark).stop  # stated where it differs from what the run states of the benchmark
        own_stop = None if stop == benchmark.sampling.stop else stop
        prompts[benchmark.name] = prompt_facts(model.prompts[benchmark.name], benchmark.problems, own_stop)
    return prompts
