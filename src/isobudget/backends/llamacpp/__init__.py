"""Embedded llama.cpp: GGUF models inside this process.

`backend` has the interface. `engine` imports the module, `api` binds its C functions, `model` loads weights and
tokenizes, `context` computes batches of tokens. On top of these, `slots` generates samples (with `sample_token`, and
`template` for conversations), and `scoring` computes log-probabilities of given texts.
"""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.backends.llamacpp.backend import LlamaCpp
    from isobudget.backends.llamacpp.engine import import_engine, usable_cores
    from isobudget.backends.llamacpp.settings import LlamaCppSettings

__getattr__, __dir__ = lazy_package(
    __name__,
    {"LlamaCpp": "backend", "import_engine": "engine", "usable_cores": "engine", "LlamaCppSettings": "settings"},
)

__all__ = ["LlamaCpp", "LlamaCppSettings", "import_engine", "usable_cores"]
