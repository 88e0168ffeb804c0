"""The page's last part as values: settings, weights and machine, and a study file that repeats the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomli_w

from isobudget.backends.registry import recorded_fields
from isobudget.models.architecture import Architecture
from isobudget.records.facts import IMPORTED, JUDGE_LAYERS, rules_note
from isobudget.report.gather import BenchmarkSummary

_NOT_STATED = "not stated"
#: the prompt format of benchmarks whose prompts are the heads of programs, and of runs that state none
DEFAULT_FORMAT = "completion"


def text_of(stated: Mapping[str, Any], name: str) -> str:
    """A value that a run states, as text."""
    return str(stated.get(name, _NOT_STATED))


def model_facts(stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Pairs of a name and a value: what a model is, its licence and checksum, and how it was run."""
    yield "Model", text_of(stated, "title")
    if "architecture" in stated:
        yield "Weights", f"{Architecture(**stated['architecture']).params:,}"
    if stated.get("backend", "llama.cpp") == "llama.cpp":
        yield "Licence", text_of(stated, "licence")
        yield "File", text_of(stated, "file")
        yield "sha256", text_of(stated, "sha256")
    else:
        yield "Reached by", " ".join(str(stated[name]) for name in ("backend", "url", "model") if name in stated)
        yield "Revision", text_of(stated, "revision")
    yield "Run by", text_of(stated, "engine")
    yield "Newlines that end a prompt", text_of(stated, "prompt_newline")
    for benchmark, prompts in stated.get("prompts", {}).items():
        yield f"Prompts of {benchmark}", f"{prompts['format']}; code extracted by the rule {prompts['extraction']!r}"
    for note in stated.get("notes", []):
        yield "Noticed", note


def imported(facts: Mapping[str, Any]) -> bool:
    """Whether all samples were imported, so that this machine generated none."""
    models = facts.get("models", {}).values()
    return bool(models) and all(stated.get("backend") == IMPORTED for stated in models)


def machine_facts(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Pairs of a name and a value: the machine on which the run began or was imported, the judge, and the version."""
    stated, foreign = facts.get("machine", {}), imported(facts)
    yield "Imported on" if foreign else "Machine", text_of(stated, "processor")
    yield "System", f"{text_of(stated, 'platform')}, Python {text_of(stated, 'python')}"
    yield "Imported" if foreign else "Begun", text_of(facts, "created")
    yield "isobudget", text_of(facts, "isobudget")
    limits = (f"{name} = {value}" for name, value in facts.get("judge", {}).items())
    yield "Limits of the judge", ", ".join(limits) or _NOT_STATED
    yield "Layers of confinement", _layers(facts.get(JUDGE_LAYERS))
    if note := rules_note(dict(facts)):
        yield "Rules of the judge", note


def _layers(stated: Mapping[str, bool] | None) -> str:
    """Which layers of confinement were active around every judged sample, and which were not."""
    if not stated:
        return "not recorded"
    standing, missing = ([layer for layer, stood in stated.items() if stood == wanted] for wanted in (True, False))
    lacking = f"; inactive: {', '.join(missing)}" if missing else ""
    return f"{len(standing)} of {len(stated)} were active around every sample: {', '.join(standing) or 'none'}{lacking}"


def trust_facts(summaries: Sequence[BenchmarkSummary]) -> Iterator[tuple[str, str]]:
    """For each model and benchmark, the number of verdicts by trust: `split`, `shared` and `imported`."""
    for summary in summaries:
        for row in summary.verdicts:
            counts = {"split": row.judged - row.shared - row.imported, "shared": row.shared, "imported": row.imported}
            shown = (f"{count:,} {name}" for name, count in counts.items() if count or name == "split")
            yield f"{row.model}, {summary.name}", ", ".join(shown)


def study_text(facts: Mapping[str, Any], summary: BenchmarkSummary) -> str:
    """A study file (TOML) for one benchmark of the run, with its sampling and each model's number of samples."""
    stated = facts["benchmarks"][summary.name]
    study = {
        "name": facts.get("name", "study"),
        "benchmarks": [summary.name],
        "problems": stated.get("problems"),
        "greedy": bool(summary.greedy),
        "seed": stated.get("seed", 0),
        "sampling": {name: stated[name] for name in ("temperature", "top_p", "max_tokens") if name in stated},
        "models": [
            {"name": one.model, "n": int(one.n.max())} | _how_reached(facts["models"][one.model], summary.name)
            for one in summary.samples
        ],
    }
    return tomli_w.dumps({name: value for name, value in study.items() if value is not None})


def _how_reached(stated: Mapping[str, Any], benchmark: str) -> dict[str, Any]:
    """What a study states about a model besides its name and n; empty if the defaults suffice."""
    fields = recorded_fields(stated)
    chosen = stated.get("prompts", {}).get(benchmark, {}).get("format", DEFAULT_FORMAT)
    return fields if chosen == DEFAULT_FORMAT else fields | {"prompt": chosen}
