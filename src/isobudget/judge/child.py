"""What runs in a sample's own process group: a keeper that confines and watches, and the sample with its tests.

The keeper reads one job from standard input as JSON, forks the sample, and writes one report as JSON to standard
output. The sample runs its program and the tests in one process (`trust = "shared"`). Its word counts only if it ends
by echoing a nonce that the keeper gives out after the tests have completed: ending early, by whatever exit code or
print, is no pass.

Loaded by path with the standard library only. Not covered: a program that looks through its caller's frames for the
tests."""

from __future__ import annotations

import json
import os
import resource
import secrets
import select
import signal
import sys
import time
import types
from dataclasses import dataclass, field
from typing import Any, NoReturn

from isobudget.judge import confine

#: a sample's own report never needs more
REPORT_BYTES = 1 << 16
DETAIL_CHARS = 300
#: longest pause between two looks at the sample's CPU clock
WATCH_SECONDS = 0.25


def main() -> NoReturn:
    """Read the job, enter the namespaces, and hand over to a keeper inside them."""
    job = json.load(sys.stdin)
    namespaces = confine.enter_namespaces()
    keeper = os.fork()
    if keeper == 0:
        confine.die_with_parent()
        report = keep(job, namespaces)
        sys.stdout.write(json.dumps(report))
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(keeper, 0)
    os._exit(0)


@dataclass(slots=True)
class Watch:
    """The sample's process as its keeper sees it."""

    pid: int
    report: int
    nonce_to: int
    output: int
    nonce: str = field(default_factory=lambda: secrets.token_hex(16))
    said: bytes = b""
    printed: int = 0
    stopped: str = ""


def keep(job: dict[str, Any], namespaces: list[str]) -> dict[str, Any]:
    """Fork the sample, watch it to its end, and say what became of it."""
    scratch = job["scratch"]
    if "mount" in namespaces:
        confine.close_file_systems(scratch)
    report_read, report_write = os.pipe()
    nonce_read, nonce_write = os.pipe()
    output_read, output_write = os.pipe()
    os.chdir(scratch)
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output_write, 1)
        os.dup2(output_write, 2)
        os.dup2(report_write, 3)
        os.dup2(nonce_read, 4)
        os.closerange(5, 256)
        run_sample(job)
    for descriptor in (report_write, nonce_read, output_write):
        os.close(descriptor)
    watch = Watch(pid, report_read, nonce_write, output_read)
    status, usage = watch_to_end(watch, job["limits"])
    return verdict(watch, status, usage)


def watch_to_end(watch: Watch, limits: dict[str, Any]) -> tuple[int, resource.struct_rusage]:
    """Read what the sample says until it ends, and kill it at its limits."""
    deadline = time.monotonic() + limits["wall_seconds"]
    sources = [watch.report, watch.output]
    while True:
        pid, status, usage = os.wait4(watch.pid, os.WNOHANG)
        if pid:
            read_ready(watch, sources, limits, 0.0)
            return status, usage
        left = min(limits["cpu_seconds"] - cpu_seconds(watch.pid), deadline - time.monotonic())
        if left <= 0:
            watch.stopped = watch.stopped or "timeout"
        if watch.stopped:
            os.kill(watch.pid, signal.SIGKILL)
        pause = 0.001 if watch.stopped or not sources else min(max(left, 0.001), WATCH_SECONDS)
        if not sources:
            time.sleep(pause)
        read_ready(watch, sources, limits, pause)


def cpu_seconds(pid: int) -> float:
    """CPU seconds of another process; 0 where the clock cannot be read, and the whole-second limit must do."""
    try:
        return time.clock_gettime(confine.cpu_clock(pid))
    except OSError:
        return 0.0


def read_ready(watch: Watch, sources: list[int], limits: dict[str, Any], pause: float) -> None:
    """Take what the sample has written; a full output or an overlong report stops it."""
    for source in select.select(sources, [], [], pause)[0] if sources else []:
        data = os.read(source, 1 << 16)
        if not data:
            sources.remove(source)
        elif source == watch.output:
            watch.printed += len(data)
            if watch.printed > limits["output_kb"] << 10:
                watch.stopped = watch.stopped or "output_limit"
        elif len(watch.said) < REPORT_BYTES:
            watch.said += data
            if watch.said == b"tests completed\n":
                os.write(watch.nonce_to, watch.nonce.encode())


