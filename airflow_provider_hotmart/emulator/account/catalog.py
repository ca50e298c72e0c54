"""What the account sells: products, and their offers, plans, coupons and lots of tickets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_hotmart.api.enums import OfferPaymentMode, PlanPeriodicity, ProductFormat, ProductStatus
from airflow_provider_hotmart.emulator.account.lives import DAY
from airflow_provider_hotmart.emulator.account.people import make_ucode

_SUBJECTS = (
    "Violão", "Confeitaria", "Inglês para Viagens", "Finanças sem Pânico", "Fotografia", "Meditação",
    "Programação", "Bordado à Mão", "Jardinagem", "Pão de Fermentação Natural", "Oratória", "Física do Zero",
)  # fmt: skip
_KINDS = ("Curso de {} 🎓", "{}: passo a passo", "Guia de {} ", "Clube de {}", "Oficina de {}")
#: Prices in centavos.
_PRICES = (9_700, 14_990, 19_700, 29_700, 49_700, 99_700, 4_790, 199_700)
_COUPONS = ("BEMVINDO", "BLACKFRIDAY", "INDICA10", "VOLTE")
#: Periods of plans in days.
_PERIODS = {
    30: (PlanPeriodicity.MONTHLY, "Plano mensal"),
    7: (PlanPeriodicity.WEEKLY, "Plano semanal"),
    90: (PlanPeriodicity.QUARTERLY, "Plano trimestral"),
    360: (PlanPeriodicity.ANNUAL, "Plano anual"),
}


@dataclass(frozen=True)
class Plan:
    """
    How a subscription is charged.

    :param id: Hotmart's number
    :param code: Hotmart's code
    :param name: of the plan
    :param period: days from one charge to the next
    :param max_cycles: charges at most; None: until it is cancelled
    :param trial_days: free days at the start; None: none
    """

    id: int
    code: str
    name: str
    period: int
    max_cycles: int | None
    trial_days: int | None

    @property
    def periodicity(self) -> PlanPeriodicity:
        """The period in Hotmart's word."""
        return _PERIODS[self.period][0]


@dataclass(frozen=True)
class Offer:
    """
    One way to buy a product.

    :param code: Hotmart's code
    :param name: may be empty
    :param price: hundredths of the currency
    :param currency: ISO code
    :param mode: how it is paid
    :param is_main: the one that is shown first
    :param plan: of a subscription; None: it is none
    """

    code: str
    name: str
    price: int
    currency: str
    mode: OfferPaymentMode
    is_main: bool
    plan: Plan | None


@dataclass(frozen=True)
class Coupon:
    """
    Makes a product cheaper.

    :param id: Hotmart's number
    :param code: what a buyer types
    :param percent: of the price
    :param starts_at: epoch seconds
    :param is_valid: whether its time is not over
    """

    id: int
    code: str
    percent: int
    starts_at: int
    is_valid: bool


