"""All that a client needs to know, checked before the first call."""

from __future__ import annotations

import base64
import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_hotmart.api.errors import HotmartConfigError

#: Base URL by environment. Source: https://developers.hotmart.com/docs/en/start/sandbox/.
ENVIRONMENTS = {
    "production": "https://developers.hotmart.com",
    "sandbox": "https://sandbox.hotmart.com",
}
#: Both environments get their token here. Source: https://developers.hotmart.com/docs/en/start/app-auth/.
TOKEN_URL = "https://api-sec-vlc.hotmart.com/security/oauth/token"  # noqa: S105 - an address, no secret
TOKEN_PATH = "/security/oauth/token"  # noqa: S105 - a path, no secret


@dataclass(frozen=True)
class HotmartConfig:
    """
    How to reach Hotmart, and as whom. Immutable; its ``repr`` shows no secret.

    :param client_id: Client ID of the credential.
    :param client_secret: Client Secret of the credential.
    :param base_url: where the API is, without a trailing slash.
    :param token_url: where the token is fetched.
    :param timeout: seconds without any byte of an answer; Hotmart itself gives up after 30.
    :param max_retries: how often one call is repeated after a passing failure.
    :param max_rate_limit_wait: seconds that one call may wait, in all, after Hotmart refused it for the call limit.
    :param max_parallel_calls: how many calls one listing has under way at once.
    :param calls_per_minute: calls that this process makes a minute, at most; None: all that Hotmart allows.
    """

    client_id: str
    client_secret: str = field(repr=False)
    base_url: str = ENVIRONMENTS["production"]
    token_url: str = TOKEN_URL
    timeout: float = 60.0
    max_retries: int = 5
    max_rate_limit_wait: float = 120.0
    max_parallel_calls: int = 8
    calls_per_minute: int | None = None
    timezone: str = "UTC"

    @property
    def basic(self) -> str:
        """The credential as HTTP Basic: base64 of ``client_id:client_secret``."""
        return base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()

    @classmethod
    def from_fields(
        cls,
        *,
        login: str | None = None,
        password: str | None = None,
        host: str | None = None,
        schema: str | None = None,
        port: int | None = None,
        extra: Mapping[str, Any] | None = None,
        name: str = "the connection",
    ) -> HotmartConfig:
        """
        Make a configuration from the fields of a connection form. Empty fields count as not filled in.

        :param login: Client ID.
        :param password: Client Secret.
        :param host: base URL, only to override that of the environment.
        :param schema: scheme of the host, where the host is written without one.
        :param port: port of the host, where the host is written without one.
        :param extra: ``environment``, ``basic_token``, ``token_url``, ``timeout``, ``max_retries``,
            ``max_rate_limit_wait``, ``max_parallel_calls``, ``calls_per_minute``.
        :param name: how error messages call the connection.
        :raises HotmartConfigError: when a field is missing or wrong, naming field, value and rule.
        """
        form = _Form(extra or {}, name)
        client_id, client_secret = form.credential(login, password)
        environment = form.text("environment") or "production"
        if environment not in ENVIRONMENTS:
            raise form.error(f"environment is {environment!r}, expected one of {', '.join(ENVIRONMENTS)}")
        base_url = form.url("host", _with_scheme(host, schema, port)) or ENVIRONMENTS[environment]
        token_url = form.url("token_url", _with_scheme(form.text("token_url"), None, None))
        if not token_url:
            token_url = base_url + TOKEN_PATH if _is_loopback(base_url) else TOKEN_URL
        calls_per_minute = form.number("calls_per_minute", None, minimum=1, whole=True)
        return cls(
            client_id=client_id,
            client_secret=client_secret,
            base_url=base_url,
            token_url=token_url,
            timeout=form.number("timeout", cls.timeout, above=0),
            max_retries=int(form.number("max_retries", cls.max_retries, minimum=0, whole=True)),
            max_rate_limit_wait=form.number("max_rate_limit_wait", cls.max_rate_limit_wait, minimum=0),
            max_parallel_calls=int(form.number("max_parallel_calls", cls.max_parallel_calls, minimum=1, whole=True)),
            calls_per_minute=None if calls_per_minute is None else int(calls_per_minute),
        )


