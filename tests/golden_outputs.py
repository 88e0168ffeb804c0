"""What every command shows for fixed inputs: run, recorded in `golden/outputs`, and compared.

`golden/cases.toml` lists the commands and their files. Each runs in this process in a folder of its own, which holds
these files, and a copy of `golden/run` where the command names `run`. That run was made once, by an older version,
from the answers of `golden_server`; its times and joules are made up. `make golden-outputs` records them again.

`golden/json_changes.toml` states what has been renamed, scaled, added or removed since the outputs were recorded.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import platform
import re
import shlex
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from golden_server import golden_server
from support.command import isobudget

GOLDEN = Path(__file__).resolve().parent / "golden"
OUTPUTS = GOLDEN / "outputs"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
#: on which the last digits of a sum or a logarithm depend; of BLAS, for which processor its kernels are
MADE_WITH = {
    "python": ".".join(platform.python_version_tuple()[:2]),
    "numpy": np.__version__,
    "blas": ",".join(sorted({str(one.get("architecture")) for one in threadpool_info() if one["user_api"] == "blas"})),
}
_WRONG = tomllib.loads((GOLDEN / "wrong.toml").read_text("utf-8"))
_CASES = tomllib.loads((GOLDEN / "cases.toml").read_text("utf-8"))
END = "\x1f"
MASKED = "MASKED"
_ENVIRONMENT = {
    "COLUMNS": "200",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "NO_PROXY": "127.0.0.1",
    "ISOBUDGET_MODELS": "models",
    "ISOBUDGET_MODELS_TOML": "own-models.toml",
}


@dataclass(frozen=True)
class Case:
    """One command, by the group and name that stay when its options are renamed."""

    group: str
    name: str
    command: str
    before: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.group}/{self.name}"


def all_cases() -> list[Case]:
    """Every case of `cases.toml`."""
    found = []
    for group, cases in _CASES["cases"].items():
        for name, said in cases.items():
            known = {"command": said} if isinstance(said, str) else said
            lists = {key: tuple(known.get(key, ())) for key in ("before", "writes")}
            found.append(Case(group, name, known["command"], **lists))
    for one in _WRONG["wrong"]:
        for name, text in one["texts"].items():
            files = {one["file"]: one.get("head", "") + text + "\n"}
            found.append(Case(one["group"], name, one["command"], files=files))
    return found


def run_case(case: Case, server: str, *, masked: bool = True) -> dict[str, Any]:
    """The exit code of a case and what it showed: `documents` as JSON, `texts`, and `error` where it failed."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, _environment():
        os.chdir(folder)
        try:
            _lay_out(case, server)
            for command in case.before:
                _invoke(command, server)
            code, out, err = _invoke(case.command, server)
            shown = {"output": out} | {
                name: Path(name).read_text("utf-8") for name in case.writes if Path(name).exists()
            }
        finally:
            os.chdir(here)
    found: dict[str, Any] = {"exit": code, "documents": {}, "texts": {}} | ({"error": err} if code else {})
    for name, text in shown.items():
        kind, value = _read(name, text, "--json" in case.command)
        found[kind] |= {name: value} if text else {}
    names = {str(Path(folder).resolve()): "FOLDER", server.split("/")[2]: "SERVER", str(SHARED_DATA): "DATA"}
    found = _replaced(found, {re.escape(old): new for old, new in names.items()})
    return _masked(case.group, found) if masked else found


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(_ENVIRONMENT)
    for name in ("ISOBUDGET_DATA", "OPENAI_API_KEY"):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _lay_out(case: Case, server: str) -> None:
    shutil.copy(GOLDEN / "own.jsonl", "own.jsonl")
    for name, text in (_CASES["files"] | dict(case.files)).items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text.replace("SERVER", server), "utf-8")
    Path("folder").mkdir()
    if any("run" in shlex.split(command)[1:] for command in (*case.before, case.command)):
        shutil.copytree(GOLDEN / "run", "run")


def _invoke(command: str, server: str) -> tuple[int, str, str]:
    done = isobudget(*shlex.split(command.format(data=SHARED_DATA, server=server)))
    return done.returncode, done.stdout, done.stderr


def _read(name: str, text: str, as_json: bool) -> tuple[str, Any]:
    if name.endswith(".jsonl"):
        return "documents", [json.loads(line) for line in text.splitlines()]
    if text.strip() and (name.endswith(".json") or (name == "output" and as_json)):
        return "documents", json.loads(text)
    plain = re.sub(r"<style.*?</style>|<svg.*?</svg>|<[^>]*>", " ", text, flags=re.DOTALL) if "<html" in text else text
    return "texts", re.sub(r"[ \t]+", " ", plain) if plain is not text else plain


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {_replaced(key, names): _replaced(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, names) for inner in value]
    for old, new in names.items() if isinstance(value, str) else ():
        value = re.sub(old, new, value)
    return value


def _masked(group: str, found: dict[str, Any]) -> dict[str, Any]:
    """Without what differs by nature: see `masks` of the cases."""
    hidden = [regex(pattern) for pattern in _CASES["masks"].get(group, ())]
    documents = {name: _without(document, hidden) for name, document in found["documents"].items()}
    return _replaced(found | {"documents": documents}, _CASES["masks"]["text"])


def _without(value: Any, hidden: list[re.Pattern[str]], at: str = "") -> Any:
    if any(one.fullmatch(at) for one in hidden):
        return MASKED
    if isinstance(value, dict):
        return {key: _without(inner, hidden, f"{at}{key}{END}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, hidden, f"{at}{place}{END}") for place, inner in enumerate(value)]
    return value


def regex(pattern: str) -> re.Pattern[str]:
    """Of paths below a dotted pattern: `*` is any one key or place in a list, `**` any number of them."""
    kinds = {"*": f"([^{END}]+{END})", "**": f"((?:[^{END}]+{END})*)"}
    return re.compile("".join(kinds.get(part, re.escape(part + END)) for part in pattern.split(".")))


def recorded(group: str) -> dict[str, Any]:
    """The outputs of a group's cases as they were recorded, by name."""
    found: dict[str, Any] = json.loads(gzip.decompress((OUTPUTS / f"{group}.json.gz").read_bytes()))
    return found


def record(folder: Path, *, masked: bool) -> None:
    """Run every case and write its group's file; masked ones are compressed."""
    groups: dict[str, dict[str, Any]] = {}
    with golden_server() as server:
        for case in all_cases():
            if "{data}" not in case.command or SHARED_DATA.is_dir():
                groups.setdefault(case.group, {})[case.name] = run_case(case, server, masked=masked)
    folder.mkdir(parents=True, exist_ok=True)
    for group, found in {**groups, "made_with": MADE_WITH}.items():
        text = json.dumps(found, sort_keys=True, indent=None if masked else 1).encode()
        if masked:
            (folder / f"{group}.json.gz").write_bytes(gzip.compress(text, mtime=0))
        else:
            (folder / f"{group}.json").write_bytes(text)


if __name__ == "__main__":
    record(Path(sys.argv[1]) if sys.argv[1:] else OUTPUTS, masked="--raw" not in sys.argv)
