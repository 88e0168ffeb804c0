"""Throughput profiles: how fast this machine runs a model, measured once, for pricing samples in seconds."""

from isobudget.models.random_gguf import Quantisation
from isobudget.profiling.measure import Profiled, profile, profiles_folder
from isobudget.profiling.timing import Timing

__all__ = ["Profiled", "Quantisation", "Timing", "profile", "profiles_folder"]
