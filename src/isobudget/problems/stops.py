"""Stop texts: a completion of a function ends at the usual ones, or at any new statement at column 0 (`BODY_STOPS`).

By the second rule, it ends before the first line that begins with a letter, quotes or the like. Such a line cannot
belong to the body, with two rare exceptions: a line inside brackets or a string that span lines, and a comment, which
Python accepts at any column. The rule loses code after the body that the body needs, such as a helper function. So do
the usual stop texts of HumanEval (a new ``class``, ``def``, ``if``, ``print`` or comment), all of which the rule
includes. The rule saves right bodies that are followed by prose, a code fence or an unfinished statement, which would
be a syntax error in the program. Counts on real samples: docs/problems.md.

A closing bracket or a digit does not end a completion, because lines of a body may begin with it.
"""

from __future__ import annotations

import string

#: a new line that begins with a letter, ``_``, ``@`` (decorator), ``#``, a backtick (code fence), ``<`` (tag) or
#: triple quotes. Without the quotes, a string after the body would be cut inside and left open.
BODY_STOPS: tuple[str, ...] = (*("\n" + first for first in string.ascii_letters + "_@#`<"), '\n"""', "\n'''")

#: the five stop texts of HumanEval (Chen et al. 2021, section 2) and two that harnesses add to them, a decorator and a
#: code fence. Published scores were made with them, so they are the default for comparisons with these scores
USUAL_STOPS: tuple[str, ...] = ("\nclass", "\ndef", "\n#", "\nif", "\nprint", "\n@", "\n```")

#: MBPP's prompts set answers between ``[BEGIN]`` and ``[DONE]`` (Austin et al. 2021)
MBPP_STOPS: tuple[str, ...] = ("[DONE]",)

#: the next question of an APPS prompt (Hendrycks et al. 2021, their ``generate_gpt_codes.py``)
APPS_STOPS: tuple[str, ...] = ("\nQUESTION:",)

#: what EvalPlus stops completions of MBPP+ at (its ``provider/utility.py``); a new ``def`` is the answer itself there
MBPP_PLUS_STOPS: tuple[str, ...] = ("\nif __name__", "\ndef main(", "\nprint(", '\n"""', "\nassert")

#: LiveCodeBench's own (its ``runner/parser.py``, option ``--stop``)
LIVECODEBENCH_STOPS: tuple[str, ...] = ("###",)
