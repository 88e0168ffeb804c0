"""The tool that shows which of llama.cpp's structures changed, on headers and on the installed library."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from isobudget.backends.llamacpp import api

TOOL: dict[str, Any] = runpy.run_path(str(Path(__file__).resolve().parents[2] / "tools" / "engine_layout.py"))
NAMES = {"i4": "int32_t", "u4": "uint32_t", "f4": "float", "b1": "bool", "u8": "size_t", "pointer": "void *"}


def header(extra: str = "") -> str:
    """A header that declares the structures as they are bound; `extra` comes first in the one of contexts."""
    text = "typedef bool (*llama_progress_callback)(float progress, void * user_data);\n"
    for name, (structure, _) in api.STRUCTURES.items():
        fields = [one.split() for one in TOOL["bound_fields"](structure)]
        body = "\n".join(f"  {NAMES[kind]} {field}; // what it is; or was" for field, kind in fields)
        text += f"struct {name} {{\n{extra * (name == 'llama_context_params')}{body}\n}};\n"
    return text


def test_fields_of_a_header_are_read() -> None:
    text = """
        struct llama_batch { int32_t n_tokens; };
        struct some_params {
            ggml_backend_dev_t * devices; /* a list;
                                             of several */
            const struct llama_override * overrides;
            enum llama_split_mode split_mode; // how; to split
            llama_progress_callback progress_callback;
            llama_seq_id ** seq_id;
            uint16_t  odd;
        };
        typedef struct llama_other { bool yes; } llama_other;
    """
    assert TOOL["declared_fields"](text, "some_params") == [
        "devices pointer",
        "overrides pointer",
        "split_mode i4",
        "progress_callback pointer",
        "seq_id pointer",
        "odd uint16_t",
    ]
    assert TOOL["declared_fields"](text, "llama_other") == ["yes b1"]
    assert TOOL["declared_fields"](text, "llama_absent") == []


def test_the_installed_engine_is_laid_out_as_bound_and_a_new_field_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("xllamacpp", exc_type=ImportError)
    path = tmp_path / "llama.h"
    path.write_text(header())
    assert TOOL["main"]([]) == 0
    assert TOOL["main"]([str(path)]) == 0
    printed = capsys.readouterr().out
    assert "DIFFERS" not in printed
    assert printed.count("declared as bound") == len(api.STRUCTURES)
    path.write_text(header("float new_field;\n"))
    assert TOOL["main"]([str(path)]) == 1
    assert "+new_field f4" in capsys.readouterr().out


def test_a_shifted_field_is_shown_with_both_values() -> None:
    known = {"n_ctx": 512, "n_batch": 2048}
    shifted = api.ContextParams(n_ctx=0, n_batch=512)
    lines = list(TOOL["filled_in"](api.ContextParams, shifted, known))
    assert lines[0].split() == ["0", "n_ctx", "0", "DIFFERS:", "512", "is", "known"]
    assert list(api.layout_differences(shifted, known)) == [
        "ContextParams.n_ctx is 0, not 512",
        "ContextParams.n_batch is 512, not 2048",
    ]
