"""What can go wrong, sorted by what the caller can do about it."""

from __future__ import annotations

from typing import Any


class HotmartError(Exception):
    """
    Base of every error of this package.

    :param message: one sentence that says what happened and what to do.
    :param status: HTTP status of the answer, if there was one.
    :param error: Hotmart's own ``error``.
    :param description: Hotmart's own ``error_description`` (or ``message``).
    :param path: path of the request; never its query, which may hold personal data.
    :param retry_after: seconds after which Hotmart accepts calls again, as far as it said so.
    """

    #: Whether repeating the task, however late, ends the same.
    permanent = False
    #: Whether the same call, sent again a moment later, may succeed.
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error: str | None = None,
        description: str | None = None,
        path: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.error = error
        self.description = description
        self.path = path
        self.retry_after = retry_after

    @property
    def details(self) -> dict[str, Any]:
        """What is known of the answer, for an error that says more about it."""
        return {"status": self.status, "error": self.error, "description": self.description, "path": self.path}

    def __str__(self) -> str:
        said = ": ".join(part for part in (self.error, self.description) if part)
        facts = [
            f"HTTP {self.status}" if self.status else "",
            self.path or "",
            f"Hotmart says «{said}»" if said else "",
        ]
        shown = ", ".join(fact for fact in facts if fact)
        return f"{self.message} [{shown}]" if shown else self.message


class HotmartConfigError(HotmartError, ValueError):
    """The connection cannot be used as it is filled in."""

    permanent = True


class HotmartAuthError(HotmartError):
    """Hotmart does not accept the credential."""

    permanent = True


class HotmartPermissionError(HotmartError):
    """The credential is valid and has no right to what was asked for."""

    permanent = True


class HotmartInvalidRequestError(HotmartError, ValueError):
    """The request, or a filter in it, is not valid."""

    permanent = True


class HotmartNotFoundError(HotmartError):
    """Nothing answers at this path."""


class HotmartRateLimitError(HotmartError):
    """The call limit is used up for longer than the connection allows to wait."""


class HotmartServerError(HotmartError):
    """Hotmart failed, and went on failing while the call was repeated."""

    retryable = True


class HotmartTransportError(HotmartError):
    """No complete answer came: network, DNS, TLS, time-out, or a body cut short."""

    retryable = True


class HotmartUnknownHostError(HotmartTransportError):
    """The name of the host has no address."""


class HotmartResponseError(HotmartError):
    """An answer came that is not the promised JSON, or contradicts itself."""


class HotmartColumnError(HotmartResponseError):
    """An amount of money, or a part of the key, is nothing that its column can hold."""

    permanent = True


class HotmartNotJsonError(HotmartResponseError):
    """The body is empty, HTML, cut off, or any other thing that Hotmart's API does not write."""

    retryable = True


class HotmartStoppedError(HotmartError):
    """The listing was stopped before its end, because its task was."""


def unexpected_form(what: str, path: str) -> HotmartResponseError:
    """Say that an answer is JSON of another form than promised."""
    return HotmartResponseError(f"Hotmart's answer has another form than documented: report it ({what})", path=path)
