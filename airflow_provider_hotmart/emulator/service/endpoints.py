"""The API calls that the emulator answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_hotmart.api.enums import ProductStatus
from airflow_provider_hotmart.emulator.account.world import SalesQuery, World
from airflow_provider_hotmart.emulator.service import params as read
from airflow_provider_hotmart.emulator.service.answers import Page, page_token
from airflow_provider_hotmart.emulator.service.bodies import SaleTexts, encode, picked, sale_item, shuffled
from airflow_provider_hotmart.emulator.service.params import Params, RequestError

_PAGING = ("max_results", "page_token", "select")
_ROLES = ("PRODUCER", "COPRODUCER", "AFFILIATE")
_WORDS = ("buyer_email", "buyer_name", "sales_source", "affiliate_name")
_PRODUCT_PARAMS = ("id", "status", "format", *_PAGING)
_SALES_PARAMS = (
    "transaction", "transaction_status", "product_id", "start_date", "end_date", "commission_as",
    *_WORDS, *_PAGING,
)  # fmt: skip

Endpoint = Callable[[Params, random.Random, int, bool], Page]


class Endpoints:
    """
    Answers API calls from a world.

    :param world: what there is
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._texts = SaleTexts()
        self.by_path: Mapping[str, Endpoint] = {
            "/products/api/v1/products": self.products,
            "/payments/api/v1/sales/users": self.participants,
        }

    def products(self, params: Params, rng: random.Random, shift: int = 0, keep_total: bool = False) -> Page:
        """
        List products.

        :param params: of the call
        :param rng: decides what is to change from call to call
        :param shift: rows that have just appeared in front; negative: gone from there
        :param keep_total: the number of rows is as it was
        """
        read.check_names(params, _PRODUCT_PARAMS)
        way = self._world.quirks.several_values
        ids = read.numbers(params, "id", way)
        statuses, formats = read.several(params, "status", way), read.several(params, "format", way)
        for status in statuses or ():
            if status not in set(ProductStatus):
                raise RequestError("invalid_parameter", f"Parameter status has an invalid value: {status}")
        fitting = [
            product
            for product in list(self._world.products)
            if (ids is None or product["id"] in ids)
            and (statuses is None or product["status"] in statuses)
            and (formats is None or product["format"] in formats)
        ]
        rows = read.rows(params, self._world.quirks.max_page_size)
        number, asked = read.page(params, rows)
        offset = (number - 1) * rows
        total = max(0, len(fitting) + shift)
        places = (max(0, place - shift) for place in range(offset, min(offset + rows, total)))
        items = [fitting[place] for place in places if place < len(fitting)]
        page = Page([], number, rows, asked, _next(number, rows, total))
        return self._filled(page, items, params, rng)

    def participants(self, params: Params, rng: random.Random, shift: int = 0, keep_total: bool = False) -> Page:
        """
        List sales with their participants.

        :param params: of the call
        :param rng: decides what is to change from call to call
        :param shift: rows that have just appeared in front; negative: gone from there
        :param keep_total: the number of rows is as it was
        """
        read.check_names(params, _SALES_PARAMS)
        quirks = self._world.quirks
        query = self._sales_query(params)
        rows = read.rows(params, quirks.max_page_size)
        number, asked = read.page(params, rows)
        sales, total = self._world.page(query, (number - 1) * rows, rows, rng, shift)
        page = Page([], number, rows, asked, _next(number, rows, total), total - shift if keep_total else total)
        if "select" in params or quirks.shuffle_keys:
            return self._filled(page, [sale_item(sale) for sale in sales], params, rng)
        page.items = self._texts.of(sales, quirks.missing_values)
        return page

    def _sales_query(self, params: Params) -> SalesQuery:
        quirks = self._world.quirks
        role = read.one(params, "commission_as")
        if role is not None and role not in _ROLES:
            raise RequestError("invalid_parameter", f"Parameter commission_as has an invalid value: {role}")
        words = {name: read.one(params, name) for name in _WORDS}
        low, high = read.window(params, quirks, self._world.clock.now())
        return SalesQuery(
            statuses=read.statuses(params, quirks),
            low=low,
            high=high,
            transaction=read.one(params, "transaction"),
            product_ids=read.numbers(params, "product_id", quirks.several_values),
            words=frozenset((name, value) for name, value in words.items() if value is not None),
            # The account is the producer of all that it sells.
            nothing=role not in (None, "PRODUCER"),
            approved_only=quirks.date_filter == "approval"
            and quirks.never_approved == "hidden"
            and ("start_date" in params or "end_date" in params),
        )

    def _filled(self, page: Page, items: list[dict[str, Any]], params: Params, rng: random.Random) -> Page:
        """Put items on a page that are not sent as they are."""
        paths = read.paths(params)
        if paths is not None:
            parts = [picked(item, paths) for item in items]
            page.nothing_selected = bool(items) and not any(parts)
            items = [part or {} for part in parts]
        if self._world.quirks.shuffle_keys:
            items = [shuffled(item, rng) for item in items]
        page.items = [encode(item) for item in items]
        return page


def _next(number: int, rows: int, total: int) -> str | None:
    """The token of the next page; None: there is none."""
    return page_token(number + 1, rows) if number * rows < total else None
