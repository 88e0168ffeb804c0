"""Writes results of other tools into a run folder, which every command accepts.

Samples keep the verdicts of their source; run.toml states each source with its format and sha256. Samples without a
verdict are kept without one; `isobudget judge RUN` judges them if the tests of their problems are known. A further
suite of tests becomes a separate benchmark (`humaneval+`) with the same samples.
"""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isobudget.errors import InputError, RunError
from isobudget.exchange.as_samples import as_samples, mend
from isobudget.exchange.beginning import begin_anew, begun, end
from isobudget.exchange.given_verdicts import GivenVerdicts
from isobudget.exchange.imported_run import ImportedRun
from isobudget.exchange.known_problems import KnownProblems, check_name
from isobudget.files.store_path import place
from isobudget.files.whole import file_stems, remove_folder, sha256_of
from isobudget.importers.base import ImportTally
from isobudget.importers.gather import ERRORS, UNGRADED, gather
from isobudget.importers.names import distinct_names, model_of_file, with_condition
from isobudget.importers.ragged import Counted, ragged_notes
from isobudget.importers.read import ReadableSource, Taken, find_sources, split_sources
from isobudget.importers.records import COMPLETION, OUTPUT, SOLUTION, CountRow, Record, Sample
from isobudget.problems.problem import NoTests, Problem
from isobudget.records.facts import AS_IT_IS, COUNTED, IMPORTED
from isobudget.records.part_writer import PartWriter
from isobudget.records.rows import NO_TEXT, PromptRow
from isobudget.records.run import Run

#: form of a sample's text -> the rule that extracts the program from it
_EXTRACTION = {COMPLETION: AS_IT_IS, SOLUTION: AS_IT_IS, OUTPUT: "block"}
_ROWS_PER_PART = 20_000
#: a line of counts becomes as many rows as it has samples; a source may have this many at most
MOST_COUNTED = 10_000_000
_UNKNOWN = "of unknown problems"
_NO_TEXT = "without a text to judge"
_OUTCOMES = {"timeout": "timeout", "timed out": "timeout"}


@dataclass(slots=True)
class _Columns:
    """Rows that wait to be written, column by column."""

    samples: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    verdicts: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))


def write_run(
    sources: Any,
    out: str | Path,
    *,
    from_: str | None = None,
    problems: str | None = None,
    benchmark: str | None = None,
    verdicts: str | Path | None = None,
    to_judge: bool = False,
) -> ImportedRun:
    """Import results into a new run folder.

    If an error occurs while samples are imported, the folder is removed.

    Args:
        sources: files, folders and patterns, see `isobudget.importers.read`.
        out: the run folder.
        from_: the name of the format; None detects it from the content.
        problems: the benchmark or file that has the samples' problems; samples of other problems are left out.
        benchmark: the name of the benchmark of samples that do not state theirs.
        verdicts: a file of verdicts on the samples, see `given_verdicts`.
        to_judge: the samples will be judged. If so, it is an error if the tests of no sample are known, or if a sample
            has a verdict but no text. Samples with neither verdict nor text are left out.

    Raises:
        InputError: a source is wrong (the message names file and line), or the folder holds something already.
        RunError: another process writes into the folder.
        StorageError: the folder cannot be written.
    """
    check_name(benchmark)
    readable, notes = find_sources(sources, from_)
    known = KnownProblems(benchmark, problems)
    folder = place(out)
    given = None if verdicts is None else GivenVerdicts(verdicts, known)
    streams, names, more = _named(readable, given)
    run = begun(folder)
    with run.writing():
        begin_anew(run)
        try:
            with run.sample_writer() as samples, run.verdict_writer() as judged:
                writer = _Writer(run, known, given, (samples, judged), to_judge)
                taken = [writer.take(*one) for one in zip(readable, streams, names, strict=True)]
                writer.finish(taken)
            if to_judge and not benchmarks_with_tests(run):
                raise InputError(
                    f"{', '.join(str(one.path) for one in taken)}: the tests of the samples are not known; name their "
                    "benchmark or a file of problems (--problems), or import the samples as they are, without --rejudge"
                )
        except RunError:  # another process has taken over the folder
            raise
        except BaseException:
            remove_folder(folder)  # made by this call
            raise
    return ImportedRun(
        folder,
        tuple(taken),
        (*notes, *more, *writer.notes),
        dict(writer.models),
        writer.judged,
        dict(writer.benchmarks),
    )


