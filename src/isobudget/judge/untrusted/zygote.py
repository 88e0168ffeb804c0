"""The zygote: a small warmed-up interpreter inside all layers of confinement, from which every sample is forked.

It serves one tester over a control socket, over which it first sends the descriptors of input, output and errors. A
request to fork contains the limits and the wire of the sample. The zygote forks the sample, watches its CPU clock and
the wall clock, kills the sample at its limits or on request, reaps it, reports status, CPU seconds and peak memory, and
empties the scratch folder. The zygote never reads what the sample sends: the sample's messages go to the tester over
the sample's own descriptor.
"""

from __future__ import annotations

import _posixsubprocess
import builtins
import contextlib
import ctypes
import errno
import gc
import importlib
import json
import os
import select
import signal
import struct
import sys
import time
from _sitebuiltins import Quitter
from _socket import AF_UNIX, CMSG_LEN, SCM_RIGHTS, SHUT_WR, SOCK_SEQPACKET, SOL_SOCKET, socket, socketpair
from collections.abc import Collection
from typing import Any, NoReturn

from isobudget.judge import wire
from isobudget.judge.confinement import confine, memory, namespaces, seccomp
from isobudget.judge.untrusted import sample

#: op (fork, kill, wait for the end, or extend), mode, CPU seconds, wall seconds, memory in MiB, files in KiB
REQUEST = struct.Struct("ccddii")
#: wait status, CPU seconds, peak memory in KiB, why the sample was stopped (0 not stopped, 1 out of time, 2 on request)
REPORT = struct.Struct("idqi")
FORK, KILL, WAIT, EXTEND = b"F", b"K", b"W", b"E"
#: the first message to the tester; it carries the descriptors of input, output and errors
PLACES = b"P"
#: descriptor number of the control socket, above the numbers that samples get
CONTROL = 40
NOT_STOPPED, OUT_OF_TIME, ON_REQUEST = 0, 1, 2
#: longest pause between two looks at the clocks
WATCH_SECONDS = 1.0
YOUNG_OBJECTS = 300

#: The system's own fork, without what `os.fork` does in the child for programs with threads and handlers. The zygote
#: has neither, and what a child does not touch need not be copied.
fork = ctypes.PyDLL(None).fork

WARM_ROUNDS = 20
#: imported once, so that no sample has to
WARM = """
    bisect collections copy functools heapq itertools json math operator random re string time typing
    isobudget.judge.untrusted.nodes isobudget.judge.untrusted.screening
    isobudget.judge.untrusted.whole_program
"""

#: imported besides, if source tests run in the sample's process
SOURCE_WARM = "isobudget.judge.untrusted.shared_tests"
#: imported besides, if pytest runs in the sample's process; modules that are not installed are skipped
PYTEST_WARM = """
    asyncio contextlib dataclasses inspect io isobudget.judge.untrusted.shared_tests linecache pathlib pytest tempfile
    threading types unittest.mock _pytest.assertion.rewrite _pytest.python _pytest.tmpdir _pytest.monkeypatch
"""


def begin(fields: tuple[Any, ...], descriptor: int, use: str = "") -> NoReturn:
    """Run as a zygote in a new interpreter.

    `use` is `source` or `pytest` if tests of this kind run in the sample's process, and empty if no tests do.
    """
    setting = confine.Setting(*fields)
    warm()
    if use:
        sys.path += setting.packages
        _import(SOURCE_WARM)
    if use == "pytest":
        _import(PYTEST_WARM)
        _rehearse_pytest(setting.base)
    main(setting, descriptor)


