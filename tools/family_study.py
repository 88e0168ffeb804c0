"""Write a study of three sizes of one family, with the hub's newest commits: for `make demo FAMILY=...`.

    python tools/family_study.py qwen2.5-coder runs/family.toml

It needs access to the Hugging Face hub.
"""

from __future__ import annotations

import sys
from pathlib import Path

from isobudget.errors import IsobudgetError
from isobudget.files.hub import commit_of
from isobudget.files.whole import write_whole

#: family -> its models: name, repository, file, and samples of each problem
FAMILIES = {
    "qwen2.5-coder": [
        ("qwen2.5-coder-0.5b", "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 20),
        ("qwen2.5-coder-1.5b", "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", 6),
        ("qwen2.5-coder-3b", "Qwen/Qwen2.5-Coder-3B-Instruct-GGUF", "qwen2.5-coder-3b-instruct-q4_k_m.gguf", 5),
    ],
}


def study(family: str, commits: dict[str, str]) -> str:
    """The study's text; `commits` has one for each repository."""
    lines = [f'name = "demo-{family}"', 'benchmarks = ["demo"]', "", "[sampling]", "max_tokens = 200"]
    for name, repo, file, n in FAMILIES[family]:
        lines += ["", "[[models]]", f'name = "{name}"', f'model = "hf:{repo}/{file}@{commits[repo]}"', f"n = {n}"]
    return "\n".join(lines) + "\n"


def main() -> int:
    family, path = sys.argv[1], Path(sys.argv[2])
    if family not in FAMILIES:
        print(f"unknown family {family!r}; known: {', '.join(FAMILIES)}", file=sys.stderr)
        return 2
    if path.exists():  # the commits of a run that has begun
        return 0
    try:
        commits = {repo: commit_of(repo) for _, repo, _, _ in FAMILIES[family]}
    except IsobudgetError as error:
        print(f"error: {error}\n`make demo` without FAMILY takes its models from the package index", file=sys.stderr)
        return 2
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, study(family, commits).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
