"""Reads the arms of a plan from its sources: run folders, and files of results in any known format.

Each model (with its condition, if a file has several) is an arm, priced as `isobudget curves` prices the model. In a
run each sample costs what was recorded for it, unless a costs file sets the price. In a COUNTS file with completion
tokens each sample is priced by its own number of tokens, if the unit is tokens or flops. A plan uses the problems that
the arms of all sources have in common. Hidden verdicts are read in the same way and matched sample by sample. They may
also be in the sources themselves, since a run and EvalPlus' results may have both suites (`suites`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from isobudget.analysis.compare_run import price_samples
from isobudget.analysis.judged import benchmarks_of
from isobudget.analysis.load_samples import LoadedRun, ModelSamples, load_samples
from isobudget.analysis.prices import price_counts
from isobudget.costs.charges import NOTHING, Charges
from isobudget.costs.choose_unit import in_chosen_unit, passed_over
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.costs.one_line import require_models
from isobudget.curves.compare import common_tasks
from isobudget.errors import InputError
from isobudget.files.hints import meant
from isobudget.grid import counted
from isobudget.importers.counts import ModelCounts, group_counts
from isobudget.importers.names import UNNAMED, file_models, named_by_source
from isobudget.importers.read import Imported, read_results, split_sources
from isobudget.importers.records import GroupKey
from isobudget.policies.arms import Arm
from isobudget.records.run import Run, load_run
from isobudget.solving.recorded_arm import RecordedArm, amounts_by_verdict, short_notes, suite_note
from isobudget.solving.repairs import pool_of, repair_arms
from isobudget.solving.suites import Verdicts, further_suites, hidden_verdicts, visible_verdicts

#: the name of all files together in messages
_FILES = Path("files")
#: maximum number of models in a plan; trying orders of as many takes about half a minute
_MOST_ARMS = 40
#: a run, or the counts of files
Source = Run | Imported


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """The recorded results from which a plan is made.

    Attributes:
        benchmark: name of the benchmark; empty if not stated.
        task_ids: the problems that all arms have.
        arms: the arms with their samples on these problems.
        prices: the price of a sample of each arm, with its source.
        notes: notes for the reader, such as on problems that were left out.
        repairs: pairs of arms on the same problems, one without and one with repairs of failing samples.
    """

    benchmark: str
    task_ids: tuple[str, ...]
    arms: tuple[Arm, ...]
    prices: Mapping[str, SampleCost]
    notes: tuple[str, ...]
    repairs: tuple[tuple[Arm, Arm], ...] = ()


def read_arms(
    sources: Sequence[str | Path],
    unit: Unit | None,
    costs: CostsFile | str | None = None,
    *,
    budgets: Sequence[str | float] = (),
    benchmark: str | None = None,
    names: Sequence[str] | None = None,
    hidden: Sequence[str | Path] = (),
    share_prompt: bool | None = None,
    from_: str | None = None,
) -> Recorded:
    """Read the recorded results of the sources.

    Args:
        sources: run folders, COUNTS files, files of graded samples.
        unit: unit of the prices; None to choose it, see `costs.choose_unit`.
        costs: a costs file that has been read, `paper`, or None.
        budgets: budgets as the user wrote them, which help to choose the unit.
        benchmark: name of the benchmark; needed only if the sources hold several.
        names: names of the arms to use; None for all without repairs.
        hidden: sources with hidden tests' verdicts on the same samples. The verdicts in `sources` are then those of
            visible tests.
        share_prompt: whether the samples of a problem share its prompt, see `costs.charges.Charges`.
        from_: name of the files' format; None detects it from their content.

    Raises:
        InputError: a source cannot be read, no benchmark is named although there are several, an arm does not exist,
            the arms have no problem in common, a model has no price, or the hidden verdicts do not match.
        RunError: a folder is not a run, or nothing in it is judged.
    """
    if not sources:
        raise InputError("give at least one source: a run folder or a file of results")
    loaded = _load(sources, from_)
    benchmark = _benchmark(loaded, benchmark)
    charges = Charges(share_prompt=share_prompt)

    def arms_in(unit: Unit) -> dict[Path, list[RecordedArm]]:
        return {path: _arms(source, benchmark, unit, costs, not hidden, charges) for path, source in loaded.items()}

    chosen, by_source = in_chosen_unit(unit, budgets, costs, arms_in)
    every = _with_sources(by_source)
    require_models(costs, [arm.name for arm in every])
    arms = _chosen(every, names)
    common = common_tasks([arm.task_ids for arm in arms])
    if not common:
        raise InputError(f"{', '.join(arm.name for arm in arms)} have no problem in common; nothing can be planned")
    notes = [note for source in loaded.values() if isinstance(source, Imported) for note in source.messages()]
    notes += [f"{note}." for arm in arms for note in arm.left_out.notes(arm.name)]
    most = len({task for arm in arms for task in arm.task_ids})
    if len(common) < most:
        notes.append(f"Planned on the {counted(len(common), 'problem')} that all arms have, of {most:,}.")
    notes += [f"{arm.name}: {suite_note(arm.one_suite)}" for arm in arms if arm.one_suite]
    notes += [*short_notes(arms, common), *passed_over(unit, budgets, chosen, costs)]
    truths = _hidden(arms, hidden, benchmark)
    made = tuple(_arm(arm, common, truths.get(arm.name)) for arm in arms)
    prices = {arm.name: arm.price for arm in arms}
    return Recorded(benchmark, common, made, prices, tuple(notes), tuple(_repairs(every)))


def require_few(arms: Sequence[Arm]) -> None:
    """Refuse more models than a plan can handle; the `InputError` states the limit."""
    if len(arms) > _MOST_ARMS:
        raise InputError(
            f"{len(arms):,} models are too many for a plan, which can use at most {_MOST_ARMS}: choose some with "
            "isobudget plan --arms, such as those that are best at some budget in `isobudget curves`"
        )


def recorded_run(
    run: LoadedRun, benchmark: str, unit: Unit, costs: CostsFile | str | None = None, charges: Charges = NOTHING
) -> Recorded:
    """The recorded results of a run's benchmark on the problems that all models of the run have.

    A sample passes if it passes all tests of its problem: visible and hidden tests are not distinguished. `costs` and
    `charges` set the prices of samples, as in `read_arms`.

    Raises:
        InputError: the run does not record the unit, or a sample costs nothing.
        RunError: no sample of the benchmark is judged.
    """
    arms = [_of_run(run.run, samples, unit, costs, {}, charges) for samples in run.samples(benchmark)]
    common = common_tasks([arm.task_ids for arm in arms])
    made = tuple(_arm(arm, common, None) for arm in arms)
    return Recorded(benchmark, common, made, {arm.name: arm.price for arm in arms}, ())


def _repairs(arms: Sequence[RecordedArm]) -> Iterator[tuple[Arm, Arm]]:
    """For each arm with repairs, a pair on the same problems: the model's arm without repairs, and this arm."""
    anew = {arm.pool: arm for arm in arms if not arm.repairs}
    for arm in arms:
        if arm.repairs:
            yield anew[arm.pool].on(arm.task_ids), arm.on(arm.task_ids)


