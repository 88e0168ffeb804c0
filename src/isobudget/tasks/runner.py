"""The inner runner: runs a project's pytest tests on candidates, inside a guest, with the project's own interpreter.

This file and `reporter` are sent into the guest and run there by any Python from 3.9 on that has pytest; they use
nothing but the standard library and import nothing of isobudget. The server part imports pytest and the modules listed
in a request once, and forks a process for every candidate. The child puts the candidate's file in place of the
project's, gives up rights that it does not need, and runs pytest with a reporter that writes one line per event to a
descriptor.

The server does not rely on the exit code. It returns the lines from the descriptor, how the process ended, its CPU
seconds and peak memory, and whether a file that must not change has changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import time
import types
from typing import Any

LENGTH = struct.Struct("!I")
SCRATCH = "/scratch"
PR_SET_SECCOMP = 22
OWN_PID = struct.pack("I", 0x7A7A7A7A)
#: most bytes of reports that one candidate may write
MOST_REPORT = 16 << 20


# the server ----------------------------------------------------------------------------------------------------------


def main() -> None:
    """Serve the host until it closes the socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    layers = json.loads(sys.argv[2])
    try:
        setting = receive(control)
        setting["reporter"] = module("reporter", setting["reporter"])
        sys.path[0:1] = setting["import_roots"]
        sys.argv = ["pytest"]
        import pytest

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        filtered = install(bytes.fromhex(setting["server_filter"]))
        send(control, {"ready": layers + ["system call filter"] * filtered, "pytest": pytest.__version__})
        while True:
            request = receive(control)
            answer = warm(request) if request["op"] == "warm" else run(control, setting, request)
            send(control, answer)
    except EOFError:
        os._exit(0)
    except BaseException as error:
        send(control, {"fault": f"{type(error).__name__}: {error}"})
        os._exit(1)


def module(name: str, text: str) -> Any:
    """A module made from this source text, because the module has no file in the guest."""
    made = types.ModuleType(name)
    exec(compile(text, "<isobudget>", "exec"), vars(made))
    return made


def send(control: socket.socket, value: Any) -> None:
    """Send one frame: its length, then JSON."""
    data = json.dumps(value).encode()
    control.sendall(LENGTH.pack(len(data)) + data)


def receive(control: socket.socket) -> Any:
    """Receive one frame from the host; raises EOFError if the host is gone."""
    return json.loads(exactly(control, LENGTH.unpack(exactly(control, LENGTH.size))[0]))


def exactly(control: socket.socket, size: int) -> bytes:
    """Read exactly `size` bytes from the host; raises EOFError if the host is gone."""
    data = bytearray()
    while len(data) < size:
        more = control.recv(min(size - len(data), 1 << 20))
        if not more:
            raise EOFError
        data += more
    return bytes(data)


