"""The system call filter, assembled as classic BPF and installed through prctl.

There are two filters. The zygote installs the large filter once: an allow-list of the calls that computing in Python
and the zygote's own work need. Every sample then adds a small filter of its own. The small filter forbids what only the
zygote may do (fork, kill, receive descriptors) and lets signals and limits apply only to the sample's own process.
Calls that only an attack needs kill the process (`forbidden` in the verdict). All other calls that are not allowed
fail, most of them with EPERM.

Not covered: what an allowed call does inside the kernel.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

from isobudget.judge.confinement.syscalls import ALLOWED, DEADLY, SPECIAL, UNSUPPORTED

PR_GET_DUMPABLE = 3
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
RET_KILL = 0x80000000
RET_ERRNO = 0x00050000
RET_ALLOW = 0x7FFF0000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
#: x86-64 numbers from here on are the x32 calling convention
X32_BIT = 0x40000000

LOAD, JUMP_EQUAL, JUMP_GREATER, JUMP_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
OFFSET_NUMBER, OFFSET_ARCHITECTURE, OFFSET_ARGUMENTS = 0, 4, 16

CLONE_VFORK, CLONE_THREAD = 0x00004000, 0x00010000
#: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
CLONE_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
#: F_SETOWN, F_SETSIG, F_SETOWN_EX: have the kernel send signals to any process
FCNTL_SIGNALS = (8, 10, 15)
#: TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
IOCTL_ALLOWED = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
#: stands in a program for the pid of the process that will install it
OWN_PID = 0x7A7A7A7A
AF_UNIX, SOCK_STREAM, SOCK_CLOEXEC = 1, 1, 0x80000


class FilterProgram:
    """A BPF program under construction.

    Each rule is a few instructions. A call that a rule does not match goes on to the next rule.
    """

    def __init__(self) -> None:
        self.code: list[tuple[int, int, int, int]] = []

    def add(self, operation: int, value: int, hit: int = 0, miss: int = 0) -> None:
        """Append one instruction. On a match the next `hit` instructions are skipped, otherwise the next `miss`."""
        self.code.append((operation, hit, miss, value))

    def on_number(self, number: int, action: int) -> None:
        """Act on one system call, whatever its arguments."""
        self.add(JUMP_EQUAL, number, 0, 1)
        self.add(RETURN, action)

    def on_argument(self, number: int, argument: int, values: tuple[int, ...], matching: int, otherwise: int) -> None:
        """Act on one system call depending on whether the low half of an argument is among the values."""
        self.add(JUMP_EQUAL, number, 0, len(values) + 3)
        self.add(LOAD, OFFSET_ARGUMENTS + 8 * argument)
        for index, value in enumerate(values):
            self.add(JUMP_EQUAL, value, len(values) - index, 0)
        self.add(RETURN, otherwise)
        self.add(RETURN, matching)

    def packed(self) -> bytes:
        """The program in the kernel's binary form."""
        return b"".join(struct.pack("HBBI", *instruction) for instruction in self.code)


#: calls that a server of samples may make; most are forbidden to the samples, or allowed only within their own process
SERVER_CALLS = (
    "tgkill",
    "kill",
    "recvmsg",
    "pidfd_open",
    "waitid",
    "prlimit64",
    "setrlimit",
    "socketpair",
    "prctl",
)


def column() -> int:
    """The column of this machine's architecture in the table of call numbers: 0 for x86-64, 1 for aarch64."""
    return list(ARCHITECTURES).index(os.uname().machine)


def start() -> FilterProgram:
    """The beginning of every program: kill calls of another architecture, then load the number of the call."""
    program = FilterProgram()
    program.add(LOAD, OFFSET_ARCHITECTURE)
    program.add(JUMP_EQUAL, ARCHITECTURES[os.uname().machine], 1, 0)
    program.add(RETURN, RET_KILL)
    program.add(LOAD, OFFSET_NUMBER)
    if os.uname().machine == "x86_64":
        program.add(JUMP_GREATER, X32_BIT, 0, 1)
        program.add(RETURN, RET_KILL)
    return program


def zygote_program(also: tuple[str, ...] = ()) -> bytes:
    """The allow-list for the zygote and all its children.

    `also` names calls that are allowed too, and that would otherwise kill the process.
    """
    program, refused = start(), RET_ERRNO | errno.EPERM
    for number in (*ALLOWED.values(), *(DEADLY[name] for name in also)):
        program.on_number(number, RET_ALLOW)
    for number in DEADLY.values():
        program.on_number(number, RET_KILL)
    for number in UNSUPPORTED.values():
        program.on_number(number, RET_ERRNO | errno.EOPNOTSUPP)
    program.on_number(SPECIAL["clone3"], RET_ERRNO | errno.ENOSYS)
    if "vfork" in SPECIAL:
        program.on_number(SPECIAL["vfork"], refused)
    program.on_argument(SPECIAL["socket"], 0, (AF_UNIX,), refused, RET_KILL)
    program.on_argument(SPECIAL["fcntl"], 1, FCNTL_SIGNALS, RET_KILL, RET_ALLOW)
    program.on_argument(SPECIAL["ioctl"], 1, IOCTL_ALLOWED, RET_ALLOW, RET_ERRNO | errno.ENOTTY)
    for name in ("clone", *SERVER_CALLS):
        if name in SPECIAL:
            program.on_number(SPECIAL[name], RET_ALLOW)
    program.on_number(SPECIAL["pidfd_send_signal"], RET_KILL)
    program.add(RETURN, refused)
    return program.packed()


