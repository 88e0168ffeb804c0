"""Estimates what one model would do on one benchmark: samples, tokens, time, cost, disk space. See `dry_run`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import mul
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.llamacpp.settings import LlamaCppSettings
from isobudget.backends.settings import BackendSettings
from isobudget.costs.prices import example_prices
from isobudget.costs.roofline import Serving, gpu_named, roofline_seconds
from isobudget.errors import InputError
from isobudget.files.near import RUN_FILE
from isobudget.models.architecture import Architecture
from isobudget.pipeline.samples_from_budget import Lengths, lengths
from isobudget.records.keys import SampleKeys
from isobudget.records.parts import bytes_of_table, read_each
from isobudget.records.rows import SampleRow
from isobudget.records.run import load_run
from isobudget.study import Study, StudyModel
from isobudget.study.resolve import ResolvedBenchmark, ResolvedModel

#: number of problems, and most new tokens, of benchmarks whose data may be absent
_PUBLISHED = {
    "humaneval": (164, 512),
    "humaneval+": (164, 512),
    "mbpp": (500, 256),
    "mbpp+": (378, 256),
    "apps-introductory": (1000, 256),
    "apps-interview": (3000, 256),
    "apps-competition": (1000, 256),
}
_BYTES_PER_TOKEN = 3.0
_BYTES_PER_SAMPLE = 100.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What one model would do on one benchmark. None means not known.

    Attributes:
        model, benchmark: names in the run.
        problems: number of problems of the benchmark.
        n: samples of each problem, without the greedy one.
        samples: total number of samples that the study requests.
        left: samples that the run folder does not have yet. The fields below are about these samples alone.
        prompt_tokens, completion_tokens: estimates.
        prompt_tokens_at_most, completion_tokens_at_most: upper bounds.
        seconds, usd: estimates.
        seconds_source, usd_source: where these estimates come from.
        bytes: estimated bytes on disk.
    """

    model: str
    benchmark: str
    problems: int | None
    n: int | None
    samples: int | None
    left: int | None
    prompt_tokens: int | None = None
    prompt_tokens_at_most: int | None = None
    completion_tokens: int | None = None
    completion_tokens_at_most: int | None = None
    seconds: float | None = None
    seconds_source: str = "not known"
    usd: float | None = None
    usd_source: str = "not known"
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RecordedMeans:
    """Means over a run's samples of one model and benchmark.

    `prompt_seconds` is 0 if `seconds` includes the time of the prompt.
    """

    completion_tokens: float
    seconds: float
    prompt_seconds: float
    bytes: float


#: the source of a time that is not known, for a model that runs in the embedded engine
_MEASURABLE = "not known before the first samples; isobudget profile MODEL measures the speed here"

#: what a run folder has: the keys of its samples, and their means by benchmark and model
Known = tuple[SampleKeys, Mapping[tuple[str, str], RecordedMeans]]


def absent(study: Study, model: StudyModel, benchmark: str, shape: Architecture | None = None) -> Expected:
    """The estimate without the problems or the model: from the benchmark's published size and the model's shape."""
    size, most = _PUBLISHED.get(benchmark, (None, None))
    n = model.samples(benchmark)
    if size is None or n is None:
        return Expected(model.name, benchmark, size, n, None, None)
    problems = min(size, study.problems or size)
    samples = problems * (n + study.greedy)
    tokens = samples * (study.sampling.max_tokens or most or 0)
    expected = Expected(
        model.name,
        benchmark,
        problems,
        n,
        samples,
        samples,
        completion_tokens=tokens // 2,
        completion_tokens_at_most=tokens,
        bytes=_bytes(samples, tokens / 2),
    )
    with contextlib.suppress(InputError):  # nothing is known of what does not fit a GPU; said where the problems are
        expected = _by_roofline(expected, model.settings, shape, (0,) * problems, tokens / 2 / max(samples, 1))
    return _by_the_hour(_measurable(expected, model.settings), model.settings)


def _measurable(expected: Expected, settings: BackendSettings) -> Expected:
    """The estimate with a hint on how to measure its time, if that is not known and this machine's engine takes it."""
    measurable = expected.seconds is None and isinstance(settings, LlamaCppSettings)
    return replace(expected, seconds_source=_MEASURABLE) if measurable else expected


def _by_roofline(
    expected: Expected, settings: BackendSettings, shape: Architecture | None, prompts: Sequence[int], completion: float
) -> Expected:
    """The estimate with the minimum seconds on the named GPU; `prompts` is one prompt length in tokens per problem.

    Raises:
        InputError: the GPU is not known, or is too small for the model.
    """
    hardware = settings.hardware()
    if hardware is None or shape is None or expected.left is None:
        return expected
    prompt = float(np.mean(prompts))
    serving = Serving(gpu_named(hardware.gpu), hardware.gpus, hardware.batch)
    price = roofline_seconds(shape, serving, max(1.0, prompt), completion)
    seconds = expected.left * price.per_sample + len(prompts) * price.per_problem
    left_out = "" if prompt else ", without prompts"
    return replace(expected, seconds=seconds, seconds_source=f"lower bound, by a roofline on {hardware.gpu}{left_out}")