def install(program: bytes) -> bool:
    """Put this process and all its children under a system call filter, for good."""

    class Filter(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    own = struct.pack("I", os.getpid())
    code = bytearray(program)
    for place in range(4, len(code), 8):
        if code[place : place + 4] == OWN_PID:
            code[place : place + 4] = own
    buffer = ctypes.create_string_buffer(bytes(code), len(code))
    wanted = Filter(len(code) // 8, ctypes.addressof(buffer))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, 2, ctypes.byref(wanted), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the system call filter cannot be installed")
    return True


def warm(request: dict[str, Any]) -> dict[str, Any]:
    """Import modules that do not depend on a candidate. If an import fails, it is left to the candidates' processes.

    Returns:
        Under `reached`, the name of the module whose import loaded the target after all; empty if none did. If one did,
        this process must be replaced.
    """
    hook = rewriting(request["rewritten"])
    left = request["rewritten"] if hook is None else []
    try:
        for name in request["names"]:
            if name in left:
                continue
            with contextlib.suppress(BaseException):
                importlib.import_module(name)
            if not sys.modules.keys().isdisjoint(request["targets"]):
                return {"reached": name}
    finally:
        if hook in sys.meta_path:
            sys.meta_path.remove(hook)
    return {"reached": ""}


def rewriting(names: list[str]) -> Any:
    """pytest's import hook, by which pytest expects plugins' modules to be imported; None if there is no such hook."""
    if not names:
        return None
    try:
        from _pytest.assertion import install_importhook
        from _pytest.config import get_config

        hook = install_importhook(get_config())
        hook.mark_rewrite(*names)
    except Exception:
        sys.meta_path[:] = [one for one in sys.meta_path if type(one).__name__ != "AssertionRewritingHook"]
        return None
    return hook


def run(control: socket.socket, setting: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Fork a process for one candidate, watch it until it ends, and return what it reported."""
    before = hashes(request["watched"])
    reading, writing = os.pipe()
    nonce = os.urandom(12).hex()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        control.close()
        candidate(setting, request, writing, nonce)
    os.close(writing)
    lines, stopped = watch(control, pid, reading, request)
    os.close(reading)
    kill_all(pid, bool(request["subprocess"]))
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - began
    reap()
    return {
        "lines": [event for event in (opened(line, nonce) for line in lines) if event is not None],
        "status": status,
        "stopped": stopped,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_kb": usage.ru_maxrss,
        "wall": wall,
        "changed": [path for path, one in hashes(request["watched"]).items() if one != before[path]],
        "clean": clean(),
    }


def opened(line: bytes, nonce: str) -> Any:
    """The event in a line of the reporter; None if the line was not written by the reporter."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value[1:] if isinstance(value, list) and value and value[0] == nonce else None


def watch(control: socket.socket, pid: int, reading: int, request: dict[str, Any]) -> tuple[list[bytes], str]:
    """Read the child's report until the child ends, its time is used up, or the report is too long.

    Returns the report's lines, and why reading stopped early: ``time``, ``output``, or empty. If the host is gone, this
    process ends the child and itself.
    """
    poller = select.poll()
    handle = os.pidfd_open(pid)
    for one in (reading, handle, control.fileno()):
        poller.register(one, select.POLLIN)
    deadline, clock = time.monotonic() + request["wall"], (~pid << 3) | 2
    data, stopped, ended = bytearray(), "", False
    while not ended and not stopped:
        left = min(deadline - time.monotonic(), request["cpu"] - time.clock_gettime(clock))
        if left <= 0:
            stopped = "time"
        for number, _ in poller.poll(1000 * min(max(left, 0), 0.5) + 1):
            if number == control.fileno():
                # The host says nothing while it waits: it is gone, and so is what it waits for.
                os.kill(pid, signal.SIGKILL)
                os._exit(0)
            elif number == reading:
                more = os.read(reading, 1 << 16)
                data += more
                if not more:
                    poller.unregister(reading)
                if len(data) > MOST_REPORT:
                    stopped = "output"
            else:
                ended = True
    os.close(handle)
    if ended:
        data += rest(reading)
    return bytes(data).split(b"\n"), stopped


def rest(descriptor: int) -> bytes:
    """Read what a process that has ended left in its pipe."""
    data, poller = bytearray(), select.poll()
    poller.register(descriptor, select.POLLIN)
    while len(data) <= MOST_REPORT and poller.poll(0):
        more = os.read(descriptor, 1 << 16)
        if not more:
            break
        data += more
    return bytes(data)


def kill_all(pid: int, everything: bool) -> None:
    """End the child, and everything else in this pid namespace if the child may have started programs."""
    try:
        os.kill(pid, signal.SIGKILL)
        if everything and os.getpid() == 1:
            os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass


def reap() -> None:
    """Collect the status of all processes that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def hashes(paths: list[str]) -> dict[str, str]:
    """The sha256 of each file; an empty string for a file that cannot be read."""
    found = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                found[path] = hashlib.sha256(file.read()).hexdigest()
        except OSError:
            found[path] = ""
    return found


def clean() -> bool:
    """Empty the scratch folder; False if something could not be removed."""
    for name in os.listdir(SCRATCH):
        path = os.path.join(SCRATCH, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, onerror=allow)
        else:
            os.unlink(path)
    return not os.listdir(SCRATCH)


def allow(function: Any, path: str, _: Any) -> None:
    """Retry a failed removal after adding the missing permissions."""
    try:
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            function(path)
    except OSError:
        pass


# the child -----------------------------------------------------------------------------------------------------------


def candidate(setting: dict[str, Any], request: dict[str, Any], writing: int, nonce: str) -> None:
    """Run the tests on a candidate; never returns."""
    code = 3
    try:
        for name, text in request["files"].items():
            with open(name, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        importlib.invalidate_caches()
        reporter = setting["reporter"].Reporter(writing, nonce)
        limit(request)
        install(bytes.fromhex(setting["candidate_filter"]))
        if request.get("program"):
            exec(compile(request["program"], "<isobudget>", "exec"), {"__name__": "isobudget", "tell": reporter.tell})
        if request["arguments"] is not None:
            import pytest

            began = time.monotonic()
            said = sys.stderr = setting["reporter"].Beginning()
            code = pytest.main(list(request["arguments"]), plugins=[reporter])
            if int(code) in (3, 4) and not reporter.collected:
                reporter.tell("usage", said.getvalue())
            reporter.finish(int(code), time.monotonic() - began)
    except BaseException as error:
        try:
            text = json.dumps([nonce, "fault", f"{type(error).__name__}: {error}"])
            os.write(writing, text.encode() + b"\n")
        except BaseException:
            pass
    os._exit(0)


def limit(request: dict[str, Any]) -> None:
    """Set the limits that the kernel enforces, beside those that the server checks."""
    for what, value in (
        (resource.RLIMIT_CPU, int(request["cpu"]) + 2),
        (resource.RLIMIT_AS, (request["memory_mb"] + 512) << 20),
    ):
        hard = resource.getrlimit(what)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