class _Form:
    """The extra fields of a connection, read one by one with errors that name the field."""

    def __init__(self, extra: Mapping[str, Any], name: str) -> None:
        self._extra = extra
        self._name = name

    def error(self, problem: str) -> HotmartConfigError:
        return HotmartConfigError(f"Check {self._name}: {problem}.")

    def text(self, key: str) -> str | None:
        """Text of a field without surrounding blanks; None when not filled in."""
        value = self._extra.get(key)
        return None if value is None else str(value).strip() or None

    def number(
        self,
        key: str,
        default: float | None,
        *,
        minimum: float | None = None,
        above: float | None = None,
        whole: bool = False,
    ) -> Any:
        """Value of a numeric field: float, or int-like when ``whole``."""
        text = self.text(key)
        if text is None:
            return default
        kind = "a whole number" if whole else "a number"
        bound = f" of at least {minimum:g}" if minimum is not None else f" above {above:g}"
        try:
            value = float(int(text)) if whole else float(text)
        except (ValueError, OverflowError):
            value = math.nan
        if (
            not math.isfinite(value)
            or (minimum is not None and value < minimum)
            or (above is not None and value <= above)
        ):
            raise self.error(f"{key} is {text!r}, expected {kind}{bound}")
        return value

    def url(self, key: str, text: str | None) -> str | None:
        """Absolute URL of a field without a trailing slash, over https unless the host is loopback."""
        if text is None:
            return None
        try:
            parts = urlsplit(text)
            parts.port  # noqa: B018 - raises when the port is no number
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            shown = _without_userinfo(text)
            raise self.error(f"{key} is {shown!r}, expected an address like https://developers.hotmart.com")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise self.error(
                f"{key} ({parts.scheme}://{parts.hostname}) must be a plain address, "
                "without user, password, query or fragment"
            )
        if parts.scheme == "http" and not _is_loopback(text):
            raise self.error(
                f"{key} is {text!r}, and plain http would send the credential in clear: "
                "use https:// (http:// is for loopback addresses only)"
            )
        return text.rstrip("/")

    def credential(self, login: str | None, password: str | None) -> tuple[str, str]:
        """Client ID and secret, from login and password or from the Basic value, which must agree."""
        client_id, client_secret = (login or "").strip(), (password or "").strip()
        basic = "".join((self.text("basic_token") or "").split())
        if basic[:5].lower() == "basic":
            basic = basic[5:]
        if basic:
            basic_id, basic_secret = self._decoded(basic)
            if (client_id and client_id != basic_id) or (client_secret and client_secret != basic_secret):
                raise self.error(
                    f"basic_token belongs to another credential than login {client_id!r} and its password: "
                    "copy all three values from the same credential, or leave basic_token empty"
                )
            client_id, client_secret = basic_id, basic_secret
        if not client_id:
            raise self.error("login is empty, expected the Client ID of the Hotmart credential")
        if not client_secret:
            raise self.error("password is empty, expected the Client Secret of the Hotmart credential")
        return client_id, client_secret

    def _decoded(self, basic: str) -> tuple[str, str]:
        try:
            decoded = base64.b64decode(basic + "=" * (-len(basic) % 4), validate=True).decode()
        except ValueError:  # no ASCII, no base64, or no UTF-8 inside
            decoded = ""
        client_id, colon, client_secret = decoded.partition(":")
        if not colon or not client_id or not client_secret:
            # The value itself is a secret, so it is not shown.
            raise self.error(
                "basic_token is not the base64 of Client ID and Client Secret: "
                "copy the Basic value again from Hotmart's panel, or leave the field empty"
            )
        return client_id, client_secret


def _with_scheme(host: str | None, schema: str | None, port: int | None) -> str | None:
    """
    Complete a host to a URL. Airflow's URI connections keep scheme and port in fields of their own.

    :return: None for an empty host.
    """
    host = (host or "").strip()
    if not host:
        return None
    if "://" not in host:
        scheme = (schema or "").strip().lower()
        if scheme not in ("http", "https"):
            scheme = "http" if _is_loopback(f"//{host}") else "https"
        host = f"{scheme}://{host}"
    try:
        has_port = urlsplit(host).port is not None
    except ValueError:
        return host
    if port and not has_port and not urlsplit(host).path.strip("/"):
        host = f"{host.rstrip('/')}:{port}"
    return host


def _without_userinfo(text: str) -> str:
    """The text of a URL without a user and password in it."""
    scheme, separator, rest = text.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]


def _is_loopback(url: str) -> bool:
    """Whether a URL points at this very machine."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
