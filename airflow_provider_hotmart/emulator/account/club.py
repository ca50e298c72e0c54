"""The members' areas of the account: modules, pages, and the students, who are the buyers of the product."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_provider_hotmart.api.enums import ProductFormat, SaleStatus, SubscriptionStatus
from airflow_provider_hotmart.emulator.account.catalog import Catalog
from airflow_provider_hotmart.emulator.account.lives import DAY
from airflow_provider_hotmart.emulator.account.people import People, User
from airflow_provider_hotmart.emulator.account.rows import ms
from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.quirks import Quirks

#: Formats that are taught in a members' area.
_TAUGHT = frozenset({ProductFormat.EBOOK, ProductFormat.VIDEOS, ProductFormat.ONLINE_COURSE, ProductFormat.COMMUNITY})
_MODULES = ("Boas-vindas", "Fundamentos", "Prática", "Projeto final", "Dúvidas frequentes", "Bônus ")
_TYPES = ("CONTENT", "CONTENT", "CONTENT", "QUIZ", "ADVERTISEMENT", "WEBINAR")
_ENGAGEMENTS = ("LOW", "MEDIUM", "HIGH", "VERY_HIGH")
_ACCESS = frozenset({SaleStatus.APPROVED, SaleStatus.COMPLETE, SaleStatus.PROTESTED, SaleStatus.PARTIALLY_REFUNDED})
_LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_IMPORTED = 2


def has_club(product: dict[str, Any]) -> bool:
    """
    Tell whether a product has a members' area.

    :param product: as the API shows it
    """
    return product["format"] in _TAUGHT


def subdomain(product: dict[str, Any]) -> str:
    """
    Give the subdomain of a members' area.

    :param product: as the API shows it
    """
    return f"clube-{product['id']}"


@dataclass(frozen=True)
class Student:
    """
    Somebody in a members' area; times are epoch seconds.

    :param user: as sales show them
    :param type: BUYER, IMPORTED or OWNER
    :param status: ACTIVE, BLOCKED or OVERDUE
    :param bought_at: the first payment; None: nothing was bought
    :param since: when they got in
    """

    user: User
    type: str
    status: str
    bought_at: int | None
    since: int

    @property
    def email(self) -> str:
        """What joins a student with the buyer of a sale."""
        return str(self.user["email"])


class Club:
    """
    One members' area.

    :param product: that is taught in it
    :param catalog: a source of choices
    :param people: everybody
    """

    def __init__(self, product: dict[str, Any], catalog: Catalog, people: People) -> None:
        self.product = product
        self._catalog = catalog
        self._people = people

    @property
    def classes(self) -> list[str]:
        """The ids of the classes; the first is the default one."""
        return [self._id("class", number) for number in range(1 + self._digest("classes")[0] % 2)]

    def modules(self) -> list[dict[str, Any]]:
        """Give all modules as the API shows them."""
        digest = self._digest("modules")
        count = 3 + digest[0] % 4
        return [
            {
                "module_id": self._id("module", number),
                "name": _MODULES[number],
                "sequence": number + 1,
                "is_public": number == 0 and digest[1] < 128,
                "is_extra": number == count - 1,
                "is_extra_paid": number == count - 1 and digest[2] < 128,
                "classes": self.classes[: 1 + digest[3 + number] % 2],
                "total_pages": 1 + digest[10 + number] % 5,
            }
            for number in range(count)
        ]

    def pages(self, module: dict[str, Any]) -> list[dict[str, Any]]:
        """
        Give the pages of a module as the API shows them.

        :param module: one of ``modules()``
        """
        return [self._page(module, number) for number in range(module["total_pages"])]

    def students(self, sales: Iterable[Sale], now: float, founded_at: int) -> list[Student]:
        """
        Everybody in the area, the owner first, then by when they got in.

        :param sales: of the product
        :param now: epoch seconds
        :param founded_at: epoch seconds
        """
        owner = self._people.user("PRODUCER", 0, "absent")
        found = [Student(owner, "OWNER", "ACTIVE", None, founded_at)]
        for number in range(_IMPORTED):
            person = self._people.user("IMPORTED", self.product["id"] * _IMPORTED + number, "absent")
            if person.get("email"):
                found.append(Student(person, "IMPORTED", "ACTIVE", None, founded_at + number))
        by_buyer: dict[str, list[Sale]] = {}
        for sale in sales:
            if sale.is_approved(now):
                by_buyer.setdefault(sale.buyer_key, []).append(sale)
        by_email: dict[str, list[Sale]] = {}
        for bought in by_buyer.values():
            email = bought[0].buyer.get("email")
            if email:
                by_email.setdefault(email, []).extend(bought)
        buyers = [self._buyer(bought, now) for bought in by_email.values()]
        return found + sorted(buyers, key=lambda one: (one.since, one.email))

    def user_id(self, student: Student) -> str:
        """
        Give the id of a student; not the ucode of the buyer.

        :param student: one of ``students()``
        """
        return self._id("user", student.email)

    def lessons(self, student: Student, now: float) -> list[dict[str, Any]]:
        """
        Give the lessons of a student as the API shows them.

        :param student: one of ``students()``
        :param now: epoch seconds
        """
        digest = self._digest("progress", student.email)
        pages = [(module, page) for module in self.modules() for page in self.pages(module)]
        wanted = digest[0] % (len(pages) + 1) if student.type != "OWNER" else 0
        at = self._first_access(student) * 1000
        found: list[dict[str, Any]] = []
        for number, (module, page) in enumerate(pages):
            # Not in whole seconds, unlike the dates of sales.
            at += (3600 + digest[1 + number % 30] * 900) * 1000 + 137
            done = number < wanted and at <= now * 1000
            row = {
                "page_id": page["page_id"],
                "page_name": page["name"],
                "module_name": module["name"],
                "is_module_extra": module["is_extra"],
                "is_completed": done,
            }
            found.append(row | ({"completed_date": at} if done else {}))
        return found

    def user_row(self, student: Student, quirks: Quirks, now: float) -> dict[str, Any]:
        """
        A student as the API shows them.

        :param student: one of ``students()``
        :param quirks: how the API behaves
        :param now: epoch seconds
        """

        def date(seconds: int) -> int:
            return seconds if quirks.date_unit == "seconds" else ms(seconds)

        digest = self._digest("student", student.email)
        lessons = self.lessons(student, now)
        done = sum(lesson["is_completed"] for lesson in lessons)
        first = self._first_access(student)
        accesses = 0 if first > now else 1 + done + digest[0] % 5
        row: dict[str, Any] = {
            "user_id": self.user_id(student),
            "name": student.user["name"],
            "email": student.email,
            "role": "OWNER" if student.type == "OWNER" else "STUDENT",
            "status": student.status,
            "type": student.type,
            "engagement": _ENGAGEMENTS[digest[1] % len(_ENGAGEMENTS)] if done else "NONE",
            "plus_access": "WITHOUT_PLUS_ACCESS" if digest[2] < 240 else "HOLDER",
            "locale": student.user.get("locale", "PT_BR"),
            "class_id": self.classes[digest[3] % len(self.classes)],
            "access_count": accesses,
            "is_deletable": student.type != "OWNER",
        }
        if student.bought_at is not None:
            row["purchase_date"] = date(student.bought_at)
        if accesses:
            last = max([first, *(lesson["completed_date"] // 1000 for lesson in lessons if lesson["is_completed"])])
            row |= {"first_access_date": date(first), "last_access_date": date(last)}
        share = round(100 * done / len(lessons), 2)
        percentage = int(share) if share == int(share) else share
        return row | {"progress": {"completed_percentage": percentage, "total": len(lessons), "completed": done}}

    def _buyer(self, bought: list[Sale], now: float) -> Student:
        first = min(bought, key=lambda sale: (sale.approved_at or 0, sale.index))
        status = "ACTIVE" if any(sale.status_at(now) in _ACCESS for sale in bought) else "BLOCKED"
        states = [sale.subscription.state_at(now) for sale in bought if sale.subscription is not None]
        if states and all(state is not None and state.status is SubscriptionStatus.OVERDUE for state in states):
            status = "OVERDUE"
        paid = int(first.approved_at or first.ordered_at)
        return Student(first.buyer, "BUYER", status, paid, paid)

    def _first_access(self, student: Student) -> int:
        digest = self._digest("access", student.email)
        return student.since + 60 + int.from_bytes(digest[:2], "big") * 10

    def _page(self, module: dict[str, Any], number: int) -> dict[str, Any]:
        digest = self._digest("page", module["module_id"], number)
        rates = [{"rate": 5 - step, "total": digest[step] % 4} for step in range(4) if digest[step] % 4]
        votes = sum(rate["total"] for rate in rates)
        average = round(sum(rate["rate"] * rate["total"] for rate in rates) / votes, 1) if votes else 0
        return {
            "page_id": self._id("page", module["module_id"], number),
            "name": f"Aula {number + 1}",
            "page_order": number + 1,
            "type": _TYPES[digest[4] % len(_TYPES)],
            "published": digest[5] < 230,
            "has_media": digest[6] < 200,
            "total_comments": digest[7] % 12,
            "rates_average": int(average) if average == int(average) else average,
            "rates": rates,
            "dripping_configs": self._dripping(digest) if digest[8] < 60 else [],
        }

    def _dripping(self, digest: bytes) -> list[dict[str, Any]]:
        liberation: dict[str, Any] = {"type": "BY_DAYS", "liberation_days": digest[9] % 60}
        if digest[10] < 128:
            liberation = {"type": "BY_DATE", "liberation_date": f"2026-{1 + digest[9] % 12:02d}-01T03:00:00Z"}
        classes = [
            {"id": code, "name": f"Turma {'AB'[number]}", "default_class": number == 0}
            for number, code in enumerate(self.classes)
        ]
        return [
            {
                "liberation": liberation,
                "expiration": {"type": "BY_DAYS", "duration_days": 30 + digest[11]},
                "classes": classes if digest[12] < 128 else [],
            }
        ]

    def _digest(self, *names: object) -> bytes:
        return self._catalog.digest("club", self.product["id"], *names)

    def _id(self, *names: object) -> str:
        return "".join(_LETTERS[byte % len(_LETTERS)] for byte in self._digest("id", *names)[:10])


def founded_at(product: dict[str, Any]) -> int:
    """
    Tell when a members' area was opened, in epoch seconds.

    :param product: as the API shows it
    """
    return int(product["created_at"]) // 1000 + DAY // 2
