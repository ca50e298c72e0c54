"""What is really there, worked out the slow and simple way, to compare listings with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from airflow_provider_hotmart.api.enums import ParticipantRole, SaleStatus
from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.account.world import World, state_named
from airflow_provider_hotmart.emulator.clock import epoch

#: Transaction, role, ucode (None: missing) and status of a participant.
Identity = tuple[str, str, str | None, str]


def truth(
    world: World,
    statuses: SaleStatus | str | Iterable[SaleStatus | str] | None,
    start: datetime | float | None,
    end: datetime | float | None,
    product_id: int | None,
    transaction: str | None,
    buyer_email: str | None,
) -> set[Identity]:
    """
    List everybody in the sales that fit, at the clock's now.

    :param world: where to look
    :param statuses: one or several; None: all
    :param start: first moment inside; None: no bound
    :param end: first moment outside; None: no bound
    :param product_id: None: all products
    :param transaction: this one alone
    :param buyer_email: exactly as it is stored
    """
    now, quirks = world.clock.now(), world.quirks
    bounded = start is not None or end is not None
    approved_only = bounded and quirks.date_filter == "approval" and quirks.never_approved == "hidden"
    wanted = _states(statuses, quirks.sale_statuses())
    low = float("-inf") if start is None else epoch(start)
    high = float("inf") if end is None else epoch(end)
    found: set[Identity] = set()
    for sale in world.sales:
        status = sale.status_at(now)
        if status not in wanted or not low <= sale.date(quirks.date_filter, now) < high:
            continue
        if approved_only and not sale.is_approved(now):
            continue
        if product_id not in (None, sale.product_id) or transaction not in (None, sale.transaction):
            continue
        if buyer_email is not None and buyer_email not in _buyer_emails(sale):
            continue
        old_name = status is SaleStatus.PROTESTED and quirks.protested == "dispute"
        shown = SaleStatus.DISPUTE if old_name else status
        found.update((sale.transaction, role, ucode, shown.value) for role, ucode in _identities(world, sale))
    return found


def _states(statuses: SaleStatus | str | Iterable[SaleStatus | str] | None, accepted: list[str]) -> set[SaleStatus]:
    """Give the states behind names; a name that the service refuses finds nothing."""
    if statuses is None:
        return {state_named(status) for status in SaleStatus}
    names = [statuses] if isinstance(statuses, str) else list(statuses)
    return {state_named(name) for name in names if SaleStatus(name).value in accepted}


def _identities(world: World, sale: Sale) -> Iterator[tuple[str, str | None]]:
    for role, person in sale.people:
        ucode = person.get("ucode") if isinstance(person, dict) else world.people.ucode(role, person)
        yield role.value, ucode or None


def _buyer_emails(sale: Sale) -> list[str]:
    people = (one["user"] for one in sale.participants if one["role"] == ParticipantRole.BUYER)
    return [user["email"] for user in people if user.get("email")]
