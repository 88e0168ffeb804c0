"""The paper's published data, and results derived from it.

Hassid, Remez, Gehring, Schwartz, Adi: "The Larger the Better? Improved LLM Code-Generation via Budget Reallocation",
COLM 2024, arXiv:2404.00725v2. Tables 1-4 are in `tables.toml`. `tables` reads them, `equal_budget` computes their
results at equal budget, and `report.tables.paper` lays them out. Data that the paper shows only in figures is not
included.
"""
