"""The bodies of webhooks, with what is odd about them in recordings."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from airflow_provider_hotmart.api.enums import ParticipantRole, SaleStatus
from airflow_provider_hotmart.emulator.account.lives import DAY
from airflow_provider_hotmart.emulator.account.money import amount
from airflow_provider_hotmart.emulator.account.rows import ms
from airflow_provider_hotmart.emulator.account.sale import Sale

#: Which event tells of a new status.
EVENTS: Mapping[SaleStatus, str] = MappingProxyType(
    {
        SaleStatus.APPROVED: "PURCHASE_APPROVED",
        SaleStatus.COMPLETE: "PURCHASE_COMPLETE",
        SaleStatus.CANCELLED: "PURCHASE_CANCELED",
        SaleStatus.PRINTED_BILLET: "PURCHASE_BILLET_PRINTED",
        SaleStatus.WAITING_PAYMENT: "PURCHASE_BILLET_PRINTED",
        SaleStatus.PROTESTED: "PURCHASE_PROTEST",
        SaleStatus.REFUNDED: "PURCHASE_REFUNDED",
        SaleStatus.CHARGEBACK: "PURCHASE_CHARGEBACK",
        SaleStatus.EXPIRED: "PURCHASE_EXPIRED",
        SaleStatus.OVERDUE: "PURCHASE_DELAYED",
    }
)
#: Words of ``purchase.status`` that the rest of the API does not use.
_WORDS = {
    "PURCHASE_COMPLETE": "COMPLETED",
    "PURCHASE_CANCELED": "CANCELED",
    "PURCHASE_BILLET_PRINTED": "BILLET_PRINTED",
    "PURCHASE_PROTEST": "DISPUTE",
    "PURCHASE_DELAYED": "DELAYED",
}
OTHER_EVENTS = (
    "PURCHASE_OUT_OF_SHOPPING_CART",
    "SUBSCRIPTION_CANCELLATION",
    "SWITCH_PLAN",
    "UPDATE_SUBSCRIPTION_CHARGE_DATE",
    "CLUB_FIRST_ACCESS",
    "CLUB_MODULE_COMPLETED",
    "ORDER_FULFILLMENT",
)
#: All that Hotmart sends.
ALL_EVENTS = (*dict.fromkeys(EVENTS.values()), *OTHER_EVENTS)
_PLAN = {"id": 123456, "name": "Plano mensal"}


def webhook(event: str, sale: Sale, at: float, *, number: int = 0, role: str = "PRODUCER") -> dict[str, Any]:
    """
    Make a body.

    :param event: its kind; one that Hotmart does not have is made as well
    :param sale: that it is about, or whose buyer and product it is about
    :param at: epoch seconds of the event
    :param number: another one, another id
    :param role: whose copy it is; each has an id of its own
    """
    made = uuid.uuid5(uuid.NAMESPACE_URL, f"{sale.transaction} {event} {at} {number} {role}")
    is_sale = event in EVENTS.values()
    # Of all events, one writes the name of its date in another way.
    date = "creationDate" if event == "CLUB_FIRST_ACCESS" else "creation_date"
    return {
        "id": str(made),
        date: int(at * 1000),
        "event": event,
        "version": "2.0.0",
        "data": _purchase(event, sale, at, role) if is_sale else _other(event, sale, at),
    }


def trial(sale: Sale, at: float, number: int, hottok: str) -> dict[str, Any]:
    """
    Make the body that the button of the panel sends: of a product whose id is 0, and with the token in it.

    :param sale: to be like
    :param at: epoch seconds
    :param number: another one, another id
    :param hottok: the token
    """
    body = webhook("PURCHASE_APPROVED", sale, at, number=number, role="TEST") | {"hottok": hottok}
    body["data"]["product"]["id"] = 0
    body["data"]["purchase"]["transaction"] = "HP16015479281022"
    return body


def _purchase(event: str, sale: Sale, at: float, role: str) -> dict[str, Any]:
    money, buyer, product = sale.money, sale.buyer, sale.catalog_product
    first, _, last = (buyer.get("name") or "").partition(" ")
    status = next(status for status, name in EVENTS.items() if name == event)
    purchase: dict[str, Any] = {
        "transaction": sale.transaction,
        "status": _WORDS.get(event, status.value),
        "order_date": ms(sale.ordered_at),
        "full_price": {"value": amount(money.total), "currency_value": money.currency},
        "original_offer_price": {"value": amount(money.total), "currency_value": money.currency},
        "price": {"value": amount(money.total), "currency_value": money.currency},
        "offer": {"code": money.offer.code},
        "checkout_country": {"name": "Brasil", "iso": "BR"},
        "order_bump": {"is_order_bump": False},
        "payment": {"type": money.payment_type.value, "installments_number": money.installments},
        "invoice_by": "SELLER",
        "is_funnel": False,
        "business_model": "I",
        "subscription_anticipation_purchase": False,
    }
    shown: dict[str, Any] = {
        "id": sale.product_id,
        "ucode": product["ucode"],
        "name": product["name"],
        "has_co_production": False,
        "support_email": "help@example.com",
        "is_physical_product": False,
    }
    if sale.is_approved(at) and sale.approved_at is not None:
        purchase["approved_date"] = ms(sale.approved_at)
        # There is no such date before the approval.
        shown["warranty_date"] = datetime.fromtimestamp(sale.approved_at + 7 * DAY, UTC).strftime("%Y-%m-%dT00:00:00Z")
    if sale.sales_source is not None:
        purchase["origin"] = {"src": sale.sales_source, "sck": sale.sales_source}
    affiliates = [user for share, user in sale.shares(money) if share.role == ParticipantRole.AFFILIATE]
    data: dict[str, Any] = {
        "product": shown,
        # There is one entry, with nothing in it, where there is no affiliate.
        "affiliates": [
            {"affiliate_code": (user.get("ucode") or "")[:8].upper(), "name": user.get("name") or ""}
            for user in affiliates or [{}]
        ],
        "buyer": {
            "name": buyer.get("name") or "",
            "first_name": first,
            "last_name": last,
            "email": buyer.get("email") or "",
            "checkout_phone": buyer.get("cellphone") or "",
            "checkout_phone_code": "",
            "document": next((one["value"] for one in buyer.get("documents") or ()), ""),
            "document_type": next((one["type"] for one in buyer.get("documents") or ()), ""),
            "address": {"country": "Brasil", "country_iso": "BR"},
        },
        "producer": {"name": sale.producer.get("name") or "", "legal_nature": "Pessoa Jurídica"},
        "commissions": [
            {"value": amount(money.fee), "currency_value": money.payout_currency, "source": "MARKETPLACE"},
            *(
                {"value": amount(share.value), "currency_value": share.currency, "source": share.role.value}
                for share, _ in sale.shares(money)
                # Each sees the fee and what is theirs.
                if role == ParticipantRole.PRODUCER or share.role == role
            ),
        ],
        "purchase": purchase,
    }
    if sale.subscription is not None:
        purchase["recurrence_number"] = sale.subscription.number_of(sale)
        data["subscription"] = {
            "status": "ACTIVE",
            "plan": _PLAN,
            "subscriber": {"code": sale.subscription.code},
        }
    return data


def _other(event: str, sale: Sale, at: float) -> dict[str, Any]:
    buyer = {"name": sale.buyer.get("name") or "", "email": sale.buyer.get("email") or ""}
    product = {"id": sale.product_id, "name": sale.product["name"]}
    subscriber = {"code": "ABCD1234" if sale.subscription is None else sale.subscription.code}
    tomorrow = int((at + DAY) * 1000)
    match event:
        case "PURCHASE_OUT_OF_SHOPPING_CART":
            # A truth value, not the list of the other events.
            return {
                "affiliate": False,
                "product": product,
                "buyer": buyer,
                "offer": {"code": sale.money.offer.code},
                "checkout_country": {"name": "Brasil", "iso": "BR"},
            }
        case "SUBSCRIPTION_CANCELLATION":
            return {
                "date_next_charge": tomorrow,
                "cancellation_date": int(at * 1000),
                "actual_recurrence_value": amount(sale.money.total),
                "product": product,
                "subscriber": subscriber | buyer,
                "subscription": {"id": 10_000_000, "plan": _PLAN},
            }
        case "UPDATE_SUBSCRIPTION_CHARGE_DATE":
            # Its dates are text.
            return {
                "subscriber": subscriber | buyer,
                "subscription": {
                    "date_next_charge": datetime.fromtimestamp(tomorrow / 1000, UTC).isoformat(),
                    "product": product,
                    "status": "ACTIVE",
                },
                "plan": {"name": _PLAN["name"]},
            }
        case "SWITCH_PLAN":
            return {
                "switch_plan_date": int(at * 1000),
                "subscription": {"subscriber_code": subscriber["code"], "status": "ACTIVE", "product": product},
                "plans": [_PLAN | {"current": False}, _PLAN | {"id": 123457, "current": True}],
            }
        case "CLUB_MODULE_COMPLETED":
            # The product's id is text here.
            return {"product": product | {"id": str(product["id"])}, "user": buyer, "module": {"id": "m1", "name": "1"}}
        case _:
            return {"product": product, "user": buyer}
