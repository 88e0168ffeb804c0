"""Code extraction: finds the program in a model's output.

The rules, which formats name:

- ``none``: head and text, as they are. Published scores were made so, with the benchmark's stop texts.
- ``function``: the part of the text that continues the head's function, found by parsing, see
  `isobudget.prompts.extraction.functions`. If the text does not continue it, the program is searched for as by
  ``block``. For completions and fill-in.
- ``block``: the fenced block that answers, see `isobudget.prompts.extraction.blocks`. For chat.
- ``program``: a whole program, unchanged, up to a mark that ends programs in few-shot prompts. For text.

All rules but ``none`` stop at an end token. ``function`` and ``block`` also leave out the model's thoughts
(`isobudget.prompts.extraction.marks`), and look only at the first 2**20 characters of head and text.

What is cut off is kept, so that extraction can be repeated with another rule: the text is always before + kept + after.
Extraction never raises for what a model wrote, and never runs any of it. Code is parsed by the Python that runs
isobudget.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from isobudget import syntax
from isobudget.errors import InputError
from isobudget.files.hints import unknown
from isobudget.problems.problem import Form, Problem, PytestFile
from isobudget.prompts.extraction.blocks import Wanted, find_in_answer, names_imported
from isobudget.prompts.extraction.definitions import CandidateProgram
from isobudget.prompts.extraction.edited import with_plain_indents
from isobudget.prompts.extraction.functions import continue_function
from isobudget.prompts.extraction.marks import MarkedAnswer, end_of_answer, find_answer
from isobudget.syntax import MAX_PARSED_CHARS

#: where a whole program ends in few-shot text
_PROGRAM_END = re.compile(r"\[DONE\]|^(?:\[BEGIN\]|QUESTION:|ANSWER:|`{3,}|~{3,})", re.MULTILINE)
_OPENING_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})[^`\r\n]*(?:\r\n|\r|\n)")


@dataclass(frozen=True, slots=True)
class Extracted:
    """A program, and the part of the text from which it was made.

    Attributes:
        program: the whole program to judge.
        before, after: what was cut from the text; the text is before + kept + after.
        kept: the part of the text that the program is made of.
    """

    program: str
    before: str
    after: str
    kept: str


def extract(rule: str, problem: Problem, head: str, text: str) -> Extracted:
    """The program in a model's output.

    Args:
        rule: see above, and `PromptFormat.extraction`.
        problem: the problem that was to be solved; only its entry point and the names that its tests import are used.
        head: source that the text follows, see `Rendered.head`.
        text: what the model wrote.

    Raises:
        InputError: no such rule.
    """
    cut = _rule(rule)
    with syntax.quiet():
        candidate = cut(head, text, _wanted(problem))
    start, end = candidate.start, candidate.end
    return Extracted(candidate.program, text[:start], text[end:], text[start:end])


def extraction_by(rule: str) -> Callable[[Problem, str, bool], str]:
    """The function that extracts programs from files of samples by a rule.

    It takes a problem, a text, and whether the text is whole, and returns the program. A text that is not whole follows
    the problem's prompt, if that is source.

    Raises:
        InputError: no such rule.
    """
    _rule(rule)

    def program(problem: Problem, text: str, is_whole: bool) -> str:
        head = "" if is_whole or problem.form is not Form.SOURCE else problem.prompt
        return extract(rule, problem, head, text).program

    return program


def _rule(rule: str) -> Callable[[str, str, Wanted], CandidateProgram]:
    if not isinstance(rule, str) or rule not in _RULES:
        raise InputError(unknown("extraction rule", rule, _RULES))
    return _RULES[rule]


def _wanted(problem: Problem) -> Wanted:
    tests = problem.tests
    imported = names_imported(tests.source, tests.module) if isinstance(tests, PytestFile) else frozenset()
    return Wanted(problem.entry_point, imported)


def _none(head: str, text: str, _: Wanted) -> CandidateProgram:
    return CandidateProgram(head + text, 0, len(text), False)


def _program(head: str, text: str, _: Wanted) -> CandidateProgram:
    opening = _OPENING_FENCE.match(text)
    start = opening.end() if opening else 0
    ending = _PROGRAM_END.search(text, start)
    end = max(start, min(ending.start() if ending else len(text), end_of_answer(text)))
    return CandidateProgram(head + text[start:end], start, end, False)


def _function(head: str, text: str, wanted: Wanted) -> CandidateProgram:
    edited = with_plain_indents(text[: _most(head)])
    answer = find_answer(edited.text)
    start = continue_function(head, answer.text, wanted.entry_point)
    if start is None or not start.answers:
        return _in_answer(head, answer, wanted, last=False).before_edit(edited)
    return start.moved(answer.start).before_edit(edited)


def _block(head: str, text: str, wanted: Wanted) -> CandidateProgram:
    edited = with_plain_indents(text[: _most(head)])
    return _in_answer(head, find_answer(edited.text), wanted, last=True).before_edit(edited)


def _in_answer(head: str, answer: MarkedAnswer, wanted: Wanted, *, last: bool) -> CandidateProgram:
    """Extract from an answer that contains code among other text. The answer begins on a new line after the head."""
    if head and not head.endswith(("\n", "\r")):
        head += "\n"
    return find_in_answer(head, answer.text, wanted, last=last).moved(answer.start)


def _most(head: str) -> int:
    return max(0, MAX_PARSED_CHARS - len(head) - 1)


_RULES: dict[str, Callable[[str, str, Wanted], CandidateProgram]] = {
    "none": _none,
    "function": _function,
    "block": _block,
    "program": _program,
}
