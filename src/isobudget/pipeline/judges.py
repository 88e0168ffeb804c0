"""Judging by a remote service, while samples are generated on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from isobudget.errors import InputError
from isobudget.judge import Judge, Limits
from isobudget.pipeline.executor import Local
from isobudget.study.resolve import ResolvedModel

#: the default options of a judge; a service sets these for itself
_USUAL = {"unsafe": False, "one_process": True, "trust": "auto"}


@dataclass(frozen=True, slots=True)
class JudgedByService(Local):
    """Executes in this process, but gets verdicts from a judge service (`isobudget judge --serve`)."""

    url: str = ""

    def judge(
        self,
        workers: int | None = None,  # noqa: ARG002
        limits: Limits | None = None,
        beside: Sequence[ResolvedModel] = (),  # noqa: ARG002
        **modes: Any,
    ) -> Judge:
        """The service's client, not yet entered. The service decides about workers and priorities.

        Raises:
            InputError: the call states an option that the service decides.
            JudgeError: the URL is not valid.
        """
        if stated := [name for name, value in modes.items() if value != _USUAL.get(name)]:
            raise decided_by_service(stated)
        from isobudget.remote.client import RemoteJudge

        return cast(Judge, RemoteJudge(self.url, limits))


def decided_by_service(options: Sequence[str]) -> InputError:
    """An error that says that the service decides these options."""
    named = ", ".join(f"--{name.replace('_', '-')}" for name in options)
    return InputError(f"{named}: the judge service decides this; leave it out when you use --judge")
