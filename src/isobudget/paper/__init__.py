"""What the paper published, as data, and what follows from it.

Hassid, Remez, Gehring, Schwartz, Adi: "The Larger the Better? Improved LLM Code-Generation via Budget Reallocation",
COLM 2024, arXiv:2404.00725v2. Tables 1-4 are in `tables.toml`; `tables` reads them, `equal_budget` computes what they
say at equal budget, `grids` lays them out. What the paper shows in figures only is not here.
"""
