"""The fields of a study, with their checks: benchmarks x models x samples.

Every field that a study leaves out has a default: the benchmark's own sampling and prompt format (the paper's, if the
paper uses the benchmark), the model's own rule for newlines, the judge's own limits. The settings of a model's backend
(`isobudget.backends`) are among the model's other fields. `resolve` looks up whether everything that is named exists.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, PlainValidator, PrivateAttr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from isobudget.backends.registry import ALIASES, DEFAULT, AnySettings
from isobudget.backends.settings import STRICT, BackendSettings, Positive, Text
from isobudget.costs.budget import parse_budget
from isobudget.costs.prices import TokenPrice, parse_prices
from isobudget.errors import InputError
from isobudget.files.values import is_number
from isobudget.judge.verdict import Limits
from isobudget.models.catalog import NewlineRule, declared_models
from isobudget.study.check import SETTINGS, field_mistakes

#: most samples of one problem, because their indexes are kept in 32 bits
MOST_SAMPLES = 2**31 - 1


def _samples(value: Any) -> int | dict[str, int] | None:
    """A number of samples, or one for each benchmark."""
    if isinstance(value, dict) and value:
        return {name: _one_number(number) for name, number in value.items()}
    return None if value is None else _one_number(value)


def _one_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number, or a table with one for each benchmark")
    if value < 1:
        raise ValueError("must be at least 1")
    if value > MOST_SAMPLES:
        raise ValueError(f"must be at most {MOST_SAMPLES:,}")
    return value


def _texts(value: Any) -> str | dict[str, str] | None:
    """A name, or one for each benchmark."""
    names = list(value.values()) if isinstance(value, dict) and value else [value]
    if value is not None and not all(isinstance(name, str) and name for name in names):
        raise ValueError("must be a name, or a table with one for each benchmark")
    return value  # type: ignore[no-any-return]


def _amount(value: Any) -> float | str:
    """An amount above 0, or a multiple of the cheapest model's sample such as ``64x``."""
    if is_number(value) and value > 0:
        return float(value)
    with contextlib.suppress(InputError):
        if isinstance(value, str) and (budget := parse_budget(value)).samples and budget.model is None:
            return value
    raise ValueError('must be an amount above 0 such as 1e15, or a multiple of the cheapest sample such as "64x"')


Samples = Annotated[int | dict[str, int] | None, PlainValidator(_samples)]
Names = Annotated[str | dict[str, str] | None, PlainValidator(_texts)]


