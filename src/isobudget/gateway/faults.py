"""A refusal by one of the project's servers as an error in OpenAI's form: status, type, code, and what to do."""

from __future__ import annotations

from typing import Any

from isobudget.errors import IsobudgetError

#: the types of OpenAI's errors by status
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
_TYPES |= {408: "timeout_error", 413: "invalid_request_error", 429: "insufficient_quota", 502: "upstream_error"}


class RefusedRequestError(IsobudgetError):
    """A request that is not served.

    Attributes:
        status: HTTP status of the answer.
        code: name of the error, for programs.
        param: the field at fault, or None.
        retry_after_seconds: when a retry may help; None if it will not.
        details: further data on the error, for programs.
        model: the model at fault; empty if none is.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_seconds: float | None = None,
        details: dict[str, Any] | None = None,
        model: str = "",
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        self.retry_after_seconds = retry_after_seconds
        self.details = details or {}
        self.model = model

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return {"error": error | ({"isobudget": self.details} if self.details else {})}

    def headers(self) -> dict[str, str]:
        """The answer's headers."""
        if self.retry_after_seconds is None:
            return {"x-should-retry": "false"}
        return {"Retry-After": str(max(1, round(self.retry_after_seconds)))}


def bad_request(message: str, param: str | None = None, code: str = "invalid_value") -> RefusedRequestError:
    """The error for a malformed request."""
    return RefusedRequestError(400, code, message, param=param)


def overloaded(what: str, seconds: float = 1.0) -> RefusedRequestError:
    """The error for a request that may be served later."""
    return RefusedRequestError(503, "overloaded", what, retry_after_seconds=seconds)
