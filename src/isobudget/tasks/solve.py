"""Solves one task within a budget: `isobudget.solve` and the command of that name.

Before anything is drawn, TARGET and TESTS are found and checked, the tests run once with stubs, and models are priced.
The result is a `Solution`; only its `apply` writes into the project.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from isobudget.backends.base import CHARACTERS_PER_TOKEN, Generation, Prompt
from isobudget.costs.budget import parse_budget
from isobudget.costs.cost import Unit
from isobudget.errors import JudgeError
from isobudget.grid import counted, json_value, with_unit
from isobudget.judge.verdict import Outcome, Trust, Verdict
from isobudget.pipeline.interrupts import Interrupts
from isobudget.policies.repair import split_arm
from isobudget.policies.schedule import Schedule
from isobudget.policies.shares import CASES, case_of
from isobudget.progress import SILENT, Progress
from isobudget.records.attempts import TaskRow
from isobudget.records.run import Run
from isobudget.tasks import apply as applying
from isobudget.tasks.candidate import UnusableError, lay_over
from isobudget.tasks.clock import Clock
from isobudget.tasks.confirm import Confirmation, confirm
from isobudget.tasks.context import PROMPT_TOKENS
from isobudget.tasks.ledger import SAMPLES, TaskLedger
from isobudget.tasks.models import BackendFactory, TaskModel
from isobudget.tasks.open_models import OpenModels
from isobudget.tasks.options import DEFAULT_BUDGET, WRITTEN, SolveOptions
from isobudget.tasks.project import read_settings
from isobudget.tasks.record import BENCHMARK, now, recording, run_beside, run_in
from isobudget.tasks.repair import repair_task
from isobudget.tasks.solution import Solution
from isobudget.tasks.spending import Attempt, Ending, LiveSpending, OpenArm
from isobudget.tasks.target import find_target
from isobudget.tasks.task import Task, budget_note, check_budget, choose, make_task, project_tests


def solve(
    target: str,
    options: SolveOptions | None = None,
    *,
    clean: bool = False,
    progress: Progress = SILENT,
    make_backend: BackendFactory | None = None,
    held: ExitStack | None = None,
    opened: OpenModels | None = None,
) -> Solution:
    """Solve one task.

    Args:
        target: see `isobudget.tasks.target.find_target`.
        options: see `SolveOptions`.
        clean: refuse a project whose git tree has uncommitted changes, before anything is spent.
        progress: receives every attempt.
        make_backend: opens a model; for tests.
        held: context that delays Ctrl-C from the last draw on, so that the result is kept; closed by the caller.
        opened: models that stay open between tasks, used instead of `make_backend`; closed by the caller.

    Raises:
        InputError: target, tests, budget or options are wrong; the message says what to do.
        JudgeError: the tests cannot be confined on this machine.
        IsobudgetError: a model is not available, or the run folder cannot be written.
    """
    found = find_target(target)
    options = (options or SolveOptions()).with_settings(read_settings(found.root))
    options.check()
    budget = parse_budget(options.budget or DEFAULT_BUDGET, WRITTEN)
    check_budget(budget, options)
    if clean:
        applying.check_clean(found, Path(options.run or found.root / "runs" / "solve"))
    with project_tests(found, options) as tests:
        played, models = choose(options)  # a mistake in these is told before tests are run
        if options.policy is not None:
            progress.note(budget_note(options.policy, options.budget))
        baseline = tests.prepare(only_reaching=options.only_reaching or not options.tests)
        calling = "calling it" if found.names else "calling its functions"
        progress.note(
            f"{found.task_id}: {counted(len(baseline.expected), 'test')} to pass, {len(baseline.reached)} of them "
            f"{calling}{baseline.note and '; '}{baseline.note}"
        )
        task = make_task(tests.target, options, tests, budget, played, models)
        with contextlib.nullcontext(held) if held is not None else ExitStack() as kept:
            return _play(task, target, progress, opened or OpenModels(make_backend), kept)


@dataclass(slots=True)
class _Judge:
    """Judges samples: puts their answers into the file and runs the project's tests.

    Equal files are run only once, unless the tests ran out of time.
    """

    task: Task
    seen: dict[str, Verdict] = field(default_factory=dict)

    def judge(self, arm: OpenArm, generation: Generation, deadline: float) -> tuple[Verdict, str]:
        """See `spending.CandidateJudge`."""
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


def _play(
    task: Task,
    stated: str,
    progress: Progress,
    opened: OpenModels,
    held: ExitStack,
) -> Solution:
    repairs = any(split_arm(arm)[1] for arm in task.arms)
    usual = int((task.options.prompt_tokens or PROMPT_TOKENS) * CHARACTERS_PER_TOKEN) + 1000
    longer, least = usual if repairs else 0, usual if opened.are_kept else 0
    task.models = {name: model.prepared(progress, longer, least) for name, model in task.models.items()}
    ledger = TaskLedger.of(task.budget, {name: model.price() for name, model in task.models.items()})
    clock = Clock(task.budget.amount) if task.budget.unit is Unit.SECONDS else Clock()
    run, apart = _run_of(task)

    def open_arm(arm: str) -> OpenArm:
        name, times = split_arm(arm)
        model = task.models[name]
        backend = opened.get(model.resolved)
        room = max(1, backend.concurrency)
        return OpenArm(name, backend, model.rendered.prompt, model.sampling, room, times, _again(task, model))

    with recording(run, task.problem, explored=bool(task.options.explore)) as recorder:

        def on_attempt(attempt: Attempt) -> None:
            recorder.add(attempt, clock.left)
            progress.note(_line(attempt, spending, task))

        def on_wait(name: str, count: int) -> None:
            progress.note(f"{name}: {counted(count, 'sample')} in progress; {_standing(spending, task)}")

        first = max((recorder.first_index(name) for name in task.models), default=0)
        passes = 1 + (task.options.confirm or 0)
        seed = task.options.seed + first
        spending = LiveSpending(
            task.schedule, open_arm, _Judge(task), ledger, clock, on_attempt, on_wait, seed, passes, _after(task)
        )
        interrupts = Interrupts()
        try:
            held.enter_context(interrupts.held_back())
            ending = spending.play(interrupts)
            recorder.flush()
            confirmation = _confirmation(task, spending, ending, interrupts, held)
        finally:
            opened.end_task(spending.abandoned)
        solution = replace(_solution(task, run, spending, ending, apart), confirmation=confirmation)
        recorder.end(_row(task, stated, solution))
        if failure := recorder.close():
            solution = replace(solution, notes=(*solution.notes, f"not everything was recorded: {failure}"))
    return solution


def _run_of(task: Task) -> tuple[Run, str]:
    """The run that records the task, and a note if it is not in the usual folder, which says why.

    A folder that the user named is always used.
    """
    facts = {name: (one.facts(), one.rendered, one.names(), one.sampling) for name, one in task.models.items()}
    if task.options.run:
        return run_in(task.options.run, task.problem, facts), ""
    return run_beside(task.target.root / "runs" / "solve", task.problem, facts)


def _after(task: Task) -> Callable[[Sequence[Attempt]], Schedule | None] | None:
    """A function that chooses the next schedule by the tests that the best sample passes.

    None if the policy has no further schedules.
    """
    if not task.by_case:
        return None

    def after(attempts: Sequence[Attempt]) -> Schedule | None:
        verdicts = [one.verdict for one in attempts]
        share = max(((one.tests_passed or 0) / max(one.tests_total or 0, 1) for one in verdicts), default=0.0)
        return task.by_case.get(CASES[case_of(share)])

    return after


def _again(task: Task, model: TaskModel) -> Callable[[Attempt], tuple[Prompt, int]]:
    """The function that makes a model's prompt for repairing one of its samples."""
    options = task.options
    shown, tokens = bool(options.show_tests), options.prompt_tokens or PROMPT_TOKENS

    def again(attempt: Attempt) -> tuple[Prompt, int]:
        program = model.program(task.problem, attempt.generation)
        tests = task.tests.tests
        prompt = repair_task(task.target, tests, program, attempt.verdict, show_tests=shown, tokens=tokens)
        return model.again(replace(task.problem, prompt=prompt))

    return again


