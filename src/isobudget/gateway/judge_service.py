"""The judge as a service: a client sends a batch of programs and problems, and receives a stream of verdicts.

    GET  /v1/judge      limits, rules, workers, and the maximum size of a body in KiB
    POST /v1/judge      {"problems": [row, ...], "jobs": [[number of the problem, program], ...]}
                        -> {"id": number of the job, "verdict": [...]}, one JSON line each, in the order of completion

Problems are rows as run folders store them. Their tests are foreign (`judge.trusted.foreign`), and a judge serves one
key at a time (`judging`). Keys and limits are those of the gateway; nothing is spent, so there is no ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from isobudget.errors import IsobudgetError
from isobudget.gateway.answers import as_json
from isobudget.gateway.faults import bad_request
from isobudget.gateway.judging import Judges
from isobudget.gateway.keys import Account, Keys
from isobudget.gateway.metrics import Metrics
from isobudget.gateway.settings import ServeSettings
from isobudget.gateway.store import SqliteStore
from isobudget.gateway.streams import Stream
from isobudget.gateway.web import Web, answered
from isobudget.judge.verdict import RULES
from isobudget.judge.worker import describe
from isobudget.problems.problem import Problem
from isobudget.records.rows import ProblemRow, problem_of

#: maximum number of jobs in one batch
MOST_JOBS = 1000
Job = tuple[Problem, str]


@dataclass(slots=True)
class JudgeService:
    """The judge service: its parts, and its request handlers."""

    settings: ServeSettings
    store: SqliteStore
    judges: Judges
    metrics: Metrics

    def app(self) -> Starlette:
        """The ASGI application; the judges start and stop with it."""
        web = Web(self.settings, Keys(self.store, self.settings.is_local), self.metrics, lambda: "")
        self.metrics.gauges["judge_queue"] = lambda: len(self.judges.jobs)

        async def judged(request: Request, account: Account) -> Response:
            body = await web.body(request)
            jobs = await asyncio.to_thread(read_jobs, body)
            lines = self._verdicts(account, jobs)
            return Stream(lines, self.settings.heartbeat_seconds, heartbeat=b"\n", media_type="application/x-ndjson")

        return web.app([("GET", "/v1/judge", self._described), ("POST", "/v1/judge", judged)], self._lifespan)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        try:
            await asyncio.to_thread(self.judges.__enter__)
            yield
        finally:
            await asyncio.to_thread(self.judges.close)

    async def _described(self, _request: Request, _account: Account) -> Response:
        told = {"limits": list(self.judges.limits), "rules": RULES, "workers": self.judges.workers}
        return answered(told | {"body_kb": self.settings.body_kb})

    async def _verdicts(self, account: Account, jobs: list[Job]) -> AsyncIterator[bytes]:
        tasks = {
            self.judges.submit(account.id, problem, [program])[0]: number
            for number, (problem, program) in enumerate(jobs)
        }
        try:
            while tasks:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    yield self._line(tasks.pop(one), one)
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _line(self, number: int, done: asyncio.Future[Any]) -> bytes:
        error = done.exception()
        if error is not None:
            return json.dumps({"id": number, "error": str(error)}).encode() + b"\n"
        self.metrics.count("verdicts_total", outcome=done.result().outcome.value)
        return as_json({"id": number, "verdict": done.result().plain()}) + b"\n"


def read_jobs(body: Any) -> list[Job]:
    """The problems and programs of a batch.

    Raises:
        RefusedRequestError: the body is not a batch.
    """
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("problems"), list)
        or not isinstance(body.get("jobs"), list)
    ):
        raise bad_request('the body must be {"problems": [...], "jobs": [[number of the problem, program], ...]}')
    if len(body["jobs"]) > MOST_JOBS:
        raise bad_request(f"jobs may have at most {MOST_JOBS} entries", "jobs")
    problems = [_problem(row, at) for at, row in enumerate(body["problems"])]
    jobs: list[Job] = []
    for at, job in enumerate(body["jobs"]):
        fits = isinstance(job, list) and len(job) == 2 and type(job[0]) is int and isinstance(job[1], str)
        if not fits or not 0 <= job[0] < len(problems):
            raise bad_request(f"jobs.{at} must be [number of a problem from 0, program]", f"jobs.{at}")
        jobs.append((problems[job[0]], job[1]))
    return jobs


def _problem(row: Any, at: int) -> Problem:
    try:
        problem = problem_of(ProblemRow(**row))
        hash(problem)
        describe(problem)  # only kinds that the judge knows
    except (IsobudgetError, KeyError, TypeError, ValueError, AttributeError, RecursionError, MemoryError) as error:
        raise bad_request(f"problem {at} cannot be read: {type(error).__name__}", f"problems.{at}") from None
    return problem
