"""The facts that a run folder states about itself (``run.toml``), and which may not change once samples are recorded.

Samples of one run must be comparable: the same problems, sampling and weights. A study may later ask for more samples,
more problems, another model or benchmark; everything else that differs is an error that names the field.
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomli_w

from isobudget.errors import RunError, RunMismatchError
from isobudget.files.lease import fresh_nonce, put_held
from isobudget.files.near import RUN_FILE, entries, near_paths, run_folders
from isobudget.files.store_path import StorePath
from isobudget.files.toml import read_toml
from isobudget.judge.verdict import RULES
from isobudget.records.fact_types import wrong_facts

#: 3: a manifest says which parts count
#: 2: samples may record what their prompt took apart from `seconds` (1: it was part of them)
FORMAT = 3
#: the field that names an unfinished operation, which has to start over
UNFINISHED = "unfinished"

#: the table of confinement: layer -> whether it was active around every judged sample
JUDGE_LAYERS = "judge_layers"
#: facts about new verdicts that are about to replace all old ones, and `parts`, the parts that hold the old ones
ANEW = "judging_anew"
#: facts that are about the verdicts
OF_VERDICTS = ("judge", "judge_rules", "extraction", JUDGE_LAYERS)

#: the field of a checksum: of a model's weights, or of its first prompt
_SHA256 = "sha256"

_LONG_MESSAGE = 200

#: Fields of a table that describe how it was made, not what it is: the newest statement stands. (The commit is known
#: only when the model has been loaded, and is compared by itself.)
_FREE = {
    "benchmarks": {"problems", "source"},
    "models": {
        "engine",
        "file",
        "url",
        "served",
        "repeatable",
        "notes",
        "architecture_source",
        "commit",
        "price",
        "devices",
    },
}
#: Values with which a run was made that does not state a field, because the run is older than the field.
_UNSTATED: dict[str, dict[str, Any]] = {"benchmarks": {}, "models": {"backend": "llama.cpp"}}
#: the backend that is stated for models whose samples were imported
IMPORTED = "imported"
#: the field of a model whose imported samples were only counts, so that it is not known which of them passed
COUNTED = "counted"
#: The extraction rule that takes outputs as they are. Runs that state no rule used this one.
AS_IT_IS = "none"


def new_facts(name: str) -> dict[str, Any]:
    """The facts of a new run."""
    return {
        "format": FORMAT,
        "name": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "isobudget": version("isobudget"),
        "machine": {
            "platform": platform.platform(),
            "processor": processor_name(),
            "python": platform.python_version(),
        },
        "benchmarks": {},
        "models": {},
    }


def processor_name() -> str:
    """The processor's name as reported by the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()


def read_facts(folder: Path) -> dict[str, Any]:
    """The facts of the run in `folder`.

    Raises:
        RunError: there is no run, its run.toml is damaged, or it was made by a newer isobudget.
    """
    path = folder / RUN_FILE
    try:
        facts = read_toml(path, RunError)
    except RunError as error:
        if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            raise
        raise RunError(f"{folder}: {_what_else(folder)}") from None
    stated = facts.get("format")
    if type(stated) is not int or stated < 1:
        fault = "states no format" if stated is None else f"format = {str(stated)[:40]} is not a run format"
        raise RunError(f"{path}: {fault}; was the file edited or cut? Put back the original.")
    if stated > FORMAT:
        ours = f"isobudget {version('isobudget')}"
        raise RunError(f"{path}: {ours} does not support format {stated}; use a newer isobudget")
    if wrong := wrong_facts(facts):
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise RunError(f"{path}: {wrong[0][:_LONG_MESSAGE]}{more}; was the file edited? Put back the original value.")
    return facts


def _what_else(folder: Path) -> str:
    """What is found at a path that is not a run, and which runs are near. A missing name with a suffix is a file's."""
    if folder.is_file():
        return "not a run folder, but a file"
    if isinstance(folder, StorePath) and not entries(folder):
        return f"not a run folder (it has no {RUN_FILE}){near_paths(folder, runs=True)}"
    if folder.is_dir():
        return f"not a run folder (it has no {RUN_FILE}){run_folders(entries(folder))}"
    missing = "cannot be read: No such file or directory" if folder.suffix else "not a run folder: nothing is there"
    return f"{missing}{'' if folder.suffix else f' (no {RUN_FILE})'}{near_paths(folder, runs=True)}"


def model_notes(facts: dict[str, Any]) -> list[str]:
    """The remarks of the models' backends during generation: one sentence each, after the model's name."""
    return [f"{model}: {note}" for model, said in facts.get("models", {}).items() for note in said.get("notes", [])]


