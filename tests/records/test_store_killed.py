"""Whatever is done to a run may be stopped at any change of what is stored: nothing finished is lost, and it goes on.

`make soak-store` stops each kind of work at 50 moments, on the disk and in S3.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.files.lease import release_other
from isobudget.files.store_path import StorePath, place
from isobudget.files.whole import remove_folder
from isobudget.records.check import check_run
from isobudget.records.run import Run
from support.s3 import BUCKET, s3_server
from support.store_work import ACTIONS, PROBLEMS, SAMPLES, Workers

MOMENTS = int(os.environ.get("STORE_KILLS", "2"))
#: about how often each kind of work changes what is stored
CHANGES = {"write": 40, "import": 50, "judge": 25, "compact": 25}
#: what a stopped writer may leave; nothing of it loses a row
LEFT = {"unlisted", "left over", "unfinished", "twice"}


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as env, pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        yield env


@pytest.fixture(scope="module")
def workers(s3: dict[str, str]) -> Iterator[Workers]:
    made = Workers(s3)
    yield made
    made.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("source") / "results.jsonl"
    with path.open("w") as file:
        for task in range(PROBLEMS):
            for index in range(SAMPLES):
                one = {"task_id": f"p/{task}", "model": "m", "completion": f"    return {index}\n"}
                file.write(json.dumps(one | {"passed": index % 2 == 0, "completion_tokens": 4}) + "\n")
    return str(path)


def content(where: str) -> dict[str, list[tuple[object, ...]]]:
    """The rows of a run, in an order of their own."""
    run = Run(place(where), {})
    tables = {
        "problems": [(one.benchmark, one.task_id, one.prompt) for one in run.problems().values()],
        "samples": [(*row.key, row.text) for row in run.samples()],
        "verdicts": [(*row.key, row.passed) for row in run.verdicts()],
    }
    return {name: sorted(rows) for name, rows in tables.items()}


def began(workers: Workers, action: str, where: str) -> None:
    """What has to be there before the work begins."""
    if action in ("judge", "compact"):
        assert workers.do("write", where)
    if action == "compact":
        assert workers.do("judge", where)


def copied(source: str, target: str) -> None:
    """Copy all files of a run; nothing is made where the source is not there."""
    root = place(source)
    files = root.walk_objects() if isinstance(root, StorePath) else filter(Path.is_file, root.rglob("*"))
    for one in files:
        there = place(target) / one.relative_to(root)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(one.read_bytes())


@pytest.mark.parametrize("where", ["disk", "s3"])
@pytest.mark.parametrize("action", ACTIONS)
def test_work_that_is_stopped_goes_on_and_loses_nothing(
    workers: Workers, source: str, tmp_path: Path, where: str, action: str
) -> None:
    root = str(tmp_path) if where == "disk" else f"{BUCKET}/{action}"
    whole, base = f"{root}/whole", f"{root}/base"
    began(workers, action, whole)
    copied(whole, base)
    before = content(whole) if action in ("judge", "compact") else {}
    assert workers.do(action, whole, source=source)
    expected = content(whole)
    assert len(expected["samples"]) == PROBLEMS * SAMPLES
    dice = random.Random(f"{action} {where}")
    stopped = 0
    while stopped < MOMENTS:
        run = f"{root}/stopped-{stopped}"
        copied(base, run)
        for _ in range(2):
            if workers.do(action, run, dice.randrange(1, CHANGES[action]), source=source):
                break
            stopped += 1
            release_other(place(run))  # else its lease would have to end by its time
            if (place(run) / "run.toml").exists():
                checked = check_run(run)
                assert {one.kind for one in checked.findings} <= LEFT, str(checked)
                there = content(run)
                assert all(set(rows) <= set(there[name]) for name, rows in before.items())
                if action == "import" and not any(one.kind == "unfinished" for one in checked.findings):
                    break  # it was at its end, and does not begin again
        else:
            assert workers.do(action, run, source=source)
        assert content(run) == expected
        assert check_run(run, repair=True).whole
        assert content(run) == expected
        remove_folder(place(run))  # the server walks through the whole bucket to list a folder
    remove_folder(place(root))
