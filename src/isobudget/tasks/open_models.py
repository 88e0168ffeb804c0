"""Models that are open while tasks are solved: loaded at their first draw, and kept if several tasks follow.

Samples that a task leaves in flight must not take time from the next task. So an engine is told to drop them; a backend
that cannot drop them is closed, and opened again when it is needed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from isobudget.backends.base import Backend
from isobudget.backends.settings import BackendSettings
from isobudget.study.resolve import ResolvedModel
from isobudget.tasks.models import BackendFactory


@dataclass(slots=True)
class OpenModels:
    """Backends by the name of their model. Use it as a context manager.

    Attributes:
        make_backend: makes a backend; None opens it from the model's settings.
        are_kept: whether backends stay open from one task to the next.
    """

    make_backend: BackendFactory | None = None
    are_kept: bool = False
    _open: dict[str, tuple[BackendSettings, Backend]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(list(self._open))

    def get(self, model: ResolvedModel) -> Backend:
        """The model's loaded backend. A backend that is already open is reused if its settings serve for the model.

        Raises:
            BackendError, ModelError: the backend cannot be opened.
        """
        if model.name in self._open:
            settings, backend = self._open[model.name]
            if settings.serves(model.settings):
                return backend
            self._close([model.name])
        backend = model.settings.open() if self.make_backend is None else self.make_backend(model)
        backend.__enter__()
        self._open[model.name] = model.settings, backend
        if (load := getattr(backend, "load", None)) is not None:
            load()
        return backend

    def end_task(self, in_flight: Collection[str]) -> None:
        """End a task: close backends that are not kept, and let the others drop samples that nobody waits for.

        Args:
            in_flight: names of models that still have samples in flight.
        """
        if not self.are_kept:
            self._close(list(self._open))
            return
        busy = [name for name in self._open if name in in_flight]
        drops = {name: getattr(self._open[name][1], "drop", None) for name in busy}
        for drop in filter(None, drops.values()):
            drop()
        self._close([name for name in busy if drops[name] is None])

    def _close(self, names: Sequence[str]) -> None:
        close_all([self._open.pop(name)[1] for name in names])


def close_all(backends: Sequence[Backend], patience_seconds: float = 0.3) -> None:
    """Close backends without waiting long: an engine may be in the middle of a long, unneeded step."""
    threads = [threading.Thread(target=one.__exit__, args=(None, None, None), daemon=True) for one in backends]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience_seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
