"""Made-up people: their e-mails are at example domains, their tax numbers fail the check digits."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any

from airflow_provider_hotmart.api.enums import ParticipantRole

User = dict[str, Any]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words(
    "Maria José João Antônia Ana Luís Cecília André Conceição Inês Thaís Vinícius Letícia Fábio Júlia "
    "Otávio Débora Caetano Zuleide Íris Estêvão Mônica Raíssa Tomé Aurélio Lívia Patrícia Sebastião "
    "Úrsula Gonçalo"
)
_LAST = _words(
    "Silva Souza Conceição Araújo Brandão Guimarães Falcão Simões Peçanha D'Ávila Gusmão Leão Magalhães "
    "Müller Nóbrega Assunção Corrêa Fagundes Sant'Anna Quintão Bragança Frazão Lobão Vilela Zanetti"
)
_TITLES = ("", "", "", "", "", "", "", "", "Dra. ", "Prof. ")
_CITIES = (
    ("Niterói", "RJ"), ("São Paulo", "SP"), ("Belém", "PA"), ("Goiânia", "GO"), ("Florianópolis", "SC"),
    ("Maceió", "AL"), ("São Luís", "MA"), ("Brasília", "DF"), ("Uberlândia", "MG"), ("Caxias do Sul", "RS"),
    ("Vitória", "ES"), ("Paraíba do Sul", "RJ"),
)  # fmt: skip
_STREETS = (
    "Rua das Acácias",
    "Avenida Brasil",
    "Travessa São João",
    "Rua X",
    "Alameda dos Ipês",
    "Praça da Sé",
)
_DISTRICTS = ("Centro", "Jardim América", "Vila Conceição", "Água Verde", "São José")
# A line separator belongs to the data: a file of one JSON text per line must survive it.
_COMPLEMENTS = ("", "", "", "Apto 101", "Casa 2 ", "Bloco B\u2028fundos", "c/ Dona Íris 🌷")
_FLOURISHES = (" 🎸", " ✨", " 💜", " (Zé)", "  ", " ", " ", " ")
_DOMAINS = ("example.com", "example.org", "example.net")
_PLAIN = str.maketrans({"'": "", " ": ".", "/": ""})


def _plain(text: str) -> str:
    """Letters without accents, for an e-mail."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().translate(_PLAIN)


_FIRST_PLAIN = tuple(map(_plain, _FIRST))
_LAST_PLAIN = tuple(map(_plain, _LAST))


def wrong_cpf(digits: int) -> str:
    """
    Make a CPF that cannot be anybody's: its first check digit is one too high.

    :param digits: a number, 0 to 999,999
    """
    text = f"000{digits:06d}"
    check = sum(int(digit) * weight for digit, weight in zip(text[3:], (7, 6, 5, 4, 3, 2), strict=True)) * 10 % 11 % 10
    return f"{text}{(check + 1) % 10}{digits % 10}"


def make_ucode(digest: bytes) -> str:
    """
    Make a UUID.

    :param digest: at least 16 bytes
    """
    text = digest[:16].hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:32]}"


def producer_user(ucode: str) -> User:
    """
    Give the owner of the account, who is part of every sale.

    :param ucode: their UUID
    """
    return {
        "ucode": ucode,
        "locale": "PT_BR",
        "name": "ACME LTDA",
        "trade_name": "ACME",
        "cellphone": "21900000000",
        "phone": "21900000000",
        "email": "producer@example.com",
        "documents": [{"type": "CNPJ", "value": "00000000000100"}],
        "address": {
            "city": "Niterói",
            "state": "RJ",
            "country": "Brasil",
            "zip_code": "00000-000",
            "address": "Rua X",
            "complement": "",
            "neighborhood": "Centro",
            "number": "1",
        },
    }


