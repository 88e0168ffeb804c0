"""Inspect's logs (inspect_ai, log version 2): `.eval`, a zip of JSON files, and `.json`, one document.

A sample is one epoch of one problem. Each scorer is a suite, and the first one is the main suite. Scores "C" and 1 mean
passed; "I", "N" and 0 mean failed; "P" and numbers between 0 and 1 are partial and count as not passed. A scorer with
any number outside 0 to 1 in the log gives no verdicts (on a scale to 10, 1 is not a success). A scorer with a
dictionary gives one suite per key. A sample that ended in an error was not judged. Tokens are those of all calls of the
sample; seconds are the model's if there was one call, else the sample's working time. An interrupted log contains the
finished samples.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from isobudget.errors import InputError
from isobudget.files.jsonl import parse_json
from isobudget.files.values import is_whole
from isobudget.files.whole import decode
from isobudget.importers.base import ImportTally
from isobudget.importers.fields import amount_if_known, shown, whole_if_known
from isobudget.importers.records import COMPLETION, OUTPUT, SOLUTION, Record, Sample
from isobudget.importers.source import Shape, Source
from isobudget.importers.zip_members import ZipMembers, open_zip

_HEADER, _START, _SAMPLES = "header.json", "_journal/start.json", "samples/"
_ATTACHMENT = "attachment://"
_INPUT_TOKENS, _OUTPUT_TOKENS = ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write"), "output_tokens"
_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}


class InspectLog:
    """Inspect's logs: `.eval` and `.json`."""

    name = "inspect"
    help = "Inspect's logs: .eval (also zstd) and .json; every scorer is a suite"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the zip has a log's header, or the document has `eval` with task and model."""
        if source.shape is Shape.ZIP:
            with open_zip(source.path) as members:
                return _HEADER in members or _START in members
        stated = source.first.get("eval")
        return isinstance(stated, dict) and "task" in stated and "model" in stated

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:
        """The samples, in the order of the log."""
        if source.shape is not Shape.ZIP:
            log = source.first
            yield from _samples(
                log, [(f"sample {at}", one) for at, one in enumerate(log.get("samples") or [])], source, tally
            )
            return
        with open_zip(source.path) as members:
            header = _json(members, _HEADER if _HEADER in members else _START, source)
            if not isinstance(header, dict):
                raise InputError(f"{source.path}, header.json: must be a JSON object")
            samples = (
                (name, _json(members, name, source)) for name in members.names(_SAMPLES) if name.endswith(".json")
            )
            yield from _samples(header, samples, source, tally)


def _json(members: ZipMembers, name: str, source: Source) -> Any:
    where = f"{source.path}, {name!r}"
    return parse_json(decode(members.read(name), where), where)


def _samples(log: Mapping[str, Any], samples: Any, source: Source, tally: ImportTally) -> Iterator[Sample]:
    stated = log.get("eval") if isinstance(log.get("eval"), dict) else {}
    assert isinstance(stated, dict)
    benchmark = str(stated.get("task", "")).rsplit("/", 1)[-1]
    model = str(stated.get("model", ""))
    if not benchmark.isprintable() or not model.isprintable():
        raise InputError(f"{source.path}: its task or model has characters that cannot be printed")
    if log.get("status") not in ("success", None):
        tally.note(f"the log's status is {log.get('status')!r}, so the log holds only the samples that were finished")
    seen, twice, held = set(), 0, []
    for place, sample in samples:
        where = f"{source.path}, {place}"
        if not isinstance(sample, dict) or "id" not in sample:
            raise InputError(f"{where}: must be a JSON object with `id` and `epoch`")
        key = str(sample["id"]), sample.get("epoch", 1)
        if key in seen:
            twice += 1
            continue
        seen.add(key)
        scores = [] if sample.get("error") else _scores(sample.get("scores"))
        held.append((_sample(sample, benchmark, model, where, tally), scores))
    yield from _judged(held, tally)
    if twice:
        tally.leave("duplicates", twice)


def _sample(sample: dict[str, Any], benchmark: str, model: str, where: str, tally: ImportTally) -> Sample:
    epoch = sample.get("epoch", 1)
    if not is_whole(epoch, 1) or not str(sample["id"]).isprintable() or sample["id"] == "":
        raise InputError(f"{where}: its `id` or `epoch` is not valid")
    output = sample.get("output") if isinstance(sample.get("output"), dict) else {}
    assert isinstance(output, dict)
    choices = output.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    usage, seconds = _spent(sample, output, tally)
    return Sample(
        str(sample["id"]),
        None,
        0,
        _text(choice, sample),
        _form(sample),
        model,
        benchmark,
        outcome="error" if sample.get("error") else "",
        number=int(epoch) - 1,
        prompt=_prompt(sample),
        prompt_tokens=_tokens(usage, tally, *_INPUT_TOKENS),
        completion_tokens=_tokens(usage, tally, _OUTPUT_TOKENS),
        seconds=amount_if_known(seconds, "time", tally),
        usd=amount_if_known(usage.get("total_cost"), "total_cost", tally),
        cut_off=choice.get("stop_reason") in ("max_tokens", "model_length"),
    )


