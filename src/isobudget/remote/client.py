"""A client of a judge's service on another machine (`isobudget judge --serve`), used like `isobudget.judge.Judge`.

    with RemoteJudge("http://judge.local:8401", key="isb-...") as judge:
        for verdict in judge.run(pairs):
            ...

Pairs go out in batches, several at a time, and verdicts come back in the order of the pairs. If the answer to a batch
breaks off, the unanswered part is sent again, until the service has been unreachable for `patience_seconds`. This
module needs only Python's standard library and runs on any system.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.parse
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from isobudget.errors import RESUME, JudgeError
from isobudget.judge.verdict import RULES, Limits, Verdict
from isobudget.problems.problem import Problem
from isobudget.records.rows import row_of

#: the environment variable with the key, if none is given
KEY_VARIABLE = "ISOBUDGET_JUDGE_KEY"
_NO_JUDGE = "answers, but is not a judge's service; give the URL of a service that `isobudget judge --serve` started"
#: maximum pairs and bytes of one batch; a longer pair is sent alone
BATCH, BATCH_BYTES = 64, 4 << 20
#: number of batches that are under way at the same time
AT_ONCE = 8
#: maximum time without a byte from the service, which sends a line at least every ten seconds
SILENCE_SECONDS = 60.0
#: how long an unreachable service is retried by default
PATIENCE_SECONDS = 30.0
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0

Pair = tuple[Problem, str]


class RemoteJudge:
    """A judge behind a URL. Used as a context manager.

    Args:
        url: URL of the service, such as ``http://127.0.0.1:8401``.
        limits: bounds on every sample. They must equal the service's limits. None means the service's limits.
        key: API key of the service; by default the value of `ISOBUDGET_JUDGE_KEY`.
        patience_seconds: how long to try to reach an unreachable service; by default `PATIENCE_SECONDS`.

    Raises:
        JudgeError: the URL is not valid.
    """

    one_process, trust, unsafe, without = True, "auto", False, ()

    def __init__(
        self, url: str, limits: Limits | None = None, *, key: str | None = None, patience_seconds: float | None = None
    ) -> None:
        self._parts = _parts_of(url)
        self._key = os.environ.get(KEY_VARIABLE, "") if key is None else key
        self._patience = PATIENCE_SECONDS if patience_seconds is None else patience_seconds
        self._stated = limits
        self.limits = limits or Limits()
        self.workers = 1
        self.layers: frozenset[str] | None = None  # the service does not say
        self._most_kb = 0
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Connect to the service and check how it judges.

        Raises:
            JudgeError: the service cannot be reached, is not a judge's, refuses the key, or judges by other rules or
                limits.
        """
        try:
            said = json.loads(b"".join(self._patiently("GET", None)))
            limits, rules, workers = Limits(*said["limits"]), said["rules"], int(said["workers"])
            self._most_kb = int(said["body_kb"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise JudgeError(f"{self._where}: {_NO_JUDGE}") from None
        if rules != RULES:
            raise JudgeError(
                f"{self._where}: judges by version {rules} of the rules, but this isobudget judges by version {RULES}; "
                "update the service or this isobudget"
            )
        if self._stated is not None and self._stated != limits:
            raise JudgeError(
                f"{self._where}: judges with {_told(limits)}, but {_told(self._stated)} were requested; start the "
                "service with the requested limits, or request no limits"
            )
        self.limits, self.workers = limits, workers
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="judge")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def run(self, pairs: Iterable[Pair]) -> Iterator[Verdict]:
        """Judge pairs of a problem and a whole program, and yield one verdict per pair, in the order of the pairs.

        Raises:
            JudgeError: called outside the `with` block, or the service is gone, or refuses the pairs.
        """
        if self._threads is None:
            raise JudgeError("use the judge inside a `with` block: with RemoteJudge(url) as judge: judge.run(...)")
        threads, under_way = self._threads, deque[Future[list[Verdict]]]()
        batches = _batches(pairs)
        try:
            for batch in batches:
                under_way.append(threads.submit(self._judged, batch))
                while len(under_way) >= AT_ONCE:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        finally:
            for one in under_way:
                one.cancel()

    def run_async(self, pairs: Iterable[Pair]) -> AsyncIterator[Verdict]:
        """Like `run`, for an event loop, which is not blocked while samples run."""
        from isobudget.judge.off_the_loop import off_the_loop

        return off_the_loop(self.run(pairs))

    @property
    def _where(self) -> str:
        return f"{self._parts.scheme}://{self._parts.netloc}"

    def _judged(self, batch: list[Pair]) -> list[Verdict]:
        """The verdicts on a batch. If an answer breaks off, the missing verdicts are requested again."""
        verdicts: dict[int, Verdict] = {}
        deadline, wait = time.monotonic() + self._patience, _FIRST_WAIT
        while len(verdicts) < len(batch):
            before, left = len(verdicts), [at for at in range(len(batch)) if at not in verdicts]
            body = _body([batch[at] for at in left])
            if len(body) > self._most_kb << 10:
                size = f"{len(body) >> 10} kB"
                raise JudgeError(
                    f"{self._where}: accepts {self._most_kb} kB per request, but a batch of programs with their tests "
                    f"has {size}"
                )
            try:
                for line in self._patiently("POST", body):
                    message = json.loads(line)
                    if "error" in message:
                        raise JudgeError(f"{self._where}: {message['error']}")
                    verdicts[left[message["id"]]] = Verdict.of_foreign(message["verdict"])
            except (ValueError, KeyError, IndexError, TypeError) as error:
                raise JudgeError(f"{self._where}: its answer cannot be read ({type(error).__name__})") from error
            if len(verdicts) > before:
                deadline, wait = time.monotonic() + self._patience, _FIRST_WAIT
            elif time.monotonic() + wait > deadline:
                raise JudgeError(f"{self._where}: no verdict on {len(left)} programs for {self._patience:g} s")
            else:
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
        return [verdicts[at] for at in range(len(batch))]

    def _patiently(self, method: str, body: bytes | None) -> Iterator[bytes]:
        """Yield the lines of an answer. An unreachable service is retried. If an answer breaks off, the lines end."""
        deadline, wait = time.monotonic() + self._patience, _FIRST_WAIT
        while True:
            began = False
            try:
                for line in self._lines(method, body):
                    began = True
                    yield line
                return
            except (OSError, http.client.HTTPException) as error:
                if began:
                    return
                if time.monotonic() + wait > deadline:
                    raise JudgeError(
                        f"{self._where}: the judge cannot be reached: {error or type(error).__name__}. Start it "
                        f"again. {RESUME}"
                    ) from None
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)

    def _lines(self, method: str, body: bytes | None) -> Iterator[bytes]:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.netloc, timeout=SILENCE_SECONDS)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        try:
            connection.request(method, self._parts.path.rstrip("/") + "/v1/judge", body, headers)
            answer = connection.getresponse()
            if answer.status == 503:
                raise ConnectionError(_said(answer.read()))
            if answer.status == 401:
                raise JudgeError(f"{self._where}: {_said(answer.read())}. Set {KEY_VARIABLE} to your key")
            if answer.status == 404:
                raise JudgeError(f"{self._where}: {_NO_JUDGE} ({_said(answer.read())})")
            if answer.status != 200:
                raise JudgeError(f"{self._where}: {_said(answer.read())}")
            for line in answer:
                if line.strip():
                    yield line
        finally:
            connection.close()


