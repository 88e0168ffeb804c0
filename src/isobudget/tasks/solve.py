"""Solving one task inside a budget: `isobudget.solve` and the command of that name.

TARGET and TESTS are found and checked, the tests are run once with stubs, models are priced, and only then is anything
drawn. What comes out is a `Solution`; nothing is written into the project but by `apply`.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from isobudget.backends.base import CHARACTERS_PER_TOKEN, Backend, Generation, Prompt
from isobudget.costs.budget import Budget, parse_budget
from isobudget.costs.cost import Unit
from isobudget.errors import InputError
from isobudget.grid import counted
from isobudget.judge.verdict import Outcome, Trust, Verdict
from isobudget.policies.repair import repairing, split_arm
from isobudget.policies.schedule import Schedule, Stop
from isobudget.problems.problem import Form, Problem, ProjectTests
from isobudget.progress import SILENT, Progress
from isobudget.records.attempts import TaskRow
from isobudget.records.rows import known
from isobudget.records.run import Run
from isobudget.solving.policy_file import read_policy, split_label
from isobudget.tasks import apply as applying
from isobudget.tasks.candidate import UnusableError, lay_over
from isobudget.tasks.clock import Clock
from isobudget.tasks.confirm import Confirmation, confirm
from isobudget.tasks.context import PROMPT_TOKENS, file_task, hole_alone, source_prompt
from isobudget.tasks.ledger import SAMPLES, Ledger, bounded_unit
from isobudget.tasks.models import BackendFactory, Choices, TaskModel, choose_models, default_schedule, task_model
from isobudget.tasks.options import DEFAULT_BUDGET, SolveOptions
from isobudget.tasks.project import VIEW_MB, files_of, find_interpreter, read_settings
from isobudget.tasks.project_tests import CandidateLimits, TargetTests, no_tests
from isobudget.tasks.record import BENCHMARK, now, recording, short_digest
from isobudget.tasks.repair import repair_task
from isobudget.tasks.selection import Selection, select, tests_importing
from isobudget.tasks.solution import Solution
from isobudget.tasks.spending import Attempt, Ending, LiveSpending, OpenArm, close_all
from isobudget.tasks.target import Target, find_target


@dataclass(slots=True)
class _Task:
    """Everything that is known of a task before the first draw."""

    target: Target
    options: SolveOptions
    tests: TargetTests
    problem: Problem
    models: dict[str, TaskModel]
    schedule: Schedule
    budget: Budget


def solve(
    target: str,
    options: SolveOptions | None = None,
    *,
    clean: bool = False,
    progress: Progress = SILENT,
    make_backend: BackendFactory | None = None,
) -> Solution:
    """Solve one task.

    Args:
        target: see `isobudget.tasks.target.find_target`.
        options: see `SolveOptions`.
        clean: refuse a project whose git tree has changes that are not committed, before anything is spent.
        progress: told of every attempt.
        make_backend: opens a model; for tests.

    Raises:
        InputError: target, tests, budget or options are wrong; the message says what to do.
        JudgeError: the tests cannot be confined on this machine.
        IsobudgetError: a model cannot be had, or the run folder cannot be written.
    """
    found = find_target(target)
    options = (options or SolveOptions()).with_settings(read_settings(found.root))
    options.check()
    budget = parse_budget(options.budget or DEFAULT_BUDGET)
    _check_budget(budget, options)
    if clean:
        applying.check_clean(found)
    with _project_tests(found, options) as tests:
        baseline = tests.prepare(only_reaching=options.only_reaching or not options.tests)
        progress.note(
            f"{found.task_id}: {counted(len(baseline.expected), 'test')} to pass, {len(baseline.reached)} of them "
            "calling it"
        )
        task = _task(found, options, tests, budget)
        return _play(task, target, progress, make_backend)


def _check_budget(budget: Budget, options: SolveOptions) -> None:
    """Refuse a budget that cannot be kept, or that what was asked for cannot be had for."""
    if bounded_unit(budget) == SAMPLES and budget.amount < 2 and (options.repair or options.confirm):
        what = "--repair needs a sample that failed" if options.repair else "--confirm needs a sample that passed"
        raise InputError(f"{what} before it, and a budget of {options.budget or DEFAULT_BUDGET} is one sample alone")


def _project_tests(target: Target, options: SolveOptions) -> TargetTests:
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
    found = tests_importing(target.root, files_of(target.root, 1 << 20), target.module)
    if not found:
        raise InputError(f"{target.task_id}: no test file imports {target.module}; name the tests with --tests")
    return [str(target.root / name) for name in found]


def _task(target: Target, options: SolveOptions, tests: TargetTests, budget: Budget) -> _Task:
    problem = _problem(target, tests, options)
    choices = Choices(
        temperature=Choices().temperature if options.temperature is None else options.temperature,
        max_tokens=options.max_tokens or Choices().max_tokens,
        format=options.format,
    )
    schedule, names = _schedule(options)
    one = len(target.names) == 1
    indent = target.functions()[0].node.col_offset if one else 0
    stops = [f"\n{' ' * indent}{word}" for word in ("def ", "async def ", "@")] if indent else []
    hole = (hole_alone(target), indent) if one else ("", 0)
    chosen = [task_model(model, problem, choices, hole, stops) for model in choose_models(names)]
    models = {model.name: model for model in chosen}
    arms = [repairing(name, options.repair or 0) for name in models]
    if schedule is None:
        schedule = default_schedule(arms)
    if options.explore:
        schedule = Schedule(tuple((arm, options.explore) for arm in arms), Stop.NEVER)
    if missing := [arm for arm in schedule.arms if split_arm(arm)[0] not in models]:
        raise InputError(
            f"the policy draws from {missing[0]!r}, which no model is called; there are: {', '.join(models)}"
        )
    return _Task(target, options, tests, problem, models, schedule, budget)


def _schedule(options: SolveOptions) -> tuple[Schedule | None, tuple[str, ...]]:
    """The policy's schedule and its models, or None and those that are named."""
    if options.policy is None:
        return None, options.models
    if options.models:
        raise InputError("--models and --policy do not go together: a policy names its models")
    path, label = split_label(options.policy)
    schedule = read_policy(path).of(label).chosen(random.Random(options.seed).random())
    return schedule, tuple(dict.fromkeys(split_arm(arm)[0] for arm in schedule.arms))


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
    return Problem(
        task_id=f"{target.task_id}@{short_digest(prompt, target.text, digest, *tests.tests.arguments)}",
        benchmark=BENCHMARK,
        prompt=prompt,
        entry_point=target.names[0].rpartition(".")[2] if one else "",
        tests=recorded,
        form=Form.SOURCE if one else Form.TEXT,
    )


