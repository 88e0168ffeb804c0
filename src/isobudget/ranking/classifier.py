"""A sequence classifier of the Hugging Face hub as a verifier: log p(right | prompt, sample), without execution.

Any model of `AutoModelForSequenceClassification` can be used. A label called `right`, `correct`, `passed`, `positive`
or `true`, in any case, stands for "right". Without such a label, the classifier may have at most two, and the last one
stands for "right". A single output is a logit. The classifier gets the prompt as first and the sample as second text,
cut from the front to the length that it takes, at most 4,096 tokens. It must not have been trained on the ranked
problems: isobudget cannot check that, and a note says so.

Needs `pip install 'isobudget[transformers]'`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from isobudget.backends.base import Score
from isobudget.errors import InputError, MissingExtraError, ModelError
from isobudget.progress import Progress
from isobudget.rankers.base import Pool
from isobudget.ranking.scores import Rows, kept_scores, plain
from isobudget.records.ranking_rows import ScoreRow, score_row
from isobudget.records.rows import SampleKey

#: the kind of these scores in the table
KIND = "classifier"
_BATCH = 16
_RIGHT = ("right", "correct", "passed", "positive", "true")


def classify_pool(pool: Pool, name: str, folder: Path | None, progress: Progress) -> Rows:
    """log p(right) of every sample by the classifier `name`; recorded values are not computed again.

    Raises:
        MissingExtraError: PyTorch or transformers is not installed.
        ModelError: the classifier cannot be loaded.
        InputError: the classifier has more than two labels, none of which stands for "right".
    """
    kept = kept_scores(pool, name, KIND, folder)
    items = {
        pool.key(one, sample.index): (plain(one.prompt), sample.text) for one in pool.problems for sample in one.samples
    }
    missing = [(key, *items[key]) for key in kept.missing(items)]
    task = f"classifying {pool.model} by {name}"
    progress.start(task, len(items), len(items) - len(missing))
    if missing:
        with kept.writing():
            for made in _classified(name, missing):
                kept.add(made)
                progress.advance(task, len(made))
    return kept.rows


def _classified(name: str, items: Sequence[tuple[SampleKey, str, str]]) -> Iterator[list[ScoreRow]]:
    """The rows of the scores, one batch at a time."""
    model, tokenizer, torch = _load(name)
    right = _right_label(name, model.config)
    known = [tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", math.inf) or math.inf]
    longest = int(min(*known, 4096))
    for start in range(0, len(items), _BATCH):
        batch = items[start : start + _BATCH]
        began = time.perf_counter()
        # the ending of either text matters most, and pairs longer than the model must lose something
        encoded = tokenizer(
            [prompt for _, prompt, _ in batch],
            [text for _, _, text in batch],
            return_tensors="pt",
            padding=True,
            truncation="longest_first",
            max_length=longest,
        )
        with torch.inference_mode():
            logits = model(**encoded.to(model.device)).logits.float().cpu()
        seconds = (time.perf_counter() - began) / len(batch)
        tokens = encoded["attention_mask"].sum(dim=1).tolist()
        scores = [
            Score((_log_p(torch, row, right),), int(count) - 1, seconds) if text else None
            for (_, _, text), row, count in zip(batch, logits, tokens, strict=True)
        ]
        pairs = zip(batch, scores, strict=True)
        yield [score_row(key, KIND, name, score, "transformers") for (key, _, _), score in pairs]


def _load(name: str) -> tuple[Any, Any, Any]:
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError:
        raise MissingExtraError("A classifier of the Hugging Face hub", "transformers") from None
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(name, truncation_side="left")
        model: Any = AutoModelForSequenceClassification.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: cannot be loaded as a sequence classifier: {error}") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval(), tokenizer, torch


def _right_label(name: str, config: Any) -> int:
    labels = {int(at): str(label).lower() for at, label in dict(config.id2label).items()}
    named = [at for at, label in labels.items() if label in _RIGHT]
    if named:
        return named[0]
    if len(labels) > 2:
        raise InputError(
            f"{name}: none of its labels ({', '.join(labels.values())}) stands for 'right'; use a classifier with two "
            f"labels, or with a label called {' or '.join(map(repr, _RIGHT))}"
        )
    return len(labels) - 1


def _log_p(torch: Any, logits: Any, right: int) -> float:
    if len(logits) == 1:
        return float(torch.nn.functional.logsigmoid(logits[0]))
    return float(torch.log_softmax(logits, dim=-1)[right])
