"""Finds the tests that must pass, from a run with stubs in place of the functions to write.

If the tests cannot decide whether a solution is right, the error says why and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from isobudget.errors import InputError
from isobudget.grid import counted, printable
from isobudget.tasks.body import plain_name
from isobudget.tasks.failing import unwritten
from isobudget.tasks.outcome import RunnerReport, last_line
from isobudget.tasks.reporter import STUB
from isobudget.tasks.selection import Selection, words_of_test
from isobudget.tasks.stub import imports_module, names_from
from isobudget.tasks.target import Target

_MISSING = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_CANNOT_IMPORT = re.compile(r"ImportError: cannot import name '(\w+)' from '([\w.]+)'")
_CONFTEST = re.compile(r"(?:ImportError while loading conftest|ConftestImportFailure:?.*?) '?([^'\n]+conftest\.py)")
_ASYNC = "async def functions are not natively supported"
_FORBIDDEN = "Operation not permitted"
_WORD = re.compile(r"\w+")
#: most tests that a note names
_NAMED = 3
_SYNTAX = re.compile(r"(?:SyntaxError|IndentationError|TabError): .*")


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known about the tests before any sample is drawn.

    Attributes:
        expected: ids of the tests that must pass, in order.
        excused: ids of tests that need not pass. In a run without a sample they are skipped or fail as expected, or
            they are marked as expected to fail.
        reached: expected tests that call the target.
        also: ids of other tests that pass already and must not break.
        cpu_seconds: CPU time of collecting and running the tests with stubs.
        left_out: tests and test files that were selected but do not decide, each with the reason.
    """

    expected: tuple[str, ...]
    excused: frozenset[str]
    reached: frozenset[str]
    also: tuple[str, ...]
    cpu_seconds: float
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """The tests and files that are left out, as text; empty if there are none."""
        files = [name for name in self.left_out if "::" not in name]
        tests = [name for name in self.left_out if "::" in name]
        parts = [
            f"{counted(len(names), noun)} {said}: " + _listed([f"{name} ({self.left_out[name]})" for name in names])
            for names, noun, said in (
                (tests, "test", "left out, failing whatever is written"),
                (files, "test file", "left out, not collected by pytest"),
            )
            if names
        ]
        return "; ".join(parts)


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more


def refuse_passing(target: Target, run: RunnerReport, ids: Sequence[str]) -> None:
    """Refuse a target whose tests pass already.

    Raises:
        InputError: every one of these tests passes already.
    """
    if ids and len(run.passed(ids, run.excused)) == len(ids) > len(run.skipped & set(ids)):
        raise InputError(
            f"{target.task_id}: passes {_all(len(ids), 'test')} already; there is nothing to solve. Add a test "
            "that fails, or remove the body to have the body rewritten"
        )


class UndecidedError(InputError):
    """The tests cannot decide on the target: they cannot be collected, end early, or fail whatever the target does."""


class UntestedError(UndecidedError):
    """No test calls the target."""


def also_left_out(target: Target, also: Selection, run: RunnerReport) -> dict[str, str]:
    """The files in the folders of `also` that pytest cannot collect, each with the reason.

    Raises:
        UndecidedError: a file that pytest cannot collect was named directly, or pytest does not start.
    """
    if run.fault and not run.collected:
        raise UndecidedError(_not_begun(target, also, run.fault))
    files = {name.partition("::")[0]: text for name, text in run.errors.items()}
    for file, text in files.items():
        if not file or also.names(file):
            raise UndecidedError(_collecting(target, file, text))
    return {file: _collecting(target, file, text).removeprefix(f"{file}: ") for file, text in files.items()}


def left_out_files(target: Target, tests: Selection, run: RunnerReport) -> dict[str, str]:
    """Files that cannot be collected and have nothing to do with the target, each with the reason.

    Only files from named folders are left out. The result is empty if any file that cannot be collected was named
    directly, or may depend on the target. A file may depend on the target if it imports or calls the target or contains
    the target's name. Any file may depend on a target that is a new file, because the missing file may be the reason.
    """
    texts = {**tests.files, **tests.unreadable}
    found: dict[str, str] = {}
    for name, text in run.errors.items():
        file = name.partition("::")[0]
        if target.data is None or STUB in text or file not in texts or tests.names(file):
            return {}
        names = _called(target, tests) | ({target.module.rpartition(".")[2]} if file in tests.unreadable else set())
        if names & set(_WORD.findall(texts[file])) or any(imports_module(one, texts[file]) for one in target.modules):
            return {}
        found[file] = _collecting(target, file, text).removeprefix(f"{file}: ")
    return found