def _digest(tests: Selection) -> str:
    joined = "\0".join(f"{name}\0{text}" for name, text in sorted(tests.files.items()))
    return hashlib.sha256(joined.encode()).hexdigest()


@dataclass(slots=True)
class _Judge:
    """Makes verdicts of samples: what they answer, laid over, under the project's tests; equal files are run once."""

    task: _Task
    seen: dict[str, Verdict] = field(default_factory=dict)

    def judge(self, arm: OpenArm, generation: Generation, deadline: float) -> tuple[Verdict, str]:
        """See `spending.Judging`."""
        task = self.task
        total = len(task.tests.baseline.expected)
        try:
            text = lay_over(task.target, task.models[arm.name].program(task.problem, generation))
        except UnusableError as error:
            outcome = Outcome.SYNTAX_ERROR if error.syntax else Outcome.ERROR
            return Verdict(outcome, detail=str(error)[:300], trust=Trust.SHARED, tests_passed=0, tests_total=total), ""
        if text not in self.seen:
            verdict = task.tests.judge(text, deadline)
            if verdict.outcome is Outcome.TIMEOUT:
                return verdict, text
            self.seen[text] = verdict
        return self.seen[text], text


def _play(task: _Task, stated: str, progress: Progress, make_backend: BackendFactory | None) -> Solution:
    repairs = any(split_arm(arm)[1] for arm in task.schedule.arms)
    longer = int((task.options.prompt_tokens or PROMPT_TOKENS) * CHARACTERS_PER_TOKEN) + 1000 if repairs else 0
    task.models = {name: model.prepared(progress, longer) for name, model in task.models.items()}
    ledger = Ledger.of(task.budget, {name: model.price() for name, model in task.models.items()})
    clock = Clock(task.budget.amount) if task.budget.unit is Unit.SECONDS else Clock()
    run = Run.create(task.options.run or task.target.root / "runs" / "solve", "solve")
    facts = {name: (one.facts(), one.rendered, one.names(), one.sampling) for name, one in task.models.items()}
    backends: dict[str, Backend] = {}

    def open_arm(arm: str) -> OpenArm:
        name, times = split_arm(arm)
        model = task.models[name]
        if name not in backends:
            backends[name] = _opened(model, make_backend)
        room = max(1, backends[name].concurrency)
        return OpenArm(name, backends[name], model.rendered.prompt, model.sampling, room, times, _again(task, model))

    with recording(run, task.problem, facts, explored=bool(task.options.explore)) as recorder:

        def on_attempt(attempt: Attempt) -> None:
            recorder.add(attempt)
            progress.note(_line(attempt, spending, task))

        first = max((recorder.first_index(name) for name in task.models), default=0)
        passes = 1 + (task.options.confirm or 0)
        seed = task.options.seed + first
        spending = LiveSpending(task.schedule, open_arm, _Judge(task), ledger, clock, on_attempt, seed, passes)
        try:
            ending = spending.play()
        finally:
            close_all(list(backends.values()))
        solution = _solution(task, run, spending, ending)
        recorder.end(_row(task, stated, solution))
    return solution