def _load(sources: Sequence[str | Path], from_: str | None) -> dict[Path, Source]:
    """Runs by their folder, and all files together."""
    runs, others = split_sources(sources)
    loaded: dict[Path, Source] = {path: load_run(path) for path in runs}
    return loaded if not others else loaded | {_FILES: read_results(others, from_)}


def _benchmark(loaded: Mapping[Path, Source], benchmark: str | None) -> str:
    known = list(dict.fromkeys(name for source in loaded.values() for name in _benchmarks(source)))
    further = {name for source in loaded.values() if isinstance(source, Run) for name in _further(source).values()}
    own = [name for name in known if name not in further]
    if benchmark is None and len(own) == 1:
        return own[0]
    shown = ", ".join(name or UNNAMED for name in known)
    if benchmark is None:
        raise InputError(f"there are {len(known)} benchmarks ({shown}); choose one with --benchmark")
    if benchmark == UNNAMED and "" in known:
        return ""
    if benchmark not in known:
        raise InputError(f"no benchmark {benchmark!r}; the sources have: {shown}")
    return benchmark


def _benchmarks(source: Source) -> list[str]:
    if isinstance(source, Run):
        return benchmarks_of(source)
    return [row.benchmark for row in source.rows]


def _arms(
    source: Source, benchmark: str, unit: Unit, costs: CostsFile | str | None, own_suites: bool, charges: Charges
) -> list[RecordedArm]:
    """The arms of a source on a benchmark; empty without the benchmark. `own_suites`: use a run's own hidden tests."""
    if isinstance(source, Imported):
        truth = _second_suite(source)
        groups = group_counts(source.rows).values()
        return [_of_counts(counts, unit, costs, truth, charges) for counts in groups if counts.benchmark == benchmark]
    if benchmark not in benchmarks_of(source):
        return []
    second = _further(source).get(benchmark) if own_suites else None
    loaded = load_samples(source, [benchmark, *([second] if second else [])])
    models, visible_tests = loaded.samples(benchmark), {}
    if own_suites:
        stated = {task: problem.visible_tests for (_, task), problem in loaded.problems.items()}
        visible_tests = {task: first for task, first in stated.items() if first is not None}
    arms = [_of_run(source, one, unit, costs, visible_tests, charges) for one in models]
    if second is not None:
        pairs = zip(arms, models, strict=True)
        arms = [replace(arm, hidden=arm.hidden or hidden_verdicts(one, loaded, second)) for arm, one in pairs]
    return arms + [arm for one in models for arm in repair_arms(loaded, one, benchmark, unit, costs, charges)]


