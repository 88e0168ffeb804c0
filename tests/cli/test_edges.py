"""Small things that a reader of the command line meets: long orders, sums, paths, early Ctrl-C, counts of mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from isobudget import api, records
from isobudget.cli.dry_run import print_dry_run
from isobudget.cluster.connect import own_cores, room_note
from isobudget.errors import InputError, MissingExtraError, StudyError
from isobudget.grid import Grid
from isobudget.importers.read import read_results
from isobudget.pipeline.dry_run import DryRun, PlannedReplicas
from isobudget.policies import Schedule
from isobudget.report.tables.plan import plan_grids
from isobudget.report.tables.terminal import grids_text
from isobudget.solving.sentence import every_step, shown_steps
from isobudget.study.check import Mistake, raise_mistakes
from support.command import isobudget

#: the recorded run that ships
_EXAMPLE = Path(records.__file__).parent / "data" / "example"


def test_an_order_that_is_cut_can_be_had_in_full() -> None:
    schedule = Schedule(tuple((arm, count) for count in range(1, 9) for arm in "ab"))
    assert "more steps" in shown_steps(schedule)
    assert every_step(schedule).count(" x ") == 16


def test_tables_end_without_blanks() -> None:
    text = grids_text([Grid("A", ("one", "two"), (("x", "1"), ("", "")), notes=("a note",))])
    assert all(line == line.rstrip() for line in text.splitlines())


def test_replicas_have_a_sum_and_no_gpu_hours_without_gpus(capsys: pytest.CaptureFixture[str]) -> None:
    on_cores = PlannedReplicas("a", 2, 0, 0.0, 1.0, None)
    on_gpus = PlannedReplicas("b", 2, 4, 8.0, 2.0, 16.0)
    print_dry_run(DryRun("mine", Path("runs/mine"), (), (), (), (on_cores, on_gpus)))
    cells = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.split()}
    assert cells["a"][:3] == ["2", "0", "-"]
    assert cells["in"][:3] == ["all", "4", "8.0"]
    assert cells["in"][-1] == "$16"


def test_more_replicas_than_there_is_room_for_are_remarked() -> None:
    assert "one replica of each model is assumed" in room_note("local", None, 0)
    assert room_note("local", 1, 0) == ""
    assert f"this machine has {own_cores()} cores" in room_note("local", own_cores() + 1, 0)
    assert "with 8 GPUs in all is known only" in room_note("auto", 4, 8)


def test_a_missing_part_that_two_models_need_is_one_mistake() -> None:
    missing = MissingExtraError("vLLM", "vllm")
    twice = [Mistake(("models", at, "backend"), str(missing), missing) for at in (0, 1)]
    with pytest.raises(MissingExtraError):
        raise_mistakes(twice, "", "study.toml")
    with pytest.raises(StudyError, match=r"study.toml: 2 mistakes\n.*models.0.*models.1.*vllm.*\n.*n: is missing$"):
        raise_mistakes([*twice, Mistake(("n",), "is missing")], "models = []\n", "study.toml")


def test_a_source_with_a_name_before_it_says_how_models_are_called(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"task_id": "p", "passed": true}\n')
    with pytest.raises(InputError, match=r"rename the file to 7b\.jsonl, or add the field"):
        read_results(f"7b={tmp_path / 'r.jsonl'}")


def test_doctor_breaks_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    shown = isobudget("doctor").stdout
    folded = " ".join(shown.split())
    for check in api.doctor():
        if check.area != "machine":
            assert f"{check.name} {check.found}" in folded
    assert all(line == line.rstrip() and "…" not in line for line in shown.splitlines())


def test_first_pass_below_fixed_k_says_that_it_is_of_another_model() -> None:
    plan = api.plan(_EXAMPLE, unit="flops", budget="8x", replicates=200)
    success = {row.policy: row.success for row in plan.rows}
    shown = grids_text(plan_grids(plan))
    assert ("first pass, other model" in shown) is (success["first_pass"] < success["fixed_k"])
    assert success["first_pass"] < success["fixed_k"]


def test_ctrl_c_while_the_command_line_is_loaded_ends_with_130() -> None:
    code = (
        "import sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\n"
        "from isobudget.start import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "\nInterrupted.\n")