def _line(attempt: Attempt, spending: LiveSpending, task: Task) -> str:
    of = "" if attempt.parent is None else f", which repairs {attempt.parent + 1},"
    said = f"{attempt.arm}: sample {attempt.index + 1}{of} {attempt.verdict.outcome}"
    return f"{said}; {_standing(spending, task)}"


def _standing(spending: LiveSpending, task: Task) -> str:
    """How close the best sample came, and what is left of the budget."""
    verdicts = [one.verdict for one in spending.attempts if one.verdict.tests_passed]
    best = max(verdicts, key=lambda one: one.tests_passed or 0, default=None)
    total = best.tests_total if best else len(task.tests.baseline.expected)
    ledger, clock = spending.ledger, spending.clock
    left = f"{max(clock.left, 0):.0f} s" if ledger.unit is None else _amount(max(ledger.left, 0), ledger.unit)
    return f"best so far {best.tests_passed if best else 0} of {counted(total or 0, 'test')}; {left} left"


def _amount(value: float, unit: str) -> str:
    """An amount in a budget's unit, as text; samples and tokens are whole numbers."""
    return counted(int(value), unit.removesuffix("s")) if unit in (SAMPLES, Unit.TOKENS) else with_unit(value, unit)


def _closeness(attempt: Attempt) -> tuple[int, bool]:
    """A key for how close a sample came to passing: the number of tests passed, and whether its tests could be run.

    Of two samples that passed equally many tests, one with a failed test ranks above one that could not be run.
    """
    return attempt.verdict.tests_passed or 0, bool(attempt.verdict.first_failing)


