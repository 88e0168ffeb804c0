"""What the tests do before anything is written, and one clear message for each way in which they cannot decide."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isobudget.errors import InputError
from isobudget.grid import counted, printable
from isobudget.tasks.outcome import RunnerReport, last_line
from isobudget.tasks.selection import Selection
from isobudget.tasks.stub import MARK
from isobudget.tasks.target import Target

_MISSING = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_CANNOT_IMPORT = re.compile(r"ImportError: cannot import name '(\w+)' from '([\w.]+)'")
_CONFTEST = re.compile(r"(?:ImportError while loading conftest|ConftestImportFailure:?.*?) '?([^'\n]+conftest\.py)")
_ASYNC = "async def functions are not natively supported"
_SYNTAX = re.compile(r"(?:SyntaxError|IndentationError|TabError): .*")


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known of the tests before anything is written.

    Attributes:
        expected: ids of the tests that have to pass, in order.
        excused: those of them that are skipped or expected to fail anyway.
        reached: those that call the target.
        also: ids of other tests that passed before, and have to pass again.
        cpu_seconds: what collecting and running them took with stubs.
    """

    expected: tuple[str, ...]
    excused: frozenset[str]
    reached: frozenset[str]
    also: tuple[str, ...]
    cpu_seconds: float


def refuse_passing(target: Target, run: RunnerReport) -> None:
    """Refuse a target that passes as it is.

    Raises:
        InputError: every test passes already.
    """
    ids = run.collected or ()
    if ids and len(run.passed(ids, run.excused)) == len(ids) > len(run.skipped):
        raise InputError(
            f"{target.task_id}: passes {_all(len(ids), 'test')} already; there is nothing to solve. Add a test "
            "that fails, or remove the body to have it rewritten"
        )


class UndecidedError(InputError):
    """The tests cannot decide on the target: they cannot be collected, end too early, or fail whatever it does."""


class UntestedError(UndecidedError):
    """No test calls the target."""


def check_baseline(
    target: Target, tests: Selection, run: RunnerReport, *, only_reaching: bool = False
) -> tuple[str, ...]:
    """The ids of the tests that have to pass; `only_reaching`, of those alone that call the target.

    Raises:
        UndecidedError: the tests cannot decide; the message says why and what to do.
    """
    if run.errors:
        name, text = next(iter(run.errors.items()))
        raise UndecidedError(_collecting(target, name, text))
    if run.fault and not run.collected:
        raise UndecidedError(_not_begun(target, tests, run.fault))
    if not run.finished:
        why = "took too long" if run.stopped else run.fault or "ended before they were done"
        raise UndecidedError(f"{', '.join(tests.arguments)}: the tests {why}, before anything was written")
    if not run.collected:
        raise UndecidedError(f"{', '.join(tests.arguments)}: pytest finds no tests there")
    _check_skipped(tests, run)
    _check_module(target, tests, run)
    if only_reaching and run.reached:
        return tuple(one for one in run.collected if one in run.reached)
    _check_failures(target, run)
    return run.collected


def _not_begun(target: Target, tests: Selection, text: str) -> str:
    """Why pytest did not begin: its configuration, or a conftest.py."""
    match = _CONFTEST.search(text)
    if match:
        file = match[1].removeprefix(f"{target.root}/")
        return _collecting(target, file, text)
    return f"{', '.join(tests.arguments)}: pytest does not begin: {printable(_telling_line(text))}"


def _telling_line(text: str) -> str:
    """The line of an error that says most: the first one marked ERROR or error, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("error:")]
    told = [line.partition("error:")[2].strip() for line in lines if ": error:" in line]
    return next(iter([*told, *marked, *lines[-1:]]), "it does not say why")[:300]


def _check_skipped(tests: Selection, run: RunnerReport) -> None:
    ids = run.collected or ()
    if ids and all(run.outcomes.get(one) == "skipped" for one in ids):
        why = printable(last_line(run.messages.get(ids[0], "")))
        raise UndecidedError(
            f"{', '.join(tests.arguments)}: skips {_all(len(ids), 'test')}, so that nothing decides: {why}"
        )


def _all(count: int, noun: str) -> str:
    return f"its only {noun}" if count == 1 else f"all its {count} {noun}s"


def _collecting(target: Target, name: str, text: str) -> str:
    where, last = name or "the tests", printable(last_line(text))
    if MARK in text:
        return (
            f"{where}: calls {target.task_id} while it is imported, so its tests cannot be listed before that is "
            "written; move the call into a test or a fixture"
        )
    if match := _MISSING.search(text):
        return (
            f"{where}: needs {match[1]!r}, which the project's interpreter does not have; install it there, or name "
            "another interpreter with --python"
        )
    if match := _CANNOT_IMPORT.search(text):
        return f"{where}: imports {match[1]!r}, which {match[2]} does not define; solve writes bodies, not new names"
    if match := _SYNTAX.search(text):
        return f"{where}: does not parse ({printable(match[0])[:200]})"
    return f"{where}: cannot be collected: {last}"


def _check_module(target: Target, tests: Selection, run: RunnerReport) -> None:
    """The tests must import the file that is to be written, and no installed copy of it."""
    files = {name: file for name, file, _ in run.modules}
    if str(target.path) in files.values():
        return
    elsewhere = files.get(target.module)
    if elsewhere:
        raise UndecidedError(
            f"{tests.arguments[0]}: imports {target.module} from {elsewhere}, not from {target.file}; install the "
            "project with pip install -e, or uninstall the other copy"
        )
    raise UntestedError(f"{', '.join(tests.arguments)}: no test imports {target.file}; name tests that do")


def _check_failures(target: Target, run: RunnerReport) -> None:
    ids = run.collected or ()
    strangers = [one for one in ids if run.outcomes.get(one) == "failed" and one not in run.reached]
    if strangers:
        message = printable(last_line(run.messages.get(strangers[0], "")))
        if "Operation not permitted" in message:
            message += " (tests that start programs need --allow-subprocess)"
        if _ASYNC in run.messages.get(strangers[0], ""):
            message = "is async, which pytest needs a plugin for, such as pytest-asyncio or anyio"
        # Of several functions without a body one that no test calls is not told by the others' failures.
        raise (UndecidedError if run.reached else UntestedError)(
            f"{counted(len(strangers), 'test')} of {len(ids)} would fail whatever {target.task_id} does: "
            f"{strangers[0]}: {message}. Mend them, name the tests to run by their ids, or leave out --tests: then "
            "only those count that call it"
        )
    if not run.reached:
        raise UntestedError(f"{target.task_id}: no test calls it; name tests that do")