def benchmarks_with_tests(run: Run) -> set[str]:
    """The run's benchmarks with at least one problem whose tests are known."""
    return {key[0] for key, problem in run.problems().items() if not isinstance(problem.tests, NoTests)}


def _named(
    readable: list[ReadableSource], given: GivenVerdicts | None
) -> tuple[list[tuple[ImportTally, Iterable[Record]]], list[dict[str, str]], list[str]]:
    """Each source's records, new names of its models, and notes; a single source is not held in memory."""
    tallies = [ImportTally() for _ in readable]
    if len(readable) == 1 and given is None:
        return [(tallies[0], readable[0].records(tallies[0]))], [{}], []
    lists = [list(one.records(tally)) for one, tally in zip(readable, tallies, strict=True)]
    rows = [gather(_as_judged(records), ImportTally()).rows for records in lists]
    names, notes = distinct_names(rows, [one.source.path for one in readable])
    if given is not None:
        pairs = zip(lists, names, strict=True)
        named = dict.fromkeys(_model(one, renamed) for records, renamed in pairs for one in records)
        given.fit(list(named))
    return list(zip(tallies, lists, strict=True)), names, notes


def _model(record: Record, names: dict[str, str]) -> str:
    """The name of a record's model in the run."""
    return with_condition(names.get(record.model, record.model), record.condition)


def _as_judged(records: Iterable[Record]) -> Iterator[Record]:
    """The records as if all were judged, so that models of unjudged samples get distinct names too."""
    for record in records:
        if isinstance(record, Sample):
            yield Sample(
                record.task_id,
                True,
                record.line,
                model=record.model,
                benchmark=record.benchmark,
                condition=record.condition,
            )
        else:
            yield record


