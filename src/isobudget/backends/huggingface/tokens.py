"""A Hugging Face tokenizer for backends: prompts and texts to tokens, tokens to text, and the end of outputs.

The tokenizer adds its default special tokens to a text prompt (for most models a begin token or nothing), and special
tokens written out in the prompt are recognized. A conversation is put into the model's own template, which already
contains its special tokens.

A text that follows a prompt is tokenized separately, so that no token spans the boundary. SentencePiece tokenizers put
a space before every text. For them the text is tokenized after a line end, which is then removed again, so that
indentation keeps its length.

Safe to use from several threads. Not covered: images, tools and other parts of a conversation.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

from isobudget.backends.base import Chat, Prompt
from isobudget.errors import BackendError

_ANCHOR = "\n"


class Tokens:
    """A tokenizer of `transformers` or vLLM, with a lock. Messages name the model as `model`."""

    def __init__(self, tokenizer: Any, model: str) -> None:
        self._tokenizer = tokenizer
        self._model = model
        self._lock = threading.Lock()

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """The tokens of a prompt.

        Raises:
            BackendError: the prompt is empty, the model has no chat template, or its template refuses the conversation.
        """
        with self._lock:
            ids = self._chat_ids(prompt) if isinstance(prompt, Chat) else self._encode(prompt, special=True)
        if not ids:
            raise BackendError(f"{self._model}: an empty prompt cannot be completed")
        return ids

    def text_ids(self, text: str) -> list[int]:
        """The tokens of a text that follows a prompt, without begin and end tokens."""
        with self._lock:
            anchor = self._encode(_ANCHOR, special=False)
            if text and len(self._spell(self._encode("a", special=False))) > 1:
                whole = self._encode(_ANCHOR + text, special=False)
                if whole[: len(anchor)] == anchor:
                    return whole[len(anchor) :]
            return self._encode(text, special=False)

    def rows(self, texts: Sequence[str], token_ids: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
        """The tokens of each text that follows a prompt: the known ids, or else those of `text_ids`."""
        given = token_ids or [()] * len(texts)
        return [tuple(known) or tuple(self.text_ids(text)) for text, known in zip(texts, given, strict=True)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without special tokens."""
        with self._lock:
            return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def special_ids(self, texts: Iterable[str]) -> set[int]:
        """The ids of those texts that are a single special token, and so never show in an output."""
        added = getattr(self._tokenizer, "added_tokens_decoder", {})
        special = {str(token): number for number, token in added.items() if token.special}
        return {special[text] for text in texts if text in special}

    def end_ids(self, configs: Iterable[Any]) -> frozenset[int]:
        """Every token that ends an output: all end tokens that the tokenizer and the configurations name."""
        named = [getattr(config, "eos_token_id", None) for config in (self._tokenizer, *configs)]
        listed = [one if isinstance(one, list | tuple) else [one] for one in named]
        return frozenset(int(one) for each in listed for one in each if one is not None)

    def _encode(self, text: str, special: bool) -> list[int]:
        ids = self._tokenizer(text, add_special_tokens=special)["input_ids"]
        return [int(one) for one in ids]

    def _spell(self, ids: list[int]) -> str:
        return "".join(self._tokenizer.convert_ids_to_tokens(ids))

    def _chat_ids(self, chat: Chat) -> list[int]:
        if not getattr(self._tokenizer, "chat_template", None):
            raise BackendError(
                f"{self._model}: its tokenizer has no chat template. Use a completion format, or a model tuned for chat"
            )
        try:
            text = self._tokenizer.apply_chat_template(chat.as_dicts(), add_generation_prompt=True, tokenize=False)
        except Exception as error:  # whatever the model's own template raises
            raise BackendError(f"{self._model}: its chat template refuses the conversation: {error}") from error
        return self._encode(text, special=False)
