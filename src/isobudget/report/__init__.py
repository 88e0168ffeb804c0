"""Presents a run to readers: tables for the terminal, figures, one HTML page, JSON."""

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.report.build import Report, build_report, require_parts
    from isobudget.report.on_terminal import print_report
    from isobudget.report.tables.comparison import equal_budget_table, flip_table

__getattr__, __dir__ = lazy_package(
    __name__,
    {
        "Report": "build",
        "build_report": "build",
        "equal_budget_table": "tables.comparison",
        "flip_table": "tables.comparison",
        "print_report": "on_terminal",
        "require_parts": "build",
    },
)

__all__ = ["Report", "build_report", "equal_budget_table", "flip_table", "print_report", "require_parts"]
