"""Two suites of tests: how many of the samples that pass the visible tests are wrong by all tests.

A run has both suites if its problems state how many of their first tests are visible (`solving.suites`). Imported
results have both if another benchmark is the same one with a further suite, such as `humaneval+` for `humaneval`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.left_out import LeftOut
from isobudget.analysis.load_samples import LoadedRun, ModelSamples
from isobudget.solving.suites import visible_verdicts

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TwoSuites:
    """Counts of one model's samples by their results in both suites.

    Attributes:
        model: its name.
        problems: number of problems with two suites.
        samples: number of judged samples.
        visible: number of samples that pass the visible tests.
        right: number of samples that pass all tests.
        share_visible: mean over problems of the share of samples that pass the visible tests.
        share_right: mean over problems of the share of samples that pass all tests.
    """

    model: str
    problems: int
    samples: int
    visible: int
    right: int
    share_visible: float
    share_right: float

    @property
    def wrong(self) -> float:
        """The share of samples that pass the visible tests but not all tests; NaN if none passes the visible tests."""
        return 1 - self.right / self.visible if self.visible else float("nan")


def two_suites(loaded: LoadedRun, benchmark: str, task_ids: Sequence[str]) -> tuple[TwoSuites, ...]:
    """The samples by both suites of a benchmark, one entry per model; empty if there is only one suite."""
    models = loaded.samples(benchmark)
    suites = [_counted(one.model, list(_verdicts(loaded, benchmark, one, task_ids))) for one in models]
    return tuple(one for one in suites if one.problems and one.samples)


def _verdicts(
    loaded: LoadedRun, benchmark: str, samples: ModelSamples, task_ids: Sequence[str]
) -> Iterator[tuple[Flags, Flags]]:
    """For each problem with two suites, which samples passed the visible tests, and which passed all."""
    own = samples.only(tuple(task for task in task_ids if task in set(samples.task_ids)))
    further = _further_suite(loaded, benchmark, samples.model)
    for task, problem in zip(own.task_ids, own.problems, strict=True):
        visible = loaded.problems[benchmark, task].visible_tests
        if further is not None and task in further.task_ids:
            hidden = further.problems[further.task_ids.index(task)]
            if np.array_equal(hidden.index, problem.index):
                yield problem.passed, problem.passed & hidden.passed
        elif visible is not None:
            alone = ModelSamples(samples.model, (task,), (problem,), None, LeftOut())
            (passed,) = visible_verdicts(alone, [visible])
            yield np.array(passed, dtype=bool), problem.passed


def _further_suite(loaded: LoadedRun, benchmark: str, model: str) -> ModelSamples | None:
    """The same samples judged by a further suite, if the run has one."""
    names = [name for name in loaded.models if name.startswith((f"{benchmark}+", f"{benchmark} ["))]
    matching = [one for name in names[:1] for one in loaded.models[name] if one.model == model]
    return matching[0] if matching else None


def _counted(model: str, verdicts: Sequence[tuple[Flags, Flags]]) -> TwoSuites:
    visible, right = ([float(pair[at].mean()) for pair in verdicts] or [float("nan")] for at in (0, 1))
    return TwoSuites(
        model,
        len(verdicts),
        sum(len(passed) for passed, _ in verdicts),
        sum(int(passed.sum()) for passed, _ in verdicts),
        sum(int(whole.sum()) for _, whole in verdicts),
        float(np.mean(visible)),
        float(np.mean(right)),
    )
