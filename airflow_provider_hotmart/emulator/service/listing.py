"""From the rows that a call is answered with to one page of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_hotmart.emulator.account.world import World
from airflow_provider_hotmart.emulator.quirks import Quirks
from airflow_provider_hotmart.emulator.service import params as read
from airflow_provider_hotmart.emulator.service.answers import Page
from airflow_provider_hotmart.emulator.service.bodies import encode, picked, shuffled
from airflow_provider_hotmart.emulator.service.params import Params

#: Parameters that every endpoint with pages takes.
PAGING = ("max_results", "page_token")


@dataclass(frozen=True)
class Request:
    """
    A call to an endpoint.

    :param params: its query
    :param values: what its path holds
    :param world: what there is
    """

    params: Params
    values: Mapping[str, str]
    world: World

    @property
    def quirks(self) -> Quirks:
        """How the API behaves."""
        return self.world.quirks


@dataclass(frozen=True)
class Listing:
    """
    The rows that a call is answered with.

    :param rows: all of them, in order; whatever ``row`` takes
    :param row: makes the JSON object of one
    :param has_total: whether the service tells how many there are
    :param shuffles: whether their order may change from call to call
    :param texts: makes the JSON texts of some, where that is quicker
    :param most: rows on a page at most; None: as everywhere
    :param usual: rows on a page when the client does not say
    :param counts_on_client: whether the client says how many
    :param size_key: of page tokens
    :param form: as in ``Page``
    """

    rows: Sequence[Any]
    row: Callable[[Any], dict[str, Any]]
    has_total: bool = False
    shuffles: bool = False
    texts: Callable[[Sequence[Any]], list[bytes]] | None = None
    most: int | None = None
    usual: int = read.USUAL_ROWS
    counts_on_client: bool = True
    size_key: str = "rows"
    form: str = "page"

    def page(self, request: Request, rng: random.Random, shift: int = 0, keep_total: bool = False) -> Page:
        """
        Give the page that a call asks for.

        :param request: the call
        :param rng: decides what is to change from call to call
        :param shift: rows that have just appeared in front; negative: gone from there
        :param keep_total: the number of rows is as it was
        """
        if self.form != "page":
            page = Page([], 1, len(self.rows) or 1, form=self.form)
            return self._fill(page, self.rows, request, rng)
        quirks, params = request.quirks, request.params
        asked_size = params if self.counts_on_client else {}
        size = read.rows(asked_size, self.most or quirks.max_page_size, self.usual)
        number, asked = read.page(params, size)
        count = len(self.rows)
        total = max(0, count + shift)
        # What would have appeared is not there to be shown: the first row comes in its place.
        places = [max(0, place - shift) for place in range((number - 1) * size, min(number * size, total))]
        if self.shuffles and quirks.order == "shuffled":
            # A stretch of a random order is a random choice.
            places = rng.sample(range(count), min(len(places), count))
        page = Page([], number, size, asked, size_key=self.size_key)
        page.next = page.token(number + 1) if number * size < total else None
        page.total = (total - shift if keep_total else total) if self.has_total else None
        return self._fill(page, [self.rows[place] for place in places if place < count], request, rng)

    def _fill(self, page: Page, rows: Sequence[Any], request: Request, rng: random.Random) -> Page:
        paths = read.paths(request.params)
        if paths is None and not request.quirks.shuffle_keys and self.texts is not None:
            page.items = self.texts(rows)
            return page
        items = [self.row(row) for row in rows]
        if paths is not None:
            parts = [picked(item, paths) for item in items]
            page.nothing_selected = bool(items) and not any(parts)
            items = [part or {} for part in parts]
        if request.quirks.shuffle_keys:
            items = [shuffled(item, rng) for item in items]
        page.items = [encode(item) for item in items]
        return page