def _further(run: Run) -> Mapping[str, str]:
    """Benchmark of the run -> the further suite that was imported with the same samples."""
    return further_suites(run, benchmarks_of(run))


def _of_run(
    run: Run,
    samples: ModelSamples,
    unit: Unit,
    costs: CostsFile | str | None,
    visible: Mapping[str, int],
    charges: Charges,
) -> RecordedArm:
    """The arm of a model.

    If some problems state their number of visible tests, only these problems are used, with two suites.
    """
    tasks = tuple(task for task in samples.task_ids if task in visible)
    left_out = len(samples.task_ids) - len(tasks) if tasks else 0
    samples = samples.only(tasks) if tasks else samples
    price, amounts = price_samples(run, samples, unit, costs, charges)
    every = tuple(tuple(problem.passed.tolist()) for problem in samples.problems)
    verdicts = visible_verdicts(samples, [visible[task] for task in tasks]) if tasks else every
    passed, failed = (None, None) if amounts is None else amounts_by_verdict(verdicts, amounts)
    c = np.array([sum(own or ()) for own in verdicts], dtype=np.int64)
    hidden = every if tasks else None
    made = RecordedArm(samples.model, samples.task_ids, samples.n, c, verdicts, price, passed, failed, hidden, left_out)
    return replace(made, pool=pool_of(run, samples.model), left_out=samples.left_out)


def _second_suite(source: Imported) -> dict[GroupKey, ModelCounts]:
    """The verdicts of the second suite, the hidden tests, by benchmark, model and condition."""
    return group_counts(next(iter(source.others.values()))) if source.others else {}


def _of_counts(
    counts: ModelCounts,
    unit: Unit,
    costs: CostsFile | str | None,
    truth: Mapping[GroupKey, ModelCounts],
    charges: Charges,
) -> RecordedArm:
    price = price_counts(counts, unit, costs, charges)
    hidden = truth.get((counts.benchmark, counts.model, counts.condition))
    arm = RecordedArm(
        counts.name, counts.task_ids, counts.n, counts.c, counts.passed, price, hidden=_matching(counts, hidden)
    )
    if None in counts.completion_tokens or None in counts.passed:
        return arm
    amounts = price.of_lengths([tokens for tokens in counts.completion_tokens if tokens is not None])
    if amounts is None:
        return arm
    passed, failed = amounts_by_verdict(counts.passed, amounts)
    return replace(arm, if_passed=passed, if_failed=failed)


def _matching(counts: ModelCounts, hidden: ModelCounts | None) -> Verdicts | None:
    """The hidden verdicts of every sample; None unless every sample has one."""
    if hidden is None or not set(counts.task_ids) <= set(hidden.task_ids):
        return None
    chosen = hidden.select(counts.task_ids)
    return chosen.passed if np.array_equal(chosen.n, counts.n) else None


def _with_sources(by_source: Mapping[Path, Sequence[RecordedArm]]) -> list[RecordedArm]:
    """All arms. The name of a model with several sources includes the source: prompts or temperatures may differ."""
    names = [arm.name for arms in by_source.values() for arm in arms]
    named = [
        arm if names.count(arm.name) == 1 else replace(arm, name=named_by_source(arm.name, source))
        for source, arms in zip(file_models(list(by_source)), by_source.values(), strict=True)
        for arm in arms
    ]
    if len({arm.name for arm in named}) < len(named):
        raise InputError(f"sources with the same name share models: {', '.join(map(str, by_source))}; rename one")
    return named


