"""Harbor's jobs: `jobs/JOB/TRIAL/result.json`, one trial of an agent at a task.

A trial counts as judged if Harbor itself counts it (`harbor/utils/pass_at_k.py`): it has exactly one reward, 0 or 1,
that is not declared invalid. All other trials, including those that ended in an exception, count as not judged. The
model's name combines agent and model. Input tokens include cached ones; seconds are the agent's.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.files.jsonl import parse_json
from isobudget.files.values import is_number
from isobudget.files.whole import read_text
from isobudget.importers.base import ImportTally
from isobudget.importers.fields import amount_if_known, shown, whole_if_known
from isobudget.importers.records import OUTPUT, Record, Sample
from isobudget.importers.source import Shape, Source

_FILE = "result.json"
_MOST_BYTES = 64 * 2**20


class Harbor:
    """A trial's result, a job's folder, or the folder of jobs."""

    name = "harbor"
    help = "Harbor's trials: a job's folder, or a trial's result.json"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the document, or a `result.json` in the folder, has `trial_name` and `task_name`."""
        if source.shape is not Shape.FOLDER:
            return _is_trial(source.first)
        return any(_is_trial(_json(path)) for path in _results(source.path)[:20])

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The trials, in the order of their folders' names."""
        if source.shape is not Shape.FOLDER:
            yield _trial(source.first, str(source.path), tally)
            return
        seen: set[str] = set()
        for path in _results(source.path):
            result = _json(path)
            if not _is_trial(result):
                continue
            key = str(result.get("id") or path)
            if key in seen:
                tally.leave("duplicates")
                continue
            seen.add(key)
            yield _trial(result, str(path), tally)


def _results(folder: Path) -> list[Path]:
    return sorted(path for depth in ("", "*/", "*/*/") for path in folder.glob(depth + _FILE) if path.is_file())


def _json(path: Path) -> Any:
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path}: larger than {_MOST_BYTES // 2**20} MiB, so this is not a trial's result")
    return parse_json(read_text(path), str(path))


def _is_trial(result: Any) -> bool:
    return isinstance(result, dict) and "trial_name" in result and "task_name" in result


def _trial(result: dict[str, Any], where: str, tally: ImportTally) -> Sample:
    task, agent = result["task_name"], _table(result, "agent_info")
    model = _table(agent, "model_info")
    names = [str(one) for one in (agent.get("name"), model.get("name")) if one]
    if not isinstance(task, str) or not all(one.isprintable() and one for one in (task, *names)):
        raise InputError(f"{where}: its task or agent has characters that cannot be printed: {shown(task)}")
    spent = _table(result, "agent_result")
    prompt, completion = (whole_if_known(spent.get(key), key, tally) for key in ("n_input_tokens", "n_output_tokens"))
    return Sample(
        task,
        _passed(result, tally),
        0,
        None,
        OUTPUT,
        " ".join(names),
        outcome="error" if result.get("exception_info") else "",
        prompt_tokens=prompt,
        completion_tokens=completion,
        seconds=_seconds(_table(result, "agent_execution")),
        usd=amount_if_known(spent.get("cost_usd"), "cost_usd", tally),
    )


def _table(result: dict[str, Any], key: str) -> dict[str, Any]:
    value = result.get(key)
    return value if isinstance(value, dict) else {}


def _passed(result: dict[str, Any], tally: ImportTally) -> bool | None:
    rewards = _table(_table(result, "verifier_result"), "rewards")
    valid = result.get("reward_valid")
    if len(rewards) != 1 or valid is False:
        return None
    (reward,) = rewards.values()
    if is_number(reward) and reward in (0, 1):
        return bool(reward)
    if reward is not None:
        tally.note(f"rewards other than 0 and 1 (such as {shown(reward)}) are no verdicts: these trials are not judged")
    return None


def _seconds(times: dict[str, Any]) -> float | None:
    try:
        began, ended = (
            datetime.fromisoformat(str(times[key]).replace("Z", "+00:00")) for key in ("started_at", "finished_at")
        )
        return max(0.0, (ended - began).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None