def main(setting: confine.Setting, descriptor: int) -> NoReturn:
    """Confine this process, which is warmed up, then serve until the tester closes the control socket."""
    if descriptor != CONTROL:  # copied onto itself without inheritance, a descriptor is an invalid argument
        os.dup2(descriptor, CONTROL, inheritable=False)
        os.close(descriptor)
    control = socket(fileno=CONTROL)
    namespaces.die_with_parent()
    sys.path += [folder for folder in setting.packages if folder not in sys.path]
    _disarm()
    granted = confine.enter_namespaces(setting)
    watched = memory.watched_fork(control, setting.base, setting.memory_mb)
    places: list[int] = []

    def send_on(streams: list[int]) -> None:
        control.sendmsg([PLACES], [(SOL_SOCKET, SCM_RIGHTS, struct.pack("3i", *streams))])
        places.extend(_take_places(streams))

    layers, scratch, threads = confine.confine(setting, granted, send_on)
    layers += [confine.MEMORY_WATCH] * watched
    control.sendall(json.dumps(layers).encode() + b"\n")
    _clean_environment(scratch)
    gc.collect()
    gc.disable()
    gc.freeze()
    with contextlib.suppress(OSError):
        serve(control, scratch, layers, (places[0], places[1]), threads)
    os._exit(0)


def warm() -> None:
    """Import what samples commonly use and run what every sample runs, so that forked processes need not."""
    _import(WARM)
    for _ in range(WARM_ROUNDS):
        _rehearse()
    # What was rehearsed with is not a module of the tester's, which is warm, too.
    sys.modules.pop("sample", None)


def _import(names: str) -> None:
    # What the modules do after a fork (new seeds, new locks) is work that no sample needs.
    register, os.register_at_fork = os.register_at_fork, lambda **_: None
    for name in names.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    os.register_at_fork = register


def _disarm() -> None:
    """Change this interpreter for samples: seed `random`, define `exit` and `quit`, and refuse to start programs."""
    # The same for every sample, whichever worker it comes to.
    sys.modules["random"].seed(0)
    # An interpreter started without its site module lacks these two, which programs end with.
    for name in ("exit", "quit"):
        setattr(builtins, name, Quitter(name, "Ctrl-D (i.e. EOF)"))
    # A courtesy and no defence: `subprocess` would take a refusal for a reason to fork, and be killed for it. Libraries
    # that try to start a program (matplotlib looks for fonts so) can do without.
    _posixsubprocess.fork_exec = _start_no_program
    if (subprocess := sys.modules.get("subprocess")) is not None:
        subprocess._fork_exec = _start_no_program  # type: ignore[attr-defined]


def _rehearse() -> None:
    """Serve a small program as a sample's process does, so that Python specializes this code before the fork."""
    # Every read takes one packet, and the requests can be sent ahead of the answers.
    ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
    program = "from typing import List\ndef double(x: List[int]) -> list:\n    return [2 * y for y in x]\n"
    wire.send(ours.fileno(), ["load", "", program, ["double"]])
    for _ in range(5):
        wire.send(ours.fileno(), ["call", 0, [[1, 2.5, "a", {"tuple": [1]}]], []])
    ours.shutdown(SHUT_WR)
    with contextlib.suppress(wire.ClosedError):
        sample.Served(theirs.fileno()).serve()
    ours.close()
    theirs.close()


def _rehearse_pytest(folder: str) -> None:
    """Run a small test file, so that samples need not load the installed plugins."""
    if "pytest" not in sys.modules:
        return
    from isobudget.judge.untrusted import shared_tests

    os.chdir(folder)
    program, tests = "def f(x):\n    return x\n", "from solution import f\n\ndef test_f():\n    assert f(1) == 1\n"
    before = set(sys.modules)
    register, os.register_at_fork = os.register_at_fork, lambda **_: None
    with contextlib.suppress(Exception):
        shared_tests.run_pytest(lambda *_: None, program, {"module": "solution", "source": tests}, stop=True)
    os.register_at_fork = register
    for name in {"solution", "test_sample"} & set(sys.modules) - before:
        del sys.modules[name]
    sys.path.remove(os.getcwd())
    os.chdir("/")
    confine.remove_contents(folder)
    # Patterns, source lines and the like of this run belong to no sample.
    importlib.import_module("linecache").clearcache()
    importlib.invalidate_caches()


def _start_no_program(*_: object) -> NoReturn:
    raise PermissionError(errno.EPERM, "a sample may not start programs")


