"""The endpoints of members' areas."""

from __future__ import annotations

from typing import Any

from airflow_provider_hotmart.emulator.account.club import Club, Student, founded_at, has_club
from airflow_provider_hotmart.emulator.service import params as read
from airflow_provider_hotmart.emulator.service.endpoints.products import USUAL_ROWS
from airflow_provider_hotmart.emulator.service.listing import PAGING, Listing, Request
from airflow_provider_hotmart.emulator.service.params import ClubError

MODULES_PARAMS = ("subdomain", "is_extra")
PAGES_PARAMS = ("subdomain", "product_id")
USERS_PARAMS = ("subdomain", "email", *PAGING)
LESSONS_PARAMS = ("subdomain",)


def modules(request: Request) -> Listing:
    """
    Answer the modules of a members' area.

    :param request: the call
    """
    club = _club(request)
    is_extra = read.flag(request.params, "is_extra") or False
    found = [] if club is None else [row for row in club.modules() if row["is_extra"] is is_extra]
    return Listing(found, dict, form="array")


def pages_of_product(request: Request) -> Listing:
    """
    Answer the pages of a module, in the newer version, which asks for the product.

    :param request: the call
    """
    if "product_id" not in request.params:
        raise ClubError("0001", "Required parameter product_id is missing", 422)
    return _pages(request, read.number(request.params, "product_id"))


def pages(request: Request) -> Listing:
    """
    Answer the pages of a module, in the older version.

    :param request: the call
    """
    return _pages(request, None)


def users(request: Request) -> Listing:
    """
    Answer the users of a members' area.

    :param request: the call
    """
    way = request.quirks.undocumented_max_results
    if way == "error" and "max_results" in request.params:
        raise ClubError("0002", "Unknown parameter: max_results", 400)
    club, now, quirks = _club(request), request.world.clock.now(), request.quirks
    part = (read.one(request.params, "email") or "").casefold()
    found = [] if club is None else _students(request, club)

    def row(student: Student) -> dict[str, Any]:
        return {} if club is None else club.user_row(student, quirks, now)

    return Listing(
        [student for student in found if part in student.email.casefold()],
        row,
        has_total=True,
        most=quirks.max_page_size_elsewhere,
        usual=USUAL_ROWS,
        counts_on_client=way == "honoured",
    )


def lessons(request: Request) -> Listing:
    """
    Answer the lessons of a user.

    :param request: the call
    """
    club = _club(request)
    if club is None:
        return Listing([], dict, form="lessons")
    wanted = request.values["user_id"]
    student = next((one for one in _students(request, club) if club.user_id(one) == wanted), None)
    if student is None:
        raise ClubError("0007", f"User {wanted} does not exist", 404)
    return Listing(club.lessons(student, request.world.clock.now()), dict, form="lessons")


def _club(request: Request) -> Club | None:
    """Give the area that a call names; None: it names none, and that is answered with nothing."""
    name = read.one(request.params, "subdomain")
    if name is None:
        if request.quirks.club_without_subdomain == "empty":
            return None
        raise ClubError("0001", "Required parameter subdomain is missing", 422)
    club = request.world.club(name)
    if club is None:
        raise ClubError("0006", f"Subdomain {name} does not exist", 404)
    return club


def _students(request: Request, club: Club) -> list[Student]:
    sales = request.world.sales_of(club.product["id"])
    return club.students(sales, request.world.clock.now(), founded_at(club.product))


def _pages(request: Request, product_id: int | None) -> Listing:
    world, wanted = request.world, request.values["module_id"]
    for product in list(world.products):
        if has_club(product) and product_id in (None, product["id"]):
            club = Club(product, world.catalog, world.people)
            module = next((row for row in club.modules() if row["module_id"] == wanted), None)
            if module is not None:
                return Listing(club.pages(module), dict, form="array")
    raise ClubError("0008", f"Module {wanted} does not exist", 404)
