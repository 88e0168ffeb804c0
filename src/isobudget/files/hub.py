"""The Hugging Face Hub, for weights and data: files of a repository, and the commit of a revision.

Everything goes through the Hub's own client (extra `hub`), with its cache, token and endpoint: `HF_HOME`, `HF_TOKEN`,
`HF_ENDPOINT`, `HF_HUB_OFFLINE`. If the Hub does not answer, the client retries a download for half a minute. To report
a missing, gated or unreachable file at once (`why`), the file's metadata is requested first, without retries.

Not covered: writing to the hub, and listing its repositories.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import inspect
import logging
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from isobudget.errors import MissingExtraError, ModelError
from isobudget.files.whole import storage_error
from isobudget.progress import SILENT, Progress

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPO = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
_LOST = {"HfHubHTTPError", "TransportError", "RequestException"}
_CLIENT = "huggingface_hub"
#: why a file was not fetched, if downloads are switched off
OFFLINE = "HF_HUB_OFFLINE is set, and the file is not in the hub's cache on this machine"
_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository.

    Attributes:
        repo: the repository, as OWNER/NAME.
        file: path in the repository.
        revision: branch, tag or commit; None is the main branch.
        kind: whether the repository holds a model or a data set.
    """

    repo: str
    file: str
    revision: str | None = None
    kind: Literal["model", "dataset"] = "model"

    @property
    def asked(self) -> dict[str, Any]:
        """The file as keyword arguments of the client's functions."""
        return {"repo_id": self.repo, "filename": self.file, "repo_type": self.kind, "revision": self.revision}


def is_commit(revision: str | None) -> bool:
    """Whether a revision is permanent: a full commit hash of 40 digits."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def may_be_repo(model: str) -> bool:
    """Whether a name can be a repository's: not a local path and not a URL."""
    return not Path(model).exists() and _REPO.fullmatch(model) is not None


def commit_of(repo: str, revision: str | None = None) -> str:
    """The commit to which a revision of a model repository points now; without a connection, the cached commit.

    Raises:
        MissingExtraError: the hub's client is not installed.
        ModelError: the repository or revision does not exist or is gated, or the Hub cannot be reached.
    """
    client, file = import_client(), HubFile(repo, "config.json", revision)
    known = cached(file)
    if known is not None and is_commit(revision):
        return str(revision)
    try:
        return str(_facts(client, file).commit_hash)
    except Exception as error:  # the client raises many kinds
        answer = getattr(error, "response", None)
        if "RemoteEntryNotFoundError" in _kinds(error) or _kinds(error)[0] == "EntryNotFoundError":
            return str(answer.headers["X-Repo-Commit"]) if answer is not None else ""
        if known is not None and (answer is None or answer.status_code >= 500):
            return _commit_in(known)
        raise ModelError(why(error, replace(file, file=""))) from error


def cached(file: HubFile) -> Path | None:
    """The path of the file in the client's cache; None if it is not cached."""
    client = import_client()
    try:
        path = client.try_to_load_from_cache(**file.asked)
    except ValueError:  # no name that a repository can have
        return None
    return Path(path) if isinstance(path, str) else None


def download(file: HubFile, folder: Path | None = None, progress: Progress = SILENT, task: str = "") -> Path:
    """Download a file into `folder`, and return its path.

    Without `folder`, the file is downloaded into the client's cache, unless the cache has it already. `progress`
    receives the number of bytes, under the name `task`, if the Hub states the size.

    Raises:
        MissingExtraError: the hub's client is not installed.
        ModelError: the file is not available; see `why`.
        StorageError: the disk is full, or the folder cannot be written to.
    """
    client = import_client()
    options: dict[str, Any] = {} if folder is None else {"local_dir": str(folder)}
    try:
        facts = None if folder is None and cached(file) else _facts(client, file)
        takes_bars = "tqdm_class" in inspect.signature(client.hf_hub_download).parameters
        if facts is not None and facts.size and takes_bars:
            progress.start(task, facts.size, unit="B")
            options["tqdm_class"] = _bar(progress, task, facts.size)
        with quiet():
            return Path(client.hf_hub_download(**file.asked, **options))
    except OSError as error:
        if error.errno in _WRITING:
            raise storage_error(error, folder or Path(error.filename or "the hub's cache")) from error
        raise ModelError(why(error, file)) from error
    except Exception as error:  # the client raises many kinds
        raise ModelError(why(error, file)) from error


