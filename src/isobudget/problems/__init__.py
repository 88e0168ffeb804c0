"""Problems and where they come from: `load_benchmark` takes a name or the path of your own problems."""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.problems.registry import benchmark_names, load_benchmark

__getattr__, __dir__ = lazy_package(__name__, {"benchmark_names": "registry", "load_benchmark": "registry"})

__all__ = ["benchmark_names", "load_benchmark"]