def _parts_of(url: str) -> urllib.parse.SplitResult:
    """The parts of a URL of a judge."""
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and parts.port != 0
        usable &= url.isprintable() and " " not in url
    except ValueError:
        usable = False
    if not usable:
        raise JudgeError(f"{url!r} is not a URL of a judge, such as http://127.0.0.1:8401")
    return parts


def _said(data: bytes) -> str:
    """The message in the body of an error answer."""
    try:
        return str(json.loads(data)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace")[:200] or "no answer"


def _batches(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    batch: list[Pair] = []
    size = 0
    known: set[int] = set()
    for problem, program in pairs:
        mine = len(program) + (0 if id(problem) in known else len(repr(problem.tests)))
        if batch and (len(batch) >= BATCH or size + mine > BATCH_BYTES):
            yield batch
            batch, size, known = [], 0, set()
        batch.append((problem, program))
        known.add(id(problem))
        size += mine
    if batch:
        yield batch


def _body(batch: list[Pair]) -> bytes:
    """A batch as JSON, which contains every problem once."""
    problems: dict[Problem, int] = {}
    jobs = [[problems.setdefault(problem, len(problems)), _text(program)] for problem, program in batch]
    rows: list[dict[str, Any]] = [asdict(row_of(problem)) for problem in problems]
    return json.dumps({"problems": rows, "jobs": jobs}).encode()


def _told(limits: Limits) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in limits._asdict().items())


def _text(program: str) -> str:
    # A lone surrogate is not a text that a program can consist of; the compiler will say so.
    return program.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