def check_baseline(
    target: Target,
    tests: Selection,
    run: RunnerReport,
    *,
    only_reaching: bool = False,
    left_out: Mapping[str, str] | None = None,
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The ids of the tests that must pass, and the failing tests that do not decide, each with the reason.

    A test that fails without calling the target will fail whatever the target does, so the test does not decide. But to
    leave the test out might be wrong in three cases: it was named by its id; it contains the target's name but not the
    name of another function without a body; or it fails because tests may not start programs. In these cases an error
    is raised, unless `only_reaching` is set.

    Args:
        target: what to write.
        tests: the tests as the user named them.
        run: report of running these tests with stubs.
        only_reaching: whether only tests that call the target decide.
        left_out: files that cannot be collected, each with the reason; see `left_out_files`.

    Raises:
        UndecidedError: the tests cannot decide; the message says why and what to do.
    """
    if run.errors:
        name, text = next(iter(run.errors.items()))
        raise UndecidedError(_collecting(target, name, text))
    if run.fault and not run.collected:
        raise UndecidedError(_not_begun(target, tests, run.fault))
    if not run.finished:
        why = "took too long" if run.stopped else run.fault or "ended before they were finished"
        raise UndecidedError(f"{', '.join(tests.arguments)}: the tests {why}, before anything was written")
    if not run.collected:
        raise UndecidedError(_none_found(tests, left_out or {}))
    _check_skipped(tests, run)
    _check_module(target, tests, run)
    failing = [one for one in run.collected if run.outcomes.get(one) == "failed" and one not in run.reached]
    if not run.reached:
        _refuse_untested(target, run, failing)
    waiting = _waiting_for(target, tests, failing)
    if only_reaching:
        expected = tuple(one for one in run.collected if one in run.reached)
    else:
        _check_failing(target, tests, run, failing, waiting)
        expected = tuple(one for one in run.collected if one not in failing)
    return expected, {
        one: f"needs {waiting[one]}, which also has no body" if waiting[one] else _why(run, one) for one in failing
    }


def _none_found(tests: Selection, left_out: Mapping[str, str]) -> str:
    """The message which says that pytest finds no tests, with the likely reason."""
    why = "".join(f"; {file}: {reason}" for file, reason in list(left_out.items())[:_NAMED])
    if why:
        return f"{', '.join(tests.arguments)}: pytest finds no tests there{why}"
    named = next((one for one in tests.arguments if "::" in one), "")
    if named:
        file = named.partition("::")[0]
        return f"{named}: there is no such test; `python -m pytest --collect-only -q {file}` lists the file's tests"
    return (
        f"{', '.join(tests.arguments)}: pytest finds no tests there. Unless your configuration says otherwise, tests "
        "are functions test_*, and methods test_* of classes Test*, in files test_*.py or *_test.py"
    )


def _not_begun(target: Target, tests: Selection, text: str) -> str:
    """The message which says why pytest did not start: because of its configuration, or of a conftest.py."""
    match = _CONFTEST.search(text)
    if match:
        file = match[1].removeprefix(f"{target.root}/")
        return _collecting(target, file, text)
    return f"{', '.join(tests.arguments)}: pytest does not start: {printable(_telling_line(text))}"


def _telling_line(text: str) -> str:
    """The most informative line: one with ``: error:``, else one that begins with ``error:``, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("error:")]
    told = [line.partition("error:")[2].strip() for line in lines if ": error:" in line]
    return next(iter([*told, *marked, *lines[-1:]]), "it gives no reason")[:300]


def _check_skipped(tests: Selection, run: RunnerReport) -> None:
    ids = run.collected or ()
    if ids and all(run.outcomes.get(one) == "skipped" for one in ids):
        why = printable(last_line(run.messages.get(ids[0], "")))
        raise UndecidedError(f"{', '.join(tests.arguments)}: skips {_all(len(ids), 'test')}, so no test decides: {why}")


def _all(count: int, noun: str) -> str:
    return f"its only {noun}" if count == 1 else f"all its {count} {noun}s"


