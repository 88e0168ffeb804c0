"""Causal models run by transformers.

`backend` is the face with its batching thread; `load` finds model and device, `tokens` spells and cuts, `sample_token`
chooses tokens, `batch` runs one batch, `score` scores given texts.
"""

from isobudget.backends.huggingface.backend import HuggingFace
from isobudget.backends.huggingface.settings import TransformersSettings

__all__ = ["HuggingFace", "TransformersSettings"]
