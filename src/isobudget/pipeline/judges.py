"""Judging by a service elsewhere; generating stays here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from isobudget.errors import InputError
from isobudget.judge import Judge, Limits
from isobudget.pipeline.executor import Local
from isobudget.study.resolve import ResolvedModel

#: what a judge does unless it is told otherwise; a service decides that for itself
_USUAL = {"unsafe": False, "one_process": True, "trust": "auto"}


@dataclass(frozen=True, slots=True)
class JudgedByService(Local):
    """This process, with verdicts of a judge's service (`isobudget judge --serve`)."""

    url: str = ""

    def judge(
        self,
        workers: int | None = None,
        limits: Limits | None = None,
        beside: Sequence[ResolvedModel] = (),  # noqa: ARG002
        **modes: Any,
    ) -> Judge:
        """The service's client, to be entered.

        Raises:
            InputError: the call states what the service decides.
            JudgeError: the URL is none.
        """
        stated = ["--workers"] * (workers is not None)
        stated += [f"--{name.replace('_', '-')}" for name, value in modes.items() if value != _USUAL[name]]
        if stated:
            raise InputError(f"{', '.join(stated)}: the judge's service decides that; leave it out beside --judge")
        from isobudget.remote.client import RemoteJudge

        return cast(Judge, RemoteJudge(self.url, limits))
