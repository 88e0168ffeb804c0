"""What a sample costs: flops, seconds, tokens, usd or joules, each with the source of the figure.

Pure apart from the costs file or profile that a caller names.
"""

from isobudget.costs.cost import SampleCost, Unit, parse_unit
from isobudget.costs.costs_file import CostsFile, cost_from_entry, read_costs
from isobudget.costs.energy import joules_cost
from isobudget.costs.flops import calflops_count, completion_flops, paper_flops, prompt_flops, scoring_flops
from isobudget.costs.prices import GpuHour, TokenPrice, example_prices, rent_cost, usd_cost
from isobudget.costs.roofline import Gpu, Serving, gpu_named, roofline_seconds
from isobudget.costs.seconds import Profile, measured_seconds, parse_profile, profile_seconds, read_profile
from isobudget.costs.usage import TokenUse, flops_cost, tokens_cost

__all__ = [
    "CostsFile",
    "Gpu",
    "GpuHour",
    "Profile",
    "SampleCost",
    "Serving",
    "TokenPrice",
    "TokenUse",
    "Unit",
    "calflops_count",
    "completion_flops",
    "cost_from_entry",
    "example_prices",
    "flops_cost",
    "gpu_named",
    "joules_cost",
    "measured_seconds",
    "paper_flops",
    "parse_profile",
    "parse_unit",
    "profile_seconds",
    "prompt_flops",
    "read_costs",
    "read_profile",
    "rent_cost",
    "roofline_seconds",
    "scoring_flops",
    "tokens_cost",
    "usd_cost",
]