def _by_the_hour(expected: Expected, settings: BackendSettings) -> Expected:
    """The estimate with the cost of its seconds on the named GPU, from the shipped price tables."""
    hardware = settings.hardware()
    hour = next((one for one in example_prices()[1] if hardware and one.gpu == hardware.gpu), None)
    if hardware is None or hour is None or expected.seconds is None:
        return expected
    usd = expected.seconds * hardware.gpus * hour.usd / 3600
    return replace(expected, usd=usd, usd_source=f"{hour.usd:g} usd per GPU-hour, {hour.date} ({hour.source})")


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimate for one model on one benchmark. The benchmark's data are on this machine."""

    study: Study
    model: ResolvedModel
    benchmark: ResolvedBenchmark
    n: int | None
    known: Known
    note: Callable[[str], None]

    def expected(self) -> Expected:
        """The estimated samples, tokens, time, cost and disk space."""
        problems = self.benchmark.problems
        empty = Expected(self.model.name, self.benchmark.name, len(problems), self.n, None, None)
        if self.n is None:
            return empty
        left = [self._left(problem.task_id) for problem in problems]
        samples = len(problems) * (self.n + self.study.greedy)
        recorded = self.known[1].get((self.benchmark.name, self.model.name))
        completion = recorded.completion_tokens if recorded else None
        sizes = lengths(self.model.prompts[self.benchmark.name], self.benchmark, completion)
        calls = [self._calls(*each) for each in left]
        total = sum(map(sum, left))
        filled = replace(
            empty,
            samples=samples,
            left=total,
            prompt_tokens=sum(map(mul, calls, sizes.prompts)),
            prompt_tokens_at_most=sum(map(mul, calls, sizes.prompts_at_most)),
            completion_tokens=round(total * sizes.completion),
            completion_tokens_at_most=total * sizes.completion_at_most,
            bytes=round(total * recorded.bytes) if recorded else _bytes(total, total * sizes.completion),
        )
        return self._priced(self._timed(filled, recorded, sizes, sum(any(one) for one in left)))

    def _left(self, task_id: str) -> tuple[int, int]:
        """The numbers of samples and of greedy samples of a problem that the run folder lacks."""
        assert self.n is not None
        name, have = (self.benchmark.name, self.model.name, task_id), self.known[0]
        greedy = self.study.greedy and (*name, True, 0) not in have
        return self.n - have.count((*name, False), self.n), int(greedy)

    def _calls(self, samples: int, greedy: int) -> int:
        """How often a problem's prompt is computed: for every call, or once for all its samples."""
        pace = self.model.settings.pacing()
        return -(-samples // pace.group) + greedy if pace.by_calls else min(samples + greedy, 1)

    def _timed(self, expected: Expected, recorded: RecordedMeans | None, sizes: Lengths, problems: int) -> Expected:
        if not expected.left:
            return replace(expected, seconds=0.0, seconds_source="nothing is left to generate")
        if recorded:
            source = "mean seconds of the samples that this run has"
            seconds = expected.left * recorded.seconds + problems * recorded.prompt_seconds
            return replace(expected, seconds=seconds, seconds_source=source)
        try:
            model = self.model
            timed = _by_roofline(expected, model.settings, model.architecture, sizes.prompts, sizes.completion)
            return _measurable(timed, model.settings)
        except InputError as error:
            self.note(str(error))
            return expected

    def _priced(self, expected: Expected) -> Expected:
        by_token, _ = example_prices()
        stated, settings = self.model.stated, self.model.settings
        price = stated.price and replace(stated.price, model=self.model.name)
        if price is None and settings.paid_by_token:
            price = next((one for one in by_token if one.model.casefold() == settings.model.casefold()), None)
        if price is not None and expected.prompt_tokens is not None and expected.completion_tokens is not None:
            usd = price.usd_of(expected.prompt_tokens, expected.completion_tokens)
            return replace(expected, usd=usd, usd_source=f"price of {price.model}, {price.date} ({price.source})")
        return _by_the_hour(expected, settings)


def _bytes(samples: float, tokens: float) -> int:
    return round(_BYTES_PER_SAMPLE * samples + _BYTES_PER_TOKEN * tokens)


def known_of(path: Path) -> Known:
    """The keys and means of the samples in a run folder; empty if the run does not exist."""
    if not (path / RUN_FILE).is_file():
        return SampleKeys(), {}
    run = load_run(path)
    sums: dict[tuple[str, str], NDArray[np.float64]] = {}
    summed = ["completion_tokens", "seconds", "prompt_seconds"]
    for part in read_each(path / "samples", SampleRow, ["benchmark", "model", *summed]):
        wanted = [("seconds", "count"), *((name, "sum") for name in summed)]
        for row in part.group_by(["benchmark", "model"]).aggregate(wanted).to_pylist():
            key = (row["benchmark"], row["model"])
            new = np.array([row[f"{name}_{kind}"] or 0.0 for name, kind in wanted])
            sums[key] = sums.get(key, np.zeros(len(wanted))) + new
    rows = sum(float(one[0]) for one in sums.values())
    size = bytes_of_table(path / "samples") / max(rows, 1)
    means = {}
    for key, (count, *totals) in sums.items():
        tokens, seconds, prompt_seconds = (float(total / count) for total in totals)
        means[key] = RecordedMeans(tokens, seconds, prompt_seconds, size)
    return run.sample_keys(), means
