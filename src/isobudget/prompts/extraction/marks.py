"""Finds the answer in a model's output: the part without the model's thoughts, up to its end token.

- **Thoughts**: ``<think>``, ``<thinking>``, ``[THINK]`` and others of their kind. A closing mark without an opening one
  ends a thought that the prompt began. A thought that never ends goes on to the end of the text.
- **Channels** (``<|channel|>analysis<|message|>``, as gpt-oss writes them; also where a decoder has left out the marks:
  ``analysis...assistantfinal...``): only the last ``final`` one is the answer.
- **End tokens**: ``<|im_end|>``, ``</s>`` and others; the answer ends at the first. At the beginning they are skipped.
- **Tags** around an answer, such as ``<answer>`` and ``<code>``, are left out.

A mark does not count where it stands in code, or is quoted: in a statement that parses (so it is in a string or
comment), in a comment above one, or between quotes or backticks on its line. Linear in the length of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from isobudget.prompts.extraction.lines import scan
from isobudget.prompts.extraction.statements import Failure, parse, split
from isobudget.syntax import MAX_PARSED_CHARS

_WORDS = r"(?:seed:)?(?:think|thinking|thoughts?|reasoning|reflection|scratchpad|analysis)"
_MARK = re.compile(
    rf"""
      (?P<channel>(?:<\|end\|>\s*)?(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*(?P<name>\w+)[^<\r\n]{{0,200}}
        (?:<\|constrain\|>[^<\r\n]{{0,200}})?<\|message\|>)
    | (?P<open><{_WORDS}>|(?<!\w)\[THINK\]|<\|begin_of_thought\|>|<\|START_THINKING\|>|◁think▷)
    | (?P<close></{_WORDS}>|\[/THINK\]|<\|end_of_thought\|>|<\|END_THINKING\|>|◁/think▷)
    | (?P<answer><answer>|<\|(?:begin_of_solution|START_RESPONSE)\|>)
    | (?P<tag></?(?:answer|final_answer|final|solution|code|python|output|response)>)
    | (?P<end>(?:<\|(?:im_start|start|start_header_id)\|>|<start_of_turn>)[ \t]*(?:assistant|user|model)?
        |<[|｜][\w▁:/-]{{1,40}}[|｜]>|\[end[ ]of[ ]text\]|\[/INST\]
        |</s>(?=\s|<|\[|\Z)|<s>(?=\s*\Z)|<(?:eos|bos|pad|EOT|end_of_turn|file_sep|fim_\w{{1,10}})>)
    """,
    re.VERBOSE | re.IGNORECASE,
)
#: how far before a mark a comment that holds it may begin
MAX_COMMENT_CHARS = 200

_BARE_CHANNELS = re.compile(r"\s*analysis(?=[^\s=.(:,\[])[\s\S]*assistantfinal")
_QUOTED = re.compile(
    r"""
      (?<!\w)[rbfu]{0,2}(?:"(?:\\[^\r\n]|[^"\\\r\n])++"|'(?:\\[^\r\n]|[^'\\\r\n])++')
    | (?<!`)(?P<ticks>`{1,2})(?!`)[^`\r\n]++(?P=ticks)(?!`)
    | (?P<open>(?<!\w)["'][^\r\n]*+)
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MarkedAnswer:
    """The answer in an output.

    Attributes:
        start: offset of its beginning in the output.
        text: the answer; hidden parts within it are replaced by newlines, so that offsets stay valid.
    """

    start: int
    text: str


def find_answer(output: str) -> MarkedAnswer:
    """The answer, empty if the output is an unfinished thought."""
    bare = _BARE_CHANNELS.match(output)
    start = bare.end() if bare else 0
    reader = _Reader(output, start)
    for mark in _MARK.finditer(output, start):
        if not reader.code.holds(mark.start(), mark.end()) and not reader.goes_on(mark):
            break
    return reader.answer()


def end_of_answer(text: str) -> int:
    """Where the first end token stands, or the length of the text."""
    code = _Code(text[:MAX_PARSED_CHARS])
    for mark in _MARK.finditer(code.text):
        if mark.lastgroup == "end" and not code.holds(mark.start(), mark.end()):
            return mark.start()
    return len(text)


class _Reader:
    """The state after the marks so far: the parts of the answer, and the start of the current part."""

    def __init__(self, text: str, start: int) -> None:
        self.code = _Code(text)
        self._text = text
        self._parts: list[tuple[int, int]] = []
        self._start, self._end = start, len(text)
        self._before_stray: list[tuple[int, int]] = []
        self._thought: re.Match[str] | None = None
        self._thoughts = 0

    def goes_on(self, mark: re.Match[str]) -> bool:
        """Process a mark; False if the answer ends there."""
        kind = mark.lastgroup
        if kind == "channel" and mark["name"].casefold() == "final":
            self._forget(mark.end())
        elif kind in ("channel", "open"):
            if self._thought is None or not self._is_opening(self._thought):
                self._thought = mark
        elif kind == "close" or (kind == "answer" and self._thought is not None):
            self._close(mark)
        elif kind in ("tag", "answer") and self._thought is None:
            self._hide(mark.start(), mark.end())
        elif kind == "end" and self._thought is None:
            if self._parts or self._text[self._start : mark.start()].strip():
                self._end = mark.start()
                return False
            self._start = mark.end()
        return True

    def answer(self) -> MarkedAnswer:
        """The answer according to all marks read so far."""
        if self._thought is not None and self._is_opening(self._thought):
            self._end = self._thought.start()
        parts = [*self._parts, (self._start, max(self._start, self._end))]
        if self._before_stray and not "".join(self._text[start:end] for start, end in parts).strip():
            parts = self._before_stray
        texts: list[str] = []
        for (start, end), (following, _) in zip(parts, [*parts[1:], (parts[-1][1], 0)], strict=True):
            texts += [self._text[start:end], "\n" * (following - end)]
        text = "".join(texts)
        return MarkedAnswer(parts[0][0], text if text.strip() or text == self._text else "")

    def _close(self, mark: re.Match[str]) -> None:
        """Close the open thought.

        If no thought is open, all text so far was a thought. A stray mark after the answer closes nothing.
        """
        if self._thought is not None:
            self._hide(self._thought.start(), mark.end())
            self._thoughts += 1
        else:
            self._before_stray = [*self._parts, (self._start, mark.start())] if self._thoughts else []
            self._forget(mark.end())

    def _hide(self, start: int, end: int) -> None:
        if self._text[self._start : start].strip():
            self._parts.append((self._start, start))
        self._start, self._thought = end, None

    def _forget(self, end: int) -> None:
        self._parts = []
        self._start, self._thought = end, None

    def _is_opening(self, mark: re.Match[str]) -> bool:
        """Whether a mark opens a thought even if no mark closes it: a mark of a channel, or one that begins a line."""
        before = self._text[max(self._start, mark.start() - 200) : mark.start()]
        return mark.lastgroup == "channel" or not re.split(r"[\r\n]", before)[-1].strip()


class _Code:
    """Finds out whether a mark is part of code or quoted."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._quoted: list[tuple[int, int]] | None = None
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._indented: list[bool] = []
        self._parses: dict[int, bool] = {}

    def holds(self, start: int, end: int) -> bool:
        """Whether this part is in a statement that parses, in a comment above one, or between quotes on its line."""
        if self._quoted is None:
            self._quoted = [one.span() for one in _QUOTED.finditer(self.text) if one["open"] is None]
            statements = split(scan(self.text, resume=True), self.text)
            self._starts = [one.start for one in statements]
            self._indented = [one.lines[0].column > 0 for one in statements]
            self._ends = [one.end for one in statements]
        place = bisect_right(self._quoted, (start, end)) - 1
        if place >= 0 and self._quoted[place][1] >= end:
            return True
        if self.text[start] == "[":  # would be a list
            return False
        place = bisect_right(self._starts, start) - 1
        if place >= 0 and end <= self._ends[place]:
            return self._is_code(place)
        line = self.text.rfind("\n", max(0, start - MAX_COMMENT_CHARS), start) + 1
        is_comment = self.text[line:start].lstrip().startswith("#") and place + 1 < len(self._starts)
        return is_comment and self._is_code(place + 1)

    def _is_code(self, place: int) -> bool:
        if place not in self._parses:
            source = "if 1:\n" * self._indented[place] + self.text[self._starts[place] : self._ends[place]]
            self._parses[place] = not isinstance(parse(source), Failure)
        return self._parses[place]
