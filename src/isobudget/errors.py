"""The exception hierarchy of isobudget.

Every error that a user can cause or fix is an `IsobudgetError`; the command line prints its message and exits with 2.
A message says what was wrong, where (file, line, field) and what to do about it. Anything else that is raised is a
fault of isobudget itself and keeps its traceback.
"""

from __future__ import annotations

#: the last sentences of errors that interrupt resumable work
RESUME = "Finished work is saved; run the same command to resume (for a file of samples, add --resume)."
_NUMBER = "a number"
_JSON_KINDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: _NUMBER,
    float: _NUMBER,
    bool: "true or false",
    type(None): "null",
}


def first_line(error: BaseException) -> str:
    """The first line of another library's error message, cut at 200 characters; the error's type if there is none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def json_kind(value: object) -> str:
    """The JSON type of a value in words, such as `a list`; the Python type's name for a value that JSON lacks."""
    return _JSON_KINDS.get(type(value)) or f"a {type(value).__name__}"


class IsobudgetError(Exception):
    """Root of all errors that isobudget raises on purpose."""


class InputError(IsobudgetError):
    """Something supplied by the user is invalid: a file, a field, a name, a number."""


class NoPriceError(InputError):
    """A model has no price in a unit according to the given costs; it may have one in another unit."""


class StudyError(InputError):
    """A study file is wrong; the message lists every mistake with its line."""


class MissingExtraError(IsobudgetError):
    """An extra is needed but not installed; the message contains the install command."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra {extra}. Install it with: pip install 'isobudget[{extra}]'")
        self.extra = extra


class ModelError(IsobudgetError):
    """Model weights cannot be fetched, do not match their checksum, or cannot be loaded."""


class BackendError(IsobudgetError):
    """A model was reached but did not answer as it should.

    Attributes:
        again: whether a retry may help. If not, the answer has been paid for but cannot be used, or the request cannot
            be sent.
    """

    again = True


class RunError(IsobudgetError):
    """A run folder cannot be used: damaged, in use by another process, or made by other settings."""


class RunMismatchError(RunError):
    """A run folder was made with other settings than the requested ones."""


class StorageError(IsobudgetError):
    """Writing failed: the disk is full, the folder is read-only. Nothing half-written is left behind."""


class JudgeError(IsobudgetError):
    """The judge itself cannot work here, for instance because no confinement layer is available."""


class ClusterError(IsobudgetError):
    """A cluster cannot be reached or started, lacks requested resources, or loses every worker."""
