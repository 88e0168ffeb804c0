"""Checks the fields of a result record; errors are `InputError`s that name the place and the field."""

from __future__ import annotations

from typing import cast

from isobudget.errors import InputError
from isobudget.files.jsonl import Record
from isobudget.files.values import is_number, is_whole
from isobudget.importers.base import ImportTally

#: fields that keep the counts of one problem apart, in the order of `CountRow`
GROUP = ("benchmark", "model", "condition", "task_id")
MOST_SAMPLES = 2**31 - 1


def wrong(where: str, field: str, what: str) -> InputError:
    """The error for a wrong field; `where` is file and line."""
    return InputError(f"{where}: field `{field}` {what}.")


def name(record: Record, field: str, where: str, required: bool = True) -> str:
    """A printable text, or a number as text; empty if the field is missing and not required."""
    value = record.get(field)
    if value is None and not required:
        return ""
    if value is None:
        raise wrong(where, field, "is missing")
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise wrong(where, field, f"must be a string or a number, got {shown(value)}")
    if not str(value).isprintable():
        raise wrong(where, field, f"holds characters that cannot be printed: {shown(value)}")
    return str(value)


def whole(value: object, field: str, where: str) -> int:
    """An integer from 0 to `MOST_SAMPLES`."""
    if not isinstance(value, int) or not is_whole(value, 0, MOST_SAMPLES):
        raise wrong(where, field, f"must be a whole number from 0 to {MOST_SAMPLES:,}, got {shown(value)}")
    return value


def shown(value: object) -> str:
    """The value for a message, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def amount_of(value: object, field: str, where: str) -> float:
    """A number of 0 or more."""
    if not is_number(value, 0):
        raise wrong(where, field, f"must be a number, 0 or more, got {shown(value)}")
    return float(cast(float, value))


def whole_if_known(value: object, field: str, tally: ImportTally) -> int | None:
    """An integer from 0 to `MOST_SAMPLES`; None if missing, or, with a note, if invalid."""
    if isinstance(value, int) and is_whole(value, 0, MOST_SAMPLES):
        return value
    _note_unknown(value, field, f"a whole number from 0 to {MOST_SAMPLES:,}", tally)
    return None


def amount_if_known(value: object, field: str, tally: ImportTally) -> float | None:
    """A number of 0 or more; None if missing, or, with a note, if invalid."""
    if isinstance(value, int | float) and is_number(value, 0):
        return float(value)
    _note_unknown(value, field, "a number of 0 or more", tally)
    return None


def _note_unknown(value: object, field: str, wanted: str, tally: ImportTally) -> None:
    if value is not None:
        tally.note(f"values of `{field}` other than {wanted} (such as {shown(value)}) count as unknown")


def texts(value: object, field: str, where: str) -> list[str]:
    """A list of texts."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong(where, field, f"must be a list of strings, got {shown(value)}")
    return value


def verdict_of(value: object, field: str, where: str) -> bool | None:
    """One verdict: true or false, or 1 or 0, also as floats; None if missing."""
    if value is None:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise wrong(where, field, f"must be true or false, got {shown(value)}")
