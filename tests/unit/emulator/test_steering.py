"""An emulator that sells while it runs, and commands for one that runs elsewhere."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import requests

from airflow_provider_hotmart.emulator import HotmartEmulator
from airflow_provider_hotmart.emulator.__main__ import main, parser
from tests.support import refusing_port
from tests.unit.emulator.support import Client, emulator, everything


def command(hotmart: HotmartEmulator, *words: str) -> int:
    return main([*words, "--url", hotmart.url])


def test_sales_are_made_while_the_clock_runs() -> None:
    with emulator(sales=0, sales_per_hour=60) as hotmart:
        client = Client(hotmart)
        with client.http:
            hotmart.clock.advance(timedelta(hours=10))
            client.get()
            assert 500 < len(hotmart.sales) < 700
            statuses = {one[3] for one in hotmart.truth()}
            assert statuses > {"APPROVED", "PRINTED_BILLET"}
            found = client.transactions(**everything())
            assert set(found) == {one[0] for one in hotmart.truth(["APPROVED", "COMPLETE"])}
            emails = [sale.buyer.get("email") for sale in hotmart.sales if sale.buyer.get("email")]
            assert len(set(emails)) < len(emails)
            before = len(hotmart.sales)
            hotmart.clock.advance(timedelta(hours=1))
            assert len(hotmart.truth_rows("sales/history")) > before


def test_the_same_seed_sells_the_same() -> None:
    def sold() -> list[Any]:
        hotmart = emulator(sales=10, sales_per_hour=5)
        hotmart.clock.advance(timedelta(hours=10))
        hotmart.truth()
        return [(sale.ordered_at, sale.product_id, sale.life) for sale in hotmart.sales]

    assert sold() == sold()


def test_no_sales_are_made_unless_asked_for(hotmart: HotmartEmulator) -> None:
    hotmart.clock.advance(timedelta(days=100))
    hotmart.truth()
    assert len(hotmart.sales) == 1000
    with pytest.raises(ValueError, match="cannot be less than none"):
        emulator(sales_per_hour=-1)


def test_a_sale_can_be_made_from_another_terminal(
    client: Client, hotmart: HotmartEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    product = hotmart.products[3]["id"]
    words = ("sale", "--status", "WAITING_PAYMENT", "--product", str(product), "--buyer-email", "zoe@example.com")
    assert command(hotmart, *words) == 0
    code = capsys.readouterr().out.strip()
    (row,) = hotmart.truth_rows("sales/history", transaction=code)
    assert (row["purchase"]["status"], row["product"]["id"]) == ("WAITING_PAYMENT", product)
    assert row["buyer"]["email"] == "zoe@example.com"
    assert command(hotmart, "move", code, "APPROVED") == 0
    assert capsys.readouterr().out.strip() == code
    assert code in client.transactions(**everything())
    assert command(hotmart, "sale") == 0
    assert re.fullmatch(r"HP\d+\n", capsys.readouterr().out)
    assert [call.path for call in hotmart.calls if "emulator" in call.path] == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("move", "HP0", "APPROVED"), "there is no sale HP0"),
        (("sale", "--product", "1"), "no such product: 1"),
    ],
)
def test_what_cannot_be_done_is_explained(
    hotmart: HotmartEmulator, words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(hotmart, *words) == 1
    assert text in capsys.readouterr().err


def test_a_sale_needs_a_product(capsys: pytest.CaptureFixture[str]) -> None:
    with emulator(sales=0, products=0) as hotmart:
        assert command(hotmart, "sale") == 1
    assert "there is no product to sell" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:8085", "http://127.0.0.1:{port}"])
def test_an_emulator_that_is_not_there_is_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with refusing_port() as port:
        url = url.format(port=port)
        assert main(["sale", "--url", url]) == 1
    assert f"No emulator answers at {url}" in capsys.readouterr().err


def test_a_wrong_status_is_refused_before_anything_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["move", "HP1", "PAID"])
    assert "APPROVED" in capsys.readouterr().err


def test_the_control_path_is_for_those_who_mean_it(hotmart: HotmartEmulator) -> None:
    path = hotmart.url + "/emulator/sale"
    assert requests.post(path, timeout=10).status_code == 403
    header = {"X-Hotmart-Emulator": "1"}
    assert requests.get(path, headers=header, timeout=10).status_code == 404
    assert requests.post(hotmart.url + "/emulator/dance", headers=header, timeout=10).status_code == 404
    answer = requests.post(path, headers=header, data={"status": "PAID"}, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "'PAID' is not a valid SaleStatus")
    assert len(hotmart.sales) == 1000


def test_an_emulator_listens_where_it_is_told_to() -> None:
    with emulator(sales=0) as hotmart:
        assert hotmart._server._listener is not None
        assert hotmart._server._listener.getsockname()[0] == "127.0.0.1"
    with emulator(sales=0, host="127.0.0.2") as hotmart:
        assert hotmart.url.startswith("http://127.0.0.2:")
        assert requests.get(hotmart.url, timeout=10).status_code == 404
    with emulator(sales=0, host="0.0.0.0") as hotmart:
        assert hotmart.url.startswith("http://127.0.0.1:")
        port = hotmart.url.rpartition(":")[2]
        assert requests.get(f"http://127.0.0.3:{port}", timeout=10).status_code == 404
