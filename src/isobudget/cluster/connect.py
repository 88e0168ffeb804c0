"""Connects to a Ray cluster: a new one on this machine, a running one on this machine, or one at an address.

Only this module starts Ray.

Ray's usage statistics and dashboard are off, and a cluster started here listens on the loopback address, as far as Ray
allows. Ray finds this machine's address with a UDP socket to a public resolver, over which nothing is sent.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.errors import RESUME, ClusterError, InputError, MissingExtraError, first_line

LOCAL, AUTO = "local", "auto"
#: how long Ray may take to start here, or to be joined
CONNECT_SECONDS = 300.0
#: attempts to start Ray here: Ray's own time limit of 30 s is sometimes too short on a busy machine
STARTS = 3
#: environment variables for Ray, except those that the user has set
_VARIABLES = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # GPUs that the user made visible stay visible
    # otherwise workers would have a lower priority than all other processes, and might not run at all beside them
    "RAY_worker_niceness": "0",
    # time limits of the start, which Ray sets to 25 to 30 s, enough for an idle machine only
    "RAY_gcs_server_port_wait_time_s": "120",
    "RAY_raylet_start_wait_time_s": "120",
    "RAY_agent_register_timeout_ms": "120000",
}
#: environment variables for Ray, even if the user has set them
_ALWAYS = {"RAY_USAGE_STATS_ENABLED": "0"}
#: how long Ray may take to end
CLOSE_SECONDS = 60.0
#: time limits for connecting to an address, and for the answer of the head there, which may be busy
REACH_SECONDS, ANSWER_SECONDS = 10.0, 30.0
#: first bytes that a gRPC client sends, and the fourth byte of the answer of a gRPC server, such as a head
_GREETING, _SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 4
#: time limit for one question to the cluster's machines
ASK_SECONDS = 120.0
#: memory for data on its way between driver and workers; losing it loses no results
_OBJECT_STORE_BYTES = 256 * 2**20
_LOOPBACK = "127.0.0.1"
#: advice if Ray does not start here
_BUSY_HINT = (
    f" ({STARTS} tries). Is this machine very busy, or short of memory? Try again when it is quieter, or start a head "
    "with: ray start --head, and use --cluster auto"
)
#: Ray's variables: whether a token is asked for, the token, and the file that holds it
_AUTH_MODE, _TOKEN, _TOKEN_FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


def check_address(text: str) -> str:
    """The address of a cluster, if it is valid: `local`, `auto`, or HOST:PORT.

    Raises:
        InputError: the address is not valid.
    """
    if text in (LOCAL, AUTO):
        return text
    if text.startswith("ray://"):
        raise InputError(
            f"--cluster {text}: with a ray:// address the work would be done by a process on the cluster, which could "
            "neither write the run folder here nor go on when the connection breaks. Run isobudget on a machine of the "
            f"cluster with --cluster auto, or give the head's address: {text.removeprefix('ray://').split(':')[0]}:6379"
        )
    match = re.fullmatch(r"([\w.-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})", text)
    if match is None or not 0 < int(match[2]) < 65536:
        raise InputError(f"--cluster {text!r}: must be local, auto, or the head's HOST:PORT, such as 10.0.0.5:6379")
    return text


def check_replicas(cluster: str | None, replicas: int | None) -> int | None:
    """How many replicas a dry run assumes: the stated number, else 1; None without a cluster.

    Raises:
        InputError: replicas are stated without a cluster, or are less than 1.
    """
    if cluster is not None:
        check_address(cluster)
    elif replicas is not None:
        raise InputError("--replicas cannot be used without --cluster: one process has one replica of each model")
    if replicas is not None and replicas < 1:
        raise InputError(f"--replicas must be at least 1, not {replicas}")
    return None if cluster is None else replicas or 1


def room_note(cluster: str, replicas: int | None, gpus: int) -> str:
    """The dry run's note on the number of replicas; empty if there is none.

    Args:
        cluster: address of the cluster, which is not contacted.
        replicas: the stated number.
        gpus: the GPUs that the replicas of the largest model would hold.
    """
    if not replicas:
        counted = "on the cluster, one replica of each model is assumed, since it is not known how many fit"
        return f"{counted}; to assume N of each: --replicas N"
    if replicas == 1:
        return ""
    if cluster == LOCAL and not gpus and replicas > own_cores():
        return f"--replicas {replicas}: this machine has {own_cores()} cores, and each replica needs at least one"
    held = f", with {gpus} GPUs in all" if gpus else ""
    return f"--replicas {replicas}: whether the cluster has room for so many{held} is known only once it is connected"


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of a cluster with Ray's counts: CPUs, GPUs, and memory in bytes."""

    id: str
    address: str
    cpus: float
    gpus: float
    memory: float


