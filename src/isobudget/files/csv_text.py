"""CSV, written so that no spreadsheet runs a cell and every cell comes back equal.

A cell ends where a comma, a quote, CR or LF does not stand in quotes; what has one of them is quoted. A text that a
spreadsheet would take for a formula has an apostrophe before it, also where it begins with apostrophes already: so two
texts never become one, and `unguarded` gives back what `guarded` was given.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: with what each table of samples begins that isobudget exports
LEADING_COLUMNS = ("benchmark", "model", "task_id", "index")
#: what spreadsheets take for the begin of a formula, after the apostrophes of a guard or of the text's own
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


class _Lines(list[str]):
    """Finished lines, each ended by LF: csv quotes a CR only where CR is in the ending that it is given."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def csv_text(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> str:
    """A heading and the records as CSV; what a record lacks, and None, is empty."""
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(map(guarded, columns))
    writer.writerows([guarded(record.get(name)) for name in columns] for record in records)
    return "".join(lines)


def guarded(value: Any) -> Any:
    """A value that no spreadsheet runs: a text that begins like a formula has one more apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def unguarded(text: str) -> str:
    """The text without the apostrophe that `guarded` put before it."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text
