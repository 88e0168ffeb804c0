"""Every tutorial, followed literally in an empty folder: its commands work, and print what the page shows.

Blocks that need models are followed by `make tutorials` instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from follow_docs import blocks, differences, follow, rewritten  # noqa: E402

TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_works_as_it_says(page: Path) -> None:
    assert differences(page) == ""


PAGE = """
```txt title="in/name.txt"
Ada
```

```sh
cat in/name.txt
```

It prints:

```text
Bob
```

<!-- not run: it never ends -->
```sh
sleep 1000
```

```sh
cat in/name.txt
```

<!-- varies: for the test -->
```text
anything
```

```sh
echo one
```

```text
two
```
"""


def test_a_difference_is_shown_and_written(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    shown = differences(path)
    assert "-two" in shown
    assert "+one" in shown
    assert "anything" not in shown
    new = rewritten(path)
    assert "```text\none\n```" in new
    assert "```text\nAda\n```" in new
    assert "Bob" in new, "a block with words between it and the command is not an output"


def test_a_failing_command_is_an_error(tmp_path: Path) -> None:
    import subprocess

    with pytest.raises(subprocess.CalledProcessError):
        list(follow("```sh\nfalse\n```\n", tmp_path))


def test_marks_and_files_are_read() -> None:
    found = blocks(PAGE)
    assert [block.mark for block in found] == [None, None, None, "not run", None, "varies", None, None]
    assert found[0].file == "in/name.txt"
