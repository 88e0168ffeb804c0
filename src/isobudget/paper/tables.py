"""Tables 1-4 of the paper: the cost of a sample, and pass@k in percent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from isobudget.costs.cost import ONE_PASS, SampleCost, Unit
from isobudget.costs.devices import device_seconds
from isobudget.costs.flops import paper_flops
from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean
from isobudget.files.toml import shipped_toml
from isobudget.models.named import find_named, named

CITATION = "Hassid et al., COLM 2024, arXiv:2404.00725v2"

#: number of A100s that ran each model (section 2.2)
PAPER_GPUS = 8

_TERA = 1e12


@dataclass(frozen=True, slots=True)
class CostRow:
    """One row of Table 1, with our own count beside it.

    Attributes:
        model: name of the model in the paper.
        architecture: name of its architecture in our catalogue.
        flops: published flops of one sample (one forward pass at 128 tokens).
        seconds: published wall time of about 1,000 samples on 8 A100s.
        relative_flops, relative_seconds: published multiples of Code Llama 7B's.
        our_flops: our closed form for the same pass, see `costs.flops.paper_flops`.
    """

    model: str
    architecture: str
    flops: float
    seconds: float
    relative_flops: float
    relative_seconds: float
    our_flops: int

    @property
    def deviation(self) -> float:
        """The relative deviation of our count from the published one."""
        return self.our_flops / self.flops - 1


@dataclass(frozen=True, slots=True)
class PassTable:
    """Published pass@k of one benchmark.

    Attributes:
        benchmark: such as `HumanEval` or `APPS interview`.
        table: number of the table in the paper.
        k: the published k, rising.
        percent: by model, pass@k in percent at the first of the published k. Larger models have values at fewer k.
    """

    benchmark: str
    table: int
    k: tuple[int, ...]
    percent: dict[str, tuple[float, ...]]


def cost_table() -> tuple[CostRow, ...]:
    """Table 1: four Code Llama models."""
    return tuple(
        CostRow(
            model=model,
            architecture=row["architecture"],
            flops=row["tflops"] * _TERA,
            seconds=row["seconds"],
            relative_flops=row["relative_flops"],
            relative_seconds=row["relative_seconds"],
            our_flops=paper_flops(named(row["architecture"])),
        )
        for model, row in _data()["cost"]["model"].items()
    )


def pass_tables(benchmark: str | None = None) -> tuple[PassTable, ...]:
    """Tables 2-4: HumanEval, MBPP, and the three splits of APPS.

    With `benchmark`, only the one of that name, in any spelling; `apps` gives all three splits.

    Raises:
        InputError: there is no such name; the message lists the names.
    """
    tables = tuple(map(_pass_table, _data()["benchmark"]))
    if benchmark is None:
        return tables
    named = [(table, (_plain(table.benchmark), _plain(table.benchmark.split()[0]))) for table in tables]
    chosen = tuple(table for table, names in named if _plain(benchmark) in names)
    if not chosen:
        known = [table.benchmark for table in tables]
        hint = did_you_mean(benchmark, known)
        then = f".{hint} It" if hint else "; it"
        raise InputError(f"the paper has no benchmark {benchmark!r}{then} has: {', '.join(known)}")
    return chosen


def paper_cost(model: str, unit: Unit) -> SampleCost | None:
    """The cost of one sample of a model by the paper; None if the paper does not state it.

    Args:
        model: the paper's name (`Code Llama 7B`, `Llama-3 8B`), any spelling of a Code Llama that the catalogue has, or
            the size alone (`7b`), by which Table 1 tells its models apart.
        unit: flops, seconds or device seconds; the paper has no other. Seconds are a sample's share of
            the wall time on 8 A100s.

    Returns:
        The cost in Table 1. Llama-3 is not in Table 1. Costs of Llama-3 are found only by the paper's name, and their
        source says that they are assumed or our own count.
    """
    cost, architecture = _data()["cost"], find_named(model)
    by_size = {name.split()[-1].casefold(): (f" ({name})", row) for name, row in cost["model"].items()}
    named_so, sized = by_size.get(model.casefold(), ("", None))
    known = {row["architecture"]: row for row in cost["model"].values()}
    stated = sized or known.get(architecture.name if architecture else "")
    row = stated or cost["assumed"].get(model)
    if unit is Unit.DEVICE_SECONDS:
        seconds = paper_cost(model, Unit.SECONDS)
        return None if seconds is None else device_seconds(seconds, PAPER_GPUS)
    if row is None or unit not in (Unit.FLOPS, Unit.SECONDS):
        return None
    if unit == Unit.SECONDS:
        source = f"paper, Table 1{named_so}: wall time on 8 A100, best batch"
        assumed = "ASSUMED from Code Llama's wall time; not in Table 1"
        return SampleCost(
            unit, row["seconds"] / cost["examples"], source=source if stated else assumed, prompt=ONE_PASS
        )
    if stated:
        source = f"paper, Table 1{named_so}: one pass at 128 tokens"
        return SampleCost(unit, row["tflops"] * _TERA, source=source, prompt=ONE_PASS)
    flops = float(paper_flops(named(row["architecture"])))
    return SampleCost(unit, flops, source="our count of one pass at 128 tokens; not in Table 1", prompt=ONE_PASS)


def _pass_table(entry: dict[str, Any]) -> PassTable:
    percent = {model: tuple(row) for model, row in entry["model"].items()}
    return PassTable(entry["name"], entry["table"], tuple(entry["k"]), percent)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


@cache
def _data() -> dict[str, Any]:
    return shipped_toml("isobudget.paper", "tables.toml")
