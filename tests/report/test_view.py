"""`isobudget view`: the page of a run that goes on, over real connections and in a real browser."""

from __future__ import annotations

import html
import json
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.costs.cost import Unit
from isobudget.curves import Bootstrap
from isobudget.errors import InputError, RunError
from isobudget.records.compact import compact
from isobudget.records.parts import part_paths
from isobudget.records.run import Run
from isobudget.report.contents import Asked
from isobudget.report.live import Live, make_server
from isobudget.report.progress import RunProgress
from support.browser import Opened
from support.synthetic_run import PAIR, synthetic_run

ASKED = Asked((Unit.FLOPS,), bootstrap=Bootstrap(replicates=200))


@contextmanager
def served(run: Path) -> Iterator[int]:
    """A run's page on a free port, for as long as it is needed."""
    with make_server(run, 0, ASKED) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def asked(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    """Status, content and headers of an answer; `Host` is the server's unless it is given."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer.status, content, {name.lower(): value for name, value in answer.getheaders()}


def halves(run: Run, made: Run) -> None:
    """Add half of the verdicts of a finished run to one that goes on; what is there already is left out."""
    have = {row.key for row in run.verdicts()}
    rest = [row for row in made.verdicts() if row.key not in have]
    with run.writing(), run.verdict_writer() as writer:
        writer.add([row for row in rest if row.index < 10 or have])


@pytest.fixture
def going(tmp_path: Path) -> tuple[Run, Run]:
    """A run of which nothing is judged, and the same finished."""
    run = synthetic_run(tmp_path / "going", PAIR, {"b": 6}, judged=False)
    return run, synthetic_run(tmp_path / "made", PAIR, {"b": 6})


def test_the_page_follows_the_run(going: tuple[Run, Run]) -> None:
    run, made = going
    with served(run.path) as port:
        status, text, headers = asked(port, "/")
        assert (status, headers["cache-control"]) == (200, "no-store")
        assert "none of its samples is judged yet" in text
        before = json.loads(asked(port, "/live.json")[1])
        assert {name: one["judged"] for name, one in before["models"].items()} == {"small-135m": 0, "large-1.5b": 0}
        halves(run, made)
        middle = json.loads(asked(port, "/live.json")[1])
        assert middle["version"] != before["version"]
        assert '"k":[1,2,3,4,5,6,7,8,9,10]' in asked(port, "/")[1]
        halves(run, made)
        after = json.loads(asked(port, "/live.json")[1])
        assert '"k":[1,2,3,4,5,6,7,8,9,10,11,12,' in asked(port, "/")[1]
        for name, one in after["models"].items():
            own = [row for row in made.verdicts() if row.model == name]
            assert (one["judged"], one["passed"]) == (len(own), sum(row.passed for row in own))
            sampled = [row.passed for row in own if not row.greedy]
            assert len(sampled) < len(own)
            assert (one["sampled_judged"], one["sampled_passed"]) == (len(sampled), sum(sampled))
            seconds = sum(row.seconds for row in made.samples() if row.model == name)
            assert one["spent"]["seconds"] == pytest.approx(seconds)


def test_only_this_machine_s_own_browser_is_served(going: tuple[Run, Run]) -> None:
    run, made = going
    halves(run, made)
    with served(run.path) as port:
        for path in ("/", "/live.json", "/texts/b-001.js"):
            assert asked(port, "/")[0] == 200
            assert asked(port, path, Host=f"localhost:{port}")[0] == 200
            for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port}.evil.example", ""):
                assert asked(port, path, Host=host)[0] == 403
            for site in ("cross-site", "same-site"):
                assert asked(port, path, Sec_Fetch_Site=site)[0] == 403
            assert asked(port, path, Sec_Fetch_Site="same-origin")[0] == 200
        for path in ("/run.toml", "/../run.toml", "/texts/../../run.toml", "//etc/passwd", "/texts/b-002.js"):
            assert asked(port, path)[0] == 404
        assert asked(port, "/", "POST")[0] == 501
        assert asked(port, "/", "HEAD")[1] == ""


def test_a_browser_that_goes_away_leaves_no_trace(going: tuple[Run, Run], capfd: pytest.CaptureFixture[str]) -> None:
    with make_server(going[0].path, 0, ASKED) as server, ThreadPoolExecutor(1) as pool:
        serving, port = pool.submit(server.serve_forever, 0.02), server.server_port
        live: Live = server.RequestHandlerClass.live  # type: ignore[attr-defined]
        with live._lock:  # no page is made before the browsers are gone
            for lingering in (struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)):  # by a reset, and by an ordinary end
                with socket.create_connection(("127.0.0.1", port), timeout=30) as browser:
                    browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
                    browser.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert asked(port, "/")[0] == 200
        server.shutdown()
        serving.result(30)
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_viewed(tmp_path: Path, going: tuple[Run, Run]) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        make_server(tmp_path, 0)
    with served(going[0].path) as port, pytest.raises(InputError, match=f"port {port}.*--port"):
        make_server(going[0].path, port)
    with pytest.raises(InputError, match="--port"):
        make_server(going[0].path, 70_000)


def test_without_prices_what_is_known_is_shown(tmp_path: Path) -> None:
    rows = [
        {"model": f"m{model}", "task_id": f"t/{task}", "passed": (model + task * at) % 3 == 0}
        for model in range(8)
        for task in range(12)
        for at in range(4)
    ]
    results = tmp_path / "results.jsonl"
    results.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = tmp_path / "run"
    api.import_results(results, run)
    with served(run) as port:
        text = html.unescape(asked(port, "/")[1])
    assert "8 models, 1 benchmark, 384 judged samples. Imported" in text
    assert "needs a price for the samples of every model. State prices with: " in text
    assert f"State prices with: isobudget report {run} --costs FILE" in text
    own = [row["passed"] for row in rows if row["model"] == "m1"]
    assert f"{100 * sum(own) / len(own):.2f} (" in text  # pass@1, for as many samples of every problem
    assert '<th scope="col">pass@2</th>' in text


def test_before_the_first_verdict_the_counts_are_true(going: tuple[Run, Run]) -> None:
    with served(going[0].path) as port:
        assert "2 models, 1 benchmark, 0 judged samples. Begun" in asked(port, "/")[1]


def test_a_part_is_read_once_and_a_damaged_one_is_said(going: tuple[Run, Run]) -> None:
    run, made = going
    progress = RunProgress(run.path)
    first = progress.state()
    assert progress.state() == first
    halves(run, made)
    (run.path / "failures.json").write_text('[{"task_id": "b/1", "reason": "\\u202eno"}]')
    assert progress.state()["failures"] == ["b/1: \ufffdno"]
    (run.path / "failures.json").write_text(json.dumps([{"task_id": f"b/{number}"} for number in range(50)]))
    state = progress.state()
    assert (state["failed"], len(state["failures"]), state["failures"][0]) == (50, 20, "b/0")
    (run.path / "failures.json").write_text('[{"task_')
    assert progress.state()["failures"] == []
    compact(run)
    assert progress.state()["models"] == RunProgress(run.path).state()["models"]
    (part,) = part_paths(run.path / "verdicts")
    part.write_bytes(b"PAR1")
    with served(run.path) as port:
        status, text, _ = asked(port, "/live.json")
        assert status == 500
        assert part.name in json.loads(text)["error"]


def test_in_a_browser(browser: Any, going: tuple[Run, Run]) -> None:
    run, made = going
    with served(run.path) as port:
        shown = Opened(browser)
        tab = shown.go(f"http://127.0.0.1:{port}/")
        tab.wait_for_selector("text=0 judged")
        halves(run, made)
        tab.wait_for_selector("#reached")
        tab.evaluate("() => isobudgetPage.set({ hidden: new Set(['large-1.5b']) })")
        halves(run, made)
        tab.wait_for_function("() => isobudgetPage.version === 1")
        passed = [row.passed for row in made.verdicts() if row.model == "small-135m" and not row.greedy]
        share = f"{100 * sum(passed) / len(passed):.1f}%"
        tab.wait_for_selector(f"[data-part=live] tbody tr:first-child td:nth-child(4):text('{share}')")
        assert tab.evaluate("() => isobudgetPage.comparison(isobudgetPage.state).models['small-135m'].k.length") == 20
        assert tab.locator("#reached tbody tr").count() == 1
        assert "small-135m\t20\t" in tab.inner_text("#benchmark-b")
        shown.close()
