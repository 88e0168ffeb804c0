"""The one error tree of isobudget.

Every error that a user can cause or fix is an `IsobudgetError`; the command line prints its message and exits with 2.
A message says what was wrong, where (file, line, field) and what to do about it. Anything else that is raised is a
fault of isobudget itself and keeps its traceback.
"""

from __future__ import annotations

#: what stands at the end of an error that stops work which goes on from where it was
RESUME = "Finished work is saved; run the same command to resume (a file of samples: with --resume)."
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
    """What an error of another library says, for a message of ours: its first line, or else its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def json_kind(value: object) -> str:
    """What a value read from JSON is, for a message; of any other value, the name of its type."""
    return _JSON_KINDS.get(type(value)) or f"a {type(value).__name__}"


class IsobudgetError(Exception):
    """Root of all errors that isobudget raises on purpose."""


class InputError(IsobudgetError):
    """Something that the user handed in cannot be read or does not fit: a file, a field, a name, a number."""


class NoPriceError(InputError):
    """A model has no price in a unit, as far as the costs that were given go; it may have one in another."""


class StudyError(InputError):
    """A study file is wrong; the message lists every mistake with its line."""


class MissingExtraError(IsobudgetError):
    """An extra is needed but not installed; the message carries the install line."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra {extra}. Install it with: pip install 'isobudget[{extra}]'")
        self.extra = extra


class ModelError(IsobudgetError):
    """Model weights cannot be fetched, do not match their checksum, or cannot be loaded."""


class BackendError(IsobudgetError):
    """A model was reached but did not answer as it should.

    Attributes:
        again: whether asking again may help; if not, the answer has been paid for and cannot be used, or the request
            cannot be sent.
    """

    again = True


class RunError(IsobudgetError):
    """A run folder cannot be used: damaged, in use by another process, or made by other settings."""


class RunMismatchError(RunError):
    """A run folder was made by other settings than those that are asked for now."""


class StorageError(IsobudgetError):
    """Writing failed: the disk is full, the folder is read-only. Nothing half-written is left behind."""


class JudgeError(IsobudgetError):
    """The judge itself cannot work here, for instance because no confinement layer is available."""


class ClusterError(IsobudgetError):
    """A cluster cannot be reached or started, lacks what is asked of it, or loses every worker."""
