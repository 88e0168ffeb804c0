"""What a reader sees of a run: tables for the terminal, figures, one HTML page, JSON."""

from isobudget.report.build import Report, build_report, require_parts
from isobudget.report.on_terminal import print_report
from isobudget.report.tables.comparison import equal_budget_table, flip_table

__all__ = ["Report", "build_report", "equal_budget_table", "flip_table", "print_report", "require_parts"]
