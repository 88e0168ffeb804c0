"""LiveCodeBench (Jain et al. 2024, arXiv:2403.07974): problems of contest sites, with the sites' tests.

Read from the release files of ``code_generation_lite``: JSON lines with ``question_id``, ``platform``,
``question_content``, ``starter_code``, ``public_test_cases``, ``private_test_cases``, ``difficulty`` and ``metadata``.
Public and private tests both count; the public ones are the visible ones. A problem with ``func_name`` in its metadata
is judged by calls (LeetCode), the others as whole programs (AtCoder, Codeforces).

Private tests are packed: base64 of zlib of a pickle of JSON text. A pickle can run code when it is loaded, so it is
not loaded: the stream's opcodes are listed, and only those that make one text are accepted.

Sampling defaults are LiveCodeBench's own (its ``runner/parser.py``): 2,000 tokens, temperature 0.2, top-p 0.95, stop
``###``; 10 samples. A release is cumulative: release_v6 is all six files, 1,055 problems and 4.5 GB. In a folder, all
files that are there are read; from the hub, only the newest is fetched, ``test6.jsonl`` (v6 in LiveCodeBench). All
tests of all problems are held in memory. Not covered: selection by contest date, and LiveCodeBench's other
three scenarios.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from isobudget.errors import InputError
from isobudget.files.jsonl import Record, parse_json, read_objects
from isobudget.grid import counted
from isobudget.problems import reading
from isobudget.problems.problem import Benchmark, CallTests, Form, Problem, ProgramTests
from isobudget.problems.sources import Data, Hub, Identity, Published, find_data, identify
from isobudget.problems.stops import LIVECODEBENCH_STOPS

FILES = ("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl", "test6.jsonl")
PUBLISHED = Published(
    name="livecodebench",
    title="LiveCodeBench",
    usual=("livecodebench", "code_generation_lite"),
    checksums={
        "2bd02b38beb48e8c46b5b9987095d999ff38cd8efc255ea5d58974317c48f63f": FILES[0],
        "095df7c5daf15f882c51a9deb84085cff1e073495a5dbcf95015a564d485f3a3": FILES[1],
        "28ed26cc83363ce3f1fe2d5fad9f8393077beb1907b167a31bd3b32f80801b79": FILES[2],
        "d711138ddaebfcf5f8ec6a4283ee677298c0f5c5d374a235af92aaf0584510da": FILES[3],
        "7f77571c2a6df0c2a72a3277650309f67e01e0008e18117e624633df53f81214": FILES[4],
        "bb4c364f71921c4495a6ad15abe1a927350b720009f4933e2e71f8af0f6fd1f5": FILES[5],
    },
    hub=Hub(
        repo="livecodebench/code_generation_lite",
        revision="0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
        files=FILES[-1:],
    ),
)
#: the most that the packed tests of one problem may unpack to
MAX_UNPACKED_BYTES = 512 * 2**20
#: pickle opcodes of a stream that holds one text and nothing else; those that carry the text have a 1
_OPCODES = {"PROTO": 0, "FRAME": 0, "SHORT_BINUNICODE": 1, "BINUNICODE": 1, "BINUNICODE8": 1, "UNICODE": 1}
_OPCODES |= {"MEMOIZE": 0, "BINPUT": 0, "LONG_BINPUT": 0, "PUT": 0, "STOP": 0}

_Case = dict[str, str]


def load_livecodebench(given: Path | None = None) -> Benchmark:
    """All problems of a release file that is `given`, or of a folder with some of ``test.jsonl`` to ``test6.jsonl``."""
    data = find_data(PUBLISHED, given)
    parts = [(part, identify(part)) for part in _parts(data)]
    problems = reading.unique(_problems([part.path for part, _ in parts]), str(data.path))
    source = _source([identity for _, identity in parts], len(problems))
    return Benchmark(
        "livecodebench", problems, LIVECODEBENCH_STOPS, 2000, 0.2, prompt_format="livecodebench", source=source
    )


def _parts(data: Data) -> list[Data]:
    if not data.path.is_dir():
        return [data.inner(path) for path in data.paths]
    parts = [data.inner(data.path / file) for file in FILES if (data.path / file).is_file()]
    if not parts:
        raise InputError(f"{data.path}: holds none of {', '.join(FILES)}")
    return parts


def _source(identities: list[Identity], problems: int) -> str:
    if len(identities) == 1:
        return identities[0].source(problems)
    return "; ".join([counted(problems, "problem"), *(identity.source(problems) for identity in identities)])


def _problems(paths: list[Path]) -> Iterator[tuple[str, Problem]]:
    for path in paths:
        with reading.long_numbers():
            for where, record in read_objects(path):
                yield where, _problem(record, where)


def _problem(record: Record, where: str) -> Problem:
    public, private = (_cases(record, f"{kind}_test_cases", where) for kind in ("public", "private"))
    entry_point = _func_name(record, where)
    identity = f"{reading.text_field(record, 'platform', where)}/{reading.text_field(record, 'question_id', where)}"
    return Problem(
        task_id=reading.checked_id(identity, f"{where}, fields platform and question_id"),
        benchmark="livecodebench",
        prompt=reading.text_field(record, "question_content", where),
        entry_point=entry_point,
        tests=_tests([*public, *private], entry_point, where),
        form=Form.TEXT,
        starter=reading.optional_text(record, "starter_code", where) or "",
        visible_tests=len(public) if public and private else None,
        difficulty=reading.optional_text(record, "difficulty", where) or "",
    )


def _func_name(record: Record, where: str) -> str:
    metadata = parse_json(reading.optional_text(record, "metadata", where) or "{}", f"{where}, field metadata")
    name = metadata.get("func_name") if isinstance(metadata, dict) else None
    field = f"{where}, field metadata.func_name"
    return "" if name is None else reading.checked_name(reading.checked_text(name, field), field)


def _tests(cases: list[_Case], entry_point: str, where: str) -> CallTests | ProgramTests:
    kinds = {case["testtype"] for case in cases}
    wanted = "functional" if entry_point else "stdin"
    if kinds != {wanted}:
        types = " and ".join(sorted(kinds)) or "none"
        raise InputError(f"{where}: its tests must be of type {wanted} to match metadata.func_name, but are {types}")
    outputs = tuple(case["output"] for case in cases)
    if not entry_point:
        return ProgramTests(inputs=tuple(case["input"] for case in cases), outputs=outputs, rules="livecodebench")
    arguments = tuple(call_arguments(case["input"], f"{where}, test {number}") for number, case in enumerate(cases, 1))
    for number, text in enumerate(outputs, 1):
        parse_json(text, f"{where}, test {number}, output")
    return CallTests(arguments, outputs, rules="livecodebench")


def call_arguments(text: str, where: str) -> str:
    """The arguments of a call as a JSON list: the benchmark writes one per line."""
    return json.dumps([parse_json(line, f"{where}, input") for line in text.split("\n")])


def _cases(record: Record, field: str, where: str) -> list[_Case]:
    text, where = reading.text_field(record, field, where), f"{where}, field {field}"
    # Private tests are packed; the full version of the benchmark has them as plain JSON too.
    packed = field.startswith("private") and not text.lstrip().startswith("[")
    cases = parse_json(unpack(text, where) if packed else text, where)
    if not isinstance(cases, list):
        raise InputError(f"{where}: must be a JSON list of tests")
    return [_case(case, f"{where}[{place}]") for place, case in enumerate(cases)]


def _case(case: object, where: str) -> _Case:
    if not isinstance(case, dict):
        raise InputError(f"{where}: must be an object with the fields 'input', 'output' and 'testtype'")
    return {field: reading.text_field(case, field, where) for field in ("input", "output", "testtype")}


def unpack(packed: str, where: str) -> str:
    """Unpack a text: base64 of zlib of a pickle that holds just this text. The pickle is never loaded."""
    try:
        inflate = zlib.decompressobj()
        data = inflate.decompress(base64.b64decode(packed, validate=True), MAX_UNPACKED_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise InputError(f"{where}: is neither a JSON list nor packed text: {error}") from error
    if inflate.unconsumed_tail:
        raise InputError(f"{where}: unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MiB")
    if not inflate.eof:
        raise InputError(f"{where}: the packed text is cut off")
    return _pickled_text(data, where)


def _pickled_text(data: bytes, where: str) -> str:
    import pickletools

    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name not in _OPCODES:
                raise InputError(f"{where}: the packed tests are not a plain string (pickle {opcode.name})")
            if _OPCODES[opcode.name]:
                texts.append(str(argument))
    except ValueError as error:
        raise InputError(f"{where}: the packed text is damaged: {error}") from error
    if len(texts) != 1:
        raise InputError(f"{where}: the packed tests hold {len(texts)} strings, not one")
    return texts[0]
