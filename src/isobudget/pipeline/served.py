"""Checks which model answered: against the requested one, and between the models of a run.

A gateway may answer with another model than the requested one. Such an answer is reported at once. If one server
answers for two models of a run under the same name, they are the same model. Comparing them would be meaningless, so
this is an error.

Not covered: servers that state no name, or that repeat the requested name, whatever model they run.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

from isobudget.backends.base import Generation
from isobudget.errors import BackendError
from isobudget.progress import Progress
from isobudget.study.resolve import ResolvedModel


class ServedNames:
    """The model names with which a server answered for one model.

    Args:
        facts: what the run states about its models, by name.
        model: the model that is generating.
        progress: receives a note if the name is not the requested one.
    """

    def __init__(self, facts: Mapping[str, Mapping[str, Any]], model: ResolvedModel, progress: Progress) -> None:
        self._facts, self._model, self._progress = facts, model, progress
        self._seen: set[str] = set()

    def check(self, generations: Iterable[Generation]) -> None:
        """Check the model names in these samples.

        Raises:
            BackendError: the same model of the same server also answers for another model of the run.
        """
        asked = self._model.settings.model
        for name in sorted({one.served for one in generations} - self._seen - {""}):
            self._seen.add(name)
            if name != asked:
                self._progress.note(f"{self._model.name}: asked for the model {asked!r}, but {name!r} answered")
            for other, stated in self._facts.items():
                if other != self._model.name and self._is_same(stated, name):
                    raise BackendError(
                        f"{self._model.name} and {other} are one model: the server answers with {name!r} for both "
                        f"{asked!r} and {stated['model']!r}. Nothing of {self._model.name} is recorded. "
                        "Check both names at the server; samples of a wrong model belong in another folder (--out)."
                    )

    def _is_same(self, stated: Mapping[str, Any], name: str) -> bool:
        here = self._facts[self._model.name]
        if stated.get("model") == here.get("model") or "url" not in stated or "url" not in here:
            return False
        hosts = {urllib.parse.urlsplit(str(one["url"])).netloc for one in (stated, here)}
        return len(hosts) == 1 and name in str(stated.get("served", "")).split(", ")