def _clean_environment(scratch: str) -> None:
    os.environ.clear()
    os.environ |= {"PATH": os.defpath, "HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8", "USER": "sample"}
    # Numerical libraries would start a thread per core for every sample.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def serve(control: socket, scratch: str, layers: Collection[str], places: tuple[int, int], threads: int) -> None:
    """Fork and watch one sample after another, until the tester closes the socket or the zygote cannot continue."""
    served = sample.Served()
    sieve = None
    if "system call filter" in layers:
        sieve = seccomp.Installer(seccomp.sample_program("private root file system" in layers))
    while True:
        request, descriptors = receive(control)
        if request is None:
            return
        op, mode, cpu_seconds, wall_seconds, memory_mb, file_kb = request
        if op != FORK:
            continue
        # What calls may take can be extended, while it runs: the limit of the kernel is the backstop.
        most = wall_seconds if mode == sample.CALLS else cpu_seconds
        limits = confine.sample_limits(most, memory_mb, file_kb, threads)
        begun = sample.SampleStart(mode, descriptors[0], places, limits, sieve, served)
        pid = start(begun)
        # A process that could not be made is not the sample's fault: the tester starts another zygote.
        if pid < 0 or not watch(control, pid, cpu_seconds, wall_seconds):
            return
        if os.listdir(scratch) and not confine.remove_contents(scratch):
            return


def _take_places(streams: list[int]) -> list[int]:
    """Move the three descriptors out of the way, and return the new descriptors of input and errors.

    Descriptors 0 and 1 of this process become the samples' default input, which is empty, and their output.
    """
    source, output, errors = streams
    os.dup2(output, 1)
    # Opened here, so that samples hold nothing that comes from outside of the private root.
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.close(output)
    # Out of the way, too: the first free number is what a sample's wire should get.
    moved = [os.dup2(number, CONTROL + 1 + place) for place, number in enumerate((source, errors))]
    for number in (source, errors):
        os.close(number)
    return moved


def _numbers(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    return [number for *_, fds in ancillary for (number,) in struct.iter_unpack("i", fds)]


def start(begun: sample.SampleStart) -> int:
    """Fork a sample and return its pid, which is negative if no process could be made."""
    if gc.get_count()[0] > YOUNG_OBJECTS:
        # So that the sample does not begin with a collection.
        gc.collect(0)
    pid: int = fork()
    if pid == 0:
        sample.main(begun)
    os.close(begun.wire)
    return pid


def receive(control: socket) -> tuple[tuple[Any, ...] | None, list[int]]:
    """A request, and the descriptors that came with it. The request is None if the tester has closed the socket."""
    data, ancillary, _, _ = control.recvmsg(REQUEST.size, CMSG_LEN(4 * 4))
    return (REQUEST.unpack(data) if len(data) == REQUEST.size else None), _numbers(ancillary)


def watch(control: socket, pid: int, cpu_seconds: float, wall_seconds: float) -> bool:
    """Watch a sample until it ends, and report its end. Returns False if the tester has closed the socket."""
    clock = namespaces.cpu_clock(pid)
    deadline = time.monotonic() + wall_seconds
    handle = os.pidfd_open(pid)
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(handle, select.POLLIN)
    stopped, asked, ended = NOT_STOPPED, False, False
    while not ended:
        left = min(cpu_seconds - time.clock_gettime(clock), deadline - time.monotonic())
        if left <= 0:
            stopped = OUT_OF_TIME
            os.kill(pid, signal.SIGKILL)
            break
        for descriptor, _ in poller.poll(1000 * min(left, WATCH_SECONDS) + 1):
            if descriptor == handle:
                ended = True
                continue
            request = control.recv(REQUEST.size)
            if request[:1] == EXTEND:
                _, _, more_cpu, more_wall, _, _ = REQUEST.unpack(request)
                cpu_seconds, deadline = cpu_seconds + more_cpu, deadline + more_wall
                continue
            asked = True
            if request[:1] != WAIT:
                stopped, ended = ON_REQUEST, True
                os.kill(pid, signal.SIGKILL)
            if not request:
                return False
    _, status, usage = os.wait4(pid, 0)
    os.close(handle)
    if not asked and not control.recv(REQUEST.size):
        return False
    control.sendall(REPORT.pack(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, stopped))
    return True
