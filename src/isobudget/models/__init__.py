"""What a model is: architecture, names, weights, and the catalogue of those that ship."""

from isobudget.models.architecture import Architecture
from isobudget.models.gguf import GgufHeader, read_gguf_header
from isobudget.models.named import find_named, known_names, named
from isobudget.models.read_architecture import from_hf_config, load_architecture
from isobudget.models.read_gguf import from_gguf

__all__ = [
    "Architecture",
    "GgufHeader",
    "find_named",
    "from_gguf",
    "from_hf_config",
    "known_names",
    "load_architecture",
    "named",
    "read_gguf_header",
]
