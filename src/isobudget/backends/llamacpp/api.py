"""llama.cpp's C functions, as the embedded engine's shared object exports them.

The package's Python interface is a server. It decides by itself where a sample is generated and when its prompt is
computed again, and gives no log-probabilities of given text. The same shared object contains llama.cpp's C interface,
which is called by `ctypes` here. Structures passed by value have a layout that depends on the version of llama.cpp. A
wrong offset would not fail but give wrong numbers. So `load_api` compares the default values that the library fills in
with those of the supported version, and refuses any other version before a model is loaded. CONTRIBUTING.md
describes how to move the binding to another version, with `tools/engine_layout.py`.

Source: llama.cpp's ``include/llama.h``. Not covered: llama.cpp's samplers, embeddings.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int, c_int8, c_int32, c_size_t, c_uint32, c_void_p
from pathlib import Path
from typing import Any

from isobudget.backends.llamacpp.engine import import_engine
from isobudget.errors import ModelError

#: a vocabulary of this type is SentencePiece's, which begins every text with a space
SENTENCE_PIECE = 1

#: number formats of keys and values
F32, F16 = 0, 1
#: file types whose matrices are all in 32 or 16 bits: float32, float16, bfloat16
FLOAT_FILES = frozenset({0, 1, 32})
NO_FLASH_ATTENTION = 0
#: how a file is loaded: read, not mapped into memory
NO_MAPPING = 0

_UNSET = -1


#: room behind the known fields: the library must not write past the end
_REST = ("_rest", c_void_p * 8)

#: the fields of `llama_model_params`: name, type, and the supported version's default, if it would show a moved field
_MODEL_FIELDS: tuple[tuple[Any, ...], ...] = (
    ("devices", c_void_p, None),
    ("tensor_buft_overrides", c_void_p),
    ("n_gpu_layers", c_int32, -1),
    ("split_mode", c_int32, 1),
    ("load_mode", c_int32, -1),
    ("lazy_mode", c_int32, 1),
    ("main_gpu", c_int32, 0),
    ("tensor_split", c_void_p, None),
    ("progress_callback", c_void_p),
    ("progress_callback_user_data", c_void_p),
    ("kv_overrides", c_void_p, None),
    ("vocab_only", c_bool, False),
    ("check_tensors", c_bool, False),
    ("use_extra_bufts", c_bool, True),
    ("no_host", c_bool, False),
    ("no_alloc", c_bool),
    ("load_mtp", c_bool),
)

#: the fields of `llama_context_params`, in the same form
_CONTEXT_FIELDS: tuple[tuple[Any, ...], ...] = (
    ("n_ctx", c_uint32, 512),
    ("n_batch", c_uint32, 2048),
    ("n_ubatch", c_uint32, 512),
    ("n_seq_max", c_uint32, 1),
    ("n_rs_seq", c_uint32),
    ("n_outputs_max", c_uint32, 0),
    ("n_outputs_max_per_seq", c_uint32, 1),
    ("n_threads", c_int32, 4),
    ("n_threads_batch", c_int32, 4),
    ("ctx_type", c_int32, 0),
    ("rope_scaling_type", c_int32, _UNSET),
    ("pooling_type", c_int32, _UNSET),
    ("attention_type", c_int32, _UNSET),
    ("flash_attn_type", c_int32, _UNSET),
    ("rope_freq_base", c_float, 0.0),
    ("rope_freq_scale", c_float),
    ("yarn_ext_factor", c_float, -1.0),
    ("yarn_attn_factor", c_float),
    ("yarn_beta_fast", c_float),
    ("yarn_beta_slow", c_float, -1.0),
    ("yarn_orig_ctx", c_uint32, 0),
    ("defrag_thold", c_float, -1.0),
    ("cb_eval", c_void_p, None),
    ("cb_eval_user_data", c_void_p),
    ("type_k", c_int32, F16),
    ("type_v", c_int32, F16),
    ("abort_callback", c_void_p, None),
    ("abort_callback_data", c_void_p),
    ("_reserved", c_void_p),
    ("embeddings", c_bool, False),
    ("offload_kqv", c_bool, True),
    ("no_perf", c_bool),
    ("op_offload", c_bool),
    ("swa_full", c_bool, True),
    ("kv_unified", c_bool, False),
    ("samplers", c_void_p, None),
    ("n_samplers", c_size_t, 0),
    ("ctx_other", c_void_p),
)


class ModelParams(ctypes.Structure):
    """`llama_model_params`."""

    _fields_ = (*(field[:2] for field in _MODEL_FIELDS), _REST)


class ContextParams(ctypes.Structure):
    """`llama_context_params`."""

    _fields_ = (*(field[:2] for field in _CONTEXT_FIELDS), _REST)


class Batch(ctypes.Structure):
    """`llama_batch`: tokens, their positions and sequences, and which logits are wanted."""

    _fields_ = (
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", POINTER(c_float)),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    )


_MODEL_DEFAULTS = {field[0]: field[2] for field in _MODEL_FIELDS if len(field) > 2}
_CONTEXT_DEFAULTS = {field[0]: field[2] for field in _CONTEXT_FIELDS if len(field) > 2}

#: structures that are passed by value, with the defaults that show whether a field has moved
STRUCTURES: dict[str, tuple[type[ctypes.Structure], dict[str, Any]]] = {
    "llama_model_params": (ModelParams, _MODEL_DEFAULTS),
    "llama_context_params": (ContextParams, _CONTEXT_DEFAULTS),
    "llama_batch": (Batch, {}),
}

FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "llama_backend_init": (None, ()),
    "llama_log_set": (None, (c_void_p, c_void_p)),
    "llama_model_default_params": (ModelParams, ()),
    "llama_context_default_params": (ContextParams, ()),
    "llama_model_load_from_file": (c_void_p, (c_char_p, ModelParams)),
    "llama_model_free": (None, (c_void_p,)),
    "llama_adapter_lora_init": (c_void_p, (c_void_p, c_char_p)),
    "llama_set_adapters_lora": (c_int32, (c_void_p, POINTER(c_void_p), c_size_t, POINTER(c_float))),
    "ggml_cpu_has_avx2": (c_int, ()),
    "llama_model_get_vocab": (c_void_p, (c_void_p,)),
    "llama_model_ftype": (c_int32, (c_void_p,)),
    "llama_model_n_ctx_train": (c_int32, (c_void_p,)),
    "llama_model_is_recurrent": (c_bool, (c_void_p,)),
    "llama_model_is_hybrid": (c_bool, (c_void_p,)),
    "llama_model_chat_template": (c_char_p, (c_void_p, c_char_p)),
    "llama_init_from_model": (c_void_p, (c_void_p, ContextParams)),
    "llama_free": (None, (c_void_p,)),
    "llama_n_ctx": (c_uint32, (c_void_p,)),
    "llama_n_batch": (c_uint32, (c_void_p,)),
    "llama_n_seq_max": (c_uint32, (c_void_p,)),
    "llama_n_threads_batch": (c_int32, (c_void_p,)),
    "llama_get_memory": (c_void_p, (c_void_p,)),
    "llama_memory_clear": (None, (c_void_p, c_bool)),
    "llama_memory_seq_cp": (None, (c_void_p, c_int32, c_int32, c_int32, c_int32)),
    "llama_memory_seq_rm": (c_bool, (c_void_p, c_int32, c_int32, c_int32)),
    "llama_memory_seq_pos_min": (c_int32, (c_void_p, c_int32)),
    "llama_state_seq_get_size": (c_size_t, (c_void_p, c_int32)),
    "llama_state_seq_get_data": (c_size_t, (c_void_p, c_void_p, c_size_t, c_int32)),
    "llama_state_seq_set_data": (c_size_t, (c_void_p, c_void_p, c_size_t, c_int32)),
    "llama_decode": (c_int32, (c_void_p, Batch)),
    "llama_get_logits": (POINTER(c_float), (c_void_p,)),
    "llama_vocab_type": (c_int32, (c_void_p,)),
    "llama_vocab_n_tokens": (c_int32, (c_void_p,)),
    "llama_vocab_is_eog": (c_bool, (c_void_p, c_int32)),
    "llama_vocab_bos": (c_int32, (c_void_p,)),
    "llama_vocab_eos": (c_int32, (c_void_p,)),
    "llama_vocab_get_text": (c_char_p, (c_void_p, c_int32)),
    "llama_tokenize": (c_int32, (c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool)),
    "llama_token_to_piece": (c_int32, (c_void_p, c_int32, c_char_p, c_int32, c_int32, c_bool)),
}


@functools.cache
def load_api() -> ctypes.CDLL:
    """The engine's C functions with their types. Calls release the GIL; no two threads may call them at the same time.

    Raises:
        MissingExtraError: the engine is not installed.
        ModelError: the engine cannot be loaded, or the structures of its version are not known.
    """
    engine = import_engine()
    api = ctypes.CDLL(str(Path(engine.xllamacpp.__file__)))
    version = getattr(engine, "__version__", "of unknown version")
    try:
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(api, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as error:
        raise _unsupported(version, str(error)) from None
    check_defaults(api.llama_model_default_params(), _MODEL_DEFAULTS, version)
    check_defaults(api.llama_context_default_params(), _CONTEXT_DEFAULTS, version)
    # the library's log adds nothing to error messages, and would be written over the progress on the terminal
    api.llama_log_set(say_nothing(), None)
    api.llama_backend_init()
    return api


def say_nothing() -> c_void_p:
    """A C function without side effects, which llama.cpp can call for its log messages.

    A Python function would not do: a Ctrl-C could be raised in it, and would be lost.
    """
    return ctypes.cast(ctypes.pythonapi.Py_IsInitialized, c_void_p)


def check_defaults(filled: ctypes.Structure, known: dict[str, Any], version: str) -> None:
    """Refuse a library whose default values differ from those of the supported version, or are at other offsets.

    Raises:
        ModelError: a field differs; the message names it.
    """
    for difference in layout_differences(filled, known):
        raise _unsupported(version, difference)


def layout_differences(filled: ctypes.Structure, known: dict[str, Any]) -> Iterator[str]:
    """The fields whose values differ from the known ones, with both values."""
    for field, value in known.items():
        if getattr(filled, field) != value:
            yield f"{type(filled).__name__}.{field} is {getattr(filled, field)!r}, not {value!r}"


def _unsupported(version: str, reason: str) -> ModelError:
    return ModelError(
        f"xllamacpp {version} is not supported: the layout of llama.cpp's structures is unknown ({reason}). "
        "Install a supported version with: pip install 'isobudget[local]'"
    )
