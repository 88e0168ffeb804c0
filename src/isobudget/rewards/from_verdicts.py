"""Rewards from verdicts, as functions with the signatures that trainers expect.

from isobudget import reward                     # TRL's GRPO: reward_funcs=[reward]; the data set has `tests`
from isobudget.rewards import Reward
strict = Reward(partial=True, malformed=-1.0)    # settings
from isobudget.rewards import compute_score      # verl
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isobudget.errors import InputError
from isobudget.files.values import is_number
from isobudget.judge.apart import apart_where_exact
from isobudget.judge.verdict import Limits, Outcome, Verdict
from isobudget.problems.given import given_problem
from isobudget.problems.problem import Problem
from isobudget.prompts.extraction.extract import extraction_by
from isobudget.rewards.shared import SharedPool

#: an answer as text, or as the messages of a conversation, of which the last one contains the program
Completion = str | Sequence[Mapping[str, Any]]
Tests = str | Mapping[str, Any]

_pools: dict[Limits, SharedPool] = {}


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward function and its settings. Programs that pass all their tests get 1.

    Attributes:
        extraction: the rule that extracts the program from an answer; see docs/prompts.md.
        partial: reward a failing program with the share of tests that it passed before its first failure.
        failed: reward of a failing program, or the minimum of a partial reward. `failed`, `timeout` and `malformed`
            must be finite, because NaN means that the judge failed.
        timeout: reward of a program that exceeded a limit; `failed` if None.
        malformed: reward of an answer without a program that compiles; `failed` if None.
        limits: bounds on every program.
    """

    extraction: str = "block"
    partial: bool = False
    failed: float = 0.0
    timeout: float | None = None
    malformed: float | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in ("failed", "timeout", "malformed"):
            value = getattr(self, name)
            if not is_number(value) and (name == "failed" or value is not None):
                raise InputError(f"{name!r} must be a finite number, not {value!r}: NaN means that the judge failed")
        if not isinstance(self.partial, bool):
            raise InputError(f"'partial' must be True or False, not {self.partial!r:.60}")
        extraction_by(self.extraction)
        Limits.checked(self.limits)

    @property
    def __name__(self) -> str:
        """The function's name in the logs of trainers."""
        return "isobudget_reward"

    def __call__(
        self,
        completions: Sequence[Completion],
        tests: Sequence[Tests] | Tests,
        *,
        entry_point: Sequence[str] | str = "",
        **_: Any,
    ) -> list[float]:
        """A reward for each completion.

        Args:
            completions: the model's answers.
            tests: a list with the tests of each answer, or the same tests for all answers. For the forms of tests, see
                `isobudget.problems.given.given_problem`.
            entry_point: the name of the function under test: a list with a name for each answer, or the same name for
                all answers. Assert statements need no name.

        Returns:
            One number for each completion. It is NaN if the judge itself failed on the program. TRL leaves NaN out of
            its sums.

        Raises:
            InputError: the completions are not a list of texts or of messages, the tests cannot be read, or the list of
                tests or of entry points is not as long as the list of completions.
            JudgeError: samples cannot be confined here.
        """
        if isinstance(completions, str | bytes | Mapping) or not hasattr(completions, "__len__"):
            kind = type(completions).__name__
            raise InputError(f"completions: pass a list of answers, such as [text], not a {kind}")
        count = len(completions)
        texts = [_text(one, number) for number, one in enumerate(completions)]
        problems = _problems(_each(tests, count, "tests"), _each(entry_point, count, "entry_point"))
        extract = extraction_by(self.extraction)
        pairs = [(problem, extract(problem, text, True)) for problem, text in zip(problems, texts, strict=True)]
        return [self.of(verdict) for verdict in _pool(self.limits).judge(pairs)]

    async def asynchronous(self, completions: Sequence[Completion], tests: Sequence[Tests], **more: Any) -> list[float]:
        """The reward function as a coroutine, which does not block the event loop."""
        return await asyncio.to_thread(self, completions, tests, **more)

    def of(self, verdict: Verdict) -> float:
        """The reward for a verdict."""
        match verdict.outcome:
            case Outcome.PASSED:
                return 1.0
            case Outcome.INVALID:
                return math.nan
            case Outcome.SYNTAX_ERROR:
                return self.failed if self.malformed is None else self.malformed
            case Outcome.TIMEOUT | Outcome.OUT_OF_MEMORY | Outcome.OUTPUT_LIMIT:
                return self.failed if self.timeout is None else self.timeout
        if self.partial and verdict.tests_total:
            return max(self.failed, (verdict.tests_passed or 0) / verdict.tests_total)
        return self.failed


#: the reward function with default settings: 1 for programs that pass, 0 for those that fail
reward = Reward()


def compute_score(
    data_source: str, solution_str: str, ground_truth: Tests, extra_info: Mapping[str, Any] | None = None, **_: Any
) -> float:
    """The reward of one answer, in verl's form: `ground_truth` has the tests, and `extra_info` may have `entry_point`.

    If the judge itself failed, the reward is that of a program that fails: verl writes rewards into the batch, and a
    NaN in the batch would reach every weight.

    Raises:
        InputError: as for `Reward`; the message names the `data_source`.
    """
    if not isinstance(extra_info, Mapping | None):
        raise InputError(f"{data_source}: 'extra_info' must be a dictionary, not {extra_info!r:.60}")
    entry_point = (extra_info or {}).get("entry_point") or ""  # None in a row without one, if other rows have one
    try:
        score = reward([solution_str], [ground_truth], entry_point=[entry_point])[0]
    except InputError as error:
        raise InputError(f"{data_source}: {error}") from error
    return reward.failed if math.isnan(score) else score


def _problems(tests: Sequence[Tests], entry_points: Sequence[str]) -> list[Problem]:
    """The problems of a batch. Tests that occur several times, as in a group of answers, are read once."""
    known: dict[tuple[str, str | None], Problem] = {}
    problems = []
    for number, (one, entry_point) in enumerate(zip(tests, entry_points, strict=True)):
        if not isinstance(entry_point, str | None):
            raise InputError(f"entry_point of completion {number}: must be a function's name, not {entry_point!r:.60}")
        try:
            key = (one if isinstance(one, str) else repr(one), entry_point)
        except ValueError as error:
            what = f"hold a number with too many digits ({str(error).split(';')[0]})"
            raise InputError(f"the tests of completion {number}: {what}") from error
        if key not in known:
            made = given_problem(one, entry_point or "", task_id=f"completion {number}")
            known[key] = apart_where_exact(made)
        problems.append(known[key])
    return problems


def _each(value: Any, count: int, name: str) -> Sequence[Any]:
    if isinstance(value, str | Mapping):
        return [value] * count
    if not hasattr(value, "__len__") or isinstance(value, bytes):
        kind = type(value).__name__
        raise InputError(f"{name}: pass a list with an item for each completion, or one item for all, not a {kind}")
    if len(value) != count:
        raise InputError(
            f"{name}: got a list of {len(value)} for {count} completions; pass an item for each, or one item for all"
        )
    return list(value)


def _text(completion: Completion, number: int) -> str:
    """The text of an answer. If the answer is a list of messages, this is the text of the last message."""
    if isinstance(completion, str):
        return completion
    messages = completion if isinstance(completion, Sequence) else ()
    if not messages or not isinstance(messages[-1], Mapping):
        raise InputError(f"completion {number}: must be a string or a list of messages, not {completion!r:.60}")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return "" if content is None else str(content)


def _pool(limits: Limits) -> SharedPool:
    # By one step and no lock, which a child could be forked under; a client connects only when it is asked.
    return _pools.setdefault(limits, SharedPool(limits))
