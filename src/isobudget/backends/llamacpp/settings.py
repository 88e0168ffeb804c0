"""Settings of the embedded engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from isobudget.backends.llamacpp.engine import NEEDS, usable_cores
from isobudget.backends.llamacpp.kinds import are_even
from isobudget.backends.settings import BackendSettings, Needs, Pacing, Positive
from isobudget.grid import counted

#: number of prompts that a lane keeps: the one whose samples begin, and the one before it, whose last calls may be late
KEPT_PROMPTS = 2
#: minimum rows of a step for weights that are loaded in two parts (`split_form`)
LEAST_ROWS = 2
#: maximum number of slots: the sequences of one llama.cpp context, without those of the prompts
MOST_SLOTS = 256 - KEPT_PROMPTS
#: minimum slots for which a lane of their own is worthwhile, by whether `are_even` holds for the weights
_LANE_SLOTS = {True: 8, False: 16}
#: number of lanes that the default number of slots is enough for
_LANES = 2
#: source text has at least this many characters for every token; tokenizers of small models come close to it
_CHARACTERS_PER_TOKEN = 2.0
_CONTEXT_STEP = 256


class LlamaCppSettings(BackendSettings):
    """A GGUF model inside this process.

    Attributes:
        model: path of the GGUF file; in studies and commands also a name from the catalogue.
        slots: samples generated at the same time; None means 16, or 32 for weights that the engine multiplies less
            efficiently for few samples (all but Q4_0, Q4_1 and Q8_0).
        threads: number of CPU threads; None means all cores that this process may use.
        context_tokens: room for prompt and completion of each sample; None derives it from the problems of a study, and
            means 1024 elsewhere. Scoring uses as much as it needs.
        exact: whether texts are scored in 32 bits rather than by the engine. None means in 32 bits if the model is
            covered and its weights expand to at most 1 GiB, otherwise by the engine.
    """

    needs: ClassVar[Needs] = NEEDS
    opens: ClassVar[str] = "isobudget.backends.llamacpp.backend:LlamaCpp"
    # the engine finds shared prompts itself, so calls for single samples keep its slots fullest
    pace: ClassVar[Pacing] = Pacing(1, by_calls=False, ahead=1.5, on_cores=True)

    backend: Literal["llama.cpp"] = "llama.cpp"
    slots: Annotated[int, Field(ge=1, le=MOST_SLOTS)] | None = None
    threads: Positive | None = None
    context_tokens: Annotated[int, Field(ge=64)] | None = None
    exact: bool | None = None

    @property
    def room(self) -> int:
        """Tokens of prompt and completion that fit into one slot."""
        return self.context_tokens or 1024

    def serves(self, wanted: BackendSettings) -> bool:
        """Whether these settings can replace the wanted ones; more room per sample than wanted does no harm."""
        if isinstance(wanted, LlamaCppSettings) and self.room >= wanted.room:
            return self.model_copy(update={"context_tokens": wanted.context_tokens}) == wanted
        return self == wanted

    @property
    def at_once(self) -> int:
        """Samples generated at the same time. Reads the file's header unless `slots` are stated."""
        return self.slots or _LANES * self._lane_slots

    @property
    def lanes(self) -> int:
        """Number of independent groups of slots, each with its own threads. Reads the file's header."""
        if self.cpu_threads == 1:
            return 1
        return max(1, min(self.cpu_threads, self.at_once // self._lane_slots))

    @property
    def cpu_threads(self) -> int:
        """Number of CPU threads: those stated, or one per core."""
        return self.threads or usable_cores()

    @property
    def label(self) -> str:
        """The engine and how it runs, for the label of measured seconds."""
        lanes = f" in {self.lanes} lanes" if self.lanes > 1 else ""
        threads, slots = counted(self.cpu_threads, "thread"), counted(self.at_once, "slot")
        return f"llama.cpp on CPU, {threads}, {slots}{lanes}"

    @property
    def _lane_slots(self) -> int:
        return _LANE_SLOTS[are_even(Path(self.model))]

    def on_cores(self, cores: int) -> Self:
        """These settings with one thread per core, unless they state the number of threads."""
        return self if self.threads else self.model_copy(update={"threads": cores})

    def facts(self) -> dict[str, Any]:
        """The backend and its engine. The file, its checksum and its source are recorded with the weights."""
        return {"backend": self.backend, "engine": self.label}

    @classmethod
    def recorded_fields(cls, facts: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """Nothing: the model's name identifies the file."""
        return {}


def context_for(characters: int, completion_tokens: int) -> int:
    """Tokens for a prompt of this many characters and its completion, rounded up."""
    need = characters / _CHARACTERS_PER_TOKEN + completion_tokens
    return int(-(-need // _CONTEXT_STEP) * _CONTEXT_STEP)
