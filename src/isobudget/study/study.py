"""What a study may say: benchmarks x models x samples, checked whole.

Every field that a study leaves out has a default: the benchmark's own sampling and prompt format (the paper's, where it
uses the benchmark), the model's own rule for newlines, the judge's own limits. Which fields belong to which backend,
and whether what is named exists, is checked in `check`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, PrivateAttr, model_validator

from isobudget.backends.registry import Kind
from isobudget.judge.verdict import Limits

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)

Positive = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


def _samples(value: Any) -> int | dict[str, int] | None:
    """A number of samples, or one for each benchmark."""
    if isinstance(value, dict) and value:
        return {name: _one_number(number) for name, number in value.items()}
    return None if value is None else _one_number(value)


def _one_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number, or a table with one for each benchmark")
    if value < 1:
        raise ValueError("must be greater than or equal to 1")
    return value


def _texts(value: Any) -> str | dict[str, str] | None:
    """A name, or one for each benchmark."""
    names = list(value.values()) if isinstance(value, dict) and value else [value]
    if value is not None and not all(isinstance(name, str) and name for name in names):
        raise ValueError("must be a name, or a table with one for each benchmark")
    return value  # type: ignore[no-any-return]


def _amount(value: Any) -> float | str:
    """An amount above 0, or a multiple of the cheapest model's sample such as ``64x``."""
    number = value.strip().removesuffix("x") if isinstance(value, str) and value.strip().endswith("x") else value
    try:
        amount = float(number) if not isinstance(number, bool) and (number is not value or _is_number(value)) else 0.0
    except ValueError:
        amount = 0.0
    if not 0 < amount < float("inf"):
        raise ValueError('must be an amount above 0 such as 1e15, or a multiple of the cheapest sample such as "64x"')
    return value if isinstance(value, str) else float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


Samples = Annotated[int | dict[str, int] | None, PlainValidator(_samples)]
Names = Annotated[str | dict[str, str] | None, PlainValidator(_texts)]


class StudySampling(BaseModel):
    """Sampling that differs from the benchmark's own.

    Attributes:
        stop: texts at which generation ends, or ``"body"`` for the rule that ends it at any new top-level statement.
            They stand above the stop texts of prompt formats and benchmarks.
    """

    model_config = _STRICT

    temperature: Annotated[float, Field(gt=0, le=10)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Positive | None = None
    stop: Literal["body"] | list[Annotated[str, Field(min_length=1)]] | None = None


class StudyPrompt(BaseModel):
    """How prompts are made and programs cut out of outputs, where that differs from the benchmark's own.

    Attributes:
        format: a prompt format's name, or PATH.toml#NAME; or a table with one for each benchmark.
        extraction: the name of an extraction rule, or a table with one for each benchmark.
    """

    model_config = _STRICT

    format: Names = None
    extraction: Names = None


class StudyBudget(BaseModel):
    """A budget from which the number of samples follows, see `isobudget.pipeline.samples_from_budget`.

    Attributes:
        unit: of the budget.
        per_problem: an amount of it, or ``"64x"``: so many samples of the model whose samples are cheapest.
        costs: a costs file, or ``paper`` for the paper's Table 1; needed for seconds, usd and joules.
    """

    model_config = _STRICT

    unit: Literal["flops", "seconds", "tokens", "usd", "joules"] = "flops"
    per_problem: Annotated[float | str, PlainValidator(_amount)]
    costs: Text | None = None


class StudyModel(BaseModel):
    """One model of a study.

    Attributes:
        name: what it is called in the run; for llama.cpp also the catalogue's name or a path that ends in .gguf.
        n: samples of each problem, or a table with a number for each benchmark.
        budget: instead of `n`; stands above the study's own.
        backend: how the model is reached.
        model: what the backend calls it, if not `name`: a path, a hub repository, a served name.
        architecture: a known name, a config.json or a GGUF file: for flops, where the model does not tell.
        prompt: a prompt format, or a table with one for each benchmark; stands above the study's own.
        prompt_newline: whether newlines that end a prompt are kept or stripped; the catalogue knows for its models.
        slots, threads: of the embedded engine: samples drawn at the same time, CPU threads (all usable cores).
        context_tokens: room for prompt and completion of one sample; derived from the problems by default.
        url, api, key_env, requests_per_minute, timeout_seconds, attempts: of a server. `key_env` names the environment
            variable that holds the key; keys themselves have no place in a study.
        concurrency: requests (server) or samples (vLLM) under way at the same time.
        revision: of a hub repository.
        tensor_parallel, memory_fraction: of vLLM: GPUs that share the model, share of their memory.
        dtype, device, batch: number format of the weights; for transformers, where it runs and how many at a time.
        gpu: what it runs on, such as a100-80gb: for the estimate of `--dry-run` alone.
    """

    model_config = _STRICT

    name: Text
    n: Samples = None
    budget: StudyBudget | None = None
    backend: Kind = "llama.cpp"
    model: Text | None = None
    architecture: Text | None = None
    prompt: Names = None
    prompt_newline: Literal["keep", "strip"] | None = None
    slots: Annotated[int, Field(ge=1, le=254)] = 16
    threads: Positive | None = None
    context_tokens: Annotated[int, Field(ge=64)] | None = None
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
    api: Literal["completions", "chat"] = "completions"
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    requests_per_minute: Positive | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] | None = None
    attempts: Positive | None = None
    concurrency: Positive | None = None
    revision: Text | None = None
    tensor_parallel: Positive | None = None
    memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    dtype: Text | None = None
    device: Text | None = None
    batch: Positive | None = None
    gpu: Text | None = None

    def samples(self, benchmark: str) -> int | None:
        """Samples of each problem of a benchmark, None where a budget decides."""
        return self.n.get(benchmark) if isinstance(self.n, dict) else self.n


