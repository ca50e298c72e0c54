"""What can go wrong, sorted by what the caller can do about it."""

from __future__ import annotations


class HotmartError(Exception):
    """
    Base of every error of this package.

    :param message: one sentence that says what happened and what to do.
    :param status: HTTP status of the answer, if there was one.
    :param error: Hotmart's own ``error``.
    :param description: Hotmart's own ``error_description`` (or ``message``).
    :param path: path of the request; never its query, which may hold personal data.
    """

    #: True where repeating the same call, however late, gives the same answer.
    permanent = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error: str | None = None,
        description: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.error = error
        self.description = description
        self.path = path

    def __str__(self) -> str:
        hotmart = ": ".join(part for part in (self.error, self.description) if part)
        facts = [
            f"HTTP {self.status}" if self.status else "",
            self.path or "",
            f"Hotmart says «{hotmart}»" if hotmart else "",
        ]
        told = ", ".join(fact for fact in facts if fact)
        return f"{self.message} [{told}]" if told else self.message


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
    """
    The call limit is used up for longer than the connection allows to wait.

    :param retry_after: seconds until Hotmart accepts calls again, as far as it said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]  # the keywords of the base class
        self.retry_after = retry_after


class HotmartServerError(HotmartError):
    """Hotmart failed, and went on failing while the call was repeated."""


class HotmartTransportError(HotmartError):
    """No complete answer came: network, DNS, TLS, time-out, or a body cut short."""


class HotmartResponseError(HotmartError):
    """An answer came that is not the promised JSON, or contradicts itself."""