def _form(sample: dict[str, Any]) -> str:
    """The form is an answer, unless the log states a program, as logs written by isobudget do."""
    metadata = sample.get("metadata")
    form = metadata.get("form") if isinstance(metadata, dict) else None
    return str(form) if form in (COMPLETION, SOLUTION) else OUTPUT


def _scores(scores: Any) -> list[tuple[str, float | None]]:
    """Each scorer's name and number; None if the score is not a number. A scorer with keys has a number per key."""
    numbers: list[tuple[str, float | None]] = []
    for name, score in scores.items() if isinstance(scores, dict) else ():
        value = score.get("value") if isinstance(score, dict) else score
        if isinstance(value, dict):
            numbers += [(f"{name}/{key}", _number(item)) for key, item in value.items()]
        else:
            numbers.append((name, _number(value)))
    return numbers


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        value = _LETTERS.get(value, {"true": 1.0, "false": 0.0}.get(value.lower()))
    return value if isinstance(value, int | float) and value == value else None


def _judged(samples: list[tuple[Sample, list[tuple[str, float | None]]]], tally: ImportTally) -> Iterator[Sample]:
    """The samples with their verdicts; a scorer with any number outside 0 to 1 gives no verdicts."""
    beyond: dict[str, float] = {}
    for name, value in itertools.chain.from_iterable(scores for _, scores in samples):
        if value is not None and not 0 <= value <= 1:
            beyond.setdefault(name, value)
    for name, value in beyond.items():
        tally.note(f"scores of {name!r} lie outside 0 to 1 (such as {shown(value)}), so they are not taken as verdicts")
    for sample, scores in samples:
        verdicts = [(name, None if name in beyond else _passed(value, tally)) for name, value in scores]
        sample.passed = verdicts[0][1] if verdicts else None
        sample.others = tuple(verdicts[1:])
        yield sample


def _passed(value: float | None, tally: ImportTally) -> bool | None:
    if value is not None and 0 < value < 1:
        tally.note("scores between failed and passed (such as P) count as not passed")
    return None if value is None else value == 1


def _spent(sample: dict[str, Any], output: dict[str, Any], tally: ImportTally) -> tuple[dict[str, Any], Any]:
    """Token counts and dollars of all calls, and seconds. A value unknown for one call is unknown for the sample."""
    own = output.get("usage") if isinstance(output.get("usage"), dict) else {}
    by_model = sample.get("model_usage")
    usages = [one for one in by_model.values() if isinstance(one, dict)] if isinstance(by_model, dict) else []
    assert isinstance(own, dict)
    if not usages or usages == [own]:
        return own, output.get("time")
    names = (*_INPUT_TOKENS, _OUTPUT_TOKENS, "total_cost")
    total = {name: _sum([usage.get(name) for usage in usages], name, tally) for name in names}
    if all(total.get(name) == own.get(name) for name in (_INPUT_TOKENS[0], _OUTPUT_TOKENS)):
        return total, output.get("time")
    return total, sample.get("working_time")


def _sum(values: list[Any], name: str, tally: ImportTally) -> float | None:
    stated = [one for one in values if one is not None]
    known = [one for one in (amount_if_known(one, name, tally) for one in stated) if one is not None]
    return sum(stated) if stated and len(known) == len(stated) else None


def _tokens(usage: Mapping[str, Any], tally: ImportTally, *names: str) -> int | None:
    counts = [whole_if_known(usage.get(name), name, tally) for name in names]
    return None if counts[0] is None else sum(one or 0 for one in counts)


def _text(choice: Mapping[str, Any], sample: Mapping[str, Any]) -> str | None:
    message = choice.get("message")
    return _content(message.get("content"), sample) if isinstance(message, dict) else None


def _content(content: Any, sample: Mapping[str, Any]) -> str | None:
    """The text of a message; for a message in parts, only the text parts, without reasoning."""
    if isinstance(content, list):
        parts = [one.get("text") for one in content if isinstance(one, dict) and one.get("type") == "text"]
        content = "".join(one for one in parts if isinstance(one, str))
    if not isinstance(content, str):
        return None
    attachments = sample.get("attachments")
    if content.startswith(_ATTACHMENT) and isinstance(attachments, dict):
        kept = attachments.get(content.removeprefix(_ATTACHMENT))
        return kept if isinstance(kept, str) else content
    return content


def _prompt(sample: Mapping[str, Any]) -> str | None:
    given = sample.get("input")
    if isinstance(given, list):
        messages = [
            {"role": str(one.get("role")), "content": _content(one.get("content"), sample) or ""}
            for one in given
            if isinstance(one, dict)
        ]
        return json.dumps(messages, ensure_ascii=False)
    return _content(given, sample)