class People:
    """
    Everybody who may take part in a sale; made when asked for, the same again each time.

    :param seed: another seed, other people
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._producer = producer_user(make_ucode(self._digest(ParticipantRole.PRODUCER, 0)))

    def _digest(self, role: str, number: int) -> bytes:
        # A digest is a cheap source of choices that does not depend on how many people were made before.
        return hashlib.blake2b(f"{self._seed}/{role}/{number}".encode(), digest_size=48).digest()

    def ucode(self, role: str, number: int) -> str | None:
        """
        Give the identity of a person; None for the few who have none.

        :param role: the pool that they come from
        :param number: which one of the pool
        """
        digest = self._digest(role, number)
        return None if _lacks_ucode(role, digest) else make_ucode(digest)

    def user(self, role: str, number: int, missing: str) -> User:
        """
        A person as the API shows them.

        :param role: the pool that they come from
        :param number: which one of the pool
        :param missing: how a value that is not there looks: "absent", "blank", "null" or "mixed"
        """
        if role == ParticipantRole.PRODUCER:
            return self._producer
        digest = self._digest(role, number)
        user = _person(role, number, digest)
        _blank_out(user, missing, digest[40])
        _blank_out(user["address"], missing, digest[41])
        return user


def _lacks_ucode(role: str, digest: bytes) -> bool:
    return role == ParticipantRole.BUYER and digest[16] < 3


def _person(role: str, number: int, digest: bytes) -> User:
    """A person with None for every value that is not there."""
    first, last = digest[17] % len(_FIRST), digest[18] % len(_LAST)
    name = f"{_TITLES[digest[19] % len(_TITLES)]}{_FIRST[first]} {_LAST[last]}"
    if digest[20] < 60:
        name += _FLOURISHES[digest[20] % len(_FLOURISHES)]
    elif digest[20] > 235:
        name = name.upper()
    code = int.from_bytes(digest[21:25], "big") % 1_000_000
    phone = f"{11 + digest[25] % 89}90000{code % 10_000:04d}"
    domain = _DOMAINS[digest[26] % len(_DOMAINS)]
    company = role != ParticipantRole.BUYER and digest[28] < 128
    return {
        "ucode": None if _lacks_ucode(role, digest) else make_ucode(digest),
        "locale": "PT_BR" if digest[27] < 235 else "ES" if digest[27] < 246 else "EN",
        "name": name,
        "trade_name": f"{_LAST[last]} Educação" if company else None,
        "cellphone": phone if digest[29] < 190 else None,
        "phone": phone if digest[30] < 150 else None,
        "email": None
        if digest[31] < 3
        else f"{_FIRST_PLAIN[first]}.{_LAST_PLAIN[last]}.{role[0].lower()}{number}@{domain}",
        "documents": [{"type": "CPF" if digest[32] < 128 else "DOCUMENT", "value": wrong_cpf(code)}],
        "address": _address(digest, code),
    }


def _address(digest: bytes, code: int) -> dict[str, Any]:
    """An address; many buyers of digital goods give no more than their country."""
    if digest[33] < 90:
        return {"country": "Brasil"}
    if digest[27] >= 235:
        return {"city": "Córdoba", "country": "Argentina", "zip_code": None}
    city, state = _CITIES[digest[34] % len(_CITIES)]
    return {
        "city": city,
        "state": state,
        "country": "Brasil",
        "zip_code": f"00{code % 1000:03d}-{code // 1000:03d}" if digest[35] < 240 else None,
        "address": _STREETS[digest[36] % len(_STREETS)],
        "complement": _COMPLEMENTS[digest[37] % len(_COMPLEMENTS)],
        "neighborhood": _DISTRICTS[digest[38] % len(_DISTRICTS)] if digest[38] < 220 else None,
        "number": str(code % 2000) if digest[39] < 245 else "s/n",
    }


def _blank_out(values: dict[str, Any], missing: str, choice: int) -> None:
    """Give every None the look that was asked for; mixed: absent or blank, now and then null."""
    if missing == "null":
        return
    for key in [key for key, value in values.items() if value is None]:
        look = missing
        if missing == "mixed":
            choice = (choice * 5 + 89) % 256
            look = "null" if choice < 10 else "blank" if choice < 120 else "absent"
        if look == "absent":
            del values[key]
        elif look == "blank":
            values[key] = ""