def verdict(watch: Watch, status: int, usage: resource.struct_rusage) -> dict[str, Any]:
    """What the keeper reports: the limit that stopped the sample, the signal that killed it, or the sample's word."""
    report: dict[str, Any] = {
        "outcome": "error",
        "detail": "the program ended before its tests did",
        "seconds": usage.ru_utime + usage.ru_stime,
        "peak_memory_mb": usage.ru_maxrss / 1024,
    }
    code = os.waitstatus_to_exitcode(status)
    if watch.stopped:
        report |= {"outcome": watch.stopped, "detail": ""}
    elif code == -signal.SIGXCPU:
        report |= {"outcome": "timeout", "detail": ""}
    elif code < 0:
        report |= {"outcome": "crashed", "detail": f"killed by {signal.Signals(-code).name}"}
    elif watch.said.startswith(b"tests completed\n"):
        if watch.said == f"tests completed\n{watch.nonce}".encode():
            report |= {"outcome": "passed", "detail": ""}
    else:
        report |= own_word(watch.said)
    return report


def own_word(said: bytes) -> dict[str, Any]:
    """The sample's own account of why it did not pass, if it is one."""
    try:
        told = json.loads(said)
        if told["outcome"] in ("failed", "error", "syntax_error", "out_of_memory"):
            return {"outcome": str(told["outcome"]), "detail": str(told["detail"])[:DETAIL_CHARS]}
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return {}


def run_sample(job: dict[str, Any]) -> NoReturn:
    """In the sample's process: confine it, run program and tests, and give account."""
    limits = job["limits"]
    confine.die_with_parent()
    confine.limit_resources(limits["cpu_seconds"], limits["memory_mb"], file_kb=1024, processes=job["processes"])
    confine.drop_privileges()
    sys.stdin = os.fdopen(0)
    sys.path += job["path"]
    os.environ.clear()
    os.environ |= {"PATH": os.defpath, "HOME": job["scratch"], "TMPDIR": job["scratch"], "LANG": "C.UTF-8"}
    failure = judge_together(job["program"], job["tests"])
    try:
        sys.stdout.flush()
        if failure is None:
            os.write(3, b"tests completed\n")
            os.write(3, os.read(4, 64))
        else:
            os.write(3, json.dumps(failure).encode())
    finally:
        os._exit(0)


def judge_together(program: str, tests: dict[str, Any]) -> dict[str, str] | None:
    """Run the program, then its tests in the same namespace; None if all of them passed."""
    module = types.ModuleType("sample")
    sys.modules["sample"] = module
    try:
        code = compile(program, "<sample>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return {"outcome": "syntax_error", "detail": last_line(error)}
    try:
        exec(code, module.__dict__)
        run_tests(tests, module.__dict__)
    except AssertionError as error:
        return {"outcome": "failed", "detail": last_line(error)}
    except MemoryError as error:
        return {"outcome": "out_of_memory", "detail": last_line(error)}
    except BaseException as error:
        return {"outcome": "error", "detail": last_line(error)}
    return None


def run_tests(tests: dict[str, Any], names: dict[str, Any]) -> None:
    """The tests of either kind, in the program's namespace."""
    if "check" in tests:
        candidate = names[tests["entry_point"]]
        exec(compile(tests["check"], "<tests>", "exec", dont_inherit=True), names)
        names["check"](candidate)
        return
    exec(compile(tests["setup"], "<setup>", "exec", dont_inherit=True), names)
    for number, line in enumerate(tests["asserts"]):
        exec(compile(line, f"<test {number}>", "exec", dont_inherit=True), names)


def last_line(error: BaseException) -> str:
    """The error as one line, as a traceback ends. Hostile exceptions may fail at being printed."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:
        return "an error that cannot be printed"
    return " ".join(text.split())[:DETAIL_CHARS]
