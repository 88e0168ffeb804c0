"""Folders of judges that were killed are cleared away; those of living ones, young ones and others' are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from isobudget.judge.scratch import ScratchFolder, remove_abandoned

MAKES_ONE = """
from isobudget.judge.scratch import ScratchFolder
folder = ScratchFolder()
folder.make()
print(folder.path, flush=True)
input()
"""
LONG_AGO = (0, 0)


def maker(place: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has made a folder with something in it and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKES_ONE],
        env=os.environ | {"TMPDIR": str(place)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    (folder / "1" / "deep").mkdir(parents=True)
    (folder / "1" / "deep" / "file").write_text("left by a sample")
    os.utime(folder, LONG_AGO)
    return process, folder


def test_what_killed_judges_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (killed, left), (alive, held) = maker(tmp_path), maker(tmp_path)
    with killed, alive:
        killed.kill()
        killed.wait()
        others = tmp_path / "isobudget-other"
        others.mkdir()
        file = tmp_path / "isobudget-judge-file"
        file.write_text("a file of that name")
        target = tmp_path / "target"
        (target / "inner").mkdir(parents=True)
        link = tmp_path / "isobudget-judge-link"
        link.symlink_to(target)
        young = tmp_path / "isobudget-judge-young"
        young.mkdir()
        for one in (others, file, target):
            os.utime(one, LONG_AGO)
        os.utime(link, LONG_AGO, follow_symlinks=False)
        assert remove_abandoned(str(tmp_path)) == 1
        assert not left.exists()
        assert all(one.exists() for one in (held / "1" / "deep" / "file", others, file, target / "inner", link, young))
        alive.kill()


def test_a_folder_is_removed_with_what_is_in_it() -> None:
    folder = ScratchFolder()
    folder.make()
    path = Path(folder.path)
    (path / "1").mkdir()
    assert path.stat().st_mode & 0o777 == 0o711
    folder.remove()
    assert not path.exists()
    assert folder.path == ""
    folder.remove()  # of none is nothing
