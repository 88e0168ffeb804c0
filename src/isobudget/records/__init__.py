"""The run folder (Parquet and TOML), and readers for files of other tools."""

from isobudget.records.run import Run, load_run

__all__ = ["Run", "load_run"]
