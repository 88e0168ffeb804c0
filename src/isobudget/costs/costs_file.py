"""Costs files: TOML in which a user says what a sample of each model costs, or what it can be computed from.

    [defaults]                       # holds for every model that does not say otherwise
    prompt_tokens = 150

    [models."codellama-7b"]
    seconds = 0.395                  # the cost of a sample in a unit, as it is
    architecture = "codellama-7b"    # flops: a name, a config.json or a GGUF file
    completion_tokens = 120          # where the samples' own counts are not recorded
    profile = "7b.toml"              # seconds: what `isobudget profile` wrote, relative to this file
    usd_per_million_input = 0.1      # usd per token, or usd_per_gpu_hour and gpus with seconds
    usd_per_million_output = 0.4
    joules_per_token = 0.5
    source = "our server, 2 x A100"

docs/costs.md has all keys. A unit's own key wins; otherwise the cost is computed from the rest, and its source says
how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from isobudget.costs.cost import BY_RATE, ONE_PASS, UNCOUNTED, SampleCost, Unit
from isobudget.costs.devices import device_seconds
from isobudget.costs.energy import joules_cost
from isobudget.costs.entry import DEFAULTS, Entry, origin_of
from isobudget.costs.flops import PAPER_LENGTH, paper_flops
from isobudget.costs.prices import GpuHour, TokenPrice, example_prices, parse_prices, rent_cost, usd_cost, valid_at
from isobudget.costs.roofline import Serving, gpu_named, roofline_seconds
from isobudget.costs.seconds import profile_seconds, read_profile
from isobudget.costs.usage import START_TOKEN_ONLY, TokenUse, flops_cost, tokens_cost
from isobudget.errors import InputError, NoPriceError
from isobudget.files.hints import did_you_mean
from isobudget.files.store_path import place
from isobudget.files.toml import read_toml
from isobudget.files.values import AMOUNT, COUNT, DAY, FLAG, TEXT, Check, is_number, mistakes_of
from isobudget.models.architecture import Architecture
from isobudget.models.named import find_named
from isobudget.models.read_architecture import load_architecture

_TOKENS: Check = (lambda value: is_number(value, 1) and value <= MOST_TOKENS, "a number of at least 1, below 10^12")  # type: ignore[operator]
MOST_TOKENS = 1e12
BY_TOKEN = ("usd_per_million_input", "usd_per_million_output", "usd_per_million_cached")
_AMOUNTS = (
    *Unit,
    *(f"{unit}_per_problem" for unit in Unit),
    *(f"{charge}_{unit}" for charge in ("judge", "scoring") for unit in Unit),
    *BY_TOKEN,
    "usd_per_gpu_hour",
    "tokens_per_second",
    "joules_per_token",
    "bytes_per_weight",
)
_KEYS: dict[str, Check] = {
    **dict.fromkeys(("architecture", "profile", "price", "gpu", "source"), TEXT),
    "share_prompt": FLAG,
    **dict.fromkeys(("prompt_tokens", "completion_tokens"), _TOKENS),
    **dict.fromkeys(("gpus", "batch"), COUNT),
    **dict.fromkeys(_AMOUNTS, AMOUNT),
    "date": DAY,
}


@dataclass(frozen=True, slots=True)
class CostsFile:
    """A parsed costs file: model -> `Entry`."""

    path: Path
    models: Mapping[str, Entry]
    defaults: Entry | None = None

    def tables(self) -> list[Mapping[str, Any]]:
        """The values of every table that says what models cost."""
        return [entry.values for entry in (*self.models.values(), *([self.defaults] if self.defaults else []))]

    def lacks(self, model: str) -> InputError:
        """The error for a model whose cost is not stated here."""
        return InputError(f'{self.path} has no [models."{model}"]; it has: {", ".join(self.models) or "none"}')

    def find(self, model: str) -> Entry | None:
        """The entry of a model; None if there is none.

        The entry is found by the model's exact name, or by another spelling of the same known architecture. The
        defaults alone stand for a model only if the file names no model at all.
        """
        if model in self.models:
            return self.models[model]
        architecture = find_named(model)
        if architecture is None or not self.models:
            return self.defaults
        same = (name for name in self.models if (known := find_named(name)) and known.name == architecture.name)
        return next((self.models[name] for name in same), self.defaults)


def read_costs(path: str | Path) -> CostsFile:
    """Read and check a costs file; an `InputError` names every key or value that does not belong."""
    path = place(path)
    tables, kinds = read_toml(path), {"models": dict, "defaults": dict, "price": list, "gpu_hour": list}
    if unknown := sorted(set(tables) - set(kinds)):
        known = "[models.NAME], [defaults], [[price]], [[gpu_hour]]"
        hint = did_you_mean(unknown[0], kinds)
        raise InputError(
            f"{path}: unknown table {unknown[0]!r}{f'.{hint} Known' if hint else '; known'} tables: {known}"
        )
    for name, kind in kinds.items():
        if not isinstance(tables.get(name, kind()), kind):
            raise InputError(f'{path}: {name} must be a table, such as [models."codellama-7b"] or [[price]]')
    defaults = _checked(tables.get("defaults", {}), f"{path}, {DEFAULTS}")
    of_defaults = origin_of(defaults, f"{path}, {DEFAULTS}")
    prices, hours = _prices_of(tables, path)
    listed = partial(Entry, prices=prices, gpu_hours=hours, folder=path.parent)
    entries = {}
    for name, values in tables.get("models", {}).items():
        where = f'{path}, [models."{name}"]'
        if not isinstance(values, dict):
            raise InputError(f"{where} must be a table of keys such as flops = 1.69e12, not {values!r}")
        if (meant := _with_dots(name, values)) != name:
            raise InputError(f'{path}: a model whose name has a dot needs quotation marks: [models."{meant}"]')
        own = _checked(values, where)
        inherited = {key: of_defaults for key in defaults if key not in own}
        entries[name] = listed(where, MappingProxyType(defaults | own), origins=MappingProxyType(inherited))
    every = listed(f"{path}, {DEFAULTS}", MappingProxyType(defaults))
    return CostsFile(path, MappingProxyType(entries), every if defaults and not entries else None)


def _with_dots(name: str, values: Mapping[str, Any]) -> str:
    """The intended name of a table: TOML reads `[models.gpt-4.1]` as a table within a table."""
    within = next((key for key, value in values.items() if isinstance(value, dict) and key not in _KEYS), None)
    return name if within is None else _with_dots(f"{name}.{within}", values[within])


def _prices_of(tables: dict[str, Any], path: Path) -> tuple[tuple[TokenPrice, ...], tuple[GpuHour, ...]]:
    """The prices that the file lists, then shipped example prices for everything else."""
    own, examples = parse_prices(tables, str(path)), example_prices()
    models, gpus = {price.model for price in own[0]}, {hour.gpu for hour in own[1]}
    prices = own[0] + tuple(price for price in examples[0] if price.model not in models)
    return prices, own[1] + tuple(hour for hour in examples[1] if hour.gpu not in gpus)


def cost_from_entry(entry: Entry, model: str, unit: Unit, use: TokenUse | None) -> SampleCost:
    """The cost of a sample of a model, from its entry and other known values.

    Args:
        entry: the model's entry in the costs file; if it has no values, the model's name and token counts are used.
        model: the model's name, by which an architecture is looked up if the entry has none.
        unit: unit of the cost; an `InputError` says what is missing for it.
        use: recorded token counts of the samples, or None.
    """
    values = entry.values
    if unit in values:
        source = entry.source_of(*entry.stated(unit, f"{unit}_per_problem"))
        return SampleCost(unit, values[unit], values.get(f"{unit}_per_problem", 0.0), source)
    compute, missing = _COMPUTED[unit]
    counted = _use(entry, use)
    cost = compute(entry, model, counted)
    if cost is None:
        if counted is None and "tokens_per_second" in values and unit in (Unit.SECONDS, Unit.DEVICE_SECONDS, Unit.USD):
            missing = _COMPUTED[Unit.TOKENS][1]
        elif unit is Unit.USD and "usd_per_gpu_hour" in values:
            hour = entry.source_of("usd_per_gpu_hour")
            missing = f"usd_per_gpu_hour ({hour}) prices seconds: {_COMPUTED[Unit.SECONDS][1]}"
        where = entry.where or "give a costs file with --costs"
        raise NoPriceError(f"no cost in {unit} for model {model!r} ({where}): {missing}")
    return cost


def _use(entry: Entry, recorded: TokenUse | None) -> TokenUse | None:
    """The token counts that a price is computed from; None if completions are neither recorded nor stated.

    For completions, recorded counts take precedence over stated ones. A prompt's tokens are those stated, else those
    recorded, else one start token.
    """
    values = entry.values
    if recorded is None and "completion_tokens" not in values:
        return None
    completions = recorded.completions if recorded else ([round(values["completion_tokens"])],)
    label = recorded.label if recorded else _stated_tokens(entry, "completion")
    prompt: Sequence[int] | int = START_TOKEN_ONLY
    bills, prompt_label = None, ""
    known = "prompt_tokens" in values
    if known:
        prompt = round(values["prompt_tokens"])
        prompt_label = f" and {_stated_tokens(entry, 'prompt')}"
    elif recorded is not None and recorded.prompt_known:
        prompt, known = recorded.prompt.tolist(), True
        bills = None if values.get("share_prompt") else recorded.bills
    else:
        prompt_label = ", completions only: prompt lengths are not known"
    plain = [[int(tokens) for tokens in counts] for counts in completions]
    shared = known and values.get("share_prompt", True)
    how = {"label": label, "prompt_label": prompt_label}
    return TokenUse.of(prompt, plain, share_prompt=shared, prompt_known=known, bills=bills, **how)


def _stated_tokens(entry: Entry, what: str) -> str:
    key = f"{what}_tokens"
    return f"{entry.values[key]:g} {what} tokens ({entry.source_of(key)})"


def _by(cost: SampleCost, entry: Entry, *keys: str) -> SampleCost:
    """The cost with the sources of the entry's keys added to its own source."""
    stated = entry.stated(*keys)
    return replace(cost, source=f"{cost.source} ({entry.source_of(*stated)})") if stated else cost


