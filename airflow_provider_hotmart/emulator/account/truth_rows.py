"""The rows that every endpoint has to show, worked out the slow and simple way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from airflow_provider_hotmart.emulator.account import product_rows, rows, subscription_rows
from airflow_provider_hotmart.emulator.account.club import Club, founded_at
from airflow_provider_hotmart.emulator.account.lives import DAY
from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.account.subscription import CANCELLED, State, Subscription
from airflow_provider_hotmart.emulator.account.world import World, state_named
from airflow_provider_hotmart.emulator.clock import epoch
from airflow_provider_hotmart.emulator.quirks import Quirks

Row = dict[str, Any]
Filters = dict[str, Any]


class TruthRows:
    """
    The true rows of every endpoint, at the clock's now.

    :param world: where to look
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._makers: dict[str, Callable[[Filters], Iterable[Row]]] = {
            "products": self._products,
            "products/:ucode/offers": lambda wanted: product_rows.offers(world.catalog, self._product(wanted)),
            "products/:ucode/plans": lambda wanted: product_rows.plans(world.catalog, self._product(wanted)),
            "coupon/product/:product_id": self._coupons,
            "sales/users": lambda wanted: map(rows.participants, self._sales(wanted)),
            "sales/history": lambda wanted: map(self._history, self._sales(wanted)),
            "sales/commissions": lambda wanted: (rows.commissions(sale, world.quirks) for sale in self._sales(wanted)),
            "sales/price/details": lambda wanted: map(rows.price_details, self._sales(wanted)),
            "sales/summary": lambda wanted: rows.summary(self._sales(wanted)),
            "subscriptions": self._subscriptions,
            "subscriptions/summary": self._summary,
            "subscriptions/transactions": self._transactions,
            "subscriptions/:subscriber_code/purchases": self._purchases,
            "club/modules": self._modules,
            "club/modules/:module_id/pages": self._pages,
            "club/users": self._students,
            "club/users/:user_id/lessons": self._lessons,
            "events/:event_id/info": self._info,
            "events/:event_id/participants": self._tickets,
            "user/me": lambda _: [world.profile()],
        }

    def of(self, endpoint: str, filters: Filters) -> list[Row]:
        """
        Give the rows of an endpoint.

        :param endpoint: as in ``HotmartEmulator.truth_rows``
        :param filters: likewise
        """
        if endpoint not in self._makers:
            raise ValueError(f"no such endpoint: {endpoint}; there are {', '.join(self._makers)}")
        wanted = {name: value for name, value in filters.items() if value is not None}
        for name in wanted:
            if name.endswith(("_date", "date_next_charge", "last_update")):
                wanted[name] = epoch(wanted[name])
        with self._world.lock:
            found = list(self._makers[endpoint](wanted))
        if wanted:
            raise ValueError(f"{endpoint} has no filter {', '.join(wanted)}")
        return found

    @property
    def _now(self) -> float:
        return self._world.clock.now()

    # Each filter that is used is taken out of ``wanted``: what is left in the end is a name that does not exist.

    def _products(self, wanted: Filters) -> Iterable[Row]:
        return _fitting(map(dict, self._world.products), wanted, _OF_A_PRODUCT)

    def _product(self, wanted: Filters, key: str = "ucode", name: str = "ucode") -> Row:
        product = self._world.product(**{key: wanted.pop(name)})
        if product is None:
            raise ValueError(f"no such product: {name}")
        return product

    def _coupons(self, wanted: Filters) -> Iterable[Row]:
        code = wanted.pop("code", None)
        found = product_rows.coupons(self._world.catalog, self._product(wanted, "id", "product_id"))
        return [row for row in found if code in (None, row["coupon_code"])]

    def _history(self, sale: Sale) -> Row:
        return rows.history(sale, self._world.quirks, self._now)

    def _sales(self, wanted: Filters) -> list[Sale]:
        """Give the sales that fit, oldest first; judged by their own row of sales/history."""
        quirks, now = self._world.quirks, self._now
        low, high = wanted.pop("start_date", None), wanted.pop("end_date", None)
        statuses = wanted.pop("transaction_status", None)
        states = None if statuses is None else {state_named(one) for one in _several(statuses)}
        asked = {name: wanted.pop(name) for name in tuple(wanted) if name in _OF_A_SALE}
        hides = quirks.date_filter == "approval" and quirks.never_approved == "hidden" and (low or high) is not None
        found: list[Sale] = []
        for sale in self._world.sales:
            status = sale.status_at(now)
            if status is None or (states is not None and status not in states):
                continue
            if not _between(sale.date(quirks.date_filter, now), low, high) or (hides and not sale.is_approved(now)):
                continue
            row = self._history(sale)
            if all(_any_of(value, _OF_A_SALE[name](sale, row)) for name, value in asked.items()):
                found.append(sale)
        return found

    def _states(self, moment: float) -> Iterator[tuple[Subscription, State]]:
        for subscription in self._world.subscriptions:
            state = subscription.state_at(moment)
            if state is not None:
                yield subscription, state

    def _dated(self, wanted: Filters, moment: float) -> list[tuple[Subscription, State]]:
        """Subscriptions whose dates fit; a bound of a date leaves out those that have no such date."""
        bounds = {name: wanted.pop(name, None) for name in _SUBSCRIPTION_DATES}
        found: list[tuple[Subscription, State]] = []
        for subscription, state in self._states(moment):
            cancelled = state.ended_at if state.status in CANCELLED else None
            dates = (state.accession_at, cancelled, state.next_charge_at)
            names = tuple(_SUBSCRIPTION_DATES)
            pairs = [(bounds[names[2 * place]], bounds[names[2 * place + 1]]) for place in range(3)]
            if all(_between(date, *pair) for date, pair in zip(dates, pairs, strict=True)):
                found.append((subscription, state))
        return found

    def _subscriptions(self, wanted: Filters) -> Iterable[Row]:
        transaction = wanted.pop("transaction", None)
        found = [
            subscription_rows.subscription_row(subscription, state, self._world.quirks)
            for subscription, state in self._dated(wanted, self._now)
            if transaction is None or transaction in {sale.transaction for sale in subscription.sales}
        ]
        return _fitting(found, wanted, _OF_A_SUBSCRIPTION)

    def _old(self) -> float:
        return self._now - (DAY if self._world.quirks.summary_age == "day" else 0)

    def _summary(self, wanted: Filters) -> Iterable[Row]:
        moment = self._old()
        found = [subscription_rows.summary_row(*one, moment) for one in self._dated(wanted, moment)]
        return _fitting(found, wanted, _OF_A_SUMMARY)

    def _transactions(self, wanted: Filters) -> Iterable[Row]:
        moment, quirks = self._old(), self._world.quirks
        low, high = wanted.pop("transaction_date", None), wanted.pop("end_transaction_date", None)
        found = [
            row
            for sale in self._world.sales
            if sale.subscription is not None and sale.ordered_at <= moment and _between(sale.ordered_at, low, high)
            for row in _charge_rows(sale, sale.subscription, quirks, moment)
        ]
        return _fitting(found, wanted, _OF_A_CHARGE)

    def _purchases(self, wanted: Filters) -> Iterable[Row]:
        code = wanted.pop("subscriber_code")
        return [
            subscription_rows.purchase_row(sale, subscription, self._world.quirks, self._now)
            for subscription, state in self._states(self._now)
            if subscription.code == code
            for sale in state.sales
        ]

    def _club(self, wanted: Filters) -> Club:
        name = wanted.pop("subdomain")
        club = self._world.club(name)
        if club is None:
            raise ValueError(f"no such subdomain: {name}")
        return club

    def _modules(self, wanted: Filters) -> Iterable[Row]:
        is_extra = wanted.pop("is_extra", False)
        return [row for row in self._club(wanted).modules() if row["is_extra"] is is_extra]

    def _pages(self, wanted: Filters) -> Iterable[Row]:
        club, module_id = self._club(wanted), wanted.pop("module_id")
        return [page for row in club.modules() if row["module_id"] == module_id for page in club.pages(row)]

    def _students(self, wanted: Filters) -> Iterable[Row]:
        club, part = self._club(wanted), wanted.pop("email", "")
        quirks = self._world.quirks
        found = [club.user_row(student, quirks, self._now) for student in self._in(club)]
        return [row for row in found if part.casefold() in row["email"].casefold()]

    def _lessons(self, wanted: Filters) -> Iterable[Row]:
        club, user_id = self._club(wanted), wanted.pop("user_id")
        return [
            lesson
            for student in self._in(club)
            if club.user_id(student) == user_id
            for lesson in club.lessons(student, self._now)
        ]

    def _in(self, club: Club) -> Iterable[Any]:
        sales = [sale for sale in self._world.sales if sale.product_id == club.product["id"]]
        return club.students(sales, self._now, founded_at(club.product))

    def _info(self, wanted: Filters) -> Iterable[Row]:
        event = self._world.event(wanted.pop("event_id"))
        return [] if event is None else [event.info()]

    def _tickets(self, wanted: Filters) -> Iterable[Row]:
        event_id, since = wanted.pop("event_id"), wanted.pop("last_update", None)
        event = self._world.event(event_id)
        if event is None:
            raise ValueError(f"no such event: {event_id}")
        sales = [sale for sale in self._world.sales if sale.product_id == event_id]
        tickets = event.tickets(sales, self._now, founded_at(event.product))
        found = [event.ticket_row(ticket, self._world.quirks) for ticket in tickets]
        if since is not None:
            found = [row for row in found if row["eticket"]["current_update"] >= since * 1000]
        wanted.setdefault("ticket_status", ("SOLD", "INVITE"))
        return _fitting(found, wanted, _OF_A_TICKET)


