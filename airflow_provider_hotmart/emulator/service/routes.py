"""The calls that the emulator answers: which path, which parameters, which endpoint."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_provider_hotmart.emulator.account.world import World
from airflow_provider_hotmart.emulator.service import params as read
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.emulator.service.endpoints import club, events, products, sales, subscriptions, user
from airflow_provider_hotmart.emulator.service.listing import PAGING, Listing, Request
from airflow_provider_hotmart.emulator.service.params import Params

_SALES = "/payments/api/v1/sales"
_SUBSCRIPTIONS = "/payments/api/v1/subscriptions"
_PRODUCTS = "/products/api/v1"
#: Parameters that choose from what was found.
_OF_THE_PAGE = (*PAGING, "select")
_KEPT_LISTINGS = 8


@dataclass(frozen=True)
class Route:
    """
    One endpoint.

    :param path: its parts that begin with a colon stand for anything
    :param params: that it takes; any other is answered 400
    :param endpoint: answers a call
    :param is_slow: looks at everything there is: what it has found is kept, because its other pages follow
    """

    path: str
    params: tuple[str, ...]
    endpoint: Callable[[Request], Listing | Answer]
    is_slow: bool = False

    def values(self, path: str) -> dict[str, str] | None:
        """
        Tell what a path has in the places that stand for anything; None: it is the path of another endpoint.

        :param path: of a call
        """
        own, theirs = self.path.split("/"), path.split("/")
        if len(own) != len(theirs):
            return None
        found: dict[str, str] = {}
        for part, actual in zip(own, theirs, strict=True):
            if part.startswith(":") and actual:
                found[part[1:]] = actual
            elif part != actual:
                return None
        return found


class Routes:
    """
    Answers API calls from a world.

    :param world: what there is
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes = (
            Route(f"{_PRODUCTS}/products", products.PARAMS, products.products),
            Route(f"{_PRODUCTS}/products/:ucode/offers", (*PAGING, "select"), products.offers),
            Route(f"{_PRODUCTS}/products/:ucode/plans", (*PAGING, "select"), products.plans),
            Route(f"{_PRODUCTS}/coupon/product/:product_id", products.COUPON_PARAMS, products.coupons),
            Route(f"{_SALES}/users", sales.USERS_PARAMS, sales.Sales().users),
            Route(f"{_SALES}/history", sales.HISTORY_PARAMS, sales.history),
            Route(f"{_SALES}/commissions", sales.COMMISSIONS_PARAMS, sales.commissions),
            Route(f"{_SALES}/price/details", sales.PRICE_PARAMS, sales.price_details),
            Route(f"{_SALES}/summary", sales.SUMMARY_PARAMS, sales.summary, True),
            Route(_SUBSCRIPTIONS, subscriptions.PARAMS, subscriptions.subscriptions, True),
            Route(f"{_SUBSCRIPTIONS}/summary", subscriptions.SUMMARY_PARAMS, subscriptions.summary, True),
            Route(
                f"{_SUBSCRIPTIONS}/transactions",
                subscriptions.TRANSACTIONS_PARAMS,
                subscriptions.transactions,
                is_slow=True,
            ),
            Route(f"{_SUBSCRIPTIONS}/:subscriber_code/purchases", (), subscriptions.purchases),
            Route("/club/api/v1/modules", club.MODULES_PARAMS, club.modules),
            Route("/club/api/v1/modules/:module_id/pages", club.PAGES_PARAMS, club.pages),
            Route("/club/api/v2/modules/:module_id/pages", club.PAGES_PARAMS, club.pages_of_product),
            Route("/club/api/v1/users", club.USERS_PARAMS, club.users, True),
            Route("/club/api/v1/users/:user_id/lessons", club.LESSONS_PARAMS, club.lessons),
            Route("/events/api/v1/:event_id/info", (), events.info),
            Route(
                "/events/api/v1/:event_id/participants", events.PARTICIPANTS_PARAMS, events.participants, is_slow=True
            ),
            Route("/user/api/v1/me", (), user.me),
        )
        self._listings: OrderedDict[object, Listing | Answer] = OrderedDict()
        self._by_path = {route.path: route for route in self._routes if ":" not in route.path}

    def find(self, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """
        Give the endpoint of a path, and what the path names; None: there is none.

        :param path: of a call
        """
        if path in self._by_path:
            return self._by_path[path], {}
        for route in self._routes:
            values = route.values(path)
            if values is not None:
                return route, values
        return None

    def answer(self, path: str, params: Params, rng: random.Random, shift: int = 0, keep_total: bool = False) -> Answer:
        """
        Answer a call.

        :param path: of the call
        :param params: of the call
        :param rng: decides what is to change from call to call
        :param shift: rows that have just appeared in front; negative: gone from there
        :param keep_total: the number of rows is as it was
        """
        found = self.find(path)
        if found is None:
            raise read.RequestError("not_found", "", 404)
        route, values = found
        read.check_names(params, route.params)
        request = Request(params, values, self._world)
        # No sale may come or go between the search and the page.
        with self._world.lock:
            made = self._kept(route, request, path) if route.is_slow else route.endpoint(request)
            return made if isinstance(made, Answer) else Answer(200, page=made.page(request, rng, shift, keep_total))

    def _kept(self, route: Route, request: Request, path: str) -> Listing | Answer:
        """Give what a call has found, or another page of it; nothing but whole seconds, hands and quirks change it."""
        world = self._world
        asked = frozenset((name, tuple(value)) for name, value in request.params.items() if name not in _OF_THE_PAGE)
        name = (path, asked, world.version, int(world.clock.now()), tuple(vars(world.quirks).values()))
        found = self._listings.get(name)
        if found is None:
            found = self._listings[name] = route.endpoint(request)
            while len(self._listings) > _KEPT_LISTINGS:
                self._listings.popitem(last=False)
        return found
