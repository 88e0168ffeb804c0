"""Throughput profiles: how fast this machine runs a model, measured once, for pricing samples in seconds."""

from isobudget.models.random_gguf import Quantisation
from isobudget.profiling.measure import Profiled, profile, profiles_folder
from isobudget.profiling.timing import Timing, parse_slots

__all__ = ["Profiled", "Quantisation", "Timing", "parse_slots", "profile", "profiles_folder"]
