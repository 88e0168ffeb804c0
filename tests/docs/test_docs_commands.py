"""Which lines of a page count as command lines, for `tools/docs_commands.py`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from docs_commands import _lines_of

PAGE = """
```sh
$ isobudget passk a.jsonl     # why
echo isobudget
```

    isobudget curves b.jsonl

```toml
    isobudget = "no command"
```

```
isobudget profile c
```

```bash
isobudget run d --cluster local
```
"""


def test_blocks_of_a_shell_or_no_language_and_indented_lines() -> None:
    assert sorted(_lines_of(PAGE)) == [
        "isobudget curves b.jsonl",
        "isobudget passk a.jsonl     # why",
        "isobudget profile c",
        "isobudget run d --cluster local",
    ]