def tester_program() -> bytes:
    """The filter of a tester of foreign tests: the zygote's filter, but the tester may send descriptors to zygotes."""
    return zygote_program(also=("sendmsg",))


def sample_program(private_root: bool = True, *, receives: bool = False) -> bytes:
    """The filter of a sample, on top of the zygote's filter. `OWN_PID` stands where the sample's pid is filled in.

    Without a private root, changing the modes and times of files is forbidden too, because Landlock does not govern
    such changes. A tester of foreign tests gets the same filter with `receives`, so that the tester may receive
    descriptors from its zygotes.
    """
    program, refused = start(), RET_ERRNO | errno.EPERM
    for name in () if private_root else ("chmod", "fchmod", "fchmodat", "utimensat"):
        if name in ALLOWED:
            program.on_number(ALLOWED[name], refused)
    for name in ("kill", "pidfd_open") if receives else ("kill", "recvmsg", "pidfd_open"):
        program.on_number(SPECIAL[name], RET_KILL)
    program.on_number(SPECIAL["prctl"], refused)
    program.on_argument(SPECIAL["tgkill"], 0, (OWN_PID,), RET_ALLOW, RET_KILL)
    program.on_argument(SPECIAL["prlimit64"], 0, (0, OWN_PID), RET_ALLOW, RET_KILL)
    _threads_only(program)
    _pairs_only(program, refused)
    program.add(RETURN, RET_ALLOW)
    return program.packed()


def _threads_only(program: FilterProgram) -> None:
    # A thread of the same process may be started, in no new namespace; a process may not. To start another program is
    # refused as where there is none: libraries try it for what they can do without, and go on.
    program.add(JUMP_EQUAL, SPECIAL["clone"], 0, 7)
    program.add(LOAD, OFFSET_ARGUMENTS)
    program.add(JUMP_SET, CLONE_NAMESPACES, 2, 0)
    program.add(JUMP_SET, CLONE_THREAD, 3, 0)
    program.add(JUMP_SET, CLONE_VFORK, 1, 0)
    program.add(RETURN, RET_KILL)
    program.add(RETURN, RET_ERRNO | errno.EPERM)
    program.add(RETURN, RET_ALLOW)


def _pairs_only(program: FilterProgram, refused: int) -> None:
    # An event loop makes itself a pair of connected stream sockets; these reach nobody else.
    program.add(JUMP_EQUAL, SPECIAL["socketpair"], 0, 7)
    program.add(LOAD, OFFSET_ARGUMENTS)
    program.add(JUMP_EQUAL, AF_UNIX, 0, 3)
    program.add(LOAD, OFFSET_ARGUMENTS + 8)
    program.add(JUMP_EQUAL, SOCK_STREAM, 2, 0)
    program.add(JUMP_EQUAL, SOCK_STREAM | SOCK_CLOEXEC, 1, 0)
    program.add(RETURN, refused)
    program.add(RETURN, RET_ALLOW)


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


class Installer:
    """A prepared program: installing it after a fork takes one system call and touches little memory."""

    def __init__(self, program: bytes) -> None:
        self._buffer = bytearray(program)
        own = struct.pack("I", OWN_PID)
        self._places = [place for place in range(4, len(program), 8) if program[place : place + 4] == own]
        self._view = (ctypes.c_char * len(program)).from_buffer(self._buffer)
        self._program = _FilterProgram(len(program) // 8, ctypes.addressof(self._view))
        self._address = ctypes.c_void_p(ctypes.addressof(self._program))
        self._prctl = ctypes.CDLL(None, use_errno=False).prctl
        self._prctl(PR_GET_DUMPABLE, self._address, 0, 0, 0)

    def install(self) -> bool:
        """Put this thread and all its children under the program, for good. The thread must have no-new-privileges."""
        for place in self._places:
            struct.pack_into("I", self._buffer, place, os.getpid())
        return bool(self._prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, self._address, 0, 0) == 0)


def available() -> bool:
    """Whether the filter knows this machine's architecture.

    Only `install` shows whether the kernel accepts a filter.
    """
    return os.name == "posix" and sys.platform.startswith("linux") and os.uname().machine in ARCHITECTURES
