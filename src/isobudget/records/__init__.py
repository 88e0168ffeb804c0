"""The run folder (Parquet and TOML), and readers of other tools' files."""

from isobudget.records.run import Run, load_run

__all__ = ["Run", "load_run"]