class _Writer:
    """Writes the records of one source after another into the tables of a run."""

    def __init__(
        self,
        run: Run,
        known: KnownProblems,
        given: GivenVerdicts | None,
        writers: tuple[PartWriter, PartWriter],
        to_judge: bool,
    ) -> None:
        self.run, self._to_judge = run, to_judge
        self.models: Counter[str] = Counter()
        self.benchmarks: Counter[str] = Counter()
        self.judged = 0
        self.notes: list[str] = []
        self._known, self._given = known, given
        self._writers = writers
        self._columns = _Columns()
        self._next: Counter[tuple[str, str, str, bool]] = Counter()
        self._forms: dict[tuple[str, str], str] = {}
        self._prompts: dict[tuple[str, str, str], str | None] = {}
        self._sources: list[dict[str, Any]] = []
        self._lines: dict[tuple[str, str, str, bool], int] = {}
        self._counted: set[str] = set()
        self._of_model: dict[str, set[int]] = defaultdict(set)

    def take(
        self, readable: ReadableSource, stream: tuple[ImportTally, Iterable[Record]], names: dict[str, str]
    ) -> Taken:
        """Write the records of one source; returns what was taken and left out."""
        (tally, records), number = stream, 0
        before = self.judged
        for record in records:
            model = _model(record, names)
            if self._given is not None:
                model = self._given.names.get(model, model)
            if isinstance(record, CountRow) and number + record.n > MOST_COUNTED:
                raise InputError(
                    f"{readable.source.where(record.line)}: more than {MOST_COUNTED:,} samples are counted up to this "
                    "line, and an import writes a row for each. Counts need no import, because `passk`, `curves` and "
                    "`plan` read the file"
                )
            if isinstance(record, CountRow) and record.passed is None:
                self._counted.add(model)
            for sample in as_samples(record, tally):
                number += self._add(sample, model, readable, tally)
        counts = [
            Counted(key[0], key[1], "", key[2], self._next[key], line)
            for key, line in self._lines.items()
            if not key[3]
        ]
        self.notes += ragged_notes(readable.source, counts)
        self._lines = {}
        given = {} if self._given is None else self._given.facts
        self._sources.append(_facts(readable, number, self.judged - before, tally) | given)
        return Taken(readable.source.path, readable.importer.name, number, dict(tally.left), tuple(tally.notes))

    def _add(self, sample: Sample, model: str, readable: ReadableSource, tally: ImportTally) -> bool:
        mend(sample, tally)
        benchmark = self._known.benchmark(sample.benchmark, sample.task_id)
        problem = self._known.find(benchmark, sample)
        if problem is None:
            if _UNKNOWN not in tally.left:
                by_prompt = sample.placed and sample.prompt
                what = "no problem with this prompt" if by_prompt else f"no problem {sample.task_id!r}"
                tally.note(f"{readable.source.where(sample.line)}: {benchmark} has {what}")
            tally.leave(_UNKNOWN)
            return False
        if self._to_judge and sample.text is None and not isinstance(problem.tests, NoTests):
            if sample.passed is None and self._given is None:
                tally.leave(_NO_TEXT)
                return False
            raise InputError(
                f"{readable.source.where(sample.line)}: {sample.task_id!r} of {model} has no text to run its tests on; "
                "import the samples without --rejudge"
            )
        form = self._forms.setdefault((benchmark, model), sample.form)
        if form != sample.form and sample.text is not None:
            raise InputError(
                f"{readable.source.where(sample.line)}: a {sample.form}, but earlier samples of {model} are {form}s; "
                "import the samples of each form separately"
            )
        self._of_model[model].add(len(self._sources))
        if self._given is not None and not sample.greedy:
            index = self._next[problem.benchmark, model, problem.task_id, False]
            sample.passed, sample.outcome = self._given.of(model, problem.task_id, index), ""
        if sample.passed is None:
            tally.leave(f"{ERRORS if sample.outcome in ('error', 'invalid') else UNGRADED} (kept without a verdict)")
        self._row(sample, model, problem, form, sample.passed)
        for suite, passed in sample.others:
            other = self._known.by_suite(problem, suite)
            self._forms.setdefault((other.benchmark, model), form)
            self._row(sample, model, other, form, passed)
        self.models[model] += 1
        self.judged += sample.passed is not None
        return True

    def _row(self, sample: Sample, model: str, problem: Problem, form: str, passed: bool | None) -> None:
        benchmark, task_id = problem.benchmark, problem.task_id
        key = (benchmark, model, task_id, sample.greedy)
        index = self._next[key]
        self._next[key] = index + 1
        if index == 0:
            self._prompts.setdefault((benchmark, task_id, form), sample.prompt)
            self._lines[key] = sample.line
        rows = self._columns.samples
        rows["benchmark"].append(benchmark)
        rows["model"].append(model)
        rows["task_id"].append(task_id)
        rows["greedy"].append(sample.greedy)
        rows["index"].append(index)
        rows["text"].append(sample.text or "")
        ended = "length" if sample.cut_off else "stop"
        rows["finish_reason"].append(NO_TEXT if sample.text is None else ended)
        rows["prompt_tokens"].append(sample.prompt_tokens)
        rows["completion_tokens"].append(sample.completion_tokens)
        rows["seconds"].append(math.nan if sample.seconds is None else sample.seconds)
        rows["usd"].append(sample.usd)
        if passed is not None:
            verdicts = self._columns.verdicts
            verdicts["benchmark"].append(benchmark)
            verdicts["model"].append(model)
            verdicts["task_id"].append(task_id)
            verdicts["greedy"].append(sample.greedy)
            verdicts["index"].append(index)
            verdicts["outcome"].append("passed" if passed else _OUTCOMES.get(sample.outcome, "failed"))
            verdicts["passed"].append(passed)
            verdicts["detail"].append("" if passed else sample.outcome.split("\n", 1)[0][:300])
        if len(rows["index"]) >= _ROWS_PER_PART:
            self._flush()

    def _flush(self) -> None:
        rows, verdicts = self._columns.samples, self._columns.verdicts
        n, judged = len(rows["index"]), len(verdicts["index"])
        if n:
            nothing = [math.nan] * n
            same = {"sum_logprob": nothing, "mean_logprob": nothing, "seed": [0] * n}
            self._writers[0].add_columns({**rows, **same})
        if judged:
            plain = {"cpu_seconds": [math.nan] * judged, "trust": [IMPORTED] * judged}
            self._writers[1].add_columns({**verdicts, **plain, "first_failing": [""] * judged})
        self._columns = _Columns()

    def finish(self, taken: Sequence[Taken]) -> None:
        """Write the remaining rows, the problems and their prompts, and run.toml."""
        self._flush()
        if not self._next:
            raise InputError("\n".join(map(str, taken)) + "\nNo sample could be imported.")
        if self._given is not None:
            self._given.check({(key[1], key[2]): number for key, number in self._next.items() if not key[3]})
        problems = {(one.benchmark, one.task_id): one for one in self._known.used()}
        self.run.add_problems(problems.values())
        self.run.add_prompts(_prompt(problems[at[:2]], at[2], prompt) for at, prompt in self._prompts.items())
        self.benchmarks.update(key[0] for key in problems)
        for name, number in self.benchmarks.items():
            self.run.state("benchmarks", name, {"problems": number})
        for model in self.models:
            forms = {benchmark: form for (benchmark, own), form in self._forms.items() if own == model}
            self.run.state("models", model, self._model_facts(model, forms))
        self.run.facts["imported"] = self._sources
        end(self.run)
        self.run.save_facts()

    def _model_facts(self, model: str, forms: dict[str, str]) -> dict[str, Any]:
        sources = ", ".join(str(self._sources[at]["path"]) for at in sorted(self._of_model[model]))
        prompts = {
            benchmark: {"format": f"{IMPORTED}-{form}", "newline": "keep", "extraction": _EXTRACTION[form]}
            for benchmark, form in forms.items()
        }
        return {
            "backend": IMPORTED,
            "title": model,
            "engine": f"not stated (imported from {sources})",
            "prompts": prompts,
        } | ({COUNTED: True} if model in self._counted else {})