_SUBSCRIPTION_DATES = (
    "accession_date",
    "end_accession_date",
    "cancelation_date",
    "end_cancelation_date",
    "date_next_charge",
    "end_date_next_charge",
)
_OF_A_PRODUCT: dict[str, Callable[[Row], Any]] = {name: itemgetter(name) for name in ("id", "status", "format")}
_OF_A_SALE: dict[str, Callable[[Sale, Row], Any]] = {
    "transaction": lambda _, row: row["purchase"]["transaction"],
    "product_id": lambda _, row: row["product"]["id"],
    "buyer_email": lambda _, row: row["buyer"].get("email"),
    "buyer_name": lambda _, row: row["buyer"].get("name"),
    "sales_source": lambda _, row: row["purchase"].get("tracking", {}).get("source"),
    "payment_type": lambda _, row: row["purchase"]["payment"]["type"],
    "offer_code": lambda _, row: row["purchase"]["offer"]["code"],
    "affiliate_name": lambda sale, _: next(
        (one["user"].get("name") for one in sale.participants if one["role"] == "AFFILIATE"), None
    ),
}
_OF_A_SUBSCRIPTION: dict[str, Callable[[Row], Any]] = {
    "product_id": lambda row: row["product"]["id"],
    "plan": lambda row: row["plan"]["name"],
    "plan_id": lambda row: row["plan"]["id"],
    "status": lambda row: row["status"],
    "subscriber_code": lambda row: row["subscriber_code"],
    "subscriber_email": lambda row: row["subscriber"].get("email"),
    "trial": lambda row: row["trial"],
}
_OF_A_SUMMARY = {name: _OF_A_SUBSCRIPTION[name] for name in ("product_id", "subscriber_code")}
_OF_A_CHARGE: dict[str, Callable[[Row], Any]] = {
    "product_id": lambda row: row["product"]["id"],
    "transaction": lambda row: row["purchase"]["transaction"],
    "subscriber_name": lambda row: row["subscriber"].get("name"),
    "subscriber_email": lambda row: row["subscriber"].get("email"),
    "subscriber_code": lambda row: row["subscriber_code"],
    "billing_type": lambda row: row["billing_type"],
    "subscription_status": lambda row: row["status"],
    "recurrency_status": lambda row: row["recurrency"]["status"],
    "purchase_status": lambda row: row["purchase"]["status"],
    "offer_code": lambda row: row["plan"]["offer"]["key"],
    "purchase_payment_type": lambda row: row["purchase"]["payment"]["payment_type"],
}
_OF_A_TICKET: dict[str, Callable[[Row], Any]] = {
    "buyer_email": lambda row: row["buyer"].get("email"),
    "participant_email": lambda row: row["participant"].get("email"),
    "id_lot": lambda row: row["lot"]["id"],
    "ticket_status": lambda row: row["eticket"]["ticket_status"],
    "ticket_type": lambda row: row["eticket"]["ticket_type"],
    "checkin_status": lambda row: row["eticket"]["checkin_status"],
    "id_eticket": lambda row: row["eticket"]["id"],
    "ticket_qr_code": lambda row: row["eticket"]["ticket_qr_code"],
}