def _collecting(target: Target, name: str, text: str) -> str:
    where, last = name or "the tests", printable(last_line(text))
    if STUB in text:
        return (
            f"{where}: calls {target.task_id} while it is imported, so pytest cannot list its tests before the "
            "target is written; move the call into a test or a fixture"
        )
    if match := _MISSING.search(text):
        return (
            f"{where}: needs {match[1]!r}, which the project's interpreter does not have; install it there, or name "
            "another interpreter with --python"
        )
    if match := _CANNOT_IMPORT.search(text):
        return f"{where}: imports {match[1]!r}, which {match[2]} does not define; solve writes bodies, not new names"
    if "import file mismatch" in text:
        return (
            f"{where}: has the same name as another test file, and neither is in a package; rename one, or set "
            "addopts = '--import-mode=importlib' in pytest's configuration"
        )
    if match := _SYNTAX.search(text):
        return f"{where}: does not parse ({printable(match[0])[:200]})"
    return f"{where}: cannot be collected: {last}"


def _check_module(target: Target, tests: Selection, run: RunnerReport) -> None:
    """Check that the tests import the file to be written, and not an installed copy of that file."""
    files = {name: file for name, file, _ in run.modules}
    if str(target.path) in files.values():
        return
    elsewhere = files.get(target.module)
    if elsewhere and Path(elsewhere).resolve() == target.path:
        raise UndecidedError(
            f"{tests.arguments[0]}: imports {target.module} through the link {elsewhere}, not from {target.file}; let "
            "the tests import it from its own path, for instance with pythonpath in pytest's configuration"
        )
    if elsewhere:
        raise UndecidedError(
            f"{tests.arguments[0]}: imports {target.module} from {elsewhere}, not from {target.file}; install the "
            "project with pip install -e, or uninstall the other copy"
        )
    raise UntestedError(f"{', '.join(tests.arguments)}: no test imports {target.file}; name tests that import it")


def _why(run: RunnerReport, test: str) -> str:
    """Why a test fails, and what to do about it if that is known."""
    text = run.messages.get(test, "")
    if _ASYNC in text:
        return "is async, which pytest needs a plugin for, such as pytest-asyncio or anyio"
    hint = " (tests that start programs need --allow-subprocess)" if _FORBIDDEN in text else ""
    return printable(last_line(text)) + hint


def _refuse_untested(target: Target, run: RunnerReport, failing: Sequence[str]) -> NoReturn:
    """Raise because no test calls the target; the message names a failing test that may be meant to call it."""
    if not failing:
        raise UntestedError(f"{target.task_id}: no test calls the target; name tests that call it")
    raise UntestedError(
        f"{target.task_id}: no test calls the target, and {counted(len(failing), 'test')} of {len(run.collected or ())}"
        f" would fail whatever the target does: {failing[0]}: {_why(run, failing[0])}. Fix the failing tests, or name "
        "tests that call the target"
    )


def _check_failing(
    target: Target, tests: Selection, run: RunnerReport, failing: Sequence[str], waiting: Mapping[str, str]
) -> None:
    """Raise if tests fail without calling the target and leaving them out might be wrong."""
    called = _called(target, tests)
    for one in failing:
        said = f"{target.task_id}: {one} fails without calling the target: {_why(run, one)}."
        if tests.names(one):
            raise UndecidedError(f"{said} The test fails whatever is written. Fix it, or do not name it in --tests")
        if _FORBIDDEN in run.messages.get(one, ""):
            raise UndecidedError(f"{said} A program that the test starts may call the target")
        if called & words_of_test(tests, one) and not waiting[one]:
            raise UndecidedError(
                f"{said} The test contains the target's name, so it is not left out. Fix the test, name the tests "
                f"that decide by their ids (--tests {next(iter(sorted(run.reached)))}), or leave out --tests, so that "
                "only tests that call the target decide"
            )


def _waiting_for(target: Target, tests: Selection, failing: Sequence[str]) -> dict[str, str]:
    """For each failing test, the name of another function without a body that the test uses; empty if there is none."""
    if not failing:
        return {}
    own = {f"{target.file}::{name}" for name in target.names}
    names = {plain_name(one.partition("::")[2]) for one in unwritten(target.root) - own}
    names -= _called(target, tests)
    return {one: next(iter(sorted(names & words_of_test(tests, one))), "") for one in failing}


def _called(target: Target, tests: Selection) -> set[str]:
    """The names by which tests call the target; for ``__init__`` and similar methods, the name of the class."""
    if not target.names:
        return set(names_from(target, tests.files.values()))
    plain = {name: plain_name(name) for name in target.names}
    return {name.split(".")[-2] if one.startswith("__") and "." in name else one for name, one in plain.items()}
