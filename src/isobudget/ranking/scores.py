"""Scores by a model: the likelihood of each sample after its prompt, and of each prompt after its sample.

The samples of one prompt are scored together, so that a backend can compute the prompt once. Equal texts are scored
once. A model that wrote the samples itself scores the token ids that it generated; other models tokenize the text.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isobudget.backends.base import Backend, Chat, Prompt, Score
from isobudget.costs.cost import Unit
from isobudget.costs.flops import completion_flops, prompt_flops
from isobudget.errors import BackendError, InputError
from isobudget.models.architecture import Architecture
from isobudget.progress import Progress
from isobudget.rankers.base import BACKWARD, FORWARD, Amount, Candidates, Pool, RankerCost
from isobudget.rankers.ranker import Scored
from isobudget.records.ranking_rows import KeptRows, ScoreRow, score_row
from isobudget.records.rows import SampleKey

#: texts that one call scores: enough to share a prompt, few enough to record often
GROUP = 16

#: the scores of samples
Rows = Mapping[SampleKey, ScoreRow]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A scoring model.

    Attributes:
        name: name of the model, for labels and tables.
        open: makes the model's backend.
        architecture: the model's architecture, to count flops; None if it is not known.
    """

    name: str
    open: Callable[[], Backend]
    architecture: Architecture | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    """Texts to score after one prompt, and for each text the keys of the samples that have it."""

    prompt: Prompt
    texts: tuple[str, ...]
    token_ids: tuple[tuple[int, ...], ...]
    keys: tuple[tuple[SampleKey, ...], ...]


def kept_scores(pool: Pool, scorer: str, kind: str, folder: Path | None) -> KeptRows[SampleKey, ScoreRow]:
    """The recorded scores of a pool's samples by a model; `folder` is their table."""
    mine = {"ranker": kind, "scorer": scorer, "benchmark": pool.benchmark, "model": pool.model}
    return KeptRows(folder, ScoreRow, lambda row: row.key, mine)


def score_pool(pool: Pool, scorer: Scorer, kind: str, folder: Path | None, progress: Progress) -> Rows:
    """The scores of a pool's samples by a model, computed unless they are recorded.

    `kind` is `FORWARD` or `BACKWARD`. `folder` is the table of scores; None: they are not recorded.

    Raises:
        InputError: the backend cannot score.
        BackendError: the model did not answer; earlier scores are kept.
    """
    kept = kept_scores(pool, scorer.name, kind, folder)
    jobs = [job for one in pool.problems for job in _jobs(pool, one, kind, scorer.name == pool.model, kept.rows)]
    empty = [pool.key(one, s.index) for one in pool.problems for s in one.samples if not _text(one, s.text, kind)]
    task, total = f"scoring {pool.model} by {scorer.name} ({kind})", int(pool.sizes.sum())
    progress.start(task, total, total - sum(len(keys) for job in jobs for keys in job.keys))
    with kept.writing():
        kept.add([score_row(key, kind, scorer.name, None, "none") for key in kept.missing(empty)])
        for made in _scored(jobs, scorer, kind):
            kept.add(made)
            progress.advance(task, len(made))
    return kept.rows


def _scored(jobs: Sequence[_Job], scorer: Scorer, kind: str) -> Iterator[list[ScoreRow]]:
    if not jobs:
        return
    with scorer.open() as backend:
        described = backend.describe()
        if not described.can_score:
            raise InputError(
                f"{scorer.name}: this way of reaching the model ({described.engine}) gives no log-probabilities of "
                "given text, so it cannot score. Use its weights through llama.cpp, vLLM or transformers, or rank by "
                "the log-probabilities recorded at generation: --ranker own"
            )
        with contextlib.closing(_in_parallel(backend, jobs)) as results:
            for job, scores in results:
                yield [
                    score_row(key, kind, scorer.name, score, described.scoring or described.engine)
                    for keys, score in zip(job.keys, scores, strict=True)
                    for key in keys
                ]


def _in_parallel(backend: Backend, jobs: Sequence[_Job]) -> Generator[tuple[_Job, list[Score]], None, None]:
    """Scores in the order of the jobs, by as many concurrent calls as the backend takes, at most 16."""
    calls = max(1, min(backend.concurrency, 16))
    waiting: deque[tuple[_Job, Future[list[Score]]]] = deque()

    def result() -> tuple[_Job, list[Score]]:
        job, future = waiting.popleft()
        scores = future.result()
        if len(scores) != len(job.texts):
            raise BackendError(f"for {len(job.texts)} texts, the backend returned {len(scores)} scores")
        return job, scores

    with ThreadPoolExecutor(max_workers=calls) as threads:
        try:
            for job in jobs:
                waiting.append((job, threads.submit(backend.score, job.prompt, job.texts, job.token_ids)))
                if len(waiting) >= 2 * calls:
                    yield result()
            while waiting:
                yield result()
        finally:
            for _, future in waiting:
                future.cancel()


