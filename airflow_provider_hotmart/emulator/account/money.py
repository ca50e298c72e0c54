"""What a sale costs and who gets what of it; worked out when asked for, the same again each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_hotmart.api.enums import ParticipantRole, PaymentType, SaleStatus
from airflow_provider_hotmart.emulator.account.catalog import Coupon, Offer
from airflow_provider_hotmart.emulator.account.people import User

if TYPE_CHECKING:
    from airflow_provider_hotmart.emulator.account.sale import Sale

FIXED_FEE = 100
FEE_PERCENTAGE = 9.9
#: Hundredths of a currency for one centavo, as a fraction. A dollar is five reais, to divide evenly.
_FOR_A_CENTAVO = {"BRL": (1, 1), "USD": (1, 5), "EUR": (1, 6), "MXN": (10, 3), "CLP": (500, 3)}
_ABROAD = ("USD", "EUR", "MXN", "CLP")
_VAT = {"EUR": 20, "MXN": 16}
_CARDS = ("CREDIT_CARD_VISA", "CREDIT_CARD_MASTERCARD", "CREDIT_CARD_ELO", "CREDIT_CARD_AMERICAN_EXPRESS")
_OTHER_WAYS = (
    (PaymentType.PIX, "PIX"), (PaymentType.PIX, "UNKNOWN"), (PaymentType.PAYPAL, "PAYPAL"),
    (PaymentType.GOOGLE_PAY, "GOOGLE_PAY"), (PaymentType.WALLET, "APPLE_PAY"),
    (PaymentType.HOTMART_BALANCE, "HOTMART"), (PaymentType.CASH_PAYMENT, "OXXO"), (PaymentType.PICPAY, "PICPAY"),
)  # fmt: skip
_CARD_ONLY = frozenset({SaleStatus.UNDER_ANALISYS, SaleStatus.NO_FUNDS, SaleStatus.BLOCKED, SaleStatus.OVERDUE})
_AFFILIATE_SHARE = 40
_COPRODUCER_SHARE = 10


def amount(hundredths: int) -> int | float:
    """
    An amount of money as JSON shows it: a whole number where it is one.

    :param hundredths: of the currency
    """
    return hundredths / 100 if hundredths % 100 else hundredths // 100


def convert(centavos: int, currency: str) -> int:
    """
    Turn centavos into hundredths of a currency.

    :param centavos: hundredths of a real
    :param currency: ISO code
    """
    number, of = _FOR_A_CENTAVO[currency]
    found = (centavos * number + of // 2) // of
    return found // 100 * 100 if currency == "CLP" else found


def rate(currency: str, to: str) -> int | float:
    """
    Tell how much of another currency one unit of a currency is.

    :param currency: ISO code
    :param to: ISO code
    """
    number, of = _FOR_A_CENTAVO[to]
    per, from_ = _FOR_A_CENTAVO[currency]
    found = round(number * from_ / (of * per), 6)
    return int(found) if found == int(found) else found


@dataclass(frozen=True)
class Share:
    """
    What one participant earns by a sale.

    :param role: of the participant
    :param person: number of the person, or a user made by hand
    :param value: hundredths of the currency
    :param currency: ISO code
    """

    role: ParticipantRole
    person: int | User
    value: int
    currency: str


@dataclass(frozen=True)
class Money:
    """
    What a sale costs, in hundredths.

    :param offer: that was sold
    :param coupon: that made it cheaper; None: none
    :param payment_type: Hotmart's word
    :param method: Hotmart's word for the means of payment
    :param installments: how many
    :param currency: the buyer's
    :param base: the price, in the buyer's currency
    :param vat: tax on it
    :param interest: of the instalments
    :param payout_currency: what the account is paid in
    :param payout_base: the price in that
    :param fee: Hotmart's part of it
    """

    offer: Offer
    coupon: Coupon | None
    payment_type: PaymentType
    method: str
    installments: int
    currency: str
    base: int
    vat: int
    interest: int
    payout_currency: str
    payout_base: int
    fee: int

    @property
    def total(self) -> int:
        """What the buyer pays, in the buyer's currency."""
        return self.base + self.vat + self.interest


