"""The page's last part: what was run, with which settings and weights, on what machine, and how to do it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomli_w

from isobudget.backends.registry import recorded_fields
from isobudget.models.architecture import Architecture
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.page.html import Cell, Html, join, listing, table, tag

_NOT_STATED = "not stated"
#: the prompt format of benchmarks whose prompts are the heads of programs, and of runs that state none
DEFAULT_FORMAT = "completion"
_CITATION = "arXiv:2404.00725"


def how_to_read() -> Html:
    """What the figures and tables mean."""
    return join(
        [
            tag(
                "p",
                "Pass@k is the chance that at least one of k samples of a problem passes its tests, by the unbiased "
                "estimator on all recorded samples, averaged over problems. A budget buys each model as many samples "
                f"as it affords, after Hassid et al., COLM 2024 ({_CITATION}), as do the figures.",
            ),
            tag(
                "p",
                "Intervals say how far a figure might move on other problems like these (paired bootstrap over "
                "problems); they hold for each budget by itself. A lead is clear where the interval of the difference "
                "leaves out 0. Beyond half of the recorded samples a curve is unbiased, but hangs on few samples.",
            ),
        ]
    )


def models(facts: Mapping[str, Any]) -> Html:
    """Every model: what it is, its licence and checksum, how it was run."""
    return join(
        join([tag("h3", name), listing(_model_facts(stated))]) for name, stated in facts.get("models", {}).items()
    )


def _model_facts(stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Model", _text(stated, "title")
    if "architecture" in stated:
        yield "Weights", f"{Architecture(**stated['architecture']).params:,}"
    if stated.get("backend", "llama.cpp") == "llama.cpp":
        yield "Licence", _text(stated, "licence")
        yield "File", _text(stated, "file")
        yield "sha256", tag("code", _text(stated, "sha256"))
    else:
        yield "Reached by", " ".join(str(stated[name]) for name in ("backend", "url", "model") if name in stated)
        yield "Revision", _text(stated, "revision")
    yield "Run by", _text(stated, "engine")
    yield "Newlines that end a prompt", _text(stated, "prompt_newline")
    for benchmark, prompts in stated.get("prompts", {}).items():
        yield f"Prompts of {benchmark}", f"{prompts['format']}; programs cut out by the rule {prompts['extraction']!r}"
    for note in stated.get("notes", []):
        yield "Noticed", note


def sampling(facts: Mapping[str, Any], summaries: Sequence[BenchmarkSummary]) -> Html:
    """How samples were drawn, and the exact number of problems."""
    columns = ["Benchmark", "Problems", "Compared", "Temperature", "Top-p", "Most tokens", "Seed", "Stops at"]
    note = "Compared: problems with judged samples of every model. Greedy outputs: temperature 0."
    rows: list[list[str | Cell]] = []
    for summary in summaries:
        stated = facts["benchmarks"][summary.name]
        names = ("temperature", "top_p", "max_tokens", "seed")
        stops = Cell(", ".join(repr(stop) for stop in stated.get("stop", [])) or "end of text", kind="text")
        compared = f"{len(summary.first.curves[0].task_ids):,}"
        settings = (_text(stated, name) for name in names)
        rows.append([summary.name, _text(stated, "problems"), compared, *settings, stops])
    return table("How samples were drawn", columns, rows, note)


def machine(facts: Mapping[str, Any]) -> Html:
    """The machine that the run began on, the judge's limits, and the version that made it."""
    stated = facts.get("machine", {})
    limits = facts.get("judge", {})
    return listing(
        [
            ("Machine", _text(stated, "processor")),
            ("System", f"{_text(stated, 'platform')}, Python {_text(stated, 'python')}"),
            ("Begun", _text(facts, "created")),
            ("isobudget", _text(facts, "isobudget")),
            ("Limits of the judge", ", ".join(f"{name} = {value}" for name, value in limits.items()) or _NOT_STATED),
        ]
    )


def again(facts: Mapping[str, Any], summaries: Sequence[BenchmarkSummary]) -> Html:
    """Study files that make the same run, and the commands."""
    parts: list[str] = []
    for summary in summaries:
        text = study_text(facts, summary)
        parts += [tag("p", f"{summary.name}, as a study file:"), tag("pre", tag("code", text), tabindex="0")]
    commands = (
        f"pip install 'isobudget[local,report]=={facts.get('isobudget', '')}'\n"
        "isobudget run study.toml --out RUN    # samples, verdicts, report; goes on where it stopped\n"
        "isobudget report RUN                  # this page anew, from what is recorded"
    )
    note = (
        "A benchmark or model of your own is named by its file instead. Seconds depend on the machine; with several "
        "samples drawn at a time, rounding may let single samples differ."
    )
    return join([*parts, tag("pre", tag("code", commands), tabindex="0"), tag("p", note, class_="note")])


def study_text(facts: Mapping[str, Any], summary: BenchmarkSummary) -> str:
    """A study file (TOML) for one benchmark of the run: its sampling, and as many samples as each model has."""
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
    """What a study says of a model beside its name and n; nothing where the defaults do."""
    fields = recorded_fields(stated)
    chosen = stated.get("prompts", {}).get(benchmark, {}).get("format", DEFAULT_FORMAT)
    return fields if chosen == DEFAULT_FORMAT else fields | {"prompt": chosen}


def _text(stated: Mapping[str, Any], name: str) -> str:
    value = stated.get(name, _NOT_STATED)
    return str(value)
