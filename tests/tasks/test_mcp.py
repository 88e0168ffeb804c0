"""`isobudget mcp`, driven by the protocol's official client over standard streams."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import isobudget
from isobudget.api import agents
from isobudget.progress import Progress
from support.solve_project import RIGHT, TEXT, WRONG, answering, declare, make_project

pytest.importorskip("mcp")

SOURCE = Path(isobudget.__file__).parents[1]


def calls(project: Path, *asked: tuple[str, dict[str, Any]], options: tuple[str, ...] = ()) -> list[tuple[bool, str]]:
    """Whether each call failed, and its text, from a server of its own; the names of its tools first."""
    from mcp import Client, StdioServerParameters

    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "VIRTUAL_ENV": sys.prefix,
        "ISOBUDGET_MODELS_TOML": str(project.parent / "models.toml"),
    }
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "isobudget", "mcp", "--project", str(project), *options],
        env=environment,
    )

    async def talk() -> list[tuple[bool, str]]:
        async with Client(server) as client:
            names = sorted(tool.name for tool in (await client.list_tools()).tools)
            answers = [(False, ",".join(names))]
            for name, arguments in asked:
                result = await client.call_tool(name, arguments)
                answers.append((bool(result.is_error), "".join(getattr(one, "text", "") for one in result.content)))
            return answers

    return asyncio.run(talk())


def test_an_agent_judges_plans_and_solves(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    rows = [
        {"model": model, "task_id": f"t{at}", "n": 8, "c": at % 9}
        for model in ("codellama-7b", "codellama-34b")
        for at in range(12)
    ]
    (project / "counts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    program, tests = "def add(a, b):\n    return a + b\n", "assert add(2, 3) == 5"
    with answering(lambda _model, seed: RIGHT if seed else WRONG) as (url, _):
        declare(tmp_path / "models.toml", url)
        solving = {"target": "src/pkg/text.py::slugify", "tests": ["tests/test_text.py"], "models": "small"}
        (project / "loop").symlink_to("loop")
        names, right, wrong, planned, solved, applied, outside, *odd = calls(
            project,
            ("judge", {"program": program, "tests": tests}),
            ("judge", {"program": program.replace("+", "-"), "tests": tests}),
            ("plan", {"sources": ["counts.jsonl"], "budget": "4x", "costs": "paper"}),
            ("solve", {**solving, "budget": "20samples"}),
            ("solve", {**solving, "apply": True}),
            ("solve", {**solving, "target": "../other.py::f"}),
            ("solve", {**solving, "target": "a\0.py::f"}),
            ("solve", {**solving, "target": "loop/a.py::f"}),
            ("solve", {**solving, "target": "x" * 300 + ".py::f"}),
            ("solve", {**solving, "bugdet": "1samples"}),
            ("plan", {"sources": ["counts.jsonl"], "budget": "4x", "policy": "greedy"}),
        )
    assert names[1] == "judge,plan,solve"
    assert [json.loads(text)["outcome"] for _, text in (right, wrong)] == ["passed", "failed"]
    assert json.loads(planned[1])["recommended"][0]["draws"]
    answer = json.loads(solved[1])
    assert (answer["solved"], answer["model"]) == (True, "small")
    assert "+    return sep.join(" in answer["diff"]
    assert applied[0]
    assert "--allow-apply" in applied[1]
    assert outside[0]
    assert "is outside the project" in outside[1]
    said = ("is not a path (embedded null byte)", "loop", "File name too long", "bugdet", "policy")
    assert [failed and why in text for why, (failed, text) in zip(said, odd, strict=True)] == [True] * 5, odd
    assert (project / "src/pkg/text.py").read_text() == TEXT


def test_what_passed_is_applied_where_that_is_allowed(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    with answering(lambda _model, _seed: RIGHT) as (url, _):
        declare(tmp_path / "models.toml", url)
        asked = {"target": "src/pkg/text.py::slugify", "tests": ["tests/test_text.py"], "apply": True}
        _, (failed, text) = calls(project, ("solve", {**asked, "models": "small"}), options=("--allow-apply",))
    assert not failed, text
    assert RIGHT in (project / "src/pkg/text.py").read_text()


def test_a_client_learns_the_version_and_that_no_other_argument_is_taken(tmp_path: Path) -> None:
    from mcp import Client

    async def talk() -> None:
        async with Client(agents.make_server(tmp_path)) as client:
            assert client.server_info.version == isobudget.__version__
            tools = (await client.list_tools()).tools
            assert [tool.input_schema["additionalProperties"] for tool in tools] == [False] * 3

    asyncio.run(talk())


def test_requests_to_models_are_not_told_on_the_error_stream(tmp_path: Path) -> None:
    make_server = "from pathlib import Path; from isobudget.api.agents import make_server; make_server(Path('.'))"
    told = f"import logging; {make_server}; logging.getLogger('httpx').info('HTTP Request'); logging.warning('of use')"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment
    )
    assert "HTTP" not in done.stderr
    assert "of use" in done.stderr


def test_a_call_that_nobody_waits_for_any_more_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import anyio

    began, ended = threading.Event(), threading.Event()

    def endless(*_: object, progress: Progress, **__: object) -> None:
        began.set()
        try:
            while True:
                progress.note("a sample failed")
                time.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setattr("isobudget.api.tasks.solve", endless)
    solve = agents._errors_as(RuntimeError, agents.Tools(tmp_path, False).solve)

    async def cancelled() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(solve, "m.py::f")
            while not began.is_set():
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()

    anyio.run(cancelled)
    assert ended.wait(10)


def test_who_starts_it_in_a_terminal_is_told_what_it_waits_for(tmp_path: Path) -> None:
    """Without a terminal, as an agent starts it, nothing is said beside the protocol."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "isobudget", "mcp", "--project", str(tmp_path)]
    options: dict[str, Any] = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "timeout": 60}
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    try:
        os.write(ours, b"\x04")  # the end of what is typed
        typed = subprocess.run(command, stdin=theirs, check=False, env=environment, **options)
    finally:
        os.close(ours)
        os.close(theirs)
    assert "waiting for messages from an agent on standard input" in typed.stderr
    silent = subprocess.run(command, stdin=subprocess.DEVNULL, check=False, env=environment, **options)
    assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")
