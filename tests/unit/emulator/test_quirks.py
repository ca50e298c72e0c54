"""How the API behaves where its documentation is silent: answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_hotmart.emulator import HotmartEmulator, Quirks
from tests.unit.emulator.support import PRODUCTS, Client, everything


def test_every_choice_of_a_quirk_is_accepted_and_nothing_else() -> None:
    for name, values in Quirks.choices().items():
        assert values[0] == getattr(Quirks(), name)
        for value in values:
            assert getattr(Quirks(**{name: value}), name) == value
    with pytest.raises(ValueError, match="date_filter must be one of"):
        Quirks(date_filter="birthday")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="no such quirk"):
        Quirks().date_fitler = "order"


def test_the_shape_of_an_empty_result(visitor: Client, empty: HotmartEmulator) -> None:
    info = {"total_results": 0, "results_per_page": 0}
    assert visitor.get().json() == {"items": [], "page_info": info}
    empty.quirks.empty_shape = "no_items"
    assert visitor.get().json() == {"page_info": info}
    empty.quirks.empty_shape = "object"
    assert visitor.get().json() == {}


def test_the_token_of_the_last_page(visitor: Client, empty: HotmartEmulator) -> None:
    found = []
    for value in ("absent", "null", "empty"):
        empty.quirks.last_page_token = value
        found.append(visitor.get(PRODUCTS).json()["page_info"].get("next_page_token", "absent"))
    assert found == ["absent", None, ""]


def test_the_number_of_results_may_be_missing(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.quirks.total_results = False
    assert "total_results" not in client.get().json()["page_info"]


def test_the_two_names_of_a_protested_sale(visitor: Client, empty: HotmartEmulator) -> None:
    sale = empty.add_sale(status="DISPUTE").transaction
    expected: dict[Any, tuple[Any, Any, str]] = {
        "both": ([sale], [sale], "PROTESTED"),
        "protested": ([sale], None, "PROTESTED"),
        "dispute": (None, [sale], "DISPUTE"),
    }
    for quirk, (protested, dispute, shown) in expected.items():
        empty.quirks.protested = quirk
        for name, codes in (("PROTESTED", protested), ("DISPUTE", dispute)):
            if codes is None:
                assert visitor.error(transaction_status=name) == (400, "invalid_parameter")
                assert empty.truth(name) == set()
            else:
                assert visitor.transactions(transaction_status=name) == codes
        assert {one[3] for one in empty.truth()} == {shown}


def test_keys_change_their_order_from_call_to_call(client: Client, hotmart: HotmartEmulator) -> None:
    plain = client.get(max_results=5)
    assert client.get(max_results=5).text == plain.text
    hotmart.quirks.shuffle_keys = True
    one, other = client.get(max_results=5), client.get(max_results=5)
    assert one.text != other.text
    assert one.json() == other.json() == plain.json()
    assert {tuple(client.get(max_results=1).json()) for _ in range(30)} == {
        ("items", "page_info"),
        ("page_info", "items"),
    }


def test_the_text_of_an_error_has_one_of_two_names(client: Client, hotmart: HotmartEmulator) -> None:
    assert set(client.get(colour=1).json()) == {"error", "error_description", "error_uri"}
    hotmart.quirks.error_text = "message"
    assert set(client.get(colour=1).json()) == {"error", "message", "error_uri"}


def test_an_arbitrary_order_is_stable_and_complete(client: Client, hotmart: HotmartEmulator) -> None:
    ordered = client.transactions(**everything())
    hotmart.quirks.order = "arbitrary"
    one, other = client.transactions(**everything(max_results=100)), client.transactions(**everything())
    assert one == other
    assert one != ordered
    assert sorted(one) == sorted(ordered)
    hotmart.quirks.order = "date"
    complete = client.transactions(**everything(transaction_status="COMPLETE"))
    hotmart.quirks.order = "arbitrary"
    assert client.transactions(**everything(transaction_status="COMPLETE")) != complete


def test_missing_values_look_as_told(client: Client, hotmart: HotmartEmulator) -> None:
    looks: dict[str, set[Any]] = {}
    for look in ("absent", "blank", "null"):
        hotmart.quirks.missing_values = look
        users = [user["user"] for item in client.items(**everything()) for user in item["users"]]
        looks[look] = {user.get("phone", "absent") for user in users if not user.get("phone")}
    assert looks == {"absent": {"absent"}, "blank": {""}, "null": {None}}


def test_the_rows_of_sales_may_come_in_another_order_in_every_call(client: Client, hotmart: HotmartEmulator) -> None:
    whole = sorted(client.transactions(**everything()))
    hotmart.quirks.order = "shuffled"
    one, other = (
        [item["transaction"] for item in client.get(**everything(transaction_status="EXPIRED")).json()["items"]]
        for _ in range(2)
    )
    assert one != other
    assert sorted(one) == sorted(other)
    paged = client.transactions(**everything(max_results=100))
    assert len(paged) == len(whole)
    assert len(set(paged)) < len(whole), "nothing came twice, so nothing was skipped"
    assert client.items(PRODUCTS, max_results=3) == hotmart.products


@pytest.mark.parametrize("most", [1, 20, 50])
def test_the_service_may_give_smaller_pages_than_were_asked_for(
    client: Client, hotmart: HotmartEmulator, most: int
) -> None:
    hotmart.quirks.max_page_size = most
    first = client.get(PRODUCTS, max_results=500).json()
    assert len(first["items"]) == min(most, 20)
    assert client.items(PRODUCTS, max_results=500) == hotmart.products
    assert len(client.get().json()["items"]) == most
    for wrong in (0, 1.5, True, "20"):
        with pytest.raises(ValueError, match="max_page_size must be a whole number"):
            hotmart.quirks.max_page_size = wrong  # type: ignore[assignment]


def test_json_may_have_white_space_in_it(client: Client, hotmart: HotmartEmulator) -> None:
    hotmart.add_sale(buyer={"name": 'a "quoted, {b}: [c]\\', "documents": [], "address": {}})
    plain = client.get()
    for layout, settings in (("spaced", {}), ("indented", {"indent": 2})):
        hotmart.quirks.json_layout = layout  # type: ignore[assignment]
        answer = client.get()
        assert answer.text == json.dumps(plain.json(), ensure_ascii=False, **settings)
        assert client.get(colour=1).text.startswith('{"error": ' if layout == "spaced" else '{\n  "error": ')
        client.log_in()


def test_a_new_token_may_make_the_old_ones_invalid(client: Client, hotmart: HotmartEmulator) -> None:
    old = client.token
    client.log_in()
    assert client.get(headers={"Authorization": f"Bearer {old}"}).status_code == 200
    hotmart.quirks.only_newest_token = True
    assert client.error(headers={"Authorization": f"Bearer {old}"}) == (401, "invalid_token")
    assert client.get().status_code == 200


def test_unexpected_headers_may_be_refused(client: Client, hotmart: HotmartEmulator) -> None:
    assert client.get(headers={"X-Trace": "1"}).status_code == 200
    hotmart.quirks.unexpected_headers = "error"
    assert client.error(headers={"X-Trace": "1"}) == (400, "invalid_value_headers")
    assert client.get().status_code == 200


def test_answers_may_be_compressed(client: Client, hotmart: HotmartEmulator) -> None:
    plain = client.get()
    hotmart.quirks.content_encoding = "gzip"
    packed = client.get()
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    assert packed.json() == plain.json()
    assert "Content-Encoding" not in client.get(headers={"Accept-Encoding": "identity"}).headers