def rules_note(facts: dict[str, Any]) -> str:
    """A note that the verdicts follow other judge rules than this isobudget's; an empty string if they do not."""
    if "judge" not in facts or facts.get("judge_rules") == RULES:
        return ""
    stated = facts.get("judge_rules")
    rules = "rules of an unstated version" if stated is None else f"version {stated} of the rules"
    return f"the run's verdicts were made by {rules}, but this isobudget judges by version {RULES}"


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write the facts, completely or not at all."""
    text = tomli_w.dumps(facts, multiline_strings=False)
    nonce = f"# {fresh_nonce()}\n" if isinstance(folder, StorePath) else ""
    put_held(folder / RUN_FILE, (nonce + text).encode())


def begin_writing(folder: Path) -> dict[str, Any]:
    """The facts of a run locked for writing, upgraded to the current format so that older versions refuse the run.

    In an object store the facts are always rewritten, which locks out a writer whose lease has expired.

    Raises:
        RunError: as `read_facts`, or another writer has taken over.
        StorageError: the facts cannot be written.
    """
    facts = read_facts(folder)
    if facts["format"] < FORMAT or isinstance(folder, StorePath):
        facts["format"] = FORMAT
        write_facts(folder, facts)
    return facts


def merge(facts: dict[str, Any], kind: str, name: str, new: dict[str, Any], folder: Path) -> None:
    """Add `new` facts about the benchmark or model `name` (`kind`: "benchmarks" or "models").

    Raises:
        RunError: the run already states a different value; the message names the field.
    """
    tables = facts.setdefault(kind, {})
    old = tables.get(name)
    if old is None:
        tables[name] = new
        return
    before = _UNSTATED[kind] | {field: value for field, value in old.items() if field != "prompts"}
    fresh = {field: value for field, value in new.items() if field != "prompts"}
    if "commit" in before and fresh.get("revision") == before["commit"]:
        before["revision"] = fresh["revision"]  # the study pins what was loaded under another name
    _check_commit(before, fresh, name, folder)
    for field in sorted(set(before) | set(fresh)):
        if field not in _FREE[kind] and before.get(field) != fresh.get(field):
            if field == _SHA256 and before.get(field) and fresh.get(field):
                raise _mismatch(folder, f"the weights of {name} differ from those that this run was made with")
            raise _otherwise(folder, f"{kind}.{name}.{field}", before.get(field), fresh.get(field))
    tables[name] = _UNSTATED[kind] | old | new
    if "prompts" in old or "prompts" in new:
        tables[name]["prompts"] = _merge_prompts(facts, old, new, name, folder)


def _check_commit(before: dict[str, Any], fresh: dict[str, Any], name: str, folder: Path) -> None:
    """Refuse a model from the Hub if its commit is not the one with which the run began."""
    made, now = before.get("commit"), fresh.get("commit")
    if made is not None and now is not None and made != now:
        raise RunMismatchError(
            f"{folder}: the samples of {name} are of commit {made} of {fresh.get('model', 'its repository')}, but "
            f"commit {now} was loaded now. Samples of one run must be comparable: set revision = {made!r} in "
            "the study, or use another folder (--out)."
        )


def _merge_prompts(
    facts: dict[str, Any], old: dict[str, Any], new: dict[str, Any], model: str, folder: Path
) -> dict[str, Any]:
    """Merge how a model's prompts are made, by benchmark: new benchmarks may be added, existing ones may not change."""
    stated = old.get("prompts")
    if stated is None:
        stated = {name: first_prompts(old) for name in facts.get("benchmarks", {}) if name in new["prompts"]}
    for benchmark, fields in new.get("prompts", {}).items():
        for field, value in stated.get(benchmark, {}).items():
            if fields.get(field) != value:
                if field == _SHA256:  # the format has the same name; its text, its examples or the problem changed
                    what = f"the prompts of {benchmark} (model {model}) differ from those that this run was made with"
                    raise _mismatch(folder, what)
                raise _otherwise(folder, f"models.{model}.prompts.{benchmark}.{field}", value, fields.get(field))
    return {**stated, **new.get("prompts", {})}


def first_prompts(model: dict[str, Any]) -> dict[str, str]:
    """The prompt format and extraction rule of runs that are too old to state them."""
    return {"format": "completion", "extraction": AS_IT_IS, "newline": model.get("prompt_newline", "keep")}


def _otherwise(folder: Path, field: str, before: Any, now: Any) -> RunMismatchError:
    stated, asked = _difference(before, now)
    return _mismatch(folder, f"this run was made with {field} = {stated}, but the study says {asked}")


def _mismatch(folder: Path, what: str) -> RunMismatchError:
    return RunMismatchError(f"{folder}: {what}. Samples of one run must be comparable: use another folder (--out).")


def _difference(old: Any, new: Any) -> tuple[str, str]:
    """Two values as texts for a message. Of two long lists, only the items that the other list lacks are shown."""
    if isinstance(old, list) and isinstance(new, list) and len(repr(old)) + len(repr(new)) > _LONG_MESSAGE:
        gone, come = ([one for one in a if one not in b] for a, b in ((old, new), (new, old)))
        return f"[... {gone} ...]", f"[... {come} ...]"
    return repr(old), repr(new)
