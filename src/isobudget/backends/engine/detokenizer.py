"""From tokens to text, token by token: the output's text, where each token ends in it, and where a stop text begins.

Tokens are decoded after those before them, the end of the prompt included: many tokenizers drop the space that a text
begins with, which would cost a completion the first space of its indentation. A character that is spread over several
tokens appears with the last of them.

A token belongs to the kept text if all of it lies before the stop text. A token that the stop text cuts in two (such as
two line ends in one token, of which the stop text begins with the second) is left out: its probability is not that of
the part that is kept.

Not covered: which tokens end an output by themselves; whoever samples them knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]

#: tokens of the prompt that an output is decoded after
CONTEXT_TOKENS = 8

_INCOMPLETE = "�"


class Detokenizer:
    """The text of one output, as its tokens come.

    Args:
        decode: tokens to text.
        prompt_ids: the tokens before the output; its last few are used.

    Attributes:
        text: the text so far, without a character whose tokens have not all come.
        ends: for every token how long `text` was after it.
    """

    def __init__(self, decode: Decode, prompt_ids: Sequence[int]) -> None:
        self._decode = decode
        self._ids = list(prompt_ids[-CONTEXT_TOKENS:])
        self._start = 0  # what is decoded begins here
        self._decoded = len(self._ids)  # and is in `text` up to here
        self.text = ""
        self.ends: list[int] = []

    def push(self, token: int) -> None:
        """The next token of the output."""
        self._ids.append(token)
        new = self._undecoded()
        if new and not new.endswith(_INCOMPLETE):
            self.text += new
            self._start, self._decoded = self._decoded, len(self._ids)
        self.ends.append(len(self.text))

    def finish(self) -> None:
        """No token follows: what is incomplete stays so, as replacement characters."""
        self.text += self._undecoded()
        self._decoded = len(self._ids)
        if self.ends:
            self.ends[-1] = len(self.text)

    def find(self, stops: Sequence[str]) -> int | None:
        """Where the first of the stop texts begins that the last token may have completed; None if there is none."""
        before = self.ends[-2] if len(self.ends) > 1 else 0
        positions = [self.text.find(stop, max(0, before - len(stop) + 1)) for stop in stops]
        return min((position for position in positions if position >= 0), default=None)

    def kept(self, length: int) -> int:
        """How many tokens lie wholly within the first `length` characters of the text."""
        count = sum(1 for end in self.ends if end <= length)
        if length < len(self.text):
            # tokens without text of their own at the cut are the begin of a character after it
            while count and self.ends[count - 1] == (self.ends[count - 2] if count > 1 else 0):
                count -= 1
        return count

    def _undecoded(self) -> str:
        known = self._decode(self._ids[self._start : self._decoded])
        return self._decode(self._ids[self._start :])[len(known) :]
