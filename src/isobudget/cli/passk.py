"""`isobudget passk`: pass@k per benchmark and model from a COUNTS file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isobudget.cli.options import JsonOption


def passk(
    counts: Annotated[
        Path,
        typer.Argument(
            metavar="COUNTS",
            help="JSON lines with model, task_id, and n and c or passed, or one per graded sample; may be gzipped.",
        ),
    ],
    k: Annotated[str, typer.Option(help="Values of k, separated by commas.")] = "1,10,100",
    as_json: JsonOption = False,
) -> None:
    """Print pass@k with 95% intervals over problems, for each benchmark and model.

    Example: `isobudget passk counts.jsonl --k 1,5,10`
    """
    from isobudget.analysis.passk import passk as compute
    from isobudget.cli.show import print_json
    from isobudget.importers.counts import group_counts, read_counts
    from isobudget.report.tables.passk import passk_lines

    sizes = parse_k(k)
    results = compute(group_counts(read_counts(counts)).values(), sizes)
    if as_json:
        print_json([result.to_dict() for result in results])
    else:
        print(*passk_lines(results), sep="\n")


def parse_k(text: str) -> list[int]:
    """`1,5,10` as numbers. Raises `InputError` for anything that is not a whole number of 1 or more."""
    from isobudget.errors import InputError

    sizes = []
    for part in text.split(","):
        if not (part.strip().isascii() and part.strip().isdigit() and 1 <= int(part) < 2**31):
            raise InputError(f"--k takes whole numbers of 1 or more, separated by commas, such as 1,5,10; got {part!r}")
        sizes.append(int(part))
    return list(dict.fromkeys(sizes))
