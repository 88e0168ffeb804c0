"""Everything that is decided about a task before its first draw: tests, prompts, models and schedule."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isobudget.costs.budget import Budget
from isobudget.errors import InputError
from isobudget.grid import with_unit
from isobudget.policies.repair import repairing, split_arm
from isobudget.policies.schedule import Schedule, Stop
from isobudget.policies.shares import FIRST
from isobudget.problems.problem import Form, Problem, ProjectTests
from isobudget.solving.policy_file import read_policy, split_label
from isobudget.study.resolve import ResolvedModel
from isobudget.tasks.body import plain_name
from isobudget.tasks.context import PROMPT_TOKENS, file_task, hole_alone, source_prompt
from isobudget.tasks.ledger import SAMPLES, bounded_unit
from isobudget.tasks.models import Choices, TaskModel, choose_models, default_schedule, task_model
from isobudget.tasks.options import DEFAULT_BUDGET, SolveOptions
from isobudget.tasks.project import VIEW_MB, files_of, find_interpreter
from isobudget.tasks.project_tests import CandidateLimits, TargetTests, no_tests
from isobudget.tasks.record import BENCHMARK, short_digest
from isobudget.tasks.selection import Selection, select, tests_importing
from isobudget.tasks.target import Target


@dataclass(slots=True)
class Task:
    """Everything that is known about a task before the first draw.

    Attributes:
        target, options, tests, problem, models, budget: see their types.
        schedule: the schedule to play.
        by_case: schedules to play after `schedule`, by the share of tests that the best sample passes; may be empty.
    """

    target: Target
    options: SolveOptions
    tests: TargetTests
    problem: Problem
    models: dict[str, TaskModel]
    schedule: Schedule
    budget: Budget
    by_case: Mapping[str, Schedule] = field(default_factory=dict)

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of all arms that may be drawn from."""
        played = (self.schedule, *self.by_case.values())
        return tuple(dict.fromkeys(arm for one in played for arm in one.arms))


def check_budget(budget: Budget, options: SolveOptions) -> None:
    """Refuse a budget that cannot be enforced, or that does not fit the other options.

    Raises:
        InputError: the budget is refused; the message says why.
    """
    if bounded_unit(budget) == SAMPLES and budget.amount < 2 and (options.repair or options.confirm):
        what = "--repair needs a failing sample" if options.repair else "--confirm needs a passing sample"
        raise InputError(f"{what} first, but a budget of {options.budget or DEFAULT_BUDGET} buys only one sample")


def project_tests(target: Target, options: SolveOptions) -> TargetTests:
    """The named tests, or else the tests that import the target.

    Raises:
        InputError: there are no such tests, or the interpreter cannot run them.
    """
    names = options.tests or tuple(_found_tests(target))
    interpreter = find_interpreter(target.root, options.python)
    limits = CandidateLimits(
        options.test_seconds or CandidateLimits().cpu_seconds,
        options.memory_mb or CandidateLimits().memory_mb,
        options.view_mb or VIEW_MB,
        bool(options.allow_subprocess),
    )
    also = select(target.root, options.also) if options.also else no_tests()
    return TargetTests(target, select(target.root, names), also, interpreter, limits)


def _found_tests(target: Target) -> list[str]:
    found = tests_importing(target.root, files_of(target.root, 1 << 20), target.modules, target.names)
    if not found:
        likely = " or ".join(one for one in target.modules if not one.startswith("src."))
        raise InputError(f"{target.task_id}: no test file imports {likely}; name the tests with --tests")
    return [str(target.root / name) for name in found]


def choose(options: SolveOptions) -> tuple[Mapping[str, Schedule], list[ResolvedModel]]:
    """The schedules of the policy (none without a policy), and the models.

    Raises:
        InputError, ModelError, MissingExtraError: a policy or a model is wrong or not available.
    """
    played = _policy(options)
    return played, choose_models(_models_of(played) if played else options.models)