def _prompt(problem: Problem, form: str, prompt: str | None) -> PromptRow:
    """The prompt that models were given for a problem, as far as it is known, and the head of programs of this form."""
    given = problem.prompt if prompt is None else prompt
    head = "" if form == SOLUTION else problem.program("")
    chat = given.startswith('[{"role":')
    return PromptRow(problem.benchmark, problem.task_id, f"{IMPORTED}-{form}", "keep", chat, given, head)


def _facts(readable: ReadableSource, number: int, judged: int, tally: ImportTally) -> dict[str, Any]:
    path = readable.source.path
    whole = {"sha256": sha256_of(path)} if path.is_file() else {}
    left = dict(tally.left)
    return {
        "path": path.name,
        "format": readable.importer.name,
        "samples": number,
        "judged": judged,
        "left": left,
    } | whole


def default_run(sources: Any) -> Path:
    """The default folder of an imported run: `runs/` and the name of the first source."""
    _, others = split_sources(sources)
    first = others[0] if others and isinstance(others[0], Path) else Path("imported")
    return Path("runs") / file_stems([model_of_file(first)])[0]


@contextlib.contextmanager
def as_run(source: Any, from_: str | None = None) -> Iterator[tuple[Run, Path | None]]:
    """The run that a user names, or a temporary run made from the files that the user names.

    The second value is a folder for data computed from files; None for a run, which has its own folder.

    Raises:
        InputError: there are several runs, or runs and files; or as for `write_run`.
        RunError: as for `Run.open`.
    """
    if isinstance(source, Run):
        yield source, None
        return
    runs, files = split_sources(source)
    if len(runs) == 1 and not files:
        yield Run.open(runs[0]), None
        return
    if runs:
        raise InputError(f"{runs[0]}: name this run folder alone, or only files of results")
    if len(files) == 1 and not (isinstance(files[0], Path) and files[0].exists()):
        yield Run.open(files[0]), None  # says what is wrong with it
        return
    name = default_run(files).name
    with tempfile.TemporaryDirectory(prefix="isobudget-") as place:
        yield Run.open(write_run(files, Path(place) / name, from_=from_).path), Path("reports") / name