def _architecture(entry: Entry, model: str) -> Architecture | None:
    given = entry.values.get("architecture")
    if given is None:
        return entry.architecture or find_named(model)
    beside = entry.folder / given
    try:
        return load_architecture(str(beside) if beside.exists() else given)
    except InputError as error:
        raise InputError(f"{entry.where}: {error}") from None


def _flops(entry: Entry, model: str, use: TokenUse | None) -> SampleCost | None:
    architecture = _architecture(entry, model)
    if architecture is None:
        return None
    if use is not None:
        return _by(flops_cost(architecture, use), entry, "architecture")
    source = f"the paper's count for {architecture.name}: one pass at {PAPER_LENGTH} tokens"
    flops = float(paper_flops(architecture))
    return _by(SampleCost(Unit.FLOPS, flops, source=source, prompt=ONE_PASS), entry, "architecture")


def _seconds(entry: Entry, model: str, use: TokenUse | None) -> SampleCost | None:
    values = entry.values
    if "profile" in values:
        return None if use is None else _profiled(entry, use)
    if "tokens_per_second" in values:
        return None if use is None else _at_rate(entry, use)
    if "gpu" not in values:
        return entry.seconds
    architecture = _architecture(entry, model)
    if use is None or architecture is None:
        return None
    served = {key: values[key] for key in entry.stated("gpus", "batch", "bytes_per_weight")}
    serving = Serving(gpu_named(values["gpu"]), **served)
    least = roofline_seconds(architecture, serving, use.mean_prompt, use.mean_completion)
    least = _by(least, entry, "architecture", "gpu", *served)
    return use.split(Unit.SECONDS, least.per_problem, least.per_sample, f"{least.source}; {use.said}")


