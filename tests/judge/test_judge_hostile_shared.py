"""What passes in one process with its tests: the kinds that docs/judge.md lists, no more and no fewer.

None of them passes apart from its tests, and none changes the verdict on the next sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.judge import Judge, Limits, Outcome, Trust, Verdict
from isobudget.problems.problem import CheckFunction, Problem, PytestFile

KINDS = sorted((Path(__file__).parent / "hostile_shared").glob("*.txt"))
DOCS = Path(__file__).parents[2] / "docs" / "judge.md"
CHECK = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-3) == 9\n"
PYTEST = "from solution import square\n\ndef test_two():\n    assert square(2) == 4\n\ndef test_three():\n"
PYTEST += "    assert square(-3) == 9\n"
CLOSE = "import math\ndef check(candidate):\n    assert math.isclose(candidate(2), 4)\n"
RIGHT, WRONG = "def square(x):\n    return x * x\n", "def square(x):\n    return 0\n"


def problem(kind: str) -> Problem:
    tests = PytestFile(PYTEST) if "pytest" in kind else CheckFunction(CLOSE if "use" in kind else CHECK)
    return Problem(f"Own/{kind}", "own", "", "square", tests)


@pytest.fixture(scope="module")
def judges() -> Iterator[dict[Trust, Judge]]:
    limits = Limits(cpu_seconds=2.0, wall_seconds=20.0)
    with Judge(1, limits, trust="shared") as shared, Judge(1, limits, trust="split") as split:
        yield {Trust.SHARED: shared, Trust.SPLIT: split}


def verdicts(judge: Judge, path: Path) -> tuple[Verdict, Verdict, Verdict]:
    one = problem(path.stem)
    first, right, wrong = judge.run([(one, path.read_text()), (one, RIGHT), (one, WRONG)])
    return first, right, wrong


@pytest.mark.parametrize("path", KINDS, ids=lambda path: path.stem)
def test_it_passes_in_one_process_alone_and_leaves_nothing_behind(judges: dict[Trust, Judge], path: Path) -> None:
    shared, right, wrong = verdicts(judges[Trust.SHARED], path)
    assert (shared.outcome, shared.trust) == (Outcome.PASSED, Trust.SHARED), shared
    assert (right.outcome, wrong.outcome) == (Outcome.PASSED, Outcome.FAILED)
    split, right, wrong = verdicts(judges[Trust.SPLIT], path)
    assert split.outcome in (Outcome.FAILED, Outcome.ERROR), split
    assert (right.outcome, wrong.outcome) == (Outcome.PASSED, Outcome.FAILED)


def test_the_documentation_lists_these_kinds() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", DOCS.read_text().partition("**What remains:**")[2], re.MULTILINE)
    assert listed == [path.stem for path in KINDS]
