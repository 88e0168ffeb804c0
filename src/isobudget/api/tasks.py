"""`api.solve` writes a function of a project within a budget; `api.show` shows the programs that a run recorded."""

from __future__ import annotations

import inspect
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from isobudget.api.names import Names
from isobudget.errors import InputError, IsobudgetError
from isobudget.grid import counted

if TYPE_CHECKING:
    from isobudget.progress import Progress
    from isobudget.tasks.models import BackendFactory
    from isobudget.tasks.open_models import OpenModels
    from isobudget.tasks.show import ShownPrograms, ShownTasks
    from isobudget.tasks.solution import Solution


def solve(
    target: str,
    tests: str | Path | Sequence[str | Path] = (),
    *,
    also: str | Path | Sequence[str | Path] = (),
    budget: str | None = None,
    models: Names = (),
    policy: str | Path | None = None,
    apply: bool = False,
    force: bool = False,
    out: str | Path | None = None,
    python: str | None = None,
    run: str | Path | None = None,
    show_tests: bool | None = None,
    allow_subprocess: bool | None = None,
    format: str | None = None,  # noqa: A002
    max_tokens: int | None = None,
    temperature: float | None = None,
    prompt_tokens: int | None = None,
    test_seconds: float | None = None,
    memory_mb: int | None = None,
    explore: int | None = None,
    repair: int | None = None,
    confirm: int | None = None,
    seed: int = 0,
    only_reaching: bool = False,
    progress: Progress | None = None,
    make_backend: BackendFactory | None = None,
    on_solution: Callable[[Solution], None] | None = None,
) -> Solution:
    """Write a function of your project within a budget: small model first, the tests decide, stop at the first pass.

    Args:
        target: FILE.py::function, FILE.py::Class.method, or a file to complete. In Python also one that does not exist
            yet.
        tests: Pytest files, folders or node ids that decide; by default the test files that import TARGET. Repeatable.
        also: tests that must still pass; run on samples that pass --tests. Repeatable.
        budget: hard limit; by default 60s. In Python as ``60s``, ``10min``, ``0.02usd``, ``5e13flops``, ``20000tokens``
            or ``20samples``.
        models: models, cheapest first; by default those of the models file, else embedded
            ones. In Python names, or ``"a,b"``.
        policy: run this policy instead, see `plan --write`.
        apply: write the passing sample into the file, if nobody has changed the file and the git tree is clean.
        force: apply even on a git tree with uncommitted changes.
        out: write the completed text of the target's file to FILE. In Python a file that does not exist yet.
        python: the project's interpreter; by default that of the active environment, or .venv.
        run: run folder; by default runs/solve in the project.
        show_tests: put the tests' texts into the prompt; by default only their names.
        allow_subprocess: let tests start programs, inside the confinement.
        format: prompt format; by default solve or solve-chat. In Python a name, or PATH.toml#NAME.
        max_tokens: tokens per sample; by default 256.
        temperature: sampling temperature; by default 0.7.
        test_seconds: CPU seconds for one candidate's tests; by default 5.
        explore: generate N samples of every model, whatever their verdicts. In Python, too, pass@k counts such
            samples, because they do not depend on verdicts.
        repair: give a failing sample back to its model up to N times, with its first failing test.
        confirm: go on until N more samples pass, and show inputs on which passing samples differ, each with a test.
        seed: seed of the first sample.
        prompt_tokens: longest prompt to aim for, in tokens; by default 500.
        memory_mb: MiB that one candidate's tests may take; by default 1024.
        only_reaching: only tests that call the target decide.
        progress: shows the progress.
        make_backend: opens a model.
        on_solution: called with the solution, even if Ctrl-C comes while the solution is written.

    Raises:
        IsobudgetError: see `isobudget.tasks.solve.solve`, and `Solution.apply` for `apply`.
    """
    return _solved(locals())


def _solved(given: Mapping[str, Any], opened: OpenModels | None = None) -> Solution:
    """Solve with these arguments; `opened` are models that stay open for the next function."""
    from isobudget.files.whole import write_whole
    from isobudget.progress import SILENT
    from isobudget.tasks.options import SolveOptions
    from isobudget.tasks.solve import solve as solve_task

    options, out = SolveOptions.stated(given), given["out"]
    if out is not None:
        _check_out(str(out))
    with ExitStack() as held:  # Ctrl-C waits, from the last draw until the solution is written and passed on
        solution = solve_task(
            given["target"],
            options,
            clean=given["apply"] and not given["force"],
            progress=given["progress"] or SILENT,
            make_backend=given["make_backend"],
            held=held,
            opened=opened,
        )
        if solution.solved:
            with _kept(solution):
                if out is not None:
                    _check_out(str(out))  # solving took its time
                    write_whole(Path(out), solution.code.encode())
                if given["apply"]:
                    solution.apply(force=given["force"])
        if given["on_solution"] is not None:
            given["on_solution"](solution)
    return solution


