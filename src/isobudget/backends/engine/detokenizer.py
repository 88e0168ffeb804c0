"""Decodes tokens one by one: the output's text, where each token ends in it, and where a stop text begins.

Tokens are decoded together with those before them, including the end of the prompt. Otherwise a completion would lose
the first space of its indentation, because many tokenizers drop a space at the beginning of a text. A character that is
spread over several tokens appears with the last of them.

A token belongs to the kept text if all of it is before the stop text. A token of which only the end belongs to the stop
text (such as a token of two line ends, if the stop text begins with a line end) is left out, because its probability is
not that of the kept part.

Not covered: tokens that end an output by themselves; the sampling code handles these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]

#: number of the prompt's last tokens that are decoded together with an output
CONTEXT_TOKENS = 8

_INCOMPLETE = "�"


class Detokenizer:
    """The text of one output, extended token by token.

    Args:
        decode: converts tokens to text.
        prompt_ids: the tokens before the output; its last few are used.

    Attributes:
        text: the text so far, without a character whose tokens are incomplete.
        ends: for every token, the length of `text` after it.
    """

    def __init__(self, decode: Decode, prompt_ids: Sequence[int]) -> None:
        self._decode = decode
        self._ids = list(prompt_ids[-CONTEXT_TOKENS:])
        self._start = 0  # the next decoding begins with this token
        self._decoded = len(self._ids)  # and the tokens before this one are in `text` already
        self.text = ""
        self.ends: list[int] = []

    def push(self, token: int) -> None:
        """Add the next token of the output."""
        self._ids.append(token)
        new = self._undecoded()
        if new and not new.endswith(_INCOMPLETE):
            self.text += new
            self._start, self._decoded = self._decoded, len(self._ids)
        self.ends.append(len(self.text))

    def finish(self) -> None:
        """End the output: incomplete characters become replacement characters."""
        self.text += self._undecoded()
        self._decoded = len(self._ids)
        if self.ends:
            self.ends[-1] = len(self.text)

    def find(self, stops: Sequence[str]) -> int | None:
        """The first position of a stop text that the last token may have completed; None if there is none."""
        before = self.ends[-2] if len(self.ends) > 1 else 0
        positions = [self.text.find(stop, max(0, before - len(stop) + 1)) for stop in stops]
        return min((position for position in positions if position >= 0), default=None)

    def kept(self, length: int) -> int:
        """How many tokens are completely within the first `length` characters of the text."""
        count = sum(1 for end in self.ends if end <= length)
        if length < len(self.text):
            # tokens without text of their own at the cut are the beginning of a character after it
            while count and self.ends[count - 1] == (self.ends[count - 2] if count > 1 else 0):
                count -= 1
        return count

    def _undecoded(self) -> str:
        known = self._decode(self._ids[self._start : self._decoded])
        return self._decode(self._ids[self._start :])[len(known) :]