class StudySampling(BaseModel):
    """Sampling that differs from the benchmark's own.

    Attributes:
        stop: texts at which generation ends, or ``"body"`` for the rule that ends it at any new top-level statement.
            They take precedence over the stop texts of prompt formats and benchmarks.
    """

    model_config = STRICT

    temperature: Annotated[float, Field(gt=0, le=10)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Positive | None = None
    stop: Literal["body"] | list[Annotated[str, Field(min_length=1)]] | None = None

    @field_validator("temperature", mode="before")
    @classmethod
    def _not_greedy(cls, value: Any) -> Any:
        if is_number(value) and value == 0:
            raise ValueError("must be above 0 (greedy = true adds one output at temperature 0)")
        return value


class StudyPrompt(BaseModel):
    """How prompts are made and code is extracted from outputs, if this differs from the benchmark's own way.

    Attributes:
        format: a prompt format's name, or PATH.toml#NAME; or a table with one for each benchmark.
        extraction: the name of an extraction rule, or a table with one for each benchmark.
    """

    model_config = STRICT

    format: Names = None
    extraction: Names = None


class StudyBudget(BaseModel):
    """A budget from which the number of samples follows, see `isobudget.pipeline.samples_from_budget`.

    Attributes:
        unit: unit of the budget.
        per_problem: the amount, or ``"64x"``: the price of 64 samples of the model whose samples are cheapest.
        costs: a costs file, or ``paper`` for the paper's Table 1; needed for seconds, usd and joules.
    """

    model_config = STRICT

    unit: Literal["flops", "seconds", "device_seconds", "tokens", "usd", "joules"] = "flops"
    per_problem: Annotated[float | str, PlainValidator(_amount)]
    costs: Text | None = None


def _price(value: Any) -> TokenPrice | None:
    """A price per token, as costs files write it."""
    if value is None or isinstance(value, TokenPrice):
        return value
    form = "must be a table with 'input', 'output', 'date' and 'source'"
    if not isinstance(value, dict):
        raise ValueError(form)
    if missing := [key for key in ("input", "output", "date", "source") if key not in value]:
        lacks = ", ".join(map(repr, missing))
        raise ValueError(f"{form}; 'date' and 'source' say when and where it was seen (missing: {lacks})")
    try:
        ((price,), _) = parse_prices({"price": [{"model": "this model", **value}]}, "price")
    except InputError as error:
        *wrong, _ = str(error).replace("price, [[price]]: ", "").splitlines()  # the last line shows the table
        raise ValueError("; ".join(wrong)) from None
    return price


class StatedModel(BaseModel):
    """A model as a study, the user's models file or a command states it.

    The settings of its backend are among these fields. If the models file declares the name, the fields in that file
    apply, and fields that are stated here take precedence.

    Attributes:
        name: name of the model; for llama.cpp, also its name in the catalogue, or a path that ends in .gguf.
        model: name of the model for the backend, if not `name`: a path, a hub repository, a served name.
        architecture: a known name, a config.json or a GGUF file; to count flops, if the model does not state it.
        prompt_newline: whether newlines that end a prompt are kept or stripped; the catalogue states it for its models.
        price: price per token: `input` and `output` (usd per million), `cached`, `date`, `source`.
        settings: settings of its backend, which state how it is reached.
    """

    model_config = STRICT

    name: Text
    model: Text | None = None
    architecture: Text | None = None
    prompt_newline: NewlineRule | None = None
    price: Annotated[TokenPrice | None, PlainValidator(_price)] = None
    settings: AnySettings

    @model_validator(mode="before")
    @classmethod
    def _fields(cls, fields: Any) -> Any:
        return cls.divided(fields) if isinstance(fields, dict) else fields

    @classmethod
    def divided(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a model in a study, with those of the backend moved into `settings`.

        Raises:
            InputError: the models file declares the model with a mistake.
        """
        if isinstance(fields.get(SETTINGS), BackendSettings):
            return {"model": fields[SETTINGS].model, **fields}
        fields = _with_declared(fields)
        own = {name: value for name, value in fields.items() if name in cls.model_fields and name != SETTINGS}
        called = own.get("model", own.get("name"))
        rest = {name: value for name, value in fields.items() if name not in own}
        if isinstance(rest.get("backend"), str):
            rest["backend"] = ALIASES.get(rest["backend"], rest["backend"])
        model = called if isinstance(called, str) and called else "?"  # a wrong one is reported for its own field
        return own | {SETTINGS: {"backend": DEFAULT, "model": model, **rest}}


def stated_model(fields: Mapping[str, Any], where: str) -> StatedModel:
    """Check the fields of a model, as in `[[models]]` of a study; `where` names their place in messages.

    Raises:
        InputError: there is a mistake; the message has all of them.
    """
    try:
        return StatedModel.model_validate(fields)
    except ValidationError as error:
        mistakes = field_mistakes(error, StatedModel)
    wrong = (f"{'.'.join(map(str, one.place))}: {one.message}" if one.place else one.message for one in mistakes)
    raise InputError(f"{where}: {'; '.join(wrong)}")


def load_declared() -> list[StatedModel]:
    """The models that the user's models file declares with a backend.

    Raises:
        InputError: a model is wrong; the message names it.
    """
    tables = declared_models().items()
    return [stated_model({**table.fields, "name": name}, table.where) for name, table in tables]


def _with_declared(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields, completed from the user's models file if it declares a backend for the named model."""
    name = fields.get("model", fields.get("name"))
    if "backend" in fields or not isinstance(name, str) or (table := declared_models().get(name)) is None:
        return fields
    stated_model({**table.fields, "name": name}, table.where)
    return {**table.fields, **fields, "model": table.fields.get("model", name)}


class StudyModel(StatedModel):
    """One model of a study.

    Attributes:
        n: number of samples of each problem, or a table with a number for each benchmark.
        budget: replaces `n`; takes precedence over the study's budget.
        prompt: a prompt format, or a table with one for each benchmark; takes precedence over the study's format.
    """

    n: Samples = None
    budget: StudyBudget | None = None
    prompt: Names = None

    def samples(self, benchmark: str) -> int | None:
        """The number of samples of each problem of a benchmark; None if a budget decides."""
        return self.n.get(benchmark) if isinstance(self.n, dict) else self.n


class StudyJudge(BaseModel):
    """How the study's samples are judged. A field that a study leaves out has the judge's own default.

    Attributes:
        cpu_seconds: CPU seconds per sample, as in `Limits`.
        wall_seconds: seconds of wall time per sample, as in `Limits`.
        memory_mb: memory per sample in MiB, as in `Limits`.
        workers: samples judged at once; None leaves the number to the judge.
    """

    model_config = STRICT

    cpu_seconds: Annotated[float, Field(gt=0)] = Limits().cpu_seconds
    wall_seconds: Annotated[float, Field(gt=0)] = Limits().wall_seconds
    memory_mb: Annotated[int, Field(ge=64)] = Limits().memory_mb
    workers: Positive | None = None

    def limits(self) -> Limits:
        """The limits in the form that the judge takes."""
        return Limits(cpu_seconds=self.cpu_seconds, wall_seconds=self.wall_seconds, memory_mb=self.memory_mb)


class Study(BaseModel):
    """A description of a run.

    Attributes:
        name: name of the study, and by default of the run folder.
        benchmarks: known names, ``NAME=PATH`` for a known benchmark with data at PATH, or paths of own problems.
        problems: only the first N problems of each benchmark.
        greedy: whether to generate one greedy output of each problem, too.
        seed: seed of all sampling; another seed gives other samples.
        budget: decides the number of samples of models without `n`, by the cost of their samples.
        sampling, prompt, judge: settings that differ from the defaults.
        models: the models, at least one.
    """

    model_config = STRICT

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

    #: the TOML text of the study, and its name in messages, to find the lines of mistakes
    _source: tuple[str, str] = PrivateAttr(("", ""))

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = {"benchmark": self.benchmarks, "model": [model.name for model in self.models]}
        for what, stated in names.items():
            again = next((at for at, name in enumerate(stated) if name in stated[:at]), None)
            if again is not None:
                message = f"the {what} {stated[again]!r} is named twice"
                place = ("models", again, "name") if what == "model" else ("benchmarks", again)
                raise PydanticCustomError("twice", "{message}", {"message": message, "place": place})
        return self

    def remember(self, text: str, origin: str) -> None:
        """Keep the text and the name of this study, to find the lines of mistakes that are found later."""
        self._source = text, origin

    @property
    def source(self) -> tuple[str, str, list[str]]:
        """For messages: the TOML text of the study, or an empty string; its name; and the names of its models."""
        text, origin = self._source if self._source[1] else ("", f"study {self.name!r}")
        return text, origin, [model.name for model in self.models]
