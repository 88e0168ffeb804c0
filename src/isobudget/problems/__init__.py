"""Problems and where they come from: `load_benchmark` takes a name or the path of your own problems."""

from isobudget.problems.registry import benchmark_names, load_benchmark

__all__ = ["benchmark_names", "load_benchmark"]