@contextlib.contextmanager
def connected(address: str, cpus: int | None = None, note: Callable[[str], None] = lambda _: None) -> Iterator[Any]:
    """The module `ray`, connected to the cluster at `address`; a local one ends with the context.

    `cpus` is the number of CPUs of a local cluster; None means the cores that this process may use. `note` is called if
    the start takes more than one try.

    Raises:
        InputError: see `check_address`.
        MissingExtraError: Ray is not installed.
        ClusterError: the cluster does not exist or does not start.
    """
    require_reachable(address)
    ray = _load()
    if address == AUTO:
        _require_head_found()
    arguments: dict[str, Any] = {
        "address": address,
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
        "configure_logging": True,
        "namespace": f"isobudget-{os.getpid()}",
    }
    if address == LOCAL:
        arguments |= {
            "num_cpus": cpus or own_cores(),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "_node_ip_address": _LOOPBACK,
        }
    connection = _RayThread(ray, address, arguments, note)
    connection.open()
    try:
        yield ray
    finally:
        connection.close()


def lacks_ray() -> MissingExtraError | None:
    """The error to raise if Ray is not installed, else None. Ray is not loaded."""
    found = importlib.util.find_spec("ray")
    return MissingExtraError("work on a cluster (--cluster)", "ray") if found is None else None


def require_reachable(address: str) -> None:
    """Check an address, as far as it can be checked before Ray is loaded.

    Raises:
        InputError: see `check_address`.
        MissingExtraError: Ray is not installed.
        ClusterError: nothing answers at the address, or Ray's token cannot be sent.
    """
    check_address(address)
    if (lacking := lacks_ray()) is not None:
        raise lacking
    _require_token_sendable()
    if address != LOCAL:
        _require_listener(address)


def own_cores() -> int:
    """The number of cores that this process may use. By default, a local cluster has this many CPUs."""
    return len(os.sched_getaffinity(0))


def _load() -> Any:
    """Ray, with its usage statistics off."""
    os.environ.update(_VARIABLES | dict(os.environ) | _ALWAYS)
    before = signal.getsignal(signal.SIGTERM)
    import ray

    if callable(before) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)  # Ray takes it when it is imported, and would end without saving
    return ray


def _require_listener(address: str) -> None:
    """Raise `ClusterError` if no head answers, because Ray itself would wait for minutes."""
    where, said = address, f"--cluster {address}"
    if address == AUTO:  # Ray uses the address in RAY_ADDRESS if it is set
        where = os.environ.get("RAY_ADDRESS", AUTO)
        if where in (AUTO, LOCAL, ""):
            return
        said = f"--cluster auto with RAY_ADDRESS={where}"
        try:
            check_address(where)
        except InputError as error:
            raise ClusterError(f"RAY_ADDRESS, which --cluster auto follows: {error}") from None
    if why := _unanswered(where):
        raise ClusterError(f"{said}: {why}. Start the head with: ray start --head --port {where.rsplit(':', 1)[1]}")


def _require_head_found() -> None:
    """Raise `ClusterError` if the head that Ray finds on this machine does not answer.

    Ray looks at processes and at a file written by the head. Both may mislead: the file remains after the head is
    killed, and the head may run in another network namespace.
    """
    try:
        from ray._private.services import canonicalize_bootstrap_address

        head = canonicalize_bootstrap_address(AUTO)
    except Exception:  # a private name, or RAY_ADDRESS: Ray itself says what it makes of it
        return
    if head and (why := _unanswered(head)):
        raise ClusterError(
            f"--cluster auto: Ray looks for this machine's cluster at {head}, but {why}. If that cluster is gone, "
            "remove what is left of it with: ray stop. If you mean another cluster, give its HOST:PORT"
        )


def _opened(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS)


def _unanswered(address: str) -> str:
    """Why no head answers at an address; empty if one may."""
    try:
        with _opened(address) as connection:
            return "" if _encrypted() or _greeted(connection) else "what listens there is not a Ray head"
    except OSError as error:
        return f"nothing answers there ({error.strerror or error})"


def _encrypted() -> bool:
    """Whether heads use TLS. If so, it cannot be checked whether a head answers."""
    return os.environ.get("RAY_USE_TLS", "").lower() in ("1", "true")


def _greeted(connection: socket.socket) -> bool:
    """Whether the other end answers like a gRPC server."""
    connection.settimeout(ANSWER_SECONDS)
    said = b""
    try:
        connection.sendall(_GREETING)
        while len(said) < 4 and (piece := connection.recv(4 - len(said))):
            said += piece
    except OSError:  # it says nothing, or hung up
        return False
    return len(said) == 4 and said[3] == _SETTINGS


