"""Tools for coding agents by the Model Context Protocol: `isobudget mcp` serves `solve`, `judge` and `plan` over stdio.

An agent writes tests and leaves the code to cheap models. The returned code has passed the tests, in confinement, and
its cost is stated. Paths must be below the folder of one project. Nothing in this folder is changed unless the server
was started with `allow_apply`.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial, wraps
from pathlib import Path
from typing import Any, ParamSpec

from isobudget.errors import InputError, IsobudgetError, MissingExtraError
from isobudget.progress import Silent

P = ParamSpec("P")
Answer = dict[str, Any]
#: the event that is set once nobody waits any more for this thread's call
_unwanted: ContextVar[threading.Event] = ContextVar("unwanted")

INSTRUCTIONS = (
    "solve writes the body of a Python function: small models write candidates until the project's tests pass, within "
    "a budget. "
    "judge runs tests on a program, confined. plan says from recorded results which model to run how often."
)


def mcp(project: str | Path = ".", *, allow_apply: bool = False) -> None:
    """Serve tools to a coding agent over this process's standard streams, until it closes them.

    Args:
        project: the project's folder; agents may only name paths below this folder; by default here.
        allow_apply: let `solve` write a passing sample into the project.

    Raises:
        MissingExtraError: the protocol's package is not installed.
        InputError: the folder does not exist.
    """
    make_server(Path(project), allow_apply=allow_apply).run("stdio")


def make_server(project: Path, *, allow_apply: bool = False) -> Any:
    """Create the server with its tools.

    Args:
        project: the folder below which targets, tests and results are.
        allow_apply: let `solve` write a passing sample into the project.

    Raises:
        MissingExtraError: the protocol's package is not installed.
        InputError: the folder does not exist.
    """
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
        from mcp.server.mcpserver.tools import Tool
    except ImportError:
        raise MissingExtraError("isobudget mcp", "mcp") from None
    from isobudget import __version__

    if not project.is_dir():
        raise InputError(f"{project}: no such folder; name the project's folder with --project")
    ours = Tools(project.resolve(), allow_apply)
    tools = [Tool.from_function(_errors_as(ToolError, one)) for one in (ours.solve, ours.judge, ours.plan)]
    for tool in tools:
        _refuse_unknown(tool)
    # requests of ours to other servers are no news for whoever started this one
    return MCPServer("isobudget", version=__version__, instructions=INSTRUCTIONS, tools=tools, log_level="WARNING")


def _refuse_unknown(tool: Any) -> None:
    """Let a tool refuse unknown arguments: with a misspelled `budget`, the default would silently apply."""
    model = tool.fn_metadata.arg_model
    model.model_config["extra"] = "forbid"
    model.model_rebuild(force=True)
    tool.parameters = model.model_json_schema(by_alias=True)


def _errors_as(kind: type[Exception], tool: Callable[P, Answer]) -> Callable[P, Awaitable[Answer]]:
    """Wrap a tool: it runs in its own thread, and its errors become errors of the protocol, so that the server goes on.

    A call that the agent cancels, or leaves open as it ends, is not waited for; see `_WhileWanted`.
    """
    from anyio.to_thread import run_sync

    @wraps(tool)
    async def call(*given: P.args, **named: P.kwargs) -> Answer:
        unwanted = threading.Event()
        _unwanted.set(unwanted)  # the thread begins with a copy of this
        try:
            return await run_sync(partial(tool, *given, **named), abandon_on_cancel=True)
        except IsobudgetError as error:
            raise kind(str(error)) from error
        except OSError as error:  # the protocol's package would only say that there was an error
            raise kind(f"{error.filename or tool.__name__}: {error.strerror or error}") from error
        finally:
            unwanted.set()

    return call


class _WhileWanted(Silent):
    """Progress that ends the work at its next note once nobody waits for the result any more."""

    def __init__(self) -> None:
        self._unwanted = _unwanted.get()

    def note(self, text: str) -> None:  # noqa: ARG002
        """End the work if its result is no longer wanted.

        Raises:
            IsobudgetError: nobody waits for the result.
        """
        if self._unwanted.is_set():
            raise IsobudgetError("the call was cancelled")


class Tools:
    """The tools that agents may call."""

    def __init__(self, project: Path, allow_apply: bool) -> None:
        self._project, self._allow_apply = project, allow_apply

    def solve(
        self, target: str, tests: list[str] | None = None, budget: str = "60s", models: str = "", apply: bool = False
    ) -> Answer:
        """Write a function's body within a budget; its tests decide, the first sample that passes is the answer.

        Args:
            target: FILE.py::function, FILE.py::Class.method, or a file with functions that have no body.
            tests: pytest files, folders or node ids; by default the test files that import the target.
            budget: such as 60s, 0.02usd, 20000tokens or 20samples.
            models: names, cheapest first, separated by commas; by default the user's.
            apply: write the change into the project; by default it is only returned as a diff.
        """
        from isobudget.api.tasks import solve

        if apply and not self._allow_apply:
            raise InputError("this server does not change files; to allow it: isobudget mcp --allow-apply")
        path, mark, name = target.partition("::")
        places = [str(self._inside(one.partition("::")[0])) + one[len(one.partition("::")[0]) :] for one in tests or ()]
        made = solve(
            f"{self._inside(path)}{mark}{name}",
            places,
            budget=budget,
            models=models or (),
            apply=apply,
            force=False,
            progress=_WhileWanted(),
        )
        return made.to_dict()

    def judge(self, program: str, tests: str, entry_point: str = "") -> Answer:
        """Run tests on a Python program, confined: no network, no files, limits on time and memory.

        Args:
            program: its whole source.
            tests: assert statements, a check(candidate) function, pytest functions, or a JSON object with fields such
                as inputs and outputs.
            entry_point: the function that check(candidate) or calls are about.
        """
        from isobudget.judge.apart import apart_where_exact
        from isobudget.judge.judge import Judge
        from isobudget.problems.given import given_problem

        problem = apart_where_exact(given_problem(tests, entry_point))
        with Judge(1) as judge:
            (verdict,) = judge.run([(problem, program)])
        return {
            "passed": verdict.passed,
            "outcome": verdict.outcome.value,
            "tests_passed": verdict.tests_passed,
            "tests_total": verdict.tests_total,
            "first_failing": verdict.first_failing,
            "detail": verdict.detail,
            "trust": verdict.trust.value,
        }

    def plan(self, sources: list[str], budget: str, unit: str = "", costs: str = "") -> Answer:
        """The best way to spend a budget, from recorded results: which models in which order, when to stop.

        Args:
            sources: run folders or files of results.
            budget: per problem, such as 8x (samples of the cheapest model), 60s or 0.02usd.
            unit: flops, seconds, device_seconds, tokens, usd or joules; by default that of the budget or the costs.
            costs: a costs file, or paper.
        """
        from isobudget.api.planning import plan

        places = [self._inside(one) for one in sources]
        table = costs if costs in ("", "paper") else str(self._inside(costs))
        made = plan(places, unit or None, budget=budget, costs=table or None)
        recommended = made.to_dict()["recommended"]
        return {"sentence": made.sentence, "recommended": recommended}

    def _inside(self, path: str) -> Path:
        """Resolve a path inside the project; other paths are refused."""
        try:
            place = (self._project / path).resolve()
        except (ValueError, RuntimeError) as error:
            raise InputError(f"{path!r}: is not a path ({error})") from None
        if not place.is_relative_to(self._project):
            raise InputError(f"{path}: is outside the project {self._project}")
        return place
