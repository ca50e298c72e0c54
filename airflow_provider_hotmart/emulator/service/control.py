"""Steers a running emulator over HTTP, below a path that Hotmart does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_hotmart.emulator.account.world import World
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.emulator.service.bodies import encode
from airflow_provider_hotmart.emulator.service.calls import Call
from airflow_provider_hotmart.emulator.service.webhooks import Webhooks

PATH = "/emulator/"
#: A page in a browser cannot send this header to another address without being allowed to.
HEADER = "X-Hotmart-Emulator"


class Control:
    """
    Adds and moves sales as it is told to.

    :param world: where
    :param webhooks: sends what it is told to; None: there is nowhere to send it to
    """

    def __init__(self, world: World, webhooks: Webhooks | None = None) -> None:
        self._world = world
        self._webhooks = webhooks
        self._commands: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
            f"{PATH}sale": self._sale,
            f"{PATH}move": self._move,
            f"{PATH}webhook": self._webhook,
        }

    def answer(self, call: Call) -> Answer:
        """
        Do what a call asks for, and tell what has become of the sale.

        :param call: with its fields in a form
        """
        command = self._commands.get(call.path)
        if command is None or call.method != "POST":
            return _answer(404, {"error": f"there is no {call.method} {call.path}"})
        if HEADER not in call.headers:
            return _answer(403, {"error": f"the header {HEADER} is missing"})
        try:
            return _answer(200, command({name: values[-1] for name, values in call.form.items()}))
        except (ValueError, IndexError) as problem:
            return _answer(400, {"error": str(problem)})

    def _sale(self, fields: dict[str, str]) -> dict[str, Any]:
        product_id, email = fields.get("product_id"), fields.get("buyer_email")
        if not self._world.products:
            raise ValueError("there is no product to sell")
        buyer = {"name": "Pessoa de Teste", "email": email, "ucode": f"test-{email}"} if email else None
        sale = self._world.add(
            status=fields.get("status", "APPROVED"),
            product_id=int(product_id) if product_id else None,
            buyer=buyer,
        )
        return self._shown(sale.transaction)

    def _move(self, fields: dict[str, str]) -> dict[str, Any]:
        transaction = fields.get("transaction", "")
        try:
            self._world.move(transaction, fields.get("status", ""))
        except KeyError:
            raise ValueError(f"there is no sale {transaction}") from None
        return self._shown(transaction)

    def _webhook(self, fields: dict[str, str]) -> dict[str, Any]:
        event, transaction = fields.get("event", ""), fields.get("transaction")
        if self._webhooks is None:
            raise ValueError("webhooks are sent nowhere: start the emulator with --webhook-url")
        try:
            sale = self._world.sale(transaction) if transaction else self._world.sales[0]
        except KeyError:
            raise ValueError(f"there is no sale {transaction}") from None
        sent = self._webhooks.test(sale) if event == "TEST" else self._webhooks.send(event, sale)
        return {"transaction": sale.transaction, "id": sent.body["id"]}

    def _shown(self, transaction: str) -> dict[str, Any]:
        sale = self._world.sale(transaction)
        status = sale.status_at(self._world.clock.now())
        return {"transaction": transaction, "status": status, "product_id": sale.product_id}


def _answer(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, encode(body))