class Catalog:
    """
    Makes what belongs to a product when it is asked for.

    :param seed: another seed, other offers
    :param before: epoch seconds; all is older than that
    """

    def __init__(self, seed: int, before: int) -> None:
        self._seed = seed
        self._before = before
        self._offers: dict[int, tuple[Offer, ...]] = {}
        self._coupons: dict[int, tuple[Coupon, ...]] = {}

    def digest(self, *names: object) -> bytes:
        """
        A source of choices, the same for the same names.

        :param names: what is to be chosen for
        """
        text = "/".join(map(str, (self._seed, *names)))
        return hashlib.blake2b(text.encode(), digest_size=32).digest()

    def offers(self, product: dict[str, Any]) -> tuple[Offer, ...]:
        """
        Give the offers that a product is or was sold by, the main one first.

        :param product: as the API shows it
        """
        found = self._offers.get(product["id"])
        if found is None:
            found = self._offers[product["id"]] = tuple(self._make_offers(product))
        return found

    def coupons(self, product: dict[str, Any]) -> tuple[Coupon, ...]:
        """
        Give the coupons of a product.

        :param product: as the API shows it
        """
        found = self._coupons.get(product["id"])
        if found is None:
            found = self._coupons[product["id"]] = tuple(self._make_coupons(product))
        return found

    def lots(self, product: dict[str, Any]) -> list[dict[str, Any]]:
        """
        Give the lots of tickets of an event.

        :param product: as the API shows it
        """
        count = 1 + self.digest("lots", product["id"])[0] % 3
        first = product["id"] * 10
        return [{"id": first + number, "name": f"Lote {number + 1}"} for number in range(count)]

    def _make_offers(self, product: dict[str, Any]) -> Iterator[Offer]:
        digest = self.digest("offers", product["id"])
        price = _PRICES[digest[0] % len(_PRICES)]
        for number in range(2 + digest[1] % 3):
            code = digest[2 + number * 4 : 6 + number * 4].hex()
            byte = digest[20 + number]
            if product["is_subscription"]:
                plan = self._plan(product, number, code, byte)
                # A longer period costs more, and less than as many short ones.
                cost = price * max(1, plan.period // 36)
                yield Offer(code, "", cost, "BRL", OfferPaymentMode.SUBSCRIPTION, number == 0, plan)
            elif number == 0:
                yield Offer(code, "", price, "BRL", OfferPaymentMode.UNIQUE_PAYMENT, True, None)
            elif number == 1 and byte < 90:
                yield Offer(code, "International", 9_700, "USD", OfferPaymentMode.UNIQUE_PAYMENT, False, None)
            else:
                modes = (OfferPaymentMode.MULTIPLE_PAYMENTS, OfferPaymentMode.SMART_INSTALLMENT)
                mode = modes[byte % 2] if number > 1 else OfferPaymentMode.UNIQUE_PAYMENT
                yield Offer(code, f"Oferta {number + 1} ", price * (70 + byte % 30) // 100, "BRL", mode, False, None)

    def _plan(self, product: dict[str, Any], number: int, code: str, byte: int) -> Plan:
        period = list(_PERIODS)[number % len(_PERIODS)]
        return Plan(
            product["id"] * 10 % 10_000_000 + number,
            code[::-1],
            _PERIODS[period][1],
            period,
            12 if byte % 4 == 1 else None,
            7 if byte % 3 == 0 else None,
        )

    def _make_coupons(self, product: dict[str, Any]) -> Iterator[Coupon]:
        digest = self.digest("coupons", product["id"])
        for number in range(digest[0] % 4):
            yield Coupon(
                3_000_000 + product["id"] % 100_000 * 10 + number,
                _COUPONS[(digest[1] + number) % len(_COUPONS)],
                10 + digest[2 + number] % 5 * 10,
                self._before - DAY - digest[6 + number] * 3600,
                digest[10 + number] < 180,
            )


def make_products(count: int, seed: int, before: int) -> list[dict[str, Any]]:
    """
    Make the products as the API shows them; twenty are enough to meet every status and every format.

    :param count: how many
    :param seed: another seed, other products
    :param before: epoch seconds; all are older than that
    """
    rare = _statuses()
    formats: Sequence[ProductFormat] = list(ProductFormat)
    products: list[dict[str, Any]] = []
    for number in range(count):
        digest = hashlib.blake2b(f"{seed}/product/{number}".encode(), digest_size=24).digest()
        title = _KINDS[digest[16] % len(_KINDS)].format(_SUBJECTS[digest[17] % len(_SUBJECTS)])
        kind = formats[number % len(formats)]
        products.append(
            {
                "id": 4_060_000 + number * 37 + digest[18] % 37,
                "name": title,
                "ucode": make_ucode(digest),
                "status": next(rare) if number % 3 == 2 else ProductStatus.ACTIVE.value,
                "created_at": (before - DAY - int.from_bytes(digest[19:22], "big")) * 1000 + digest[22],
                "format": kind.value,
                "is_subscription": number % 4 == 1 and kind is not ProductFormat.ETICKET,
                "warranty_period": (7, 15, 30)[digest[23] % 3],
            }
        )
    return products


def _statuses() -> Iterator[str]:
    """Give the statuses other than ACTIVE, over and over."""
    while True:
        yield from (status.value for status in ProductStatus if status is not ProductStatus.ACTIVE)