def _device_seconds(entry: Entry, model: str, use: TokenUse | None) -> SampleCost | None:
    stated = Unit.SECONDS in entry.values
    seconds = cost_from_entry(entry, model, Unit.SECONDS, use) if stated else _seconds(entry, model, use)
    return None if seconds is None else device_seconds(seconds, *_devices(entry))


def _devices(entry: Entry) -> tuple[int | None, str]:
    """The number of GPUs that the model holds, as stated or recorded, and the source of that number."""
    if "gpus" in entry.values:
        return entry.values["gpus"], entry.source_of("gpus")
    return entry.devices, "" if entry.devices is None else "as the run states"


def _at_rate(entry: Entry, use: TokenUse) -> SampleCost:
    """Seconds from the rate of completion tokens per second over all samples together: tokens / rate."""
    rate, source = entry.values["tokens_per_second"], entry.source_of("tokens_per_second")
    if rate <= 0:
        raise InputError(f"tokens_per_second must be more than 0, not {rate:g} ({source})")
    label = f"{use.label} at {rate:g} tokens/s ({source})"
    return SampleCost(Unit.SECONDS, use.mean_completion / rate, 0.0, label, 1.0 / rate, BY_RATE)


def _profiled(entry: Entry, use: TokenUse) -> SampleCost:
    """Seconds by the throughput profile that the entry names; `batch` is the number of slots."""
    profile = read_profile(entry.folder / Path(entry.values["profile"]).expanduser())
    try:
        return _by(profile_seconds(profile, use, entry.values.get("batch")), entry, "profile", "batch")
    except InputError as error:
        raise InputError(f"{entry.where}: {error}") from None


