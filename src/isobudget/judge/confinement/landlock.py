"""Landlock: limits which files a process can reach, and forbids TCP, signals and abstract sockets to other processes.

A ruleset lists what stays allowed. Everything else that the kernel's version of Landlock can govern is refused for
good, for this process and all its children. Needs Linux 5.13 (files), 6.7 (TCP) and 6.12 (signals, abstract sockets).

Not covered: descriptors that are already open, and metadata (`stat` of a path that is not readable).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import stat
import struct
from collections.abc import Iterable
from typing import NamedTuple

SYS_CREATE_RULESET, SYS_ADD_RULE, SYS_RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1

WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
TRUNCATE = 1 << 14
#: version -> number of the rights to files that it knows, which are the lowest bits
RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}
RIGHTS_SINCE_5 = 16
NETWORK_BIND, NETWORK_CONNECT = 1, 2
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2
#: the rights that apply to a path that is not a folder
FILE_RIGHTS = 1 | WRITE_FILE | READ_FILE | TRUNCATE | 1 << 15
MAKE_SPECIAL = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11
EXECUTE = 1


class Reachable(NamedTuple):
    """Paths that stay reachable, by permission: list a folder, read, write, or execute."""

    listed: tuple[str, ...]
    readable: tuple[str, ...]
    writable: tuple[str, ...]
    executable: tuple[str, ...] = ()


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: object) -> int:
    return int(_libc().syscall(number, *arguments))


def version() -> int:
    """The kernel's Landlock ABI version; 0 if it has none."""
    return max(_syscall(SYS_CREATE_RULESET, None, 0, CREATE_RULESET_VERSION), 0)


def restrict(reach: Reachable) -> list[str]:
    """Restrict this process, which must have no-new-privileges set.

    Returns the kinds of access that are now restricted; none if the kernel does not offer Landlock.
    """
    abi = version()
    if abi == 0:
        return []
    rights = (1 << RIGHTS_OF_VERSION.get(abi, RIGHTS_SINCE_5)) - 1
    network = NETWORK_BIND | NETWORK_CONNECT if abi >= 4 else 0
    scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS if abi >= 6 else 0
    attributes = struct.pack("QQQ", rights, network, scopes)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _syscall(SYS_CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        return []
    try:
        _allow(ruleset, reach.listed, READ_DIR, rights)
        _allow(ruleset, reach.readable, READ_DIR | READ_FILE, rights)
        _allow(ruleset, reach.executable, READ_DIR | READ_FILE | EXECUTE, rights)
        _allow(ruleset, reach.writable, rights & ~(MAKE_SPECIAL | EXECUTE), rights)
        if _syscall(SYS_RESTRICT_SELF, ruleset, 0) != 0:
            return []
    finally:
        os.close(ruleset)
    return ["files"] + ["network"] * bool(network) + ["signals"] * bool(scopes)


def _allow(ruleset: int, paths: Iterable[str], access: int, rights: int) -> None:
    for path in paths:
        # A path that is not there, or not for this user, needs no permission.
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
                wanted = access & rights if is_folder else access & rights & FILE_RIGHTS
                if wanted:
                    rule = struct.pack("=Qi", wanted, descriptor)
                    _syscall(SYS_ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0)
            finally:
                os.close(descriptor)