def money_of(sale: Sale, offers: Sequence[Offer], coupons: Sequence[Coupon], digest: bytes, abroad: int) -> Money:
    """
    Work out what a sale costs.

    :param sale: the sale
    :param offers: of its product
    :param coupons: of its product
    :param digest: decides, 8 bytes
    :param abroad: decides where the buyer lives; 0 to 255
    """
    offer = _offer(sale, offers, digest)
    coupon = coupons[digest[2] % len(coupons)] if digest[1] < 25 and coupons and sale.subscription is None else None
    payment_type, method = payment(sale.payment_hint, digest)
    currency = _ABROAD[abroad % len(_ABROAD)] if abroad > 235 and offer.currency == "BRL" else offer.currency
    payout_base = offer.price if coupon is None else offer.price * (100 - coupon.percent) // 100
    base = convert(payout_base, currency) if offer.currency == "BRL" else payout_base
    spread = payment_type is PaymentType.CREDIT_CARD and currency in ("BRL", "MXN") and digest[5] < 110
    installments = 2 + digest[5] % 11 if spread else 1
    return Money(
        offer,
        coupon,
        payment_type,
        method,
        installments,
        currency,
        base,
        base * _VAT.get(currency, 0) // 100,
        base * 2 * (installments - 1) // 100,
        offer.currency,
        payout_base,
        (payout_base * 99 + 500) // 1000 + FIXED_FEE,
    )


def shares(sale: Sale, money: Money) -> list[Share]:
    """
    Divide what is left after Hotmart's fee; a producer is always among those who get something.

    :param sale: the sale
    :param money: what it costs
    """
    left = whole = money.payout_base - money.fee
    found: list[Share] = []
    for role, person in sale.people:
        if role not in (ParticipantRole.AFFILIATE, ParticipantRole.COPRODUCER):
            continue
        share = whole * (_AFFILIATE_SHARE if role is ParticipantRole.AFFILIATE else _COPRODUCER_SHARE) // 100
        currency = money.payout_currency
        if currency == "BRL" and _is_paid_in_dollars(role, person):
            share, currency = share // 5 * 5, "USD"
        left -= share
        found.append(Share(role, person, share if currency == money.payout_currency else share // 5, currency))
    producer = sale.people[0]
    return [Share(ParticipantRole.PRODUCER, producer[1], left, money.payout_currency), *found]


def payout_currencies(sale: Sale, currency: str) -> list[str]:
    """
    Give the currencies in which somebody earns by a sale.

    :param sale: the sale
    :param currency: that its offer is priced in
    """
    abroad = currency == "BRL" and any(_is_paid_in_dollars(role, person) for role, person in sale.people)
    return [currency, "USD"] if abroad else [currency]


def payment_hint(states: Sequence[SaleStatus]) -> str:
    """
    Tell how a sale is paid by its life: "boleto", "pix", "card", "instalment" or nothing.

    :param states: of the life
    """
    if SaleStatus.PRINTED_BILLET in states:
        return "boleto"
    if SaleStatus.WAITING_PAYMENT in states:
        return "pix"
    if SaleStatus.OVERDUE in states:
        return "instalment"
    return "card" if not _CARD_ONLY.isdisjoint(states) else ""


def payment(hint: str, digest: bytes) -> tuple[PaymentType, str]:
    """
    Give the type of a payment, and its method.

    :param hint: what the life tells
    :param digest: decides
    """
    if hint == "boleto":
        return PaymentType.BILLET, "BILLET"
    if hint == "pix":
        return PaymentType.PIX, "PIX" if digest[3] > 12 else "UNKNOWN"
    if hint or digest[3] < 190:
        return PaymentType.CREDIT_CARD, _CARDS[digest[4] % len(_CARDS)]
    return _OTHER_WAYS[digest[4] % len(_OTHER_WAYS)]


def _is_paid_in_dollars(role: ParticipantRole, person: int | User) -> bool:
    return role is ParticipantRole.AFFILIATE and isinstance(person, int) and person % 4 == 3


def _offer(sale: Sale, offers: Sequence[Offer], digest: bytes) -> Offer:
    if sale.subscription is not None:
        return sale.subscription.offer
    if sale.payment_hint == "instalment":
        return offers[-1]
    return offers[0] if digest[0] < 150 else offers[digest[0] % len(offers)]


def value(hundredths: int, currency: str) -> dict[str, Any]:
    """
    An amount as most endpoints show it.

    :param hundredths: of the currency
    :param currency: ISO code
    """
    return {"value": amount(hundredths), "currency_code": currency}
