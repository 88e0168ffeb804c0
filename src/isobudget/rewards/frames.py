"""Messages between a shared pool and its clients: JSON objects, each preceded by its length in four bytes.

Both ends run as the same user and with the same version of isobudget, since the socket's name depends on the version. A
frame that is too long, or not a JSON object, ends the connection.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import asdict
from typing import Any

from isobudget.errors import JudgeError
from isobudget.judge import wire
from isobudget.judge.verdict import Limits, Verdict
from isobudget.problems.problem import Problem
from isobudget.records.rows import ProblemRow, problem_of, row_of

#: longest frame, in bytes
MOST_BYTES = 64 << 20
_LENGTH = struct.Struct(">I")

Frame = dict[str, Any]


def pack(message: Frame) -> bytes:
    """A message as bytes.

    Raises:
        JudgeError: the message is too long.
    """
    data = json.dumps(message).encode("utf-8", "surrogatepass")
    if len(data) > MOST_BYTES:
        raise JudgeError(f"tests and program take {len(data):,} bytes, but a shared pool accepts only {MOST_BYTES:,}")
    return _LENGTH.pack(len(data)) + data


def receive(connection: socket.socket) -> Frame | None:
    """The next message; None if the other end has closed the connection.

    Raises:
        JudgeError: the frame is too long, or not a JSON object.
        OSError: the connection failed.
    """
    head = _exactly(connection, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MOST_BYTES:
        raise JudgeError(f"a message of {length:,} bytes")
    data = _exactly(connection, length)
    if data is None:
        return None
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise JudgeError("a message that is not JSON") from error
    if not isinstance(message, dict):
        raise JudgeError("a message that is not an object")
    return message


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    data = bytearray()
    while len(data) < count:
        piece = connection.recv(min(count - len(data), 1 << 20))
        if not piece:
            return None
        data += piece
    return bytes(data)


def job(number: int, problem: Problem, program: str, limits: Limits) -> Frame:
    """The message that requests a verdict."""
    # more of a program that is too long for the judge would say no more, and could be too long for a frame
    taken = program[: wire.TEXT_BYTES + 1]
    return {"id": number, "limits": list(limits), "problem": asdict(row_of(problem)), "program": taken}


def read_job(message: Frame) -> tuple[int, Problem, str, Limits]:
    """The number, problem, program and limits in a request for a verdict.

    Raises:
        JudgeError: the message does not request a verdict.
    """
    try:
        problem = problem_of(ProblemRow(**message["problem"]))
        return int(message["id"]), problem, str(message["program"]), Limits(*message["limits"])
    except (KeyError, TypeError, ValueError) as error:
        raise JudgeError(f"a message without a request ({type(error).__name__})") from error


def answer(number: int, verdict: Verdict) -> Frame:
    """The message with a verdict. It may hold NaN, which is not standard JSON, but both ends read and write it."""
    return {"id": number, "verdict": list(verdict.plain())}


def read_answer(message: Frame) -> tuple[int, Verdict]:
    """The request's number and the verdict in an answer.

    Raises:
        JudgeError: the answer has no verdict. The error's text is the one that the answer states.
    """
    if "verdict" not in message:
        raise JudgeError(str(message.get("error", "an answer without a verdict")))
    fields = [tuple(one) if isinstance(one, list) else one for one in message["verdict"]]
    return int(message["id"]), Verdict.from_plain(tuple(fields))
