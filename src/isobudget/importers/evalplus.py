"""EvalPlus' result files (`*eval_results.json`): each sample judged by the base tests and by the many more of Plus.

    {"eval": {"HumanEval/0": [{"base_status": "pass", "plus_status": "fail", ...}, ...]}, ...}

A sample passes Plus where base and plus both pass, as EvalPlus itself counts it (`evalplus/evaluate.py`). Files name no
model: it is what the file is called.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.files.jsonl import parse_json
from isobudget.files.whole import read_text

_ENDING = re.compile(r"[._-]?eval_results$")
_STATUSES = ("pass", "fail", "timeout")

#: of each problem, the verdict of each sample in the file's order
Verdicts = tuple[tuple[bool, ...], ...]


@dataclass(frozen=True, slots=True)
class EvalPlusResults:
    """One model's samples under two suites.

    Attributes:
        model: what the file is called.
        task_ids: the problems, in the file's order.
        base: verdicts of the base tests.
        plus: whether base and plus both passed; None where the file was made without Plus.
    """

    model: str
    task_ids: tuple[str, ...]
    base: Verdicts
    plus: Verdicts | None


def read_evalplus(path: Path) -> EvalPlusResults | None:
    """The results in a file; None if it is no file of EvalPlus.

    Raises:
        InputError: it looks like one and is damaged; the message names task and sample.
    """
    if path.suffix != ".json":
        return None
    try:
        content = parse_json(read_text(path), str(path))
    except InputError:  # JSON lines, or no JSON at all: the reader of those says what is wrong
        return None
    tasks = content.get("eval") if isinstance(content, dict) else None
    if not isinstance(tasks, dict) or not tasks:
        return None
    base: list[tuple[bool, ...]] = []
    plus: list[tuple[bool, ...] | None] = []
    for task, samples in tasks.items():
        where = f"{path}, eval, {task}"
        if not isinstance(samples, list) or not samples:
            raise InputError(f"{where}: must list the problem's samples")
        first = [_status(sample, "base_status", f"{where}, sample {at}") for at, sample in enumerate(samples)]
        both = [_status(sample, "plus_status", f"{where}, sample {at}") for at, sample in enumerate(samples)]
        if None in first:
            raise InputError(f"{where}: sample {first.index(None)} has no base_status")
        base.append(tuple(bool(one) for one in first))
        plus.append(
            None if None in both else tuple(bool(one and other) for one, other in zip(first, both, strict=True))
        )
    whole = tuple(one for one in plus if one is not None)
    return EvalPlusResults(
        _ENDING.sub("", path.stem) or path.stem, tuple(tasks), tuple(base), whole if len(whole) == len(plus) else None
    )


def _status(sample: Any, field: str, where: str) -> bool | None:
    """Whether a sample passed a suite; None where it was not run."""
    status = sample.get(field) if isinstance(sample, dict) else "?"
    if status is not None and status not in _STATUSES:
        raise InputError(f"{where}: {field} must be one of {', '.join(_STATUSES)} or null, not {status!r}")
    return None if status is None else status == "pass"
