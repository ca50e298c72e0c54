"""Tokens, over real sockets."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from airflow_provider_hotmart.emulator import HotmartEmulator
from tests.unit.emulator.support import PRODUCTS, SALES, Client


def test_a_token_is_handed_out_for_a_form_or_for_a_query(hotmart: HotmartEmulator) -> None:
    fields = {"grant_type": "client_credentials"}
    full = fields | {"client_id": hotmart.client_id, "client_secret": hotmart.client_secret}
    header = {"Authorization": hotmart.basic_token}
    for sent in ({"data": fields}, {"params": full}):
        answer = requests.post(hotmart.token_url, headers=header, timeout=10, **sent)  # type: ignore[arg-type]
        body = answer.json()
        assert answer.status_code == 200
        assert (body["token_type"], body["expires_in"]) == ("bearer", 172_799)
        assert "%2B" in body["access_token"]
        assert "%3D" in body["access_token"]
    assert [call.status for call in hotmart.token_calls] == [200, 200]
    assert hotmart.token_calls[0].params == {}
    assert hotmart.calls == []


@pytest.mark.parametrize("name", ["invalid_client", "unauthorized"])
def test_a_wrong_credential_gets_no_token(hotmart: HotmartEmulator, name: Any) -> None:
    hotmart.quirks.wrong_credential = name
    wrong = "Basic " + base64.b64encode(b"somebody:else").decode()
    for headers in ({}, {"Authorization": wrong}, {"Authorization": hotmart.basic_token + "x"}):
        answer = requests.post(
            hotmart.token_url, headers=headers, data={"grant_type": "client_credentials"}, timeout=10
        )
        assert (answer.status_code, answer.json()["error"]) == (401, name)


def test_the_credential_in_a_query_must_be_right_too(hotmart: HotmartEmulator) -> None:
    answer = requests.post(
        hotmart.token_url,
        headers={"Authorization": hotmart.basic_token},
        params={"grant_type": "client_credentials", "client_secret": "wrong"},
        timeout=10,
    )
    assert answer.status_code == 401


def test_another_grant_type_gets_no_token(hotmart: HotmartEmulator) -> None:
    for data in ({}, {"grant_type": "password"}):
        answer = requests.post(hotmart.token_url, headers={"Authorization": hotmart.basic_token}, data=data, timeout=10)
        assert answer.status_code == 400


def test_the_token_endpoint_throttles_when_told_to(hotmart: HotmartEmulator) -> None:
    hotmart.token_rate_limit = 2
    statuses = [
        requests.post(
            hotmart.token_url,
            headers={"Authorization": hotmart.basic_token},
            data={"grant_type": "client_credentials"},
            timeout=10,
        ).status_code
        for _ in range(3)
    ]
    assert statuses == [200, 200, 429]


def test_each_bearer_problem_has_its_own_name(client: Client, hotmart: HotmartEmulator) -> None:
    assert requests.get(hotmart.url + SALES, timeout=10).json()["error"] == "unauthorized"
    assert client.error(headers={"Authorization": "Bearer"}) == (401, "unauthorized")
    assert client.error(headers={"Authorization": "Bearer x"}) == (401, "invalid_token")
    decoded = unquote(client.token)
    assert client.error(headers={"Authorization": f"Bearer {decoded}"}) == (401, "invalid_token")
    hotmart.clock.advance(172_798)
    assert client.get().status_code == 200
    hotmart.clock.advance(1)
    assert client.error() == (401, "token_expired")


def test_expired_tokens_stay_expired_and_new_ones_work(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.expire_tokens()
    assert client.error() == (401, "token_expired")
    client.log_in()
    assert client.get().status_code == 200


@pytest.mark.parametrize("status", [403, 401])
def test_a_credential_without_rights_gets_a_token_and_nothing_else(
    client: Client, hotmart: HotmartEmulator, status: Any
) -> None:
    hotmart.quirks.no_permission_status = status
    hotmart.permission = False
    answer = client.get(PRODUCTS)
    assert (answer.status_code, answer.json()["error"]) == (status, "unauthorized_client")
    assert answer.json()["error_description"] == "You don't have permission to take this action"