def make_task(
    target: Target,
    options: SolveOptions,
    tests: TargetTests,
    budget: Budget,
    played: Mapping[str, Schedule],
    resolved: Sequence[ResolvedModel],
) -> Task:
    """Make the task of a target; `played` and `resolved` come from `choose`.

    Raises:
        InputError: a prompt format is wrong or not available.
    """
    problem = _problem(target, tests, options)
    choices = Choices(
        temperature=Choices().temperature if options.temperature is None else options.temperature,
        max_tokens=options.max_tokens or Choices().max_tokens,
        format=options.format,
    )
    one = len(target.names) == 1
    indent = target.functions()[0].node.col_offset if one else 0
    stops = [f"\n{' ' * indent}{word}" for word in ("def ", "async def ", "@")] if indent else []
    hole = (hole_alone(target), indent) if one else ("", 0)
    chosen = [task_model(model, problem, choices, hole, stops) for model in resolved]
    models = {model.name: model for model in chosen}
    arms = [repairing(name, options.repair or 0) for name in models]
    by_case = dict(played or {FIRST: default_schedule(arms)})
    if options.explore:
        by_case = {FIRST: Schedule(tuple((arm, options.explore) for arm in arms), Stop.NEVER)}
    return Task(target, options, tests, problem, models, by_case.pop(FIRST), budget, by_case)


def _policy(options: SolveOptions) -> Mapping[str, Schedule]:
    """The schedule that a policy plays first, and one for each case; empty without a policy."""
    if options.policy is None:
        return {}
    if options.models:
        raise InputError("--models and --policy cannot be combined: a policy names its models")
    path, label = split_label(options.policy)
    policy, chance = read_policy(path), random.Random(options.seed).random()
    if label and (policy.by_case or not policy.labelled):
        raise InputError(f"{path} has no schedules by label: name the policy without #{label}")
    schedules = policy.by_case or {FIRST: policy.of(label)}
    drawn = {case: schedule.played(chance) for case, schedule in schedules.items()}
    if drawn[FIRST] is None:
        raise InputError(
            f"the policy draws for {schedules[FIRST].last_share:.0%} of the problems labelled {label!r}, and by chance "
            "not for this problem; try another --seed, with which chance may decide otherwise"
        )
    return {case: schedule for case, schedule in drawn.items() if schedule is not None}


def budget_note(policy: str, budget: str | None) -> str:
    """A note that the budget of solve applies, whatever budget the policy was planned for."""
    path, _ = split_label(policy)
    planned = read_policy(path)
    return (
        f"{path} was planned for {with_unit(planned.budget, planned.unit)} a problem on average. The limit of this "
        f"task is the budget of solve, {budget or DEFAULT_BUDGET}"
    )


def _models_of(schedules: Mapping[str, Schedule]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(split_arm(arm)[0] for one in schedules.values() for arm in one.arms))


def _problem(target: Target, tests: TargetTests, options: SolveOptions) -> Problem:
    tokens = options.prompt_tokens or PROMPT_TOKENS
    one = len(target.names) == 1
    prompt = (
        source_prompt(target, tests.tests, show_tests=bool(options.show_tests), tokens=tokens)
        if one
        else file_task(target, tests.tests, tokens=tokens)
    )
    digest = _digest(tests.tests)
    recorded = ProjectTests(target.file, tests.tests.arguments, tests.baseline.expected, digest)
    told_apart = (prompt, target.text, digest, *recorded.tests, "", *recorded.ids)
    return Problem(
        task_id=f"{target.task_id}@{short_digest(*told_apart)}",
        benchmark=BENCHMARK,
        prompt=prompt,
        entry_point=plain_name(target.names[0]) if one else "",
        tests=recorded,
        form=Form.SOURCE if one else Form.TEXT,
    )


def _digest(tests: Selection) -> str:
    joined = "\0".join(f"{name}\0{text}" for name, text in sorted(tests.files.items()))
    return hashlib.sha256(joined.encode()).hexdigest()