def _token_hint() -> str:
    """A hint for the case that something answers at an address but Ray cannot connect to it.

    A head that has a token requires the token from everybody. But Ray sends a token to a stated address only if Ray is
    configured to.
    """
    if os.environ.get(_AUTH_MODE, "").lower() == "token":
        return ""
    return (
        f". If the cluster requires a token (its head said so when it started), set {_AUTH_MODE}=token here and on "
        "every machine of the cluster, each with the head's token in ~/.ray/auth_token"
    )


def _require_token_sendable() -> None:
    """Raise `ClusterError` if Ray's token cannot be sent in a header: Ray would abort this process."""
    if os.environ.get(_AUTH_MODE, "").lower() == "disabled":
        return
    where, token = _TOKEN, os.environ.get(_TOKEN, "")
    if not token:
        with contextlib.suppress(OSError, RuntimeError):  # no file, or no home: Ray says what it makes of it
            path = Path(os.environ.get(_TOKEN_FILE) or "~/.ray/auth_token").expanduser()
            where, token = str(path), path.read_bytes().decode("latin-1")
    if not re.fullmatch(r"[ -~]*", token.strip()):
        raise ClusterError(
            f"{where}: is not a Ray token: it has characters other than printable ASCII. Set it again, or remove it"
        )


def _variables_hint() -> str:
    """A text on the variables that affect Ray and were set by the user, because Ray's own messages do not name them."""
    ours = {*_VARIABLES.items(), *_ALWAYS.items()}
    theirs = sorted(name for name, value in os.environ.items() if name.startswith("RAY_") and (name, value) not in ours)
    theirs += ["TMPDIR"] if "TMPDIR" in os.environ else []
    return f". Variables set here that Ray follows: {', '.join(theirs)}" if theirs else ""


class _RayThread:
    """Runs Ray in its own thread, because Ray may wait forever for something that is missing.

    The thread lives as long as the connection, because processes that Ray starts end with the thread that started them.
    """

    def __init__(self, ray: Any, address: str, arguments: dict[str, Any], note: Callable[[str], None]) -> None:
        self._ray, self._address, self._arguments, self._note = ray, address, arguments, note
        self._open, self._close = threading.Event(), threading.Event()
        self._failed: list[BaseException] = []
        self._thread: threading.Thread | None = None

    def _hold(self) -> None:
        try:
            self._ray.init(**self._arguments)
        except BaseException as error:  # told by `open`, whatever it is
            self._failed.append(error)
            return
        finally:
            self._open.set()
        self._close.wait()
        self._ray.shutdown()

    def open(self) -> None:
        """Connect."""
        hint = _variables_hint()  # Ray sets some itself
        tries = STARTS if self._address == LOCAL else 1
        for number in range(1, tries + 1):
            self._failed.clear()
            self._open.clear()
            self._thread = threading.Thread(target=self._hold, name="ray", daemon=True)
            self._thread.start()
            if not self._open.wait(CONNECT_SECONDS):
                raise ClusterError(
                    f"--cluster {self._address}: no connection to Ray within {CONNECT_SECONDS:g} s{hint}"
                )
            if not self._failed:
                return
            self._thread.join(CLOSE_SECONDS)
            if number < tries:
                self._note(f"Ray did not start ({first_line(self._failed[0])}); try {number + 1} of {tries}")
        error = self._failed[0]
        if self._address == AUTO and isinstance(error, ConnectionError):
            raise ClusterError(
                "--cluster auto: no cluster was started on this machine. Start one with: ray start --head; or let "
                "--cluster local start one for this command"
            ) from error
        why = _BUSY_HINT if self._address == LOCAL else _token_hint()
        raise ClusterError(f"--cluster {self._address}: {first_line(error)}{why}{hint}") from error

    def close(self) -> None:
        """Disconnect; a cluster that was started here is shut down."""
        self._close.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)


def head_silence(ray: Any) -> str:
    """Why the head of the connected cluster does not answer; empty if it does."""
    try:
        _opened(str(ray.get_runtime_context().gcs_address)).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def nodes_of(ray: Any) -> list[Node]:
    """The current machines of the cluster.

    Raises:
        ClusterError: the cluster does not answer.
    """
    found = []
    for one in ray.nodes():
        if one.get("Alive"):
            has = one.get("Resources", {})
            counts = has.get("CPU", 0.0), has.get("GPU", 0.0), has.get("memory", 0.0)
            found.append(Node(one["NodeID"], one["NodeManagerAddress"], *counts))
    if not found:
        raise ClusterError(
            "no machine of the cluster is alive: Ray's processes there (raylets) ran out of memory or were killed. "
            f"{RESUME}"
        )
    return found
