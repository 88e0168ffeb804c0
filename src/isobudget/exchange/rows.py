"""A run's samples with their verdicts as plain records, from which every export is made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from isobudget.errors import InputError
from isobudget.importers.records import COMPLETION, OUTPUT, SOLUTION
from isobudget.pipeline.prompts import RunPrompts
from isobudget.problems.problem import Problem
from isobudget.records.facts import AS_IT_IS, IMPORTED
from isobudget.records.rows import NO_TEXT, SampleKey, SampleRow, VerdictRow
from isobudget.records.run import Run


@dataclass(frozen=True, slots=True)
class JudgedSample:
    """A sample with its verdict (None if it was not judged), its problem, and the form of its text."""

    sample: SampleRow
    verdict: VerdictRow | None
    problem: Problem
    form: str

    @property
    def text(self) -> str | None:
        """The sample's text; None if the sample was imported with a verdict but without a text."""
        return None if self.sample.finish_reason == NO_TEXT and self.verdict is not None else self.sample.text

    def record(self) -> dict[str, Any]:
        """The sample in the form that `isobudget.importers.sample_lines` reads; unknown fields are left out."""
        row = self.sample
        verdict = self.verdict
        known = {
            "benchmark": row.benchmark,
            "model": row.model,
            "task_id": row.task_id,
            "index": row.index,
            "greedy": row.greedy or None,
            self.form: self.text,
            "passed": None if verdict is None else verdict.passed,
            "verdict": None if verdict is None else str(verdict.outcome),
            "prompt_tokens": row.prompt_tokens,
            "completion_tokens": row.completion_tokens,
            "seconds": None if math.isnan(row.seconds) else row.seconds,
            "usd": row.usd,
            "cut_off": row.finish_reason == "length" or None,
        }
        return {name: value for name, value in known.items() if value is not None}


def judged_rows(run: Run, benchmark: str | None, models: Sequence[str]) -> Iterator[JudgedSample]:
    """The run's samples in the run's order. If a benchmark or models are named, only their samples.

    Raises:
        InputError: the run has no such benchmark or model.
        RunError: a part is damaged.
    """
    for kind, asked in (("benchmarks", [benchmark] if benchmark else []), ("models", models)):
        known = run.facts.get(kind, {})
        for name in asked:
            if name not in known:
                raise InputError(f"{run.path}: no {kind[:-1]} {name!r} in this run; it has: {', '.join(known)}")
    verdicts: dict[SampleKey, VerdictRow] = {one.key: one for one in run.verdicts()}
    problems, prompts = run.problems(), RunPrompts(run)
    forms: dict[tuple[str, str], str] = {}
    for sample in run.samples():
        if (benchmark and sample.benchmark != benchmark) or (models and sample.model not in models):
            continue
        problem = problems[sample.benchmark, sample.task_id]
        key = sample.model, sample.benchmark
        if key not in forms:
            forms[key] = form_of(prompts, sample.model, problem)
        yield JudgedSample(sample, verdicts.get(sample.key), problem, forms[key])


def form_of(prompts: RunPrompts, model: str, problem: Problem) -> str:
    """The form of a model's texts: completions of the prompt, whole programs, or answers that contain the program."""
    facts = prompts.facts(model, problem.benchmark)
    form = str(facts["format"]).removeprefix(f"{IMPORTED}-")
    if form in (COMPLETION, SOLUTION, OUTPUT):
        return form
    if facts["extraction"] != AS_IT_IS:
        return OUTPUT
    return COMPLETION if prompts.head(model, problem) else SOLUTION
