"""A GGUF model opened by llama.cpp's C functions: with its vocabulary alone, or with its weights too.

Loading only the vocabulary takes a fraction of a second and shows whether the file is complete. Weights in Q4_1 are
loaded in a faster form if possible, see `split_form`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Iterator, Sequence
from ctypes import c_int32, c_void_p
from pathlib import Path
from typing import Self

from isobudget.backends.llamacpp.api import FLOAT_FILES, NO_MAPPING, SENTENCE_PIECE, load_api
from isobudget.backends.llamacpp.split_form import is_split, split_files
from isobudget.errors import BackendError, ModelError
from isobudget.files.near import not_a_file
from isobudget.models.gguf import read_gguf_header

_PIECE_BYTES = 512
#: maximum number of layers that llama.cpp supports
_MOST_LAYERS = 512


class LlamaModel:
    """An open GGUF model, with its weights or its vocabulary alone. Use it as a context manager, or close it.

    Raises:
        ModelError: the file is missing, damaged, or not a model; or the engine's version is not supported.
    """

    def __init__(self, path: Path, *, vocabulary_only: bool = False) -> None:
        if not path.is_file():
            raise ModelError(not_a_file(path))
        self.path = path
        self._api = load_api()
        _check_layers(path)
        params = self._api.llama_model_default_params()
        params.vocab_only = vocabulary_only
        #: handle of the adapter that every context of the model must use, 0 if there is none; freed with the model
        self.adapter = 0
        handle = 0 if vocabulary_only else self._load_split()
        handle = handle or self._api.llama_model_load_from_file(str(path).encode(), params)
        if not handle:
            raise ModelError(
                f"{path}: llama.cpp cannot load it. It is damaged, not a GGUF model, or too large for the memory here."
            )
        self.handle: int = handle
        #: the file's template for conversations, empty if there is none
        self.template = (self._api.llama_model_chat_template(handle, None) or b"").decode(errors="replace")
        #: whether the file's matrices are in 16 or 32 bits
        self.is_float = int(self._api.llama_model_ftype(handle)) in FLOAT_FILES
        self._vocabulary = c_void_p(self._api.llama_model_get_vocab(handle))
        #: number of token ids
        self.vocabulary_size = int(self._api.llama_vocab_n_tokens(self._vocabulary))
        self._pieces: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model; no further calls are allowed."""
        with self._lock:
            if self.handle:
                self._api.llama_model_free(self.handle)
                self.handle = 0

    def tokenize_prompt(self, text: str) -> list[int]:
        """Ids of a prompt: special tokens written out in it are recognized, and a begin token is put first."""
        return self._tokenize(text, special=True, begin=True)

    def tokenize_conversation(self, text: str) -> list[int]:
        """Ids of a conversation that the model's chat template has rendered; the template adds the BOS token itself."""
        return self._tokenize(text, special=True)

    def tokenize_text(self, text: str) -> list[int]:
        """Ids of a text that follows a prompt: nothing is added, and a written-out special token stays plain text.

        SentencePiece puts a space before every text. To avoid it, the text is tokenized after a newline, which is then
        removed.
        """
        ids = self._tokenize(text, special=False)
        if self._api.llama_vocab_type(self._vocabulary) != SENTENCE_PIECE or self.text_bytes(ids) == text.encode():
            return ids
        behind = self._tokenize("\n" + text, special=False)
        for start in range(1, len(behind)):
            if self.text_bytes(behind[start:]) == text.encode():
                return behind[start:]
        return ids

    def text_bytes(self, ids: Sequence[int]) -> bytes:
        """The UTF-8 bytes of the ids; special tokens give none."""
        return b"".join(self.piece(token) for token in ids)

    def piece(self, token: int) -> bytes:
        """The bytes of one token, which may be incomplete characters."""
        if token not in self._pieces:
            self._pieces[token] = self._read_piece(token, _PIECE_BYTES)
        return self._pieces[token]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the ids; bytes that are not UTF-8 become replacement characters."""
        return self.text_bytes(ids).decode(errors="replace")

    @functools.cached_property
    def end_ids(self) -> frozenset[int]:
        """The tokens that end an output."""
        is_end = self._api.llama_vocab_is_eog
        with self._opened():
            return frozenset(token for token in range(self.vocabulary_size) if is_end(self._vocabulary, token))

    def special_ids(self, texts: Sequence[str]) -> frozenset[int]:
        """The ids of those texts that are a single special token, and so never show in an output."""
        tokenized = [self._tokenize(text, special=True) for text in texts]
        return frozenset(ids[0] for ids in tokenized if len(ids) == 1 and not self.piece(ids[0]))

    def names(self) -> dict[str, str]:
        """The begin and end token under the names that templates use; empty if there is none."""
        with self._opened():
            ids = self._api.llama_vocab_bos(self._vocabulary), self._api.llama_vocab_eos(self._vocabulary)
            texts = [self._api.llama_vocab_get_text(self._vocabulary, one) if one >= 0 else b"" for one in ids]
        return dict(zip(("bos_token", "eos_token"), (text.decode(errors="replace") for text in texts), strict=True))

    def _load_split(self) -> int:
        """Load a Q4_1 file's weights in their faster form, and return llama.cpp's handle of the model.

        The handle is 0 if that is not possible, or if the form is not faster on this processor.
        """
        if not (is_split(self.path) and self._api.ggml_cpu_has_avx2()):
            return 0
        params = self._api.llama_model_default_params()
        params.load_mode = NO_MAPPING  # what is mapped would stay in memory beside what was made of it
        with contextlib.suppress(OSError, ModelError), split_files(self.path) as (model, adapter):
            handle = self._api.llama_model_load_from_file(str(model).encode(), params)
            if handle:
                self.adapter = self._api.llama_adapter_lora_init(handle, str(adapter).encode()) or 0
            if handle and not self.adapter:
                self._api.llama_model_free(handle)
            return int(handle) if self.adapter else 0
        return 0

    def _read_piece(self, token: int, room: int) -> bytes:
        buffer = ctypes.create_string_buffer(room)
        with self._opened():
            length = self._api.llama_token_to_piece(self._vocabulary, token, buffer, room, 0, False)
        return buffer.raw[:length] if length >= 0 else self._read_piece(token, -length)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        """In this context no other thread can close the model."""
        with self._lock:
            if not self.handle:
                raise BackendError(f"{self.path.name}: the model is no longer loaded")
            yield

    def _tokenize(self, text: str, *, special: bool, begin: bool = False) -> list[int]:
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise BackendError(
                f"{self.path.name}: a text has half of a surrogate pair at character {error.start:,}, which no token "
                "stands for"
            ) from None
        room = len(data) + 8  # no token is shorter than a byte; begin and end tokens come on top
        ids = (c_int32 * room)()
        with self._opened():
            count = self._api.llama_tokenize(self._vocabulary, data, len(data), ids, room, begin, special)
        if count < 0:
            raise ModelError(f"{self.path}: llama.cpp cannot tokenize a text of {len(data)} bytes")
        return list(ids[:count])


def _check_layers(path: Path) -> None:
    """Refuse a number of layers at which llama.cpp would end the process instead of refusing the file.

    A file that cannot be read passes this check, because llama.cpp refuses it afterwards.
    """
    try:
        header = read_gguf_header(path)
        layers = header.number("block_count")
    except ModelError:
        return
    if not 1 <= layers <= _MOST_LAYERS:
        raise ModelError(
            f"{path}: {header.architecture}.block_count is {layers:,}; llama.cpp has room for 1 to {_MOST_LAYERS} "
            "layers. The file is damaged, or not a model for this engine"
        )
