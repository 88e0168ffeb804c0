"""What is left to generate, and in which pieces.

Sample i of a problem has the seed (base + i), where the base follows from study seed, model and problem. So a
larger n later adds samples and changes none, and a stopped run goes on where it was. Pieces are made as they are asked
for: a study of millions of samples is never listed whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from isobudget.backends.base import Generation, Prompt, Sampling
from isobudget.problems.problem import Problem
from isobudget.records.keys import SampleKeys
from isobudget.records.rows import SampleKey
from isobudget.study import Study
from isobudget.study.resolve import ResolvedBenchmark, ResolvedModel


@dataclass(frozen=True, slots=True)
class Work:
    """Samples of one problem to generate by one call.

    Attributes:
        problem: the problem.
        prompt: what the model is given.
        sampling: how to sample.
        keys: the samples' keys, one for each.
        seeds: their seeds, in the same order.
    """

    problem: Problem
    prompt: Prompt
    sampling: Sampling
    keys: tuple[SampleKey, ...]
    seeds: tuple[int, ...]

    def without(self, generations: Sequence[Generation | None]) -> Work:
        """What is left of it after these came, one for each sample or None; all of it after none at all."""
        left = [place for place in range(len(self.keys)) if not generations or generations[place] is None]
        return replace(
            self, keys=tuple(self.keys[place] for place in left), seeds=tuple(self.seeds[place] for place in left)
        )


def missing_work(
    study: Study, model: ResolvedModel, benchmarks: Sequence[ResolvedBenchmark], have: SampleKeys, group: int
) -> Iterator[Work]:
    """What is left to generate with one model, in groups of at most `group` samples, those of a problem in sequence."""
    for benchmark in benchmarks:
        for problem in benchmark.problems:
            yield from _pieces(study, model, benchmark, problem, have, group)


def _pieces(
    study: Study, model: ResolvedModel, benchmark: ResolvedBenchmark, problem: Problem, have: SampleKeys, group: int
) -> Iterator[Work]:
    """The calls of one problem."""
    missing = _missing(study, model, benchmark, problem, have)
    if not missing:
        return
    sampling = model.sampling(benchmark)
    base = base_seed(study.seed, model.name, benchmark.name, problem.task_id)
    prompt = model.prompts[benchmark.name].render(problem).prompt
    for keys in groups_of(missing, group):
        how = replace(sampling, temperature=0.0) if keys[0][3] else sampling
        yield Work(problem, prompt, how, keys, tuple(base + key[4] for key in keys))


def count_missing(study: Study, model: ResolvedModel, benchmarks: Sequence[ResolvedBenchmark], have: SampleKeys) -> int:
    """How many samples `missing_work` will ask for."""
    return sum(
        len(_missing(study, model, benchmark, problem, have))
        for benchmark in benchmarks
        for problem in benchmark.problems
    )


def base_seed(seed: int, model: str, benchmark: str, task_id: str) -> int:
    """The seed of sample 0 of a problem: 30 bits, so that base + index stays below 2^31."""
    text = "\0".join((str(seed), model, benchmark, task_id))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 2


def groups_of(keys: Sequence[SampleKey], group: int) -> Iterator[tuple[SampleKey, ...]]:
    """Sampled keys in groups of equal size, none larger than `group`, larger ones first; greedy ones by themselves."""
    sampled = [key for key in keys if not key[3]]
    pieces = -(-len(sampled) // group)
    for piece in range(pieces):
        start, end = (-(-len(sampled) * place // pieces) for place in (piece, piece + 1))
        yield tuple(sampled[start:end])
    yield from ((key,) for key in keys if key[3])


def _missing(
    study: Study, model: ResolvedModel, benchmark: ResolvedBenchmark, problem: Problem, have: SampleKeys
) -> list[SampleKey]:
    """The keys of a problem's samples that are wanted and not there."""
    name = (benchmark.name, model.name, problem.task_id)
    wanted = {False: model.samples[benchmark.name], True: int(study.greedy)}
    return [(*name, greedy, at) for greedy, n in wanted.items() for at in have.missing((*name, greedy), n)]
