"""APPS: a benchmark for each of its three difficulties."""
