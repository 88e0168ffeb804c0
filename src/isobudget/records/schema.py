"""Converts row dataclasses to Arrow schemas: their fields are the columns."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_ARROW_TYPES = {"str": "string", "int": "int64", "float": "float64", "bool": "bool_"}
#: items of lists: token ids have 32 bits
_ARROW_ITEMS = {"list[str]": "string", "list[int]": "int32"}


#: columns of texts that nearly all differ
_LONG = ("text", "code", "detail")


def coded_schema(schema: pa.Schema, names: list[str]) -> pa.Schema:
    """The schema with the texts of these columns dictionary-encoded, except for texts that nearly all differ."""
    import pyarrow as pa

    kind = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            one.with_type(kind) if one.type == pa.string() and one.name in names and one.name not in _LONG else one
            for one in schema
        ]
    )


def schema_of(row_type: type[Any]) -> pa.Schema:
    """The Arrow schema of a row dataclass.

    Fields may be str, int, float, bool, list[str], list[int], or one of these or None. Integers in lists have 32 bits.
    """
    import pyarrow as pa

    fields = []
    for field in dataclasses.fields(row_type):
        plain = str(field.type).removesuffix(" | None")
        item = _ARROW_ITEMS.get(plain)
        kind = pa.list_(getattr(pa, item)()) if item else getattr(pa, _ARROW_TYPES[plain])()
        fields.append(pa.field(field.name, kind, nullable="None" in str(field.type)))
    return pa.schema(fields)
