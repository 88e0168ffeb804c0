"""Show what changed in llama.cpp's structures between the bound version of xllamacpp and the installed one.

    python tools/engine_layout.py            compare the defaults of the installed library with the known ones
    python tools/engine_layout.py llama.h    also compare the fields that this header declares with the bound ones

The last number of an xllamacpp version is llama.cpp's build, so `2026.10.11549` has the `include/llama.h` of its tag
`b11549`. Exit status: 0 if nothing differs, 1 if something does. CONTRIBUTING.md says what to do then.
"""

from __future__ import annotations

import ctypes
import difflib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from isobudget.backends.llamacpp import api
from isobudget.backends.llamacpp.engine import import_engine

_SIMPLE = {"int32_t": "i4", "uint32_t": "u4", "float": "f4", "bool": "b1", "size_t": "u8", "int8_t": "i1"}
_CTYPES = {
    ctypes.c_int32: "i4",
    ctypes.c_uint32: "u4",
    ctypes.c_float: "f4",
    ctypes.c_bool: "b1",
    ctypes.c_size_t: "u8",
    ctypes.c_int8: "i1",
}


def bound_fields(structure: type[ctypes.Structure]) -> list[str]:
    """Name and kind of each field that is bound, without the room behind the last one."""
    fields = [(one[0], one[1]) for one in structure._fields_]
    return [f"{name} {_CTYPES.get(kind, 'pointer')}" for name, kind in fields if name != "_rest"]


def declared_fields(header: str, name: str) -> list[str]:
    """Name and kind of each field of a structure in a C header; empty if it declares no such structure."""
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", header, flags=re.DOTALL)
    body = re.search(rf"struct\s+{name}\s*\{{(.*?)\}}", plain, re.DOTALL)
    statements = (one.strip() for one in body[1].split(";")) if body else ()
    return [_declared(one) for one in statements if one]


def _declared(statement: str) -> str:
    kind, name = re.fullmatch(r"(.*?)(\w+)", statement, re.DOTALL).groups()  # type: ignore[union-attr]
    kind = " ".join(kind.removeprefix("const ").split())
    if "*" in kind or kind.endswith("_callback"):
        return f"{name} pointer"
    return f"{name} {'i4' if kind.startswith('enum ') else _SIMPLE.get(kind, kind)}"


def filled_in(structure: type[ctypes.Structure], filled: ctypes.Structure, known: dict[str, object]) -> Iterator[str]:
    """A line for each field: its offset, the library's default, and the bound version's default if that differs."""
    for name, _ in ((one[0], one[1]) for one in structure._fields_ if one[0] != "_rest"):
        value = getattr(filled, name)
        differs = name in known and value != known[name]
        note = f"   DIFFERS: {known[name]!r} is known" if differs else "" if name in known else "   (not compared)"
        yield f"  {getattr(structure, name).offset:4d} {name:28} {value!r}{note}"


def main(arguments: list[str]) -> int:
    """Print both comparisons."""
    engine = import_engine()
    library = ctypes.CDLL(engine.xllamacpp.__file__)
    missing = [name for name in api.FUNCTIONS if not hasattr(library, name)]
    print(f"xllamacpp {engine.__version__}: {f'MISSING functions: {missing}' if missing else 'has all functions'}")
    differ = bool(missing)
    header = Path(arguments[0]).read_text("utf-8") if arguments else ""
    for name, (structure, known) in api.STRUCTURES.items():
        print(f"\n{name}, {ctypes.sizeof(structure)} bytes with the spare room")
        if known:
            defaults = getattr(library, name.replace("_params", "_default_params"))
            defaults.restype = structure
            filled = defaults()
            print(*filled_in(structure, filled, known), sep="\n")
            differ |= any(True for _ in api.layout_differences(filled, known))
        if header:
            ours, theirs = bound_fields(structure), declared_fields(header, name)
            lines = list(difflib.unified_diff(ours, theirs, "bound", "declared", n=1, lineterm=""))
            print(*lines or ["  declared as bound"], sep="\n")
            differ |= bool(lines)
    return int(differ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
