"""Judges imported samples on this machine, and compares the verdicts with those of their source.

The source's verdicts move to `source_verdicts/`, and the new verdicts take their place. For benchmarks whose tests are
not known, the source's verdicts also stay in `verdicts/`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from isobudget.exchange.imported_run import NOT_JUDGED, ImportedRun
from isobudget.exchange.write_run import benchmarks_with_tests
from isobudget.pipeline.judging import judge_run_samples, state_rules
from isobudget.records.part_writer import PartWriter
from isobudget.records.parts import read_each
from isobudget.records.rows import KEY_COLUMNS, VerdictRow
from isobudget.records.run import Run, load_run

SOURCE_VERDICTS = "source_verdicts"


def rejudge(imported: ImportedRun, **choices: Any) -> ImportedRun:
    """Judge a run that was imported with `to_judge`; `choices` are arguments of `judge_run_samples`.

    Raises:
        JudgeError: samples cannot be confined on this machine.
        KeyboardInterrupt: with a message that says how to judge the remaining samples.
    """
    run = load_run(imported.path)
    with_tests = benchmarks_with_tests(run)
    try:
        with run.writing():
            _keep_theirs(run, with_tests)
        judge_run_samples(run, **choices)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"The samples are imported; judge the rest with: isobudget judge {run.path}") from None
    return replace(imported, disagreements=_compared(run, with_tests))


def _keep_theirs(run: Run, with_tests: set[str]) -> None:
    """Move the source's verdicts to their own table. Verdicts on benchmarks without tests also stay in `verdicts`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with PartWriter(run.path / SOURCE_VERDICTS, VerdictRow) as writer:
        for block in read_each(run.path / "verdicts", VerdictRow):
            writer.add_table(block)
    run.drop("verdicts")
    state_rules(run)  # of our verdicts, before the others stand beside them
    with run.verdict_writer() as writer:
        for block in read_each(run.path / SOURCE_VERDICTS, VerdictRow):
            kept = pc.is_in(block["benchmark"], pa.array(sorted(with_tests), pa.string()))
            if (others := block.filter(pc.invert(kept))).num_rows:
                writer.add_table(others)


def _compared(run: Run, benchmarks: set[str]) -> dict[tuple[str, str], int]:
    """The pair of the source's outcome (or `NOT_JUDGED`) and isobudget's outcome -> number of samples."""
    theirs = {key: outcome for key, outcome in _outcomes(run, SOURCE_VERDICTS) if key[0] in benchmarks}
    pairs = Counter(
        (theirs.get(key, NOT_JUDGED), outcome) for key, outcome in _outcomes(run, "verdicts") if key[0] in benchmarks
    )
    return dict(pairs.most_common())


def _outcomes(run: Run, table: str) -> list[tuple[tuple[Any, ...], str]]:
    outcomes = []
    for part in read_each(run.path / table, VerdictRow, [*KEY_COLUMNS, "outcome"]):
        columns = [part[name].to_pylist() for name in (*KEY_COLUMNS, "outcome")]
        outcomes += [(row[:-1], row[-1]) for row in zip(*columns, strict=True)]
    return outcomes
