"""Writes CSV so that spreadsheets do not run any cell as a formula, and every cell can be read back unchanged.

Cells that contain a comma, a quote, CR or LF are quoted. A text that a spreadsheet would take for a formula gets an
apostrophe before it, even if it begins with apostrophes already. So different texts stay different, and `unguarded`
reverses `guarded`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: the first columns of every table of samples that isobudget exports
LEADING_COLUMNS = ("benchmark", "model", "task_id", "index")
#: matches what spreadsheets take for the beginning of a formula, with or without apostrophes before it
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


class _Lines(list[str]):
    """Collects the lines that the csv module writes, and makes their CRLF an LF.

    The CRLF is needed because the csv module quotes a cell with a CR only if the line ending contains a CR.
    """

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def csv_text(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> str:
    """A header row and the records as CSV; missing values and None are empty cells."""
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(map(guarded, columns))
    writer.writerows([guarded(record.get(name)) for name in columns] for record in records)
    return "".join(lines)


def guarded(value: Any) -> Any:
    """A value that is safe in spreadsheets: a text that begins like a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def unguarded(text: str) -> str:
    """The text without the apostrophe that `guarded` put before it."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text
