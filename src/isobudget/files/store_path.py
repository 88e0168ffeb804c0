"""Places in object stores (``s3://``, ``gs://``, ``az://``) as paths, so that other code need not know where a run is.

A `StorePath` is a `pathlib.Path` whose operations go to the store, through obstore (extra ``s3``): whole objects are
read and put, folders are prefixes. Operations that are not defined here raise an error, because they would affect the
local disk. Credentials are found in the same places as by the store's own tools: environment variables, instance roles,
and for AWS the profiles of ``~/.aws`` where boto3 is installed.

Before every change of a store the auditing event `isobudget.store` is raised; tests use it to stop processes there.

Not covered: renaming a folder, links, permissions, appending.
"""

from __future__ import annotations

import errno
import fnmatch
import io
import os
import re
import stat
import sys
from collections.abc import Generator
from functools import lru_cache
from pathlib import Path, PosixPath
from typing import IO, Any, NoReturn

from isobudget.errors import InputError, IsobudgetError, MissingExtraError, StorageError, first_line

#: a place in a store, also as `pathlib` folds it (one slash instead of two)
_URL = re.compile(r"(s3|gs|az)://?([^/]+)(/.*)?")
#: schemes of addresses that are not read here, and would otherwise be taken for folders on the disk: the scheme to
#: write instead, None if there is none, "" for no scheme
_SCHEMES = {
    **dict.fromkeys(("s3", "s3a", "s3n"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gs"),
    **dict.fromkeys(("az", "azure", "abfs", "abfss", "wasb", "wasbs"), "az"),
    **dict.fromkeys(("http", "https", "ftp", "sftp", "hdfs", "adl", "hf"), None),
    "file": "",
}
_ADDRESS = re.compile(rf"(?i:(?P<scheme>{'|'.join(_SCHEMES)})):/(?P<rest>.*)")
_ENDPOINT = re.compile(r"https?://([A-Za-z0-9_.-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?(/[!-~]*)?")
#: the environment variables that hold a store's credentials, for a machine without a role of its own
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or a profile of ~/.aws, with boto3 installed)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
#: texts in a client's error that mean that it found no credentials: it asked for the machine's role, or has no account
_NO_CREDENTIALS = ("169.254.169.254", "metadata.google.internal", "Account must be specified")
_READ_AHEAD_BYTES = 4 * 2**20
#: few retries, so that a wrong address is reported within seconds
_RETRY = {"max_retries": 4}

#: identifies one version of an object: its tag, and its version number if the store has one
Version = dict[str, str]


def place(where: str | os.PathLike[str]) -> Path:
    """The path that a user names: a local path, or a place in an object store.

    Raises:
        InputError: the address is of an unsupported kind, names no bucket, or contains ``..``.
    """
    text = str(where)
    if _URL.fullmatch(text):
        if ".." in text.split("/"):
            raise InputError(f"{StorePath(text)}: a path in an object store cannot contain '..'; write the full path")
        return StorePath(text)
    if other := _ADDRESS.fullmatch(text):
        raise InputError(_meant(other["scheme"], other["rest"].lstrip("/")))
    return where if isinstance(where, Path) else Path(text)


def _meant(scheme: str, rest: str) -> str:
    """What is wrong with an unsupported address."""
    known = _SCHEMES.get(scheme.lower())
    if known == "":
        return f"{scheme}://{rest}: write the path itself, without {scheme}://"
    if known and not rest:
        return f"{scheme}://: names no bucket; write {known}://BUCKET/RUN"
    hint = f"; write {known}://{rest}" if known else ""
    return f"{scheme}://{rest}: isobudget cannot read or write there; use a local path, s3://, gs:// or az://{hint}"


class StorePath(PosixPath):
    """An object, or a prefix of objects, in a store."""

    def __str__(self) -> str:
        return re.sub(r"^(\w+):/+", r"\1://", super().__str__())

    def __fspath__(self) -> NoReturn:
        raise StorageError(f"{self}: lies in an object store, but a local file is needed. Use a folder on a disk.")

    def __reduce__(self) -> tuple[Any, ...]:
        return StorePath, (str(self),)

    @property
    def key(self) -> str:
        """The object's name in the bucket."""
        return "/".join(self.parts[2:])

    # what is there ------------------------------------------------------------------------------------------------

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Size and kind of the object or prefix; raises `FileNotFoundError` if there is neither."""
        import obstore

        try:
            if not self.key:  # a bucket is not an object
                raise FileNotFoundError
            kind, size = stat.S_IFREG, obstore.head(self._store, self.key)["size"]
        except FileNotFoundError:
            if not any(self.iterdir()):
                raise _no_object(self) from None
            kind, size = stat.S_IFDIR, 0
        except Exception as error:
            raise _translated(error, self) from None
        return os.stat_result((kind, 0, 0, 1, 0, 0, size, 0, 0, 0))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is an object of this name, or an object below this name."""
        return self._kind() != 0

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is an object of this name."""
        return self._kind() == stat.S_IFREG

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there are objects below this name."""
        return self._kind() == stat.S_IFDIR

    def is_symlink(self) -> bool:
        """Always false: stores have no links."""
        return False

    def _kind(self) -> int:
        try:
            return stat.S_IFMT(self.stat().st_mode)
        except FileNotFoundError:
            return 0

    def iterdir(self) -> Generator[StorePath, None, None]:
        """The objects and prefixes directly below this name, unordered."""
        import obstore

        try:
            listing = obstore.list_with_delimiter(self._store, self._prefix)
        except FileNotFoundError:
            return
        except Exception as error:
            raise _translated(error, self) from None
        for prefix in listing["common_prefixes"]:
            yield self / prefix.rstrip("/").rsplit("/", 1)[-1]
        for one in listing["objects"]:
            yield self / one["path"].rsplit("/", 1)[-1]

    def glob(self, pattern: str) -> Generator[StorePath, None, None]:
        """Objects directly below this name that match a pattern of one level."""
        return (one for one in self.iterdir() if fnmatch.fnmatchcase(one.name, pattern))

    def walk_objects(self) -> list[StorePath]:
        """All objects below this name, at any depth."""
        import obstore

        try:
            listed = [one for batch in obstore.list(self._store, self._prefix) for one in batch]
        except Exception as error:
            raise _translated(error, self) from None
        root = StorePath("/".join(self.parts[:2]))
        return [root / one["path"] for one in listed]

    # reading and writing ------------------------------------------------------------------------------------------

    def read_versioned(self) -> tuple[bytes, Version]:
        """Content and version; raises `FileNotFoundError` if the object does not exist."""
        import obstore

        try:
            content = obstore.get(self._store, self.key)
            return bytes(content.bytes()), _version(content.meta)
        except Exception as error:
            raise _missing(error, self) or _translated(error, self) from None

    def read_bytes(self) -> bytes:
        """The whole object."""
        return self.read_versioned()[0]

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> IO[Any]:  # type: ignore[override]
        """The object opened for reading, as bytes or text; it is downloaded in blocks."""
        import obstore

        if "r" not in mode or "+" in mode:
            raise StorageError(f"{self}: objects are written whole, and cannot be opened for writing")
        self.stat()
        reader = obstore.open_reader(self._store, self.key, buffer_size=_READ_AHEAD_BYTES)
        raw = io.BufferedReader(_Raw(reader), _READ_AHEAD_BYTES)
        return raw if "b" in mode else io.TextIOWrapper(raw, *args[1:], **kwargs)

    def put(self, data: bytes) -> Version:
        """Write the whole object, replacing an existing one."""
        return self._put(data, "overwrite")

    def put_new(self, data: bytes) -> Version | None:
        """Write the object if it does not exist yet. Returns None if the object exists, and does not write then."""
        import obstore

        try:
            return self._put(data, "create")
        except obstore.exceptions.AlreadyExistsError:
            return None

    def put_over(self, data: bytes, version: Version) -> Version | None:
        """Write the object if it still has this version; None if it has changed or is gone."""
        import obstore

        try:
            return self._put(data, version)
        except (obstore.exceptions.PreconditionError, obstore.exceptions.AlreadyExistsError):
            return None

    def write_bytes(self, data: Any) -> int:
        """Write the whole object, like `put`, and return the number of bytes."""
        self.put(bytes(data))
        return len(data)

    def _put(self, data: bytes, mode: Any) -> Version:
        import obstore

        sys.audit("isobudget.store", "put", str(self))
        try:
            return _version(obstore.put(self._store, self.key, data, mode=mode))
        except (obstore.exceptions.PreconditionError, obstore.exceptions.AlreadyExistsError):
            raise
        except Exception as error:
            raise _translated(error, self, writing=True) from None

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object."""
        import obstore

        sys.audit("isobudget.store", "delete", str(self))
        try:
            obstore.delete(self._store, self.key)
        except Exception as error:
            if missing_ok and _missing(error, self):
                return
            raise _missing(error, self) or _translated(error, self) from None

    def replace(self, target: Any) -> StorePath:
        """Move the object to another name in its bucket, in two steps: copy, then delete. Returns the new path."""
        import obstore

        other = StorePath(str(target))
        sys.audit("isobudget.store", "copy", str(self))
        try:
            obstore.copy(self._store, self.key, other.key)
        except Exception as error:
            raise _missing(error, self) or _translated(error, self) from None
        self.unlink()
        return other

    rename = replace

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: prefixes need not be created."""

    def resolve(self, strict: bool = False) -> StorePath:
        """The path itself: names in stores are absolute."""
        return self

    def absolute(self) -> StorePath:
        """The path itself: names in stores are absolute."""
        return self

    expanduser = absolute

    @property
    def _prefix(self) -> str | None:
        """The prefix of the names of all objects below it."""
        return f"{self.key}/" if self.key else None

    @property
    def _store(self) -> Any:
        return _bucket(self.parts[0].rstrip(":"), self.parts[1], os.environ.get("AWS_ENDPOINT_URL", ""))


class _Raw(io.RawIOBase):
    """An object opened by obstore, as a raw Python stream."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = bytes(self._reader.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._reader.seek(offset, whence))

    def tell(self) -> int:
        return int(self._reader.tell())


@lru_cache(maxsize=32)
def _bucket(scheme: str, bucket: str, endpoint: str) -> Any:
    """The store of a bucket. `endpoint` is the environment's AWS endpoint; the cache keeps one store for each."""
    try:
        from obstore.store import from_url
    except ImportError:
        raise MissingExtraError(f"{scheme}://{bucket}", "s3") from None
    if scheme == "s3":
        _check_environment(endpoint)
    options: dict[str, Any] = {"retry_config": _RETRY}
    if endpoint.startswith("http://"):
        options["client_options"] = {"allow_http": True}
    if scheme == "s3" and (credentials := _profile()) is not None:
        options["credential_provider"] = credentials
    try:
        return from_url(f"{scheme}://{bucket}", **options)
    except Exception as error:
        where = f"{scheme}://{bucket}"
        raise _without_credentials(error, where) or StorageError(
            f"{where}: cannot be used: {first_line(error)}"
        ) from None


def _check_environment(endpoint: str) -> None:
    """Raise `StorageError` for environment settings on which the S3 client would crash."""
    if endpoint and not _ENDPOINT.fullmatch(endpoint):
        raise StorageError(f"AWS_ENDPOINT_URL = {endpoint!r}: is not a URL; write http://HOST:PORT or https://HOST")
    for name, value in os.environ.items():
        if name.startswith("AWS_") and not value.isprintable():
            raise StorageError(f"{name}: contains a line break or another unsendable character. Set {name} again.")


def _profile() -> Any:
    """Credentials of a profile in ``~/.aws``, if the environment has no key and boto3 is installed."""
    if "AWS_ACCESS_KEY_ID" in os.environ or not (
        "AWS_PROFILE" in os.environ or (Path.home() / ".aws" / "credentials").exists()
    ):
        return None
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        return None
    return Boto3CredentialProvider()


def _version(metadata: Any) -> Version:
    return {name: metadata[name] for name in ("e_tag", "version") if metadata.get(name)}


def _no_object(path: StorePath) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no such object", str(path))


def _missing(error: Exception, path: StorePath) -> FileNotFoundError | None:
    """The error that an object is missing, if `error` means that and not a missing bucket."""
    return _no_object(path) if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error) else None


def _translated(error: Exception, path: StorePath, writing: bool = False) -> Exception:
    """The error to raise in place of a store client's error; its message is short and says what to do."""
    import obstore

    if isinstance(error, IsobudgetError):
        return error
    text = str(error)
    bucket = "/".join(str(path).split("/")[:3])
    if "NoSuchBucket" in text or (writing and isinstance(error, FileNotFoundError)):
        return StorageError(f"{path}: there is no bucket {bucket}. Create it, or correct the name.")
    if missing := _without_credentials(error, str(path)):
        return missing
    refused = (obstore.exceptions.PermissionDeniedError, obstore.exceptions.UnauthenticatedError)
    if isinstance(error, refused) or "AccessDenied" in text or "credential" in text.lower():
        return StorageError(f"{path}: the store refuses access. Check the credentials and their permissions.")
    return StorageError(f"{path}: the store cannot be reached or does not answer: {first_line(error)}")


def _without_credentials(error: Exception, where: str) -> StorageError | None:
    """The error that no credentials were found, if `error` means that."""
    if not any(sign in str(error) for sign in _NO_CREDENTIALS):
        return None
    names = _CREDENTIALS[where.partition(":")[0]]
    return StorageError(f"{where}: no credentials for it were found. Set {names}.")
