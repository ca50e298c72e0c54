"""Switches for what nobody outside Hotmart knows about its API, so that a client is tried both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Literal, get_args, get_type_hints

from airflow_provider_hotmart.api.enums import SaleStatus

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "date_filter": "date that start_date and end_date filter",
        "never_approved": "what date_filter=approval makes of a sale without an approval when dates are sent: "
        "its order date counts, or it is not found",
        "start_inclusive": "a sale dated exactly start_date is listed",
        "end_inclusive": "a sale dated exactly end_date is listed",
        "single_bound": "start_date or end_date alone: half open, ignored, or 400",
        "no_bound": "what is listed without start_date and end_date",
        "transaction_window": "a sale asked for by transaction without dates is found whatever its date, "
        "or within the default 30 days",
        "look_back": "start_date more than 730 whole days ago (age), or a window of more than 730 days (length), "
        "is answered 400",
        "several_values": "several values in one call: repeated keys, commas, the last one counts, or 400",
        "empty_shape": "body of an empty result: with items, page_info alone, or {}",
        "last_page_token": "next_page_token on the last page",
        "total_results": "pages of sales, subscriptions, tickets and users of the Club carry total_results",
        "max_page_size": "items on a page of products, sales and subscriptions at most, whatever max_results says",
        "max_page_size_elsewhere": "the same for offers, plans, coupons, tickets and users of the Club",
        "undocumented_max_results": "max_results where it is not documented, on coupons and users of the Club: "
        "honoured, ignored, or 400",
        "prev_page_token": "prev_page_token in page_info: absent, null, or the token of the page before",
        "wrong_credential": "error of a wrong client id or secret",
        "no_permission_status": "status of a credential that has no right to the API",
        "only_newest_token": "handing out a token makes all older ones invalid",
        "protested": "accepted names of the state PROTESTED, also called DISPUTE",
        "shuffle_keys": "the order of keys within objects changes from call to call",
        "json_layout": "white space in JSON: none, after commas and colons, or one value a line",
        "error_text": "key of the text in an error body",
        "order": "order of sales: newest first, arbitrary but stable, or another one in every call",
        "missing_values": "how a value that is not there looks",
        "rate_window": "the call budget refills with the clock's minute, or slides",
        "rate_headers": "headers about the call budget: all five, none, or Retry-After alone on a 429",
        "unexpected_headers": "request headers beyond the plain ones are ignored, or answered 400",
        "content_encoding": "gzip is used when the client accepts it",
        "price_statuses": "statuses that sales/price/details takes: all, or only those that its page names",
        "commission_currency_key": "key of the currency in sales/commissions",
        "subscription_dates": "dates of subscriptions that are not sent filter nothing, but where none is sent the "
        "accession in the last 30 days counts; or the defaults hold beside those that are sent: accession in the last "
        "30 days, and cancelled, if at all, in the last 30 days",
        "end_accession_date": "end_accession_date ends the range of accession_date, or of the date of cancelling",
        "summary_age": "summaries and transactions of subscriptions are up to date, or 24 hours old",
        "payment_delay_key": "key of the days without payment in the transactions of subscriptions",
        "date_unit": "unit of the dates of subscriptions and of users of the Club; the documentation's samples have "
        "seconds",
        "numeric_ucode": "offers and plans of a numeric id in place of a ucode: 500, or 200 without a body",
        "unknown_ucode": "offers and plans of a product that is not there: an empty result, or 404",
        "no_plans": "plans of a product that has none: 400, or an empty result",
        "club_without_subdomain": "the Club without a subdomain: 422, or empty",
        "ticket_nulls": "tickets have null for what is not known; otherwise the key is absent",
        "too_wide": "windows wider than this are answered 502, as slow queries are; None: no limit",
    }
)


@dataclass
class Quirks:
    """
    How the emulator behaves where Hotmart's documentation is silent. May be changed while it runs.

    What each switch means is in ``airflow_provider_hotmart.emulator.quirks.MEANINGS``; ``too_wide`` is a
    ``timedelta`` or None, the page sizes are numbers. A value or a name that does not exist is refused, because a
    misspelt switch would quietly test nothing.
    """

    date_filter: Literal["order", "approval"] = "order"
    never_approved: Literal["order_date", "hidden"] = "order_date"
    start_inclusive: bool = True
    end_inclusive: bool = True
    single_bound: Literal["open", "ignored", "error"] = "open"
    no_bound: Literal["last_30_days", "everything"] = "last_30_days"
    transaction_window: Literal["found", "default"] = "found"
    look_back: Literal["none", "age", "length"] = "none"
    several_values: Literal["repeat", "comma", "last", "error"] = "repeat"
    empty_shape: Literal["items", "no_items", "object"] = "items"
    last_page_token: Literal["absent", "null", "empty"] = "absent"
    total_results: bool = True
    max_page_size: int = 500
    max_page_size_elsewhere: int = 50
    undocumented_max_results: Literal["honoured", "ignored", "error"] = "honoured"
    prev_page_token: Literal["absent", "null", "token"] = "absent"
    wrong_credential: Literal["invalid_client", "unauthorized"] = "invalid_client"
    no_permission_status: Literal[403, 401] = 403
    only_newest_token: bool = False
    protested: Literal["both", "protested", "dispute"] = "both"
    shuffle_keys: bool = False
    json_layout: Literal["compact", "spaced", "indented"] = "compact"
    error_text: Literal["error_description", "message"] = "error_description"
    order: Literal["date", "arbitrary", "shuffled"] = "date"
    missing_values: Literal["mixed", "absent", "blank", "null"] = "mixed"
    rate_window: Literal["fixed", "sliding"] = "fixed"
    rate_headers: Literal["all", "none", "retry_after"] = "all"
    unexpected_headers: Literal["ignored", "error"] = "ignored"
    content_encoding: Literal["identity", "gzip"] = "identity"
    price_statuses: Literal["all", "documented"] = "all"
    commission_currency_key: Literal["currency_code", "currency_value"] = "currency_code"
    subscription_dates: Literal["only_given", "combined"] = "only_given"
    end_accession_date: Literal["range_end", "cancelling"] = "range_end"
    summary_age: Literal["none", "day"] = "none"
    payment_delay_key: Literal["payment_delays_days", "payment_delay_days"] = "payment_delays_days"
    date_unit: Literal["milliseconds", "seconds"] = "milliseconds"
    numeric_ucode: Literal["error", "empty_body"] = "error"
    unknown_ucode: Literal["empty", "not_found"] = "empty"
    no_plans: Literal["error", "empty"] = "error"
    club_without_subdomain: Literal["error", "empty"] = "error"
    ticket_nulls: bool = True
    too_wide: timedelta | None = None

    def __setattr__(self, name: str, value: object) -> None:
        if name not in MEANINGS:
            raise AttributeError(f"no such quirk: {name}; there are {', '.join(MEANINGS)}")
        if name == "too_wide":
            if value is not None and not isinstance(value, timedelta):
                raise ValueError(f"too_wide must be a timedelta or None, not {value!r}")
        elif name in COUNTS:
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number from 1, not {value!r}")
        elif not any(value is choice or value == choice for choice in _CHOICES[name]):
            raise ValueError(f"{name} must be one of {_CHOICES[name]}, not {value!r}")
        super().__setattr__(name, value)

    def sale_statuses(self) -> list[str]:
        """Give the names of a sale's status that are not answered 400."""
        refused = {"both": None, "protested": SaleStatus.DISPUTE, "dispute": SaleStatus.PROTESTED}[self.protested]
        return [status.value for status in SaleStatus if status is not refused]

    @classmethod
    def choices(cls) -> dict[str, list[Any]]:
        """Give all values of every switch, the default first. What takes a number is no switch and is left out."""
        return {name: list(values) for name, values in _CHOICES.items()}


#: Quirks that take a whole number instead of one of a few words.
COUNTS = ("max_page_size", "max_page_size_elsewhere")


def _choices() -> dict[str, list[Any]]:
    """Read the values of every switch from its annotation."""
    found: dict[str, list[Any]] = {}
    for name, hint in get_type_hints(Quirks).items():
        if name != "too_wide" and name not in COUNTS:
            default = getattr(Quirks, name)
            values = [False, True] if hint is bool else list(get_args(hint))
            found[name] = sorted(values, key=lambda value: value != default)
    return found


_CHOICES = _choices()
