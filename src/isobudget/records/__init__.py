"""The run folder: its tables (Parquet), its facts (TOML) and its manifest (JSON)."""

from isobudget.records.run import Run, load_run

__all__ = ["Run", "load_run"]