def _jobs(pool: Pool, candidates: Candidates, kind: str, own: bool, have: Rows) -> Iterator[_Job]:
    """The texts of one problem that have no score yet, equal texts once, in groups that follow the same prompt."""
    texts: dict[tuple[str, tuple[int, ...]], list[SampleKey]] = {}
    for sample in candidates.samples:
        key = pool.key(candidates, sample.index)
        if key not in have and _text(candidates, sample.text, kind):
            ids = sample.token_ids if own and kind == FORWARD else ()
            texts.setdefault((sample.text, ids), []).append(key)
    if kind == BACKWARD:
        # here the samples come first, so that nothing is shared: one call each
        for (text, _), keys in texts.items():
            yield _Job(review_prompt(text), (plain(candidates.prompt),), (), (tuple(keys),))
        return
    items = list(texts.items())
    for start in range(0, len(items), GROUP):
        part = items[start : start + GROUP]
        written = tuple(text for (text, _), _ in part)
        known = tuple(given for (_, given), _ in part)
        yield _Job(candidates.prompt, written, known if any(known) else (), tuple(tuple(keys) for _, keys in part))


def _text(candidates: Candidates, text: str, kind: str) -> str:
    """The text to score; empty for an empty sample, in either direction."""
    return (text if kind == FORWARD else plain(candidates.prompt)) if text else ""


def review_prompt(text: str) -> str:
    """The sample and a line that introduces its task; the prompt is scored after this text."""
    return f"{text.rstrip()}\n\n# The task that the code above solves:\n"


def plain(prompt: Prompt) -> str:
    """A prompt as one text; for a conversation, the last message of the user."""
    if isinstance(prompt, Chat):
        texts = [message.content for message in prompt.messages if message.role == "user"]
        return texts[-1] if texts else ""
    return prompt


# what rankers are given -----------------------------------------------------------------------------------------------


def scored_by(pool: Pool, rows: Rows, name: str, kind: str, architecture: Architecture | None = None) -> Scored:
    """The scores in the pool's order, and their cost from the scoring model's architecture and token counts.

    The samples of a problem share its prompt, which is computed once (`FORWARD`). Samples without tokens cost nothing.
    """
    table = [[rows[pool.key(one, sample.index)] for sample in one.samples] for one in pool.problems]
    sums = tuple(np.array([np.nan if row.value is None else row.value for row in one]) for one in table)
    tokens = tuple(np.array([row.tokens for row in one], dtype=np.float64) for one in table)
    shared = kind == FORWARD
    before = [max((row.prompt_tokens for row in one), default=0) if shared else 0 for one in table]
    each = _mean([[float(row.tokens if shared else row.tokens + row.prompt_tokens) for row in one] for one in table])
    amounts = {
        Unit.SECONDS: Amount(0.0, _mean([[row.seconds for row in one] for one in table])),
        Unit.TOKENS: Amount(float(np.mean(before)), each),
    }
    if architecture is not None:
        first = [prompt_flops(architecture, tokens) if tokens else 0.0 for tokens in before]
        passes = [_passes(architecture, one, shared) for one in table]
        amounts[Unit.FLOPS] = Amount(float(np.mean(first)), _mean(passes))
    engines = ", ".join(sorted({row.engine for one in table for row in one} - {"none"}))
    known = "" if architecture is not None else "; flops are not known, because its architecture is not"
    what = {FORWARD: "sample", BACKWARD: "prompt"}.get(kind, "pair of prompt and sample")
    return Scored(name, sums, tokens, RankerCost(amounts, f"one pass by {name} over each {what} ({engines}){known}"))


def _passes(shape: Architecture, rows: Sequence[ScoreRow], shared: bool) -> list[float]:
    """Flops of scoring each sample of a problem; 0 for a sample without tokens."""
    tokens = np.array([row.tokens for row in rows], dtype=np.int64)
    prompts = np.maximum(np.array([row.prompt_tokens for row in rows], dtype=np.int64), 1)
    first = 0.0 if shared else np.array([prompt_flops(shape, prompt) for prompt in prompts.tolist()])
    passes: list[float] = np.where(tokens > 0, completion_flops(shape, prompts, tokens) + first, 0.0).tolist()
    return passes


def _mean(rows: list[list[float]]) -> float:
    """Mean over problems of the mean over samples."""
    return float(np.mean([np.mean(row) for row in rows]))