class StudyJudge(BaseModel):
    """Limits of the judge that differ from its own."""

    model_config = _STRICT

    cpu_seconds: Annotated[float, Field(gt=0)] = Limits().cpu_seconds
    wall_seconds: Annotated[float, Field(gt=0)] = Limits().wall_seconds
    memory_mb: Annotated[int, Field(ge=64)] = Limits().memory_mb
    workers: Positive | None = None

    def limits(self) -> Limits:
        """As the judge takes them."""
        return Limits(cpu_seconds=self.cpu_seconds, wall_seconds=self.wall_seconds, memory_mb=self.memory_mb)


class Study(BaseModel):
    """A run to make.

    Attributes:
        name: also the run folder's default name.
        benchmarks: known names, ``NAME=PATH`` for a known benchmark whose data lies there, or paths of own problems.
        problems: only the first so many problems of each benchmark.
        greedy: draw one greedy output of each problem too.
        seed: of all sampling; with another seed, other samples.
        budget: where models have no `n`: it follows from what their samples cost.
        sampling, prompt, judge: what differs from the defaults.
        models: at least one.
    """

    model_config = _STRICT

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    benchmarks: Annotated[list[Text], Field(min_length=1)]
    problems: Positive | None = None
    greedy: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    budget: StudyBudget | None = None
    sampling: StudySampling = StudySampling()
    prompt: StudyPrompt = StudyPrompt()
    judge: StudyJudge = StudyJudge()
    models: Annotated[list[StudyModel], Field(min_length=1)]

    #: the text that it was read from, and what that is called, for the lines of mistakes
    _text: str = PrivateAttr("")
    _origin: str = PrivateAttr("")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for what, names in (("benchmark", self.benchmarks), ("model", [model.name for model in self.models])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"the {what} {twice[0]!r} is named twice")
        return self

    def remember(self, text: str, origin: str) -> None:
        """Keep where this study was read, for the lines of mistakes that are found later."""
        self._text, self._origin = text, origin

    @property
    def text(self) -> str:
        """The TOML text that it was read from, or an empty string."""
        return self._text

    @property
    def origin(self) -> str:
        """What messages call this study."""
        return self._origin or f"study {self.name!r}"
