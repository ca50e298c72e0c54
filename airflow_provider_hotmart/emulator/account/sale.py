"""One sale: who takes part in it and how its status changes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from airflow_provider_hotmart.api.enums import ParticipantRole, SaleStatus
from airflow_provider_hotmart.emulator.account.lives import Life
from airflow_provider_hotmart.emulator.account.people import People, User

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
    :param cast: makes people
    """

    __slots__ = (
        "_buyer", "_cast", "_others", "_product", "_states", "_times",
        "approved_at", "filed_as", "filed_key", "index", "ordered_at", "transaction",
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
        others: tuple[tuple[ParticipantRole, int], ...],
        cast: Cast,
    ) -> None:
        self.index = index
        self.transaction = transaction
        self.ordered_at = ordered_at
        self.approved_at = approved_at
        self.filed_as: SaleStatus | None = None
        self.filed_key = 0
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
        missing = self._cast.missing()
        shown: list[dict[str, Any]] = []
        for role, person in self.people:
            user = person if isinstance(person, dict) else self._cast.people.user(role, person, missing)
            shown.append({"role": role.value, "user": user})
        return shown

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
        The status at a moment; None before the order.

        :param moment: epoch seconds
        """
        step = bisect_right(self._times, moment)
        return self._states[step - 1] if step else None

    def next_change(self, moment: float) -> int | None:
        """
        When the next status begins, in epoch seconds; None: never.

        :param moment: epoch seconds
        """
        step = bisect_right(self._times, moment)
        return self._times[step] if step < len(self._times) else None

    def date(self, date_filter: str, moment: float) -> int:
        """
        The date, in epoch seconds, that a window is compared with.

        :param date_filter: "order" or "approval"; what is not approved yet has only its order date
        :param moment: epoch seconds
        """
        approved = self.approved_at if date_filter == "approval" else None
        return self.ordered_at if approved is None or approved > moment else approved

    def is_approved(self, moment: float) -> bool:
        """
        Whether the payment had arrived at a moment.

        :param moment: epoch seconds
        """
        return self.approved_at is not None and self.approved_at <= moment

    def __repr__(self) -> str:
        return f"Sale({self.transaction})"


class Cast:
    """
    Makes the people of sales.

    :param people: everybody
    :param missing: tells how a value that is not there looks now
    """

    __slots__ = ("missing", "people")

    def __init__(self, people: People, missing: Callable[[], str]) -> None:
        self.people = people
        self.missing = missing