@contextmanager
def _kept(solution: Solution) -> Iterator[None]:
    """In this context, if a solution cannot be written, the error says where it is recorded, or contains its diff."""
    try:
        yield
    except IsobudgetError as error:
        again = f"isobudget show {shlex.quote(str(solution.run))} {shlex.quote(solution.task_id)} --passed"
        kept = f"The program that passed is recorded. To print it: {again}"
        if not _is_recorded(solution):  # on the same full disk, or the folder is gone
            kept = f"The program that passed could not be recorded either. Its diff is:\n{solution.diff}"
        raise type(error)(f"{error}\n{kept}") from error


def _is_recorded(solution: Solution) -> bool:
    try:
        return bool(show(solution.run, solution.task_id, passed=True).programs)
    except IsobudgetError:
        return False


def _check_out(out: str) -> None:
    """Refuse to replace an existing file: `apply` writes the target, and other files belong to the user."""
    if out.endswith("/") or Path(out).is_dir():
        raise InputError(f"--out {out} is a folder; name a file")
    if Path(out).exists() or Path(out).is_symlink():
        raise InputError(f"--out {out} exists already; name a new file (--apply writes into the target)")
    if not os.access(Path(out).parent, os.W_OK | os.X_OK):
        there = "is not writable" if Path(out).parent.is_dir() else "does not exist; make it first"
        raise InputError(f"--out {out}: {Path(out).parent} {there}")


def solve_failing(
    folder: str | Path,
    tests: str | Path | Sequence[str | Path] = (),
    *,
    on_solution: Callable[[Solution], None] | None = None,
    **options: Any,
) -> list[Solution]:
    """Write every function without a body that a test calls, one after the other. Models are loaded once for all.

    Functions that no test calls, or whose tests cannot be run, and files that are not valid Python are left out;
    `progress` gets the reason. Ctrl-C ends all of it.

    Args:
        folder: a folder of the project, or a file.
        tests: as in `solve`; for each function, the tests that call it count.
        on_solution: called with every solution as soon as it exists, so that none is lost if a later one fails.
        options: as in `solve`, except `out`. Each function has the whole budget.

    Raises:
        IsobudgetError: see `solve`; or no function has tests that can decide.
    """
    from isobudget.progress import SILENT
    from isobudget.tasks.baseline import UndecidedError
    from isobudget.tasks.failing import empty_functions, notes_on
    from isobudget.tasks.open_models import OpenModels
    from isobudget.tasks.spending import Ending

    if options.get("out") is not None:
        raise InputError("--out takes one file, and --failing may write several functions; use one of the two")
    progress = options.get("progress") or SILENT
    empty, solutions, refused = empty_functions(Path(folder)), [], []
    for text in notes_on(Path(folder), empty):
        progress.note(text)
    given = inspect.signature(solve).bind("", tests, on_solution=on_solution, **{"only_reaching": True} | options)
    given.apply_defaults()
    with OpenModels(options.get("make_backend"), are_kept=True) as opened:
        for target in empty.targets:
            try:
                solutions.append(_solved(given.arguments | {"target": target}, opened))
            except UndecidedError as error:
                refused.append(str(error))
                progress.note(f"left out: {error}")
                continue
            if solutions[-1].ending is Ending.INTERRUPTED:
                break
            given.arguments["force"] |= given.arguments["apply"]  # the tree was clean: only this changed it
    if refused and not solutions:
        found = f"found: {counted(len(refused), 'function')}"
        said = f"no function without a body has tests that can decide ({found}); the first"
        raise InputError(f"{folder}: {said}: {refused[0]}")
    return solutions


@overload
def show(
    run: str | Path, task: str, *, passed: bool = False, failed: bool = False, model: str | None = None
) -> ShownPrograms: ...


@overload
def show(
    run: str | Path, task: None = None, *, passed: bool = False, failed: bool = False, model: str | None = None
) -> ShownTasks: ...


def show(
    run: str | Path, task: str | None = None, *, passed: bool = False, failed: bool = False, model: str | None = None
) -> ShownPrograms | ShownTasks:
    """Show the programs that a run recorded for a task, with their verdicts; without a task, the run's tasks.

    Args:
        run: run folder.
        task: a task id, or its first whole words; by default all are listed. In Python such as
            ``src/pkg/text.py::slugify``.
        passed: only those that passed. In Python, for tasks: those with a passing sample.
        failed: only those that did not pass. In Python, for tasks: those without a passing sample.
        model: only those of this model.

    Raises:
        RunError: there is no such run.
        InputError: the run has no such task or model, or several tasks that begin with this text; or both `passed` and
            `failed` are given.
    """
    from isobudget.tasks.show import show_programs, show_tasks

    if task is None:
        return show_tasks(Path(run), passed=passed, failed=failed, model=model)
    return show_programs(Path(run), task, passed=passed, failed=failed, model=model)