def discard(path: Path) -> None:
    """Remove a file with wrong content from the client's cache, including the link to it."""
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def import_client() -> Any:
    """Import the Hub's client; raises `MissingExtraError` if it is not installed."""
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtraError("fetching from a model hub", "hub") from None
    return huggingface_hub


def why(error: BaseException, file: HubFile) -> str:
    """The meaning of a client error, in one sentence with what to do. Error classes are identified by name."""
    kinds = _kinds(error)
    if "LocalEntryNotFoundError" in kinds and error.__cause__ is not None:
        return why(error.__cause__, file)
    for kind, meaning in _meanings(file, first_line(error)).items():
        if kind in kinds:
            return meaning
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return f"{endpoint()} does not accept the access token (HF_TOKEN, or the one of `hf auth login`)"
    if status is not None:
        return f"{endpoint()} answers with {status}; try again later"
    return f"{kinds[0]}: {first_line(error)}"


def lost_connection(error: BaseException, file: HubFile) -> str | None:
    """The reason for a library's error, if the connection to the Hub or the Hub's answer caused it; otherwise None."""
    cause: BaseException | None = error
    while cause is not None:
        kinds = _kinds(cause)
        if "EntryNotFoundError" not in kinds and not _LOST.isdisjoint(kinds):
            return why(cause, file)
        cause = cause.__cause__ or cause.__context__
    return None


def is_here() -> bool:
    """Whether the Hub's client is installed."""
    if _CLIENT in sys.modules:
        return sys.modules[_CLIENT] is not None
    return importlib.util.find_spec(_CLIENT) is not None


def _meanings(file: HubFile, reason: str) -> dict[str, str]:
    """The meanings of the client's error classes, the more specific ones first."""
    where = f"dataset {file.repo}" if file.kind == "dataset" else file.repo
    page = f"{endpoint()}/{'datasets/' * (file.kind == 'dataset')}{file.repo}"
    unreached = f"{endpoint()} cannot be reached ({reason}); is there a network?"
    broken = f"the connection to {endpoint()} broke off ({reason}); is there a network?"
    return {
        "GatedRepoError": f"{where} is gated: accept its terms at {page}, then set HF_TOKEN to your access token",
        "RepositoryNotFoundError": f"{endpoint()} has no {where}, or it is private: check the name, or set HF_TOKEN "
        "to your access token",
        "RevisionNotFoundError": f"{where} has no revision {file.revision}",
        "OfflineModeIsEnabled": OFFLINE,
        "EntryNotFoundError": f"{where} has no file {file.file} at {file.revision or 'its main branch'}",
        **dict.fromkeys(("ConnectError", "ConnectTimeout"), unreached),
        **dict.fromkeys(("ConnectionError", "TransportError", "Timeout", "ChunkedEncodingError"), broken),
    }


def endpoint() -> str:
    """The address of the Hub that the client uses."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def first_line(error: BaseException) -> str:
    """An error's message without the long explanations that libraries add."""
    return str(error).strip().split("\n", 1)[0] or type(error).__name__


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the client's message on each retry; only the final result is reported."""
    log = logging.getLogger("huggingface_hub")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _facts(client: Any, file: HubFile) -> Any:
    """The Hub's metadata of a file: commit, size, checksum. Requested once, without retries."""
    url = client.hf_hub_url(file.repo, file.file, repo_type=file.kind, revision=file.revision)
    return client.get_hf_file_metadata(url)


def _kinds(error: BaseException) -> list[str]:
    """The names of an error's class and of its base classes."""
    return [kind.__name__ for kind in type(error).__mro__]


def _commit_in(path: Path) -> str:
    """The commit in a path of the cache, `.../snapshots/COMMIT/config.json`."""
    return next((part for part in reversed(path.parts) if is_commit(part)), "")


def _bar(progress: Progress, task: str, total: int) -> type:
    """A class that the client uses as progress bar: it shows nothing and passes the progress on."""
    most = 0

    class Bar:
        """Counts bytes. The client may make two bars for one file: for received and for written bytes."""

        def __init__(self, *_: Any, initial: int = 0, **__: Any) -> None:
            self.n, self.total = initial, total

        def update(self, n: float | None = 1) -> None:
            """Count this many further bytes."""
            nonlocal most
            self.n += int(n or 0)
            if most < self.n <= total:
                progress.advance(task, self.n - most)
                most = self.n

        def close(self, *_: Any, **__: Any) -> None:
            """Do nothing, like the other methods by which the client changes what a bar shows."""

        refresh = set_description = set_postfix_str = set_postfix = close

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

    return Bar
