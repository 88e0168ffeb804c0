"""How a parallel test run is divided: tests that share something dear to start stay in one process.

pytest-xdist's own groups are marks that it writes into the tests' ids, which pytest keeps as they are since its 9.2.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

#: files whose tests share a server, an engine's weights, or a way of judging: each is one piece of work, or one for
#: each parameter of what they share
SHARED_START = {
    "tests/backends/server/test_server_llama.py": False,
    "tests/backends/test_exact.py": False,
    "tests/backends/test_llama_scoring.py": False,
    "tests/backends/test_llama_slots.py": True,
    "tests/backends/test_llamacpp.py": False,
    "tests/judge/test_judge_hostile.py": True,
    "tests/report/test_report.py": False,
}


class SharedStart(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a process one piece of work after the other, the largest first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file not in SHARED_START:
            return nodeid
        return f"{file}[{nodeid.partition('[')[2]}" if SHARED_START[file] else file
