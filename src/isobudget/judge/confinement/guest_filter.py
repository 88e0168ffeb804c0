"""System call filters for a guest, which runs a project's own tests: refused calls fail and do not kill.

Test suites try many calls and continue without them (a socket, for example, to see whether there is IPv6). So a call
that would kill a sample fails with EPERM in a guest. The guest's server, which forks and ends the processes of
candidates, may make the calls that it needs for that. The processes of candidates give these calls up, unless tests may
start programs. Even where tests may, the processes stay inside the guest's pid namespace, and cannot end the first
process of this namespace, the server.
"""

from __future__ import annotations

import errno

from isobudget.judge.confinement import seccomp
from isobudget.judge.confinement.syscalls import ALLOWED, DEADLY, SPECIAL

_REFUSED = seccomp.RET_ERRNO | errno.EPERM
#: calls that the server needs; its children may make them until they install a further filter
_SERVER = (*seccomp.SERVER_CALLS, "seccomp", "getresuid", "getresgid")
#: calls that are allowed as well where tests may start programs
_PROGRAMS = ("fork", "execve", "execveat", "setsid", "setpgid", "arch_prctl")
#: numbers, on x86-64 and aarch64, of calls that are not in the tables of `syscalls`
_MORE = {
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "arch_prctl": (158, -1),
    "getresuid": (118, 148),
    "getresgid": (120, 150),
    "sched_setaffinity": (203, 122),
}
#: numbers of calls for extended attributes, which copying a file makes; they fail as where there are no attributes
_ATTRIBUTES = ((188, 5), (189, 6), (190, 7), (191, 8), (192, 9), (193, 10), (194, 11), (195, 12), (196, 13))


def server_program(allow_subprocess: bool) -> bytes:
    """The filter of a guest's server and of all its children."""
    program = seccomp.start()
    for number in ALLOWED.values():
        program.on_number(number, seccomp.RET_ALLOW)
    names = (*_SERVER, *(_PROGRAMS if allow_subprocess else ()), *(("vfork",) if allow_subprocess else ()))
    for name in names:
        number = SPECIAL.get(name, DEADLY.get(name, _MORE.get(name, (-1, -1))[seccomp.column()]))
        if number >= 0:
            program.on_number(number, seccomp.RET_ALLOW)
    for numbers in _ATTRIBUTES:
        program.on_number(numbers[seccomp.column()], seccomp.RET_ERRNO | errno.ENOTSUP)
    program.on_number(SPECIAL["clone3"], seccomp.RET_ERRNO | errno.ENOSYS)
    program.on_argument(SPECIAL["socket"], 0, (seccomp.AF_UNIX,), seccomp.RET_ALLOW, _REFUSED)
    program.on_argument(SPECIAL["fcntl"], 1, seccomp.FCNTL_SIGNALS, _REFUSED, seccomp.RET_ALLOW)
    program.on_argument(SPECIAL["ioctl"], 1, seccomp.IOCTL_ALLOWED, seccomp.RET_ALLOW, seccomp.RET_ERRNO | errno.ENOTTY)
    _clone(program, seccomp.CLONE_NAMESPACES)
    program.add(seccomp.RETURN, _REFUSED)
    return program.packed()


def candidate_program(allow_subprocess: bool) -> bytes:
    """The further filter of a process that runs a candidate: it removes calls that the server keeps."""
    program = seccomp.start()
    if not allow_subprocess:
        for name in ("recvmsg", "pidfd_open"):
            program.on_number(SPECIAL[name], _REFUSED)
        # Signals to itself alone; `tgkill` is how a process aborts.
        program.on_argument(SPECIAL["kill"], 0, (seccomp.OWN_PID,), seccomp.RET_ALLOW, _REFUSED)
        program.on_argument(SPECIAL["tgkill"], 0, (seccomp.OWN_PID,), seccomp.RET_ALLOW, _REFUSED)
        program.on_argument(SPECIAL["prlimit64"], 0, (0, seccomp.OWN_PID), seccomp.RET_ALLOW, _REFUSED)
        _threads_only(program)
    program.on_number(SPECIAL["prctl"], _REFUSED)
    program.add(seccomp.RETURN, seccomp.RET_ALLOW)
    return program.packed()


def _clone(program: seccomp.FilterProgram, forbidden: int) -> None:
    """Allow making a process or thread, but not in a new namespace."""
    program.add(seccomp.JUMP_EQUAL, SPECIAL["clone"], 0, 4)
    program.add(seccomp.LOAD, seccomp.OFFSET_ARGUMENTS)
    program.add(seccomp.JUMP_SET, forbidden, 1, 0)
    program.add(seccomp.RETURN, seccomp.RET_ALLOW)
    program.add(seccomp.RETURN, _REFUSED)


def _threads_only(program: seccomp.FilterProgram) -> None:
    program.add(seccomp.JUMP_EQUAL, SPECIAL["clone"], 0, 4)
    program.add(seccomp.LOAD, seccomp.OFFSET_ARGUMENTS)
    program.add(seccomp.JUMP_SET, seccomp.CLONE_THREAD, 1, 0)
    program.add(seccomp.RETURN, _REFUSED)
    program.add(seccomp.RETURN, seccomp.RET_ALLOW)
