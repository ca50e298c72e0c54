"""The account's products."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from airflow_provider_hotmart.api.enums import ProductFormat, ProductStatus
from airflow_provider_hotmart.emulator.account.lives import DAY
from airflow_provider_hotmart.emulator.account.people import make_ucode

_SUBJECTS = (
    "Violão", "Confeitaria", "Inglês para Viagens", "Finanças sem Pânico", "Fotografia", "Meditação",
    "Programação", "Bordado à Mão", "Jardinagem", "Pão de Fermentação Natural", "Oratória", "Física do Zero",
)  # fmt: skip
_KINDS = ("Curso de {} 🎓", "{}: passo a passo", "Guia de {} ", "Clube de {}", "Oficina de {}")


def make_products(count: int, seed: int, before: int) -> list[dict[str, Any]]:
    """
    Make the products as the API shows them; twenty are enough to meet every status and every format.

    :param count: how many
    :param seed: another seed, other products
    :param before: epoch seconds; all are older than that
    """
    rare = _statuses()
    products: list[dict[str, Any]] = []
    for number in range(count):
        digest = hashlib.blake2b(f"{seed}/product/{number}".encode(), digest_size=24).digest()
        title = _KINDS[digest[16] % len(_KINDS)].format(_SUBJECTS[digest[17] % len(_SUBJECTS)])
        products.append(
            {
                "id": 4_060_000 + number * 37 + digest[18] % 37,
                "name": title,
                "ucode": make_ucode(digest),
                "status": next(rare) if number % 3 == 2 else ProductStatus.ACTIVE.value,
                "created_at": (before - DAY - int.from_bytes(digest[19:22], "big")) * 1000 + digest[22],
                "format": list(ProductFormat)[number % len(ProductFormat)].value,
                "is_subscription": digest[23] < 64,
                "warranty_period": (7, 15, 30)[digest[23] % 3],
            }
        )
    return products


def _statuses() -> Iterator[str]:
    """The statuses other than ACTIVE, over and over."""
    while True:
        yield from (status.value for status in ProductStatus if status is not ProductStatus.ACTIVE)
