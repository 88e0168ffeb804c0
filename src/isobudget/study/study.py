"""What a study may say: benchmarks x models x sampling, checked whole.

Every field that a study leaves out has a default: the benchmark's own sampling (the paper's, where it uses the
benchmark), the model's own prompt rule, the judge's own limits.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from isobudget.judge.verdict import Limits

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)

Positive = Annotated[int, Field(ge=1)]


class StudySampling(BaseModel):
    """Sampling that differs from the benchmark's own.

    Attributes:
        stop: texts at which generation ends, or ``"body"`` for the rule that ends it at any new top-level statement.
    """

    model_config = _STRICT

    temperature: Annotated[float, Field(gt=0, le=10)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Positive | None = None
    stop: Literal["body"] | list[Annotated[str, Field(min_length=1)]] | None = None


class StudyModel(BaseModel):
    """One model of a study.

    Attributes:
        name: of the catalogue, or a path that ends in .gguf.
        n: samples of each problem.
        prompt_newline: whether newlines that end a prompt are kept or stripped; the catalogue knows for its models.
        slots: samples drawn at the same time.
        threads: CPU threads; all usable cores by default.
        context_tokens: room for prompt and completion of one sample; derived from the problems by default.
    """

    model_config = _STRICT

    name: Annotated[str, Field(min_length=1)]
    n: Positive
    prompt_newline: Literal["keep", "strip"] | None = None
    slots: Annotated[int, Field(ge=1, le=256)] = 16
    threads: Positive | None = None
    context_tokens: Annotated[int, Field(ge=64)] | None = None


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
        benchmarks: known names, or paths of JSONL files of problems.
        problems: only the first so many problems of each benchmark.
        greedy: draw one greedy output of each problem too.
        seed: of all sampling; with another seed, other samples.
        sampling, judge: what differs from the defaults.
        models: at least one.
    """

    model_config = _STRICT

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    benchmarks: Annotated[list[str], Field(min_length=1)]
    problems: Positive | None = None
    greedy: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    sampling: StudySampling = StudySampling()
    judge: StudyJudge = StudyJudge()
    models: Annotated[list[StudyModel], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for what, names in (("benchmark", self.benchmarks), ("model", [model.name for model in self.models])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"the {what} {twice[0]!r} is named twice")
        return self
