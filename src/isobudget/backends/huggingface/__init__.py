"""Causal models run with transformers.

`backend` has the interface and its batching thread; `load` finds model and device, `tokens` tokenizes and detokenizes,
`sample_token` chooses tokens, `batch` runs one batch, `score` scores given texts.
"""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.backends.huggingface.backend import HuggingFace
    from isobudget.backends.huggingface.settings import TransformersSettings

__getattr__, __dir__ = lazy_package(__name__, {"HuggingFace": "backend", "TransformersSettings": "settings"})

__all__ = ["HuggingFace", "TransformersSettings"]