def _solution(task: Task, run: Run, spending: LiveSpending, ending: Ending, apart: str) -> Solution:
    passed = next((one for one in spending.attempts if one.verdict.passed), None)
    best = passed or max(spending.attempts, key=_closeness, default=None)
    drawn: dict[str, int] = dict.fromkeys(task.models, 0)
    for one in spending.attempts:
        drawn[one.arm] += 1
    code = best.text if best is not None else ""
    spent = json_value(spending.ledger.spent | {Unit.SECONDS: spending.clock.seconds})
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
        notes=(
            *filter(None, (task.tests.baseline.note, apart)),
            *spending.ledger.notes,
            *dict.fromkeys(spending.failures),
        ),
        repairs=sum(one.parent is not None for one in spending.attempts),
    )


def _confirmation(
    task: Task, spending: LiveSpending, ending: Ending, interrupts: Interrupts, held: ExitStack
) -> Confirmation | None:
    """The comparison of the passing samples, if requested; interrupting it loses no sample."""
    passed = Counter(one.text for one in spending.attempts if one.verdict.passed)
    if not task.options.confirm or not passed:
        return None
    try:
        if ending is Ending.INTERRUPTED:
            raise JudgeError(str(ending))
        return interrupts.let_in(lambda: confirm(task.tests, passed))
    except (KeyboardInterrupt, JudgeError) as error:
        if isinstance(error, KeyboardInterrupt):
            held.callback(_interrupt)  # when what passed is kept
        why = f"the comparison ended early ({str(error) or 'it was interrupted'})"
        return Confirmation(passed.total(), len(passed), 0, 0, (), why)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _row(task: Task, stated: str, solution: Solution) -> TaskRow:
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
        seconds=spent[Unit.SECONDS] or 0.0,
        loading_seconds=solution.loading_seconds,
        tokens=spent[Unit.TOKENS],
        flops=spent[Unit.FLOPS],
        usd=spent[Unit.USD],
        date=now(),
    )
