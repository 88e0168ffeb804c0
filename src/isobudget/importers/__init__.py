"""Readers of other tools' result files, and of COUNTS."""
