"""What the paper published, as data, and what follows from it.

Hassid, Remez, Gehring, Schwartz, Adi: "The Larger the Better? Improved LLM Code-Generation via Budget Reallocation",
COLM 2024, arXiv:2404.00725v2. Tables 1-4 are in `tables.toml`; `tables` reads them, `equal_budget` computes what they
say at equal budget, `grids` lays them out. What the paper shows in figures only is not here.
"""

from isobudget.paper.equal_budget import Cell, EqualBudget, PaperFlip, equal_budget, paper_flips
from isobudget.paper.tables import CITATION, CostRow, PassTable, cost_table, paper_cost, pass_tables

__all__ = [
    "CITATION",
    "Cell",
    "CostRow",
    "EqualBudget",
    "PaperFlip",
    "PassTable",
    "cost_table",
    "equal_budget",
    "paper_cost",
    "paper_flips",
    "pass_tables",
]
