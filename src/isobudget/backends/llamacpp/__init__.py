"""Embedded llama.cpp: GGUF models inside this process.

`backend` is the face. `engine` imports the module, `api` binds its C functions, `model` loads weights and spells,
`context` computes batches of tokens. On these stand `slots`, which draws samples (with `drawing`, the choice of a
token, and `template`, for conversations), and `scoring`, which computes log-probabilities of given texts.
"""

from isobudget.backends.llamacpp.backend import EngineSettings, LlamaCpp, engine_label
from isobudget.backends.llamacpp.engine import import_engine, usable_cores

__all__ = ["EngineSettings", "LlamaCpp", "engine_label", "import_engine", "usable_cores"]
