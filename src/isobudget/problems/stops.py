"""Where a completion of a function ends: at the usual texts, or at any new statement at column 0.

By the second rule it ends before the first line that begins with a letter, quotes and such. Such a line cannot belong
to the body, with two rare exceptions: inside brackets or a string that span lines, and a comment, which Python
accepts at any column. What is lost is code after the body that the body needs, such as a helper function; the usual
stop texts of HumanEval (a new ``class``, ``def``, ``if``, ``print`` or comment), all of which this rule contains,
lose helpers too. What is gained is every right body with prose, a code fence or an unfinished statement after it,
which as part of the program would be a syntax error. Counts on real samples: docs/problems.md.

Closing brackets and digits are left out: they do begin lines of bodies.
"""

from __future__ import annotations

import string

#: a new line that begins with a letter, ``_``, ``@`` (decorator), ``#``, a backtick (code fence), ``<`` (tag) or
#: triple quotes. Without the quotes, a string after the body would be cut inside and left open.
BODY_STOPS: tuple[str, ...] = (*("\n" + first for first in string.ascii_letters + "_@#`<"), '\n"""', "\n'''")

#: the five stop texts of HumanEval (Chen et al. 2021, section 2) and two that harnesses add to them, a decorator and a
#: code fence: what published scores were made with, and so the default where scores are to be compared with them
USUAL_STOPS: tuple[str, ...] = ("\nclass", "\ndef", "\n#", "\nif", "\nprint", "\n@", "\n```")

#: MBPP's prompts set answers between ``[BEGIN]`` and ``[DONE]`` (Austin et al. 2021)
MBPP_STOPS: tuple[str, ...] = ("[DONE]",)

#: the next question of an APPS prompt (Hendrycks et al. 2021, their ``generate_gpt_codes.py``)
APPS_STOPS: tuple[str, ...] = ("\nQUESTION:",)

#: what EvalPlus stops completions of MBPP+ at (its ``provider/utility.py``); a new ``def`` is the answer itself there
MBPP_PLUS_STOPS: tuple[str, ...] = ("\nif __name__", "\ndef main(", "\nprint(", '\n"""', "\nassert")

#: LiveCodeBench's own (its ``runner/parser.py``, option ``--stop``)
LIVECODEBENCH_STOPS: tuple[str, ...] = ("###",)