def _charge_rows(sale: Sale, subscription: Subscription, quirks: Quirks, moment: float) -> list[Row]:
    """One row for each currency that somebody is really paid in."""
    currencies = dict.fromkeys(share.currency for share, _ in sale.shares(sale.money))
    return [subscription_rows.transaction_row(sale, subscription, currency, quirks, moment) for currency in currencies]


def _fitting(found: Iterable[Row], wanted: Filters, read: Mapping[str, Callable[[Row], Any]]) -> list[Row]:
    """Choose rows by the filters that compare something that can be read in them."""
    asked = {name: wanted.pop(name) for name in tuple(wanted) if name in read}
    return [row for row in found if all(_any_of(value, read[name](row)) for name, value in asked.items())]


def _several(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)


def _any_of(wanted: Any, value: Any) -> bool:
    """Tell whether a value is the one, or one of those, that are wanted; None: any."""
    if wanted is None:
        return True
    return any(_same(one, value) for one in _several(wanted))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.strip().casefold() == other.strip().casefold()
    return bool(one == other)


def _between(date: float | None, low: float | None, high: float | None) -> bool:
    """Tell whether a date lies between two, the first inside and the last outside; no date lies between none."""
    if low is None and high is None:
        return True
    return date is not None and (low is None or date >= low) and (high is None or date < high)
