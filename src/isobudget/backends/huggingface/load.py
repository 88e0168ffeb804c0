"""Loading a causal model with `transformers`: a folder or a repository of the hub at a revision.

Code in a repository is never run. The model's generation settings are ignored, except for the tokens that end an
output.
"""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.backends.huggingface.settings import TransformersSettings
from isobudget.backends.huggingface.tokens import Tokens
from isobudget.errors import ModelError
from isobudget.files.hub import HubFile, first_line, lost_connection, may_be_repo, quiet

#: names of the attention cache: since transformers 5.24, and before
_CACHES = ("cache", "past_key_values")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory.

    Attributes:
        device: device of the model, in PyTorch's notation.
        dtype: number type of its computations.
        end_ids: tokens that end an output.
        context_tokens: number of positions that it supports; None if not stated.
        options: names of the arguments that its forward pass takes.
        commit: the commit of the repository that was loaded, empty for a folder.
    """

    model: Any
    tokens: Tokens
    device: str
    dtype: str
    end_ids: frozenset[int]
    context_tokens: int | None
    options: frozenset[str]
    commit: str

    @property
    def cache_name(self) -> str:
        """The attention cache's name, as argument and result of the forward pass; empty if the model has no cache."""
        return next((name for name in _CACHES if name in self.options), "")


def load_model(settings: TransformersSettings) -> LoadedModel:
    """Load a model into memory.

    Raises:
        MissingExtraError: PyTorch or transformers are not installed.
        ModelError: there is no such model, it is damaged, not a causal model, or does not fit.
    """
    # waiting threads must sleep, not spin: the judge works beside them
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    torch, transformers = settings.needs.load()
    commit = settings.commit()
    # by its commit: what a branch means may change between two files
    where = {"revision": commit or settings.revision, "trust_remote_code": False}
    try:
        device = torch.device(_device(settings.device, torch))
        with quiet():
            tokenizer = transformers.AutoTokenizer.from_pretrained(settings.model, **where)
        dtype = settings.dtype if settings.dtype == "auto" else getattr(torch, settings.dtype)
        with _no_bars(transformers), quiet():
            model = transformers.AutoModelForCausalLM.from_pretrained(settings.model, dtype=dtype, **where)
        model = model.to(device).eval()
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AssertionError) as error:
        raise ModelError(_why(settings, error)) from error
    config = model.config.get_text_config()
    tokens = Tokens(tokenizer, settings.model)
    options = frozenset(inspect.signature(model.forward).parameters)
    if options.isdisjoint(_CACHES) or not getattr(
        config, "num_attention_heads", None
    ):  # other caches have one name too
        raise ModelError(
            f"{settings.model}: a {type(model).__name__} has no key-value cache, which batches need; "
            "run it with vLLM or behind a server"
        )
    limits = (getattr(config, name, None) for name in ("max_position_embeddings", "n_positions", "max_seq_len"))
    return LoadedModel(
        model=model,
        tokens=tokens,
        device=str(device),
        dtype=str(model.dtype).removeprefix("torch."),
        end_ids=tokens.end_ids((model.generation_config, config)),
        context_tokens=next((int(limit) for limit in limits if limit), None),
        options=options,
        commit=commit,
    )


@contextlib.contextmanager
def _no_bars(transformers: Any) -> Iterator[None]:
    """Turn off the library's own progress bars in this context."""
    bars = transformers.utils.logging
    were_on = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if were_on:
            bars.enable_progress_bar()


def _device(name: str, torch: Any) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _why(settings: TransformersSettings, error: BaseException) -> str:
    lost = lost_connection(error, HubFile(settings.model, "", settings.revision))
    if lost is not None:
        reason = f"not available on the hub: {lost}"
    elif "trust_remote_code" in str(error):
        reason = "needs code of its own repository, which isobudget does not run; use a model that transformers knows"
    elif isinstance(error, OSError) and not may_be_repo(settings.model) and not Path(settings.model).exists():
        reason = "no such folder, and not a valid repository name of the hub"
    else:
        reason = f"cannot be loaded: {first_line(error)}"
    return f"{settings.model}{f' at {settings.revision}' if settings.revision else ''}: {reason}"
