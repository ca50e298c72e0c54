"""All that a client needs to know, checked before the first call."""

from __future__ import annotations

import base64
import difflib
import ipaddress
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_hotmart.api.errors import HotmartConfigError
from airflow_provider_hotmart.api.zones import zone_of

#: Base URL by environment. Source: https://developers.hotmart.com/docs/en/start/sandbox/.
#: An emulator has no address of its own: the connection's host tells it.
ENVIRONMENTS = {
    "production": "https://developers.hotmart.com",
    "sandbox": "https://sandbox.hotmart.com",
    "emulator": "",
}
#: What the extra of a connection may hold.
EXTRA_KEYS = (
    "environment",
    "timezone",
    "basic_token",
    "pseudonym_key",
    "hottok",
    "token_url",
    "timeout",
    "max_retries",
    "max_rate_limit_wait",
    "max_parallel_calls",
    "calls_per_minute",
)
#: What Airflow put before such a key until its version 2.3.
EXTRA_PREFIX = "extra__hotmart__"
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
    :param timezone: IANA name of the zone that dates without one are in.
    :param pseudonym_key: the secret that pseudonyms of people are made with; None: there are none.
    :param hottok: the secret that webhooks of the account carry; None: there are none.
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
    timezone: str = "UTC"
    pseudonym_key: str | None = field(default=None, repr=False)
    hottok: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    max_retries: int = 5
    max_rate_limit_wait: float = 120.0
    max_parallel_calls: int = 8
    calls_per_minute: int | None = None

    @property
    def basic(self) -> str:
        """The credential as HTTP Basic: base64 of ``client_id:client_secret``."""
        return base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must never show."""
        return tuple(one for one in (self.client_secret, self.basic, self.pseudonym_key, self.hottok) if one)

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
        :param host: base URL, to override that of the environment; an emulator needs it.
        :param schema: scheme of the host, where the host is written without one.
        :param port: port of the host, where the host is written without one.
        :param extra: values by :data:`EXTRA_KEYS`, with or without :data:`EXTRA_PREFIX` before them.
        :param name: how error messages call the connection.
        :raises HotmartConfigError: when a field is missing, wrong or unknown, naming field and rule.
        """
        form = _Form(extra or {}, name)
        client_id, client_secret = form.credential(login, password)
        environment = form.text("environment") or "production"
        if environment not in ENVIRONMENTS:
            raise form.error(f"environment is {environment!r}, expected one of {', '.join(ENVIRONMENTS)}")
        emulated = environment == "emulator"
        base_url = form.url("host", _with_scheme(host, schema, port, emulated), emulated) or ENVIRONMENTS[environment]
        if not base_url:
            raise form.error("host is empty, expected the emulator's address, like http://hotmart:8085")
        token_url = form.url("token_url", _with_scheme(form.text("token_url"), None, None, emulated), emulated)
        if not token_url:
            token_url = base_url + TOKEN_PATH if emulated or is_loopback(base_url) else TOKEN_URL
        return cls(
            client_id=client_id,
            client_secret=client_secret,
            base_url=base_url,
            token_url=token_url,
            timezone=form.timezone("timezone", cls.timezone),
            pseudonym_key=form.text("pseudonym_key"),
            hottok=form.text("hottok"),
            timeout=form.number("timeout", float, 0, above=True),
            max_retries=form.number("max_retries", int, 0),
            max_rate_limit_wait=form.number("max_rate_limit_wait", float, 0),
            max_parallel_calls=form.number("max_parallel_calls", int, 1),
            calls_per_minute=form.number("calls_per_minute", int, 1),
        )


