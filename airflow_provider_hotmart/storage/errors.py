"""The one family of errors of destinations and ledgers, and the one place that says which of them last."""

from __future__ import annotations

import errno

from airflow.providers.common.compat.sdk import AirflowNotFoundException

#: Extras of this package that bring the file system of a store.
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "adl": "azure"}
#: What stores say to a credential that is wrong, whatever it may be allowed to do.
UNKNOWN_CREDENTIAL = frozenset(
    {
        "AuthenticationFailed",
        "AuthorizationFailure",
        "InvalidAccessKeyId",
        "InvalidAuthenticationInfo",
        "InvalidSecurity",
        "InvalidToken",
        "NoAuthenticationInformation",
        "SignatureDoesNotMatch",
    }
)
#: Refusals that the next try may be spared: it has a new token, or a clock that was set.
_REFUSED_FOR_NOW = {"ExpiredToken", "RequestTimeTooSkewed", "TokenRefreshRequired"}
#: Operating-system errors that no repetition heals.
_PERMANENT = {
    errno.EACCES,
    errno.EPERM,
    errno.EEXIST,  # a file where a folder is needed
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EROFS,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EINVAL,
}


class StorageError(Exception):
    """
    A destination or a ledger cannot be used.

    :param message: one sentence that says what to do.
    :param permanent: whether trying again is of no use.
    """

    def __init__(self, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.permanent = permanent


def storage_error(argument: str, path: str, problem: BaseException) -> StorageError:
    """
    Translate what an operating system, a store's client or Airflow raised.

    :param argument: the name of the argument that named the file: ``destination``, ``ledger``.
    :param path: the file.
    :param problem: what was raised.
    """
    kind = type(problem).__name__
    remedy = f"check the path and its permissions, and {argument}_conn_id"
    if isinstance(problem, ImportError) or "filesystem" in str(problem).lower():
        extra = EXTRAS.get(path.partition(":")[0])
        remedy = "Airflow has no provider for such URLs"
        if extra:
            remedy = f"install the store's provider: pip install 'airflow-provider-hotmart[{extra}]'"
    elif isinstance(problem, AirflowNotFoundException):
        remedy = f"define the connection, or name another one in {argument}_conn_id"
    elif isinstance(problem, TimeoutError):
        remedy = "run it again"
    message = " ".join(str(problem).split())[:300]
    return StorageError(
        f"{argument} cannot be used ({kind}): {remedy} [{path!r}: {message}]",
        permanent=_is_permanent(problem),
    )


def code_and_status(problem: BaseException) -> tuple[str, int | None]:
    """
    Read a store's own error code and HTTP status from what its client made of them.

    :param problem: what was raised.
    :return: empty and None where the store said nothing.
    """
    cause: BaseException | None = problem
    while cause is not None:
        answer = getattr(cause, "response", None)
        if isinstance(answer, dict) and "Error" in answer:  # botocore
            return str(answer["Error"].get("Code")), answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        for status in (getattr(cause, "status_code", None), getattr(cause, "code", None)):  # Azure, Google
            if isinstance(status, int):
                code = getattr(cause, "error_code", "")
                return str(getattr(code, "value", code)), status
        cause = cause.__cause__ or cause.__context__
    return "", None


def _is_permanent(problem: BaseException) -> bool:
    code, status = code_and_status(problem)
    if code in _REFUSED_FOR_NOW:
        return False
    if isinstance(problem, (ImportError, ValueError, PermissionError, AirflowNotFoundException)):
        return True
    return status in (401, 403) or getattr(problem, "errno", None) in _PERMANENT