def _tokens(entry: Entry, model: str, use: TokenUse | None) -> SampleCost | None:  # noqa: ARG001
    if use is None:
        return None
    if use.prompt_known:
        return tokens_cost(use)
    return SampleCost(Unit.TOKENS, use.mean_completion, 0.0, use.said, 1.0, UNCOUNTED)


def _usd(entry: Entry, model: str, use: TokenUse | None) -> SampleCost | None:
    values = entry.values
    by_hour = "usd_per_gpu_hour" in values and not entry.stated("price", *BY_TOKEN)  # before prices that ship
    if use is not None and not by_hour and (price := _token_price(entry, model)) is not None:
        by_request = price.usd_per_million_cached is not None and "share_prompt" not in values and use.prompt_known
        return usd_cost(price, replace(use, share_prompt=False) if by_request else use)
    stated = Unit.SECONDS in values
    seconds = cost_from_entry(entry, model, Unit.SECONDS, use) if stated else _seconds(entry, model, use)
    if seconds is None:
        return None
    if "usd_per_gpu_hour" in values:
        source = entry.source_of("usd_per_gpu_hour")
        hour: GpuHour | None = GpuHour(values.get("gpu", "own"), values["usd_per_gpu_hour"], "", source)
    else:
        hours = [hour for hour in entry.gpu_hours if hour.gpu == values.get("gpu")]
        hour = valid_at(hours, entry.when, f"{entry.where}: {values.get('gpu')}")
    devices, source = _devices(entry)
    return None if hour is None else rent_cost(seconds, devices, hour, source)


def _token_price(entry: Entry, model: str) -> TokenPrice | None:
    values = entry.values
    if stated := [key for key in BY_TOKEN if key in values]:
        if missing := [key for key in BY_TOKEN[:2] if key not in values]:
            raise InputError(
                f"{entry.where}: {missing[0]} is missing beside {stated[0]}; a price per token needs both, so "
                "state 0 where nothing is charged"
            )
        read, written, cached = (values.get(key) for key in BY_TOKEN)
        return TokenPrice(model, float(read or 0), float(written or 0), cached, "", entry.source_of(*stated))
    wanted = values.get("price", model)
    price = valid_at([one for one in entry.prices if one.model == wanted], entry.when, f"{entry.where}: {wanted}")
    if price is None and "price" in values:
        known = ", ".join(price.model for price in entry.prices)
        raise InputError(f"{entry.where}: no [[price]] for model {wanted!r}; there are prices for: {known}")
    return price


def _joules(entry: Entry, model: str, use: TokenUse | None) -> SampleCost | None:  # noqa: ARG001
    if use is None or "joules_per_token" not in entry.values:
        return None
    return joules_cost(use, entry.values["joules_per_token"], entry.source_of("joules_per_token"))


#: unit -> how its cost is computed, and what to do where it is not known
_COMPUTED: Mapping[Unit, tuple[Callable[[Entry, str, TokenUse | None], SampleCost | None], str]] = {
    Unit.FLOPS: (
        _flops,
        "its name is not a known architecture; state flops = ... or architecture = ..., or compare by time with "
        "--tokens-per-second N",
    ),
    Unit.SECONDS: (
        _seconds,
        "state seconds = ..., or completion_tokens and tokens_per_second (or a profile; or gpu, gpus, batch), or "
        "--tokens-per-second N",
    ),
    Unit.DEVICE_SECONDS: (
        _device_seconds,
        "state device_seconds = ..., or gpus and something that gives seconds, such as --tokens-per-second N",
    ),
    Unit.TOKENS: (
        _tokens,
        "neither the samples' lines nor the costs file have completion_tokens; state completion_tokens = 200 under "
        "[defaults] in a costs file, or --completion-tokens 200",
    ),
    Unit.USD: (
        _usd,
        "state usd = ..., or usd_per_million_input, usd_per_million_output and completion_tokens, or seconds and "
        "usd_per_gpu_hour",
    ),
    Unit.JOULES: (_joules, "state joules = ..., or joules_per_token and completion_tokens"),
}


def _checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values of one table, checked: every key is known and every value has the right type."""
    if mistakes := mistakes_of(values, _KEYS, f"{where}: "):
        raise InputError("\n".join(mistakes))
    return dict(values)
