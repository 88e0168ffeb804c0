"""quickstart: 30 small Python problems that ship with isobudget, written for it (MIT, as the project).

They have four levels: (1) one built-in operation or expression, (2) a short comprehension or loop, (3) several steps
with special cases, (4) as hard as the harder problems of HumanEval. On them, the success of two small models on a CPU
ranges from "nearly always" to "never". They measure nothing else, and there are no published results to compare with.
How they were made: docs/problems.md.

demo: 14 of these problems, chosen from a recorded run of the two embedded models so that the models differ and both
still fail now and then. That choice flatters any comparison of the two models, because `demo` is there to show in
minutes how stopping and mixing work.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.jsonl import read_objects
from isobudget.problems.own.lines import read_problems
from isobudget.problems.problem import Benchmark, apart
from isobudget.problems.stops import BODY_STOPS

#: most tokens of one completion; the longest reference has 250 characters, well under 100 tokens
MAX_TOKENS = 200

#: the problems of `demo`: neither too easy for the small model nor out of the large one's reach, and short to solve
_DEMO = (0, 1, 3, 6, 7, 9, 10, 12, 13, 15, 16, 17, 19, 25)

_FILE = resources.files("isobudget.problems") / "data" / "quickstart.jsonl"


def load_quickstart(given: Path | None = None) -> Benchmark:
    """The 30 problems, from the easiest level to the hardest; they ship with isobudget, so no path is accepted."""
    if given is not None:
        raise InputError(f"quickstart={given}: quickstart ships with isobudget; name it without a path")
    read = read_problems("quickstart.jsonl", "quickstart", _FILE.read_bytes())
    problems = tuple(replace(problem, tests=apart(problem.tests)) for problem in read)
    return Benchmark("quickstart", problems, BODY_STOPS, MAX_TOKENS, source="ships with isobudget")


def load_demo(given: Path | None = None) -> Benchmark:
    """The 14 problems of `make demo`; they ship with isobudget, so no path is accepted."""
    if given is not None:
        raise InputError(f"demo={given}: demo ships with isobudget; name it without a path")
    whole = load_quickstart()
    chosen = tuple(replace(whole.problems[number], benchmark="demo") for number in _DEMO)
    return replace(whole, name="demo", problems=chosen)


def quickstart_levels() -> dict[str, int]:
    """The level, 1 to 4, of every problem by its task_id."""
    records = [record for _, record in read_objects("quickstart.jsonl", _FILE.read_bytes())]
    return {str(record["task_id"]): int(str(record["level"])) for record in records}
