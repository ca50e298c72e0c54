"""From the fields of a connection form to a configuration."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import pytest

from airflow_provider_hotmart.api.config import EXTRA_KEYS, TOKEN_URL, HotmartConfig, is_loopback
from airflow_provider_hotmart.api.errors import HotmartConfigError

#: What a test may use as a secret: an error never shows it.
SECRETS = {"s3cret", "pa55word"}
BASIC = base64.b64encode(b"client:s3cret").decode()


def config(**fields: Any) -> HotmartConfig:
    """A configuration of a form with a credential and these extra fields."""
    known = {name: fields.pop(name) for name in ("login", "password", "host", "schema", "port") if name in fields}
    return HotmartConfig.from_fields(**{"login": "client", "password": "s3cret", **known}, extra=fields)


def refusal(**fields: Any) -> str:
    """What the error says about a form."""
    with pytest.raises(HotmartConfigError) as caught:
        config(**fields)
    assert not SECRETS & {word for word in SECRETS if word in str(caught.value)}
    return str(caught.value)


def test_id_and_secret_alone_make_a_configuration_for_production() -> None:
    assert config() == HotmartConfig("client", "s3cret")
    assert config().base_url == "https://developers.hotmart.com"
    assert config().token_url == TOKEN_URL


def test_the_sandbox_has_a_host_of_its_own_and_the_same_token_host() -> None:
    assert config(environment="sandbox").base_url == "https://sandbox.hotmart.com"
    assert config(environment="sandbox").token_url == TOKEN_URL


def test_an_unknown_environment_names_the_known_ones() -> None:
    assert "'staging', expected one of production, sandbox, emulator" in refusal(environment="staging")


def test_empty_fields_count_as_not_filled_in() -> None:
    empty = dict.fromkeys(("environment", "basic_token", "token_url", "timeout", "max_retries"), "  ")
    assert config(host="", schema=" ", **empty) == config()


@pytest.mark.parametrize(("login", "password", "missing"), [("", "s3cret", "login"), ("client", None, "password")])
def test_half_a_credential_is_refused_by_the_name_of_the_other_half(
    login: str, password: str | None, missing: str
) -> None:
    assert f"{missing} is empty" in refusal(login=login, password=password)


@pytest.mark.parametrize(
    "pasted",
    [BASIC, f"Basic {BASIC}", f"basic  {BASIC}\n", f" {BASIC[:8]}\r\n{BASIC[8:]} ", BASIC.rstrip("="), f"Basic{BASIC}"],
)
def test_the_basic_value_is_taken_however_it_was_pasted(pasted: str) -> None:
    alone = config(login="", password="", basic_token=pasted)
    assert (alone.client_id, alone.client_secret, alone.basic) == ("client", "s3cret", BASIC)
    assert config(basic_token=pasted) == alone


@pytest.mark.parametrize("fields", [{"login": "other"}, {"password": "other"}])
def test_a_basic_value_of_another_credential_is_refused(fields: dict[str, str]) -> None:
    assert "another credential" in refusal(basic_token=BASIC, **fields)


@pytest.mark.parametrize("garbage", ["s3cret", "áéí", base64.b64encode(b"s3cret").decode(), "Og=="])
def test_a_basic_value_that_is_none_is_refused_without_showing_it(garbage: str) -> None:
    told = refusal(login="", password="", basic_token=garbage)
    assert "basic_token is not the base64" in told
    assert garbage not in told


def test_the_repr_shows_no_secret() -> None:
    shown = repr(config(pseudonym_key="of pseudonyms", hottok="of webhooks"))
    assert [secret for secret in ("s3cret", BASIC, "of pseudonyms", "of webhooks") if secret in shown] == []


def test_the_secrets_are_those_that_are_filled_in() -> None:
    assert config().secrets == ("s3cret", BASIC)
    assert config(pseudonym_key="a", hottok="b").secrets == ("s3cret", BASIC, "a", "b")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("enviroment", "environment"),
        ("Environment", "environment"),
        ("maxRetries", "max_retries"),
        ("max-rate-limit-wait", "max_rate_limit_wait"),
        ("time_zone", "timezone"),
        ("hot_tok", "hottok"),
        ("extra__hotmart__enviroment", "environment"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_it_and_the_closest_one(key: str, meant: str) -> None:
    assert f"the unknown key {key!r}, did you mean {meant!r}?" in refusal(**{key: "s3cret"})


def test_an_unknown_key_that_resembles_none_is_an_error_that_names_them_all() -> None:
    told = refusal(workspace="s3cret")
    assert "the unknown key 'workspace', expected one of environment, timezone" in told
    assert all(key in told for key in EXTRA_KEYS)


def test_an_unknown_key_is_an_error_even_if_it_is_empty() -> None:
    assert "'enviroment'" in refusal(enviroment=None)


def test_keys_may_have_the_prefix_that_airflow_once_gave_them() -> None:
    prefixed = {f"extra__hotmart__{key}": value for key, value in {"environment": "sandbox", "timeout": 9}.items()}
    assert config(**prefixed) == config(environment="sandbox", timeout=9)


def test_a_field_that_is_filled_in_with_and_without_the_prefix_has_to_say_the_same() -> None:
    assert config(extra__hotmart__timeout="9", timeout=9) == config(timeout=9)
    assert config(extra__hotmart__timeout="9", timeout=" ") == config(timeout=9)
    told = refusal(hottok="pa55word", extra__hotmart__hottok="s3cret")
    assert "two values for hottok" in told


def test_dates_without_a_zone_are_in_the_zone_of_the_connection() -> None:
    assert config().timezone == "UTC"
    assert config(timezone=" America/Sao_Paulo ").timezone == "America/Sao_Paulo"


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("america/sao paulo", " (did you mean 'America/Sao_Paulo'?)"),
        ("-03:00", ""),
        ("America", ""),
        ("/etc/localtime", ""),
        ("../UTC", ""),
        ("x" * 5000, ""),
    ],
)
def test_a_zone_that_there_is_not_is_refused(zone: str, hint: str) -> None:
    assert f"timezone: {zone!r} is no time zone by its IANA name" in refusal(timezone=zone)
    assert hint in refusal(timezone=zone)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        config().timeout = 1  # type: ignore[misc]


def test_numbers_are_read_from_text_and_from_json() -> None:
    read = config(timeout="45.5", max_retries=0, max_rate_limit_wait="0", max_parallel_calls="3", calls_per_minute=60)
    told = (read.timeout, read.max_retries, read.max_rate_limit_wait, read.max_parallel_calls, read.calls_per_minute)
    assert told == (45.5, 0, 0.0, 3, 60)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("timeout", "0", "a number above 0"),
        ("timeout", "nan", "a number above 0"),
        ("timeout", "inf", "a number above 0"),
        ("timeout", "soon", "a number above 0"),
        ("max_retries", "-1", "a whole number of at least 0"),
        ("max_retries", "2.5", "a whole number of at least 0"),
        ("max_retries", "9" * 400, "a whole number of at least 0"),
        ("max_retries", True, "a whole number of at least 0"),
        ("max_rate_limit_wait", "-0.1", "a number of at least 0"),
        ("max_parallel_calls", "0", "a whole number of at least 1"),
        ("calls_per_minute", "0", "a whole number of at least 1"),
    ],
)
def test_a_number_out_of_bounds_is_refused_by_field_value_and_rule(field: str, value: Any, rule: str) -> None:
    assert f"{field} is {str(value)!r}, expected {rule}" in refusal(**{field: value})


@pytest.mark.parametrize(
    ("form", "url"),
    [
        ({"host": "proxy.example.com"}, "https://proxy.example.com"),
        ({"host": "https://proxy.example.com/hotmart/"}, "https://proxy.example.com/hotmart"),
        ({"host": "proxy.example.com", "port": 8443}, "https://proxy.example.com:8443"),
        ({"host": "https://proxy.example.com:1", "port": 2}, "https://proxy.example.com:1"),
        ({"host": "127.0.0.1", "port": 8080}, "http://127.0.0.1:8080"),
        ({"host": "localhost:8080"}, "http://localhost:8080"),
        ({"host": "[::1]:8080"}, "http://[::1]:8080"),
        ({"host": "localhost", "schema": "https"}, "https://localhost"),
    ],
)
def test_a_host_becomes_a_base_url(form: dict[str, Any], url: str) -> None:
    assert config(**form).base_url == url


@pytest.mark.parametrize("host", ["http://developers.hotmart.com", "http://10.0.0.1", "http://localhost.example.com"])
def test_plain_http_is_refused_unless_the_host_is_loopback(host: str) -> None:
    assert "plain http" in refusal(host=host)
    assert "plain http" in refusal(token_url=host)


def test_plain_http_is_refused_where_the_scheme_has_a_field_of_its_own() -> None:
    assert "plain http" in refusal(host="developers.hotmart.com", schema="http")


@pytest.mark.parametrize("host", ["ftp://example.com", "https://", "https://example.com:port", "https://[::1"])
def test_what_is_no_address_is_refused(host: str) -> None:
    assert "host is no address, expected a plain address like" in refusal(host=host)


@pytest.mark.parametrize(
    "host",
    [
        "https://me:s3cret@example.com",
        "https://pa55word@example.com",
        "me:s3cret@example.com",
        "https:/me:s3cret@example.com",
        "https://example.com?token=s3cret",
        "https://example.com#s3cret",
        "http://10.0.0.1/me:s3cret@",
        "ftp://me:s3cret@example.com",
        "https://me:pa55word/s3cret@example.com",
        "https://me:s3cret%40example.com",
        "https://me:s3cret",
    ],
)
@pytest.mark.parametrize("environment", ["production", "emulator"])
def test_an_address_with_more_than_an_address_in_it_is_refused_without_showing_it(host: str, environment: str) -> None:
    assert "host " in refusal(host=host, environment=environment)
    assert "token_url " in refusal(host="https://example.com", token_url=host, environment=environment)


def test_an_emulator_hands_out_its_own_tokens() -> None:
    assert config(host="http://127.0.0.1:8080").token_url == "http://127.0.0.1:8080/security/oauth/token"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("http://hotmart:8085", "http://hotmart:8085"),
        ("hotmart:8085", "http://hotmart:8085"),
        ("https://hotmart.internal/", "https://hotmart.internal"),
        ("127.0.0.1:8085", "http://127.0.0.1:8085"),
    ],
)
def test_an_emulator_may_be_another_machine_and_speak_plain_http(host: str, url: str) -> None:
    there = config(environment="emulator", host=host)
    assert (there.base_url, there.token_url) == (url, f"{url}/security/oauth/token")


def test_an_emulator_needs_a_host() -> None:
    assert "host is empty, expected the emulator's address" in refusal(environment="emulator")


@pytest.mark.parametrize("host", ["http://developers.hotmart.com", "http://hotmart.com", "http://API.Hotmart.com"])
def test_nobody_calls_hotmart_itself_an_emulator_to_reach_it_in_clear(host: str) -> None:
    assert "plain http" in refusal(host=host, environment="emulator")
    assert "plain http" in refusal(host="http://hotmart:8085", token_url=host, environment="emulator")


def test_a_proxy_in_front_of_the_api_does_not_get_the_secret() -> None:
    assert config(host="https://proxy.example.com").token_url == TOKEN_URL


def test_errors_name_the_connection() -> None:
    with pytest.raises(HotmartConfigError, match="Check connection 'mine': login is empty"):
        HotmartConfig.from_fields(name="connection 'mine'")


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:8080", True),
        ("https://127.0.0.1", True),
        ("http://127.8.9.1/x", True),
        ("http://[::1]:80", True),
        ("https://127.example.com", False),
        ("https://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("http://127.0.0.1@example.com", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_and_no_name_that_looks_like_it(url: str, here: bool) -> None:
    assert is_loopback(url) is here