def _opened(model: TaskModel, make_backend: BackendFactory | None) -> Backend:
    backend = model.resolved.settings.open() if make_backend is None else make_backend(model.resolved)
    backend.__enter__()
    if (load := getattr(backend, "load", None)) is not None:
        load()
    return backend


def _again(task: _Task, model: TaskModel) -> Callable[[Attempt], tuple[Prompt, int]]:
    """What a model is given to repair one of its samples."""
    options = task.options
    shown, tokens = bool(options.show_tests), options.prompt_tokens or PROMPT_TOKENS

    def again(attempt: Attempt) -> tuple[Prompt, int]:
        program = model.program(task.problem, attempt.generation)
        tests = task.tests.tests
        prompt = repair_task(task.target, tests, program, attempt.verdict, show_tests=shown, tokens=tokens)
        return model.again(replace(task.problem, prompt=prompt))

    return again


def _line(attempt: Attempt, spending: LiveSpending, task: _Task) -> str:
    best = max((one.verdict.tests_passed or 0 for one in spending.attempts), default=0)
    total = attempt.verdict.tests_total or len(task.tests.baseline.expected)
    ledger, clock = spending.ledger, spending.clock
    left = f"{max(clock.left, 0):.0f} s" if ledger.unit is None else f"{max(ledger.left, 0):.3g} {ledger.unit}"
    of = "" if attempt.parent is None else f", which repairs {attempt.parent + 1},"
    said = f"{attempt.arm}: sample {attempt.index + 1}{of} {attempt.verdict.outcome}"
    return f"{said}; best so far {best} of {total} tests; {left} left"


def _solution(task: _Task, run: Run, spending: LiveSpending, ending: Ending) -> Solution:
    passed = next((one for one in spending.attempts if one.verdict.passed), None)
    best = passed or max(spending.attempts, key=lambda one: one.verdict.tests_passed or 0, default=None)
    drawn: dict[str, int] = {split_arm(arm)[0]: 0 for arm in spending.schedule.arms}
    for one in spending.attempts:
        drawn[one.arm] += 1
    code = best.text if best is not None else ""
    spent = spending.ledger.spent | {str(Unit.SECONDS): spending.clock.seconds}
    return Solution(
        target=task.target,
        task_id=task.problem.task_id,
        solved=passed is not None,
        code=code,
        diff=applying.diff_of(task.target, code) if code else "",
        model=best.arm if best is not None else "",
        verdict=best.verdict if best is not None else None,
        samples=int(spending.ledger.spent[SAMPLES]),
        drawn=drawn,
        spent=spent,
        loading_seconds=spending.clock.loading_seconds,
        ending=ending,
        budget=task.options.budget or DEFAULT_BUDGET,
        run=run.path,
        notes=(*spending.ledger.notes, *dict.fromkeys(spending.failures)),
        repairs=sum(one.parent is not None for one in spending.attempts),
        confirmation=_confirmation(task, spending),
    )


def _confirmation(task: _Task, spending: LiveSpending) -> Confirmation | None:
    """The samples that passed beside each other, where that was asked for."""
    passed = Counter(one.text for one in spending.attempts if one.verdict.passed)
    return confirm(task.tests, passed) if task.options.confirm and passed else None


def _row(task: _Task, stated: str, solution: Solution) -> TaskRow:
    spent = solution.spent
    return TaskRow(
        benchmark=BENCHMARK,
        task_id=task.problem.task_id,
        target=stated,
        tests=list(task.tests.tests.arguments),
        budget=solution.budget,
        schedule=str(task.schedule),
        ending=str(solution.ending),
        solved=solution.solved,
        samples=solution.samples,
        seconds=spent[Unit.SECONDS],
        loading_seconds=solution.loading_seconds,
        tokens=known(spent[Unit.TOKENS]),
        flops=known(spent[Unit.FLOPS]),
        usd=known(spent[Unit.USD]),
        date=now(),
    )