class _Form:
    """The extra fields of a connection, read one by one with errors that name the field."""

    def __init__(self, extra: Mapping[str, Any], name: str) -> None:
        self._name = name
        self._extra: dict[str, str] = {}
        for key, value in extra.items():
            known = key.removeprefix(EXTRA_PREFIX)
            if known not in EXTRA_KEYS:
                raise self.error(f"extra has the unknown key {key!r}, {_closest(known)}")
            text = "" if value is None else str(value).strip()
            if text and self._extra.setdefault(known, text) != text:
                raise self.error(f"extra has two values for {known}, with and without {EXTRA_PREFIX}: keep one")

    def error(self, problem: str) -> HotmartConfigError:
        return HotmartConfigError(f"Check {self._name}: {problem}.")

    def text(self, key: str) -> str | None:
        """Give the text of a field without surrounding blanks; None when not filled in."""
        return self._extra.get(key)

    def number(self, key: str, kind: type[int | float], minimum: float, *, above: bool = False) -> Any:
        """
        Give the number in a field; the default of the configuration when not filled in.

        :param above: whether it must be more than the minimum.
        """
        text = self.text(key)
        if text is None:
            return getattr(HotmartConfig, key)
        try:
            value = kind(text)
            is_valid = math.isfinite(value) and (value > minimum or (value == minimum and not above))
        except (ValueError, OverflowError):
            is_valid = False
        if not is_valid:
            what = "a whole number" if kind is int else "a number"
            raise self.error(f"{key} is {text!r}, expected {what} {'above' if above else 'of at least'} {minimum:g}")
        return value

    def timezone(self, key: str, default: str) -> str:
        """IANA name of a field."""
        try:
            return zone_of(self.text(key) or default).key
        except ValueError as error:
            raise self.error(f"{key}: {error}") from None

    def url(self, key: str, text: str | None, emulated: bool) -> str | None:
        """
        Give a field's absolute URL without a trailing slash, over https unless the host is loopback or an emulator's.

        What is refused may hold a password, in whatever place, so it is not shown.
        """
        if text is None:
            return None
        rule = "expected a plain address like https://developers.hotmart.com, without user, password, query or fragment"
        try:
            parts = urlsplit(text)
            parts.port  # noqa: B018 - raises when the port is no number
        except ValueError:
            raise self.error(f"{key} is no address, {rule}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.error(f"{key} is no address, {rule}")
        if "@" in text or parts.query or parts.fragment:
            raise self.error(f"{key} holds more than an address, {rule}")
        its_own = parts.hostname == "hotmart.com" or parts.hostname.endswith(".hotmart.com")
        if parts.scheme == "http" and not is_loopback(text) and (its_own or not emulated):
            raise self.error(
                f"{key} is http://{parts.hostname}, and plain http would send the credential in clear: use https:// "
                "(http:// is for loopback addresses, and for an emulator with environment 'emulator')"
            )
        return text.rstrip("/")

    def credential(self, login: str | None, password: str | None) -> tuple[str, str]:
        """Give client ID and secret, from login and password or from the Basic value, which must agree."""
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


def _closest(key: str) -> str:
    """Tell what an unknown key was probably meant to be; else all there are."""
    plain = {known.replace("_", ""): known for known in EXTRA_KEYS}
    close = difflib.get_close_matches(re.sub(r"[^a-z]", "", key.lower()), plain, n=1)
    return f"did you mean {plain[close[0]]!r}?" if close else f"expected one of {', '.join(EXTRA_KEYS)}"


def _with_scheme(host: str | None, schema: str | None, port: int | None, emulated: bool) -> str | None:
    """
    Complete a host to a URL. Airflow's URI connections keep scheme and port in fields of their own.

    :param emulated: whether the host is an emulator's, which speaks plain http.
    :return: None for an empty host.
    """
    host = (host or "").strip()
    if not host:
        return None
    if "://" not in host:
        scheme = (schema or "").strip().lower()
        if scheme not in ("http", "https"):
            scheme = "http" if emulated or is_loopback(f"//{host}") else "https"
        host = f"{scheme}://{host}"
    try:
        has_port = urlsplit(host).port is not None
    except ValueError:
        return host
    if port and not has_port and not urlsplit(host).path.strip("/"):
        host = f"{host.rstrip('/')}:{port}"
    return host


def is_loopback(url: str) -> bool:
    """Tell whether a URL points at this very machine."""
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