def _chosen(arms: Sequence[RecordedArm], names: Sequence[str] | None) -> list[RecordedArm]:
    if not names:
        return [arm for arm in arms if not arm.repairs]
    known = {arm.name: arm for arm in arms}
    matches = {name: meant(name, known) for name in names}
    if unclear := [name for name in names if len(matches[name]) != 1]:
        what = "several arms match" if matches[unclear[0]] else "no arm matches"
        raise InputError(f"{what} {unclear[0]!r}; arms: {', '.join(known)}")
    names = [matches[name][0] for name in names]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"the arm {twice[0]!r} is named twice")
    chosen = [known[name] for name in names]
    pools = [arm.pool for arm in chosen if arm.pool]
    if len(set(pools)) < len(pools):
        both = [arm.name for arm in chosen if pools.count(arm.pool) > 1]
        raise InputError(
            f"{' and '.join(both[:2])} begin with the same recorded samples, so no policy that draws from both can be "
            "learned; name only one of them with --arms, or leave --arms out to compare them"
        )
    return chosen


def _hidden(
    arms: Sequence[RecordedArm], sources: Sequence[str | Path], benchmark: str
) -> Mapping[str, Mapping[str, tuple[bool, ...]]]:
    """For each arm, the hidden verdicts on each problem's samples, by task id; empty without hidden tests."""
    truths: dict[str, dict[str, tuple[bool, ...]]] = {arm.name: {} for arm in arms}
    for arm in arms:
        known = zip(arm.task_ids, arm.hidden or (None,) * len(arm.task_ids), strict=True)
        truths[arm.name] = {task: passed for task, passed in known if passed is not None}
    for source in map(Path, sources):
        for name, task_id, passed in _verdicts(source, benchmark):
            if name in truths:
                truths[name][task_id] = passed
    if not sources and not any(truths.values()):
        return {}
    for name, own in truths.items():
        if not own:
            raise InputError(f"there are no hidden verdicts for {name}; every sample of every arm needs one")
    return truths


def _verdicts(path: Path, benchmark: str) -> list[tuple[str, str, tuple[bool, ...]]]:
    """Model, task id and verdicts of each problem in a source."""
    (source,) = _load([path], None).values()
    if isinstance(source, Imported):
        return _listed(source, benchmark)
    return [
        (one.model, task, tuple(problem.passed.tolist()))
        for one in load_samples(source, [benchmark]).samples(benchmark)
        for task, problem in zip(one.task_ids, one.problems, strict=True)
    ]


def _listed(source: Imported, benchmark: str) -> list[tuple[str, str, tuple[bool, ...]]]:
    """The verdicts in files of results: those of the second suite of tests if there is one, else those of the first."""
    second = _second_suite(source)
    groups = group_counts(source.rows)
    chosen = (second.get(key, counts) for key, counts in groups.items())
    return [
        (counts.name, task, passed)
        for counts in chosen
        if counts.benchmark in (benchmark, "")
        for task, passed in zip(counts.task_ids, counts.passed, strict=True)
        if passed is not None
    ]


def _arm(arm: RecordedArm, common: Sequence[str], truth: Mapping[str, tuple[bool, ...]] | None) -> Arm:
    place = {task: at for at, task in enumerate(arm.task_ids)}
    return arm.on(common, None if truth is None else [_share(arm, place[task], task, truth) for task in common])


def _share(arm: RecordedArm, at: int, task: str, truth: Mapping[str, tuple[bool, ...]]) -> float:
    """The share of a problem's passing samples that also pass the hidden tests; NaN if no sample passed."""
    visible = arm.verdicts[at]
    try:
        hidden = truth[task]
    except KeyError:
        raise InputError(f"there are no hidden verdicts of {arm.name} for {task!r}") from None
    if visible is None or len(visible) != len(hidden):
        seen = "only counts" if visible is None else f"{len(visible)} verdicts"
        raise InputError(
            f"{arm.name}, {task}: {seen} by visible tests and {len(hidden)} by hidden ones; both need one verdict for "
            "each sample, in the same order (`passed` lists)"
        )
    passing = [true for seen_to_pass, true in zip(visible, hidden, strict=True) if seen_to_pass]
    return sum(passing) / len(passing) if passing else float("nan")
