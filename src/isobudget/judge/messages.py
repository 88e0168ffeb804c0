"""Messages between the judge and its workers: how a worker is set up, and the problems it is given.

A worker trusts its judge, which sends framed `marshal`. The judge does not trust a worker, whose tests may be foreign:
the judge accepts only framed JSON. Samples use other messages, see `wire`.
"""

from __future__ import annotations

import json
import marshal
from typing import Any, NamedTuple

from isobudget.judge.verdict import Limits


class WorkerSettings(NamedTuple):
    """How a worker is set up.

    Attributes:
        number: the worker's number. If the judge runs as root, it determines which unused user the worker becomes.
        core: the processor core that the worker runs on.
        packages: folders of installed packages that samples may import from.
        without: layers of confinement to leave out, by name.
        one_process: whether a screened program runs all its tests in one process.
        limits: limits of every sample.
        trust: where a test runs if both places are possible: `split` (apart from the sample), `shared` (in the sample's
            process), or `auto`.
        foreign: whether the tests are trusted no more than the samples.
        base: an empty folder that belongs to the worker.
        life: descriptor of a pipe whose other end closes when the judge ends.
    """

    number: int
    core: int
    packages: tuple[str, ...]
    without: tuple[str, ...]
    one_process: bool
    limits: Limits
    trust: str
    foreign: bool = False
    base: str = ""
    life: int = -1

    def plain(self) -> tuple[Any, ...]:
        """The fields as literals, for `from_plain` in another process."""
        return tuple(self._replace(limits=tuple(self.limits)))  # type: ignore[arg-type]

    @classmethod
    def from_plain(cls, fields: tuple[Any, ...]) -> WorkerSettings:
        """Settings from the fields that `plain` returned."""
        made = cls(*fields)
        return made._replace(limits=Limits(*made.limits))


class Case(NamedTuple):
    """A problem in the form that a worker receives.

    Attributes:
        kind: the name of the class of the problem's tests, which is in `problems.problem`.
        tests: the fields of the tests, as that class names them.
        entry_point, prompt, starter: as in the problem.
        reference: a whole program known to be right, or None.
        apart: whether the tests are known to give the same verdict when they run apart from the sample.
    """

    kind: str
    tests: dict[str, Any]
    entry_point: str
    prompt: str
    starter: str
    reference: str | None
    apart: bool = False


def frame(*message: Any) -> bytes:
    """Encode a message of plain values to a worker: four bytes of length, big-endian, then `marshal`."""
    data = marshal.dumps(message)
    return len(data).to_bytes(4, "big") + data


def answer_frame(*message: Any) -> bytes:
    """Encode a message of plain values from a worker: four bytes of length, big-endian, then JSON."""
    data = json.dumps(message).encode()
    return len(data).to_bytes(4, "big") + data
