"""One sale: who takes part in it and how its status changes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from airflow_provider_hotmart.api.enums import ParticipantRole, SaleStatus
from airflow_provider_hotmart.emulator.account.catalog import Catalog
from airflow_provider_hotmart.emulator.account.lives import Life
from airflow_provider_hotmart.emulator.account.money import Money, Share, money_of, payment_hint, shares
from airflow_provider_hotmart.emulator.account.people import People, User
from airflow_provider_hotmart.emulator.account.subscription import Subscription

_SOURCES = ("instagram", "google", "email", None, "youtube", None, None)


class Sale:
    """
    A sale. There may be a million of them, so it keeps next to nothing and makes its people when asked.

    :param index: its place in the world
    :param transaction: Hotmart's code, for instance HP2890000000
    :param product: as the API shows it
    :param ordered_at: epoch seconds, whole
    :param approved_at: epoch seconds of the payment, which may lie in the future; None: never
    :param timeline: statuses and when each begins
    :param buyer: number of the buyer, or a user made by hand
    :param others: role and number of everybody beyond the producer and the buyer
    :param cast: makes people and prices
    :param subscription: that the sale is a charge of; None: it is none
    """

    __slots__ = (
        "_buyer", "_cast", "_others", "_product", "_states", "_times",
        "approved_at", "filed_as", "filed_key", "index", "ordered_at", "payment_hint", "subscription", "transaction",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        transaction: str,
        product: dict[str, Any],
        ordered_at: int,
        approved_at: int | None,
        timeline: Life,
        buyer: int | User,
        others: tuple[tuple[ParticipantRole, int | User], ...],
        cast: Cast,
        subscription: Subscription | None = None,
    ) -> None:
        self.index = index
        self.transaction = transaction
        self.ordered_at = ordered_at
        self.approved_at = approved_at
        self.filed_as: SaleStatus | None = None
        self.filed_key = 0
        # Kept, because a sale that is moved by hand forgets what would have become of it.
        self.payment_hint = payment_hint(timeline[0])
        self.subscription = subscription
        if subscription is not None:
            subscription.sales.append(self)
        self._product = product
        self._states, self._times = timeline
        self._buyer = buyer
        self._others = others
        self._cast = cast

    @property
    def product_id(self) -> int:
        """Hotmart's number of the product."""
        return int(self._product["id"])

    @property
    def product(self) -> dict[str, Any]:
        """The product as a sale shows it."""
        return {"name": self._product["name"], "id": self._product["id"]}

    @property
    def catalog_product(self) -> dict[str, Any]:
        """The product as the list of products shows it."""
        return self._product

    @property
    def buyer(self) -> User:
        """The buyer as the API shows them."""
        return self._cast.user(ParticipantRole.BUYER, self._buyer)

    @property
    def producer(self) -> User:
        """The producer as the API shows them."""
        return self._cast.user(ParticipantRole.PRODUCER, 0)

    @property
    def buyer_key(self) -> str:
        """What tells one buyer from another."""
        if isinstance(self._buyer, int):
            return str(self._buyer)
        return self._buyer.get("ucode") or self._buyer.get("email") or self.transaction

    @property
    def money(self) -> Money:
        """What the sale costs."""
        catalog, product = self._cast.catalog, self._product
        digest = catalog.digest("sale", self.index)
        abroad = digest[6] if self.subscription is None else self.subscription.number * 97 % 256
        return money_of(self, catalog.offers(product), catalog.coupons(product), digest, abroad)

    def shares(self, money: Money) -> list[tuple[Share, User]]:
        """
        Who earns what by the sale, and who they are.

        :param money: what it costs
        """
        return [(share, self._cast.user(share.role, share.person)) for share in shares(self, money)]

    def choice(self, *names: object) -> bytes:
        """
        A source of choices, the same for the same names.

        :param names: what is to be chosen
        """
        return self._cast.catalog.digest(*names, self.index)

    @property
    def life(self) -> list[tuple[int, SaleStatus]]:
        """When each status begins, in epoch seconds; it goes on beyond the clock's now."""
        return list(zip(self._times, self._states, strict=True))

    @property
    def timeline(self) -> Life:
        """The life as it is stored: statuses and beginnings."""
        return self._states, self._times

    @timeline.setter
    def timeline(self, timeline: Life) -> None:
        self._states, self._times = timeline

    @property
    def participants(self) -> list[dict[str, Any]]:
        """Everybody in the sale as the API shows them: role and user."""
        return [{"role": role.value, "user": self._cast.user(role, person)} for role, person in self.people]

    @property
    def people(self) -> tuple[tuple[ParticipantRole, int | User], ...]:
        """Role and number of everybody, or role and user of those made by hand."""
        return (ParticipantRole.PRODUCER, 0), (ParticipantRole.BUYER, self._buyer), *self._others

    @property
    def sales_source(self) -> str | None:
        """Where the buyer came from."""
        return _SOURCES[self.index % len(_SOURCES)]

    def status_at(self, moment: float) -> SaleStatus | None:
        """
        Give the status at a moment; None before the order.

        :param moment: epoch seconds
        """
        step = bisect_right(self._times, moment)
        return self._states[step - 1] if step else None

    def next_change(self, moment: float) -> int | None:
        """
        Tell when the next status begins, in epoch seconds; None: never.

        :param moment: epoch seconds
        """
        step = bisect_right(self._times, moment)
        return self._times[step] if step < len(self._times) else None

    def date(self, date_filter: str, moment: float) -> int:
        """
        Give the date, in epoch seconds, that a window is compared with.

        :param date_filter: "order" or "approval"; what is not approved yet has only its order date
        :param moment: epoch seconds
        """
        approved = self.approved_at if date_filter == "approval" else None
        return self.ordered_at if approved is None or approved > moment else approved

    def last_change(self, moment: float) -> int:
        """
        Tell when the status began that holds at a moment, in epoch seconds.

        :param moment: epoch seconds, not before the order
        """
        return self._times[max(0, bisect_right(self._times, moment) - 1)]

    def is_approved(self, moment: float) -> bool:
        """
        Tell whether the payment had arrived at a moment.

        :param moment: epoch seconds
        """
        return self.approved_at is not None and self.approved_at <= moment

    def __repr__(self) -> str:
        return f"Sale({self.transaction})"


class Cast:
    """
    Makes the people of sales, and what they pay for.

    :param people: everybody
    :param catalog: what is sold
    :param missing: tells how a value that is not there looks now
    """

    __slots__ = ("catalog", "missing", "people")

    def __init__(self, people: People, catalog: Catalog, missing: Callable[[], str]) -> None:
        self.people = people
        self.catalog = catalog
        self.missing = missing

    def user(self, role: ParticipantRole, person: int | User) -> User:
        """
        A person as the API shows them.

        :param role: of the person
        :param person: number, or a user made by hand
        """
        return person if isinstance(person, dict) else self.people.user(role, person, self.missing())
