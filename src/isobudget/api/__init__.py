"""The commands as Python functions: the same names, the same options, the same results.

    from isobudget import api
    made = api.run("quickstart", out="runs/five", problems=5)
    print(made.report.sentences)
    api.curves("counts.jsonl", "seconds", costs="paper").to_pandas()

Parameters have the names of the command's options, with underscores. If a command accepts an option several times, the
function accepts a list. `to_dict()` of a result is what the command prints with ``--json``. A collection of results
prints as the command's table or a summary of it, and its `to_records()` is a flat table. Errors are `IsobudgetError`s.

The functions are here, and not in `isobudget` itself, because some share their name with a package
(`isobudget.judge`). Everything is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isobudget.lazy import lazy_package

if TYPE_CHECKING:
    from isobudget.api.agents import mcp
    from isobudget.api.asking import compare, curves, formats, paper, passk, prompt, report
    from isobudget.api.exchanging import export, import_results, sql
    from isobudget.api.machine import doctor, fetch, models, profile
    from isobudget.api.making import dry_run, generate, judge, run
    from isobudget.api.planning import plan
    from isobudget.api.ranking import rank
    from isobudget.api.serving import change_key, keys, ledger, new_key, serve, serve_judge
    from isobudget.api.tasks import show, solve, solve_failing
    from isobudget.api.upkeep import check, compact
    from isobudget.api.viewing import view

__all__ = [
    "change_key",
    "check",
    "compact",
    "compare",
    "curves",
    "doctor",
    "dry_run",
    "export",
    "fetch",
    "formats",
    "generate",
    "import_results",
    "judge",
    "keys",
    "ledger",
    "mcp",
    "models",
    "new_key",
    "paper",
    "passk",
    "plan",
    "profile",
    "prompt",
    "rank",
    "report",
    "run",
    "serve",
    "serve_judge",
    "show",
    "solve",
    "solve_failing",
    "sql",
    "view",
]

_HOME = {
    "change_key": "serving",
    "check": "upkeep",
    "compact": "upkeep",
    "compare": "asking",
    "curves": "asking",
    "doctor": "machine",
    "dry_run": "making",
    "export": "exchanging",
    "fetch": "machine",
    "formats": "asking",
    "generate": "making",
    "import_results": "exchanging",
    "judge": "making",
    "keys": "serving",
    "ledger": "serving",
    "mcp": "agents",
    "models": "machine",
    "new_key": "serving",
    "paper": "asking",
    "passk": "asking",
    "plan": "planning",
    "profile": "machine",
    "prompt": "asking",
    "rank": "ranking",
    "report": "asking",
    "run": "making",
    "serve": "serving",
    "serve_judge": "serving",
    "show": "tasks",
    "solve": "tasks",
    "solve_failing": "tasks",
    "sql": "exchanging",
    "view": "viewing",
}

__getattr__, __dir__ = lazy_package(__name__, _HOME)
