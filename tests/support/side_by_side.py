"""How a parallel test run is divided: tests that share something dear to start stay in one process.

pytest-xdist's own groups are marks that it writes into the tests' ids, which pytest keeps as they are since its 9.2.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

#: how the ids of files begin whose tests share a server, a browser, an engine's weights, or a judge: they are one piece
#: of work, or one for each parameter of what they share, which is the first of a test
SHARED_START = {
    "tests/backends/server/test_server_llama.py": False,
    "tests/backends/test_exact.py": False,
    "tests/backends/test_llama_lanes.py": True,
    "tests/backends/test_llama_scoring.py": False,
    "tests/backends/test_llama_slots.py": True,
    "tests/backends/test_llama_split_form.py": False,
    "tests/backends/test_llamacpp.py": False,
    "tests/docs/test_site.py": False,
    "tests/files/test_store_path.py": False,
    "tests/gateway/test_gateway_attacks.py": False,
    "tests/gateway/test_gateway_client.py": False,
    "tests/gateway/test_gateway_fuzz.py": False,
    "tests/gateway/test_gateway_told.py": False,
    "tests/gateway/test_judge_service.py": False,
    "tests/judge/test_judge.py": False,
    "tests/judge/test_judge_foreign.py": False,
    "tests/judge/test_judge_hostile.py": True,
    "tests/judge/test_judge_kinds.py": False,
    "tests/judge/test_judge_limits.py": False,
    "tests/judge/test_judge_observed.py": False,
    "tests/judge/test_judge_references.py": False,
    "tests/judge/test_judge_shared.py": False,
    "tests/judge/test_judge_tasks.py": False,
    "tests/records/test_store_killed.py": False,
    "tests/records/test_two_writers.py": False,
    "tests/report/test_damaged.py": False,
    "tests/report/test_page_": False,
    "tests/report/test_report.py": False,
    "tests/tasks/test_confirm.py": False,
}


#: single tests that take longest begin first, so that no process is left alone with one of them at the end
LONGEST = (
    "tests/cli/test_cli.py::test_a_stopped_run_goes_on_and_doubles_nothing",
    "tests/judge/test_judge_plain_pytest.py::test_as_plain_pytest_says",
    "tests/tasks/test_spending.py::test_random_tasks_never_spend_more_than_their_budget",
    "tests/judge/test_judge_tasks.py",
    "tests/judge/test_judge_data.py",
    "tests/judge/test_judge_hostile.py",
    "tests/records/test_store_killed.py",
    "tests/report/test_page_",
    "tests/judge/",
    "tests/pipeline/test_kill.py",
    "tests/backends/",
    "tests/test_golden_outputs.py",
)


def rank(nodeid: str) -> int:
    """The place of a test in the order in which tests begin."""
    return next((place for place, start in enumerate(LONGEST) if nodeid.startswith(start)), len(LONGEST))


def piece_of_work(nodeid: str) -> str:
    """What a test is a part of: all that is given to one process at once."""
    start = next((start for start in SHARED_START if nodeid.startswith(start)), None)
    if start is None:
        return nodeid
    parameter = nodeid.partition("[")[2].rstrip("]").partition("-")[0]
    return f"{start}[{parameter}]" if SHARED_START[start] else start


class SharedStart(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a process one piece of work after the other, in the order of the collected tests."""

    def _split_scope(self, nodeid: str) -> str:
        return piece_of_work(nodeid)

    def remove_node(self, node: Any) -> str | None:
        """What a process that ends had before it goes to others, but for the test that killed it, which is returned."""
        left = self.assigned_work.pop(node)
        killer = next((nodeid for unit in left.values() for nodeid, done in unit.items() if not done), None)
        for unit in left.values():
            unit |= {killer: True} if killer in unit else {}
        self.workqueue.update({scope: unit for scope, unit in left.items() if not all(unit.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return killer

    def schedule(self) -> None:
        """Two pieces of work for a process that comes late: it begins the first when it knows of a second."""
        late = self.collection is not None
        super().schedule()
        for node in self.nodes if late else ():
            self._reschedule(node)
