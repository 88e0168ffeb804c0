"""`isobudget passk`: pass@k per benchmark and model from a COUNTS file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from isobudget.analysis.passk import PassAtK


def passk(
    counts: Annotated[
        Path,
        typer.Argument(
            metavar="COUNTS",
            help="JSON lines with model, task_id, and n and c or passed, or one per graded sample; .gz is read.",
        ),
    ],
    k: Annotated[str, typer.Option(help="Numbers of samples, separated by commas.")] = "1,10,100",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Print pass@k in percent, with 95 % intervals over problems, for each benchmark and model.

    Example: `isobudget passk counts.jsonl --k 1,5,10`
    """
    from isobudget.analysis.passk import passk as compute
    from isobudget.importers.counts import group_counts, read_counts

    sizes = parse_k(k)
    results = compute(group_counts(read_counts(counts)).values(), sizes)
    if as_json:
        typer.echo(json.dumps([result.as_json() for result in results], indent=1, allow_nan=False))
        return
    for line in table(results):
        typer.echo(line)


def parse_k(text: str) -> list[int]:
    """`1,5,10` as numbers. Raises `InputError` for anything that is not a whole number of 1 or more."""
    from isobudget.errors import InputError

    sizes = []
    for part in text.split(","):
        if not (part.strip().isascii() and part.strip().isdigit() and 1 <= int(part) < 2**31):
            raise InputError(f"--k takes whole numbers of 1 or more, separated by commas, such as 1,5,10; got {part!r}")
        sizes.append(int(part))
    return list(dict.fromkeys(sizes))


def table(results: list[PassAtK]) -> list[str]:
    """Lines of plain text: a row per benchmark and model, then what the marks mean."""
    with_condition = any(result.condition for result in results)
    head = ["benchmark", "model", *(["condition"] if with_condition else []), "problems", "n"]
    rows = [[*head, *(f"pass@{k}" for k in results[0].k)]]
    for result in results:
        n = str(result.n_min) if result.n_min == result.n_max else f"{result.n_min}-{result.n_max}"
        names = [result.benchmark or "-", result.model, *([result.condition or "-"] if with_condition else [])]
        rows.append([*names, str(result.problems), n, *(_cell(result, at) for at in range(len(result.k)))])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*lines, "", *_notes(results)]


def _cell(result: PassAtK, at: int) -> str:
    if result.k[at] in result.undefined:
        return "-"
    mark = "*" if result.k[at] > result.trusted_k else ""
    low, high = 100 * result.low[at], 100 * result.high[at]
    interval = f" {low:.1f}-{high:.1f}" if low == low else ""
    return f"{100 * result.success[at]:.2f}{mark}{interval}"


def _notes(results: list[PassAtK]) -> list[str]:
    lines = ["percent, with 95 % intervals over problems (bootstrap of 10,000 replicates, seed 0)"]
    if any(k > result.trusted_k and k not in result.undefined for result in results for k in result.k):
        lines.append("* k is above half of the samples: unbiased, but it hangs on few samples")
    rows: dict[str, list[str]] = {}
    for result in results:
        name = " ".join(part for part in (result.benchmark, result.model, result.condition) if part)
        for reason in result.undefined.values():
            rows.setdefault(reason, []).append(name)
    lines.extend(f"- {reason}: {', '.join(names)}" for reason, names in rows.items())
    return lines
