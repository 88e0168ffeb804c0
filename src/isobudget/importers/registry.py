"""The importers, in the order in which they try to recognize a source: the most specific first."""

from __future__ import annotations

from typing import Any

from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean
from isobudget.importers.base import Importer
from isobudget.importers.count_lines import CountLines
from isobudget.importers.documents import BigCodeGenerations, BigCodeMetrics, CruxEval, PaperSamples
from isobudget.importers.evalplus import EvalPlusFolder, EvalPlusResults
from isobudget.importers.harbor import Harbor
from isobudget.importers.inspect_log import InspectLog
from isobudget.importers.lighteval import LightEval
from isobudget.importers.livecodebench import LiveCodeBench
from isobudget.importers.lm_eval import LmEval
from isobudget.importers.nemo_skills import NemoSkills
from isobudget.importers.problem_lines import ProblemLines
from isobudget.importers.sample_lines import SampleLines
from isobudget.importers.source import Shape, Source

IMPORTERS: tuple[Importer, ...] = (
    InspectLog(),
    EvalPlusResults(),
    EvalPlusFolder(),
    NemoSkills(),
    LiveCodeBench(),
    LmEval(),
    LightEval(),
    Harbor(),
    CruxEval(),
    PaperSamples(),
    BigCodeMetrics(),
    BigCodeGenerations(),
    CountLines(),
    ProblemLines(),
    SampleLines(),
)
NAMES = tuple(one.name for one in IMPORTERS)
#: formats whose errors say what a record lacks, so that `--from` may name them for any file
BY_RECORD = frozenset(("counts", "samples"))
_DEFAULT = CountLines()
#: name of a tool, as for `export --to` -> name of the format that it writes
_TOOLS = {"human-eval": "samples"}
#: fields that mark a record as a problem, unless it also has a field that marks it as a result
_OF_PROBLEMS = frozenset(("canonical_solution", "test_list"))
_OF_RESULTS = frozenset(("passed", "n", "c", "completion", "solution", "output", "generation", "samples"))
#: a record with one of these fields is taken for counts or a sample, even if required fields are missing
_COUNTED = frozenset(("model", "task_id", "n", "c", "passed"))


def importer_named(name: str) -> Importer:
    """The importer of a format, which may also be named by its tool. Raises an `InputError` that lists the formats."""
    for one in IMPORTERS:
        if one.name == _TOOLS.get(name, name):
            return one
    raise InputError(f"unknown format {name!r}.{did_you_mean(name, NAMES)} Known formats: {', '.join(NAMES)}")


def recognised(source: Source) -> Importer | None:
    """The first importer that recognizes a source; None if there is none.

    Raises:
        InputError: the source is damaged, or holds problems instead of results.
    """
    importer = next((one for one in IMPORTERS if one.recognises(source)), None)
    if (importer is None or importer.name in BY_RECORD) and _is_problem(source.first):
        raise InputError(
            f"{source.path}: holds problems, not results; to import samples of these problems, pass the file with "
            "--problems"
        )
    return importer


def _is_problem(record: dict[str, Any]) -> bool:
    return not record.keys().isdisjoint(_OF_PROBLEMS) and record.keys().isdisjoint(_OF_RESULTS)


def importer_of(source: Source) -> Importer:
    """The first importer that recognizes a source.

    Raises:
        InputError: no importer recognizes the source, or it is damaged.
    """
    if (importer := recognised(source)) is not None:
        return importer
    lines = source.shape is Shape.CSV or (source.shape is Shape.LINES and not source.first)
    if lines or source.first.keys() & _COUNTED:
        return _DEFAULT  # says what the first line lacks
    if source.shape is Shape.DOCUMENT and not source.document:
        raise InputError(f"{source.path}: holds no results: it is an empty list or object")
    what = f"; its first record has {', '.join(map(str, list(source.first)[:8]))}" if source.first else ""
    raise InputError(
        f"{source.path}: not the results of a known tool{what}. Known formats (force one with --from): "
        f"{', '.join(NAMES)}"
    )
