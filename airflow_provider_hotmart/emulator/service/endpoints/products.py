"""The endpoints of products: the list, and the offers, plans and coupons of one."""

from __future__ import annotations

from typing import Any

from airflow_provider_hotmart.api.enums import ProductStatus
from airflow_provider_hotmart.emulator.account import product_rows
from airflow_provider_hotmart.emulator.service import params as read
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.emulator.service.listing import PAGING, Listing, Request
from airflow_provider_hotmart.emulator.service.params import RequestError

PARAMS = ("id", "status", "format", "select", *PAGING)
COUPON_PARAMS = ("code", *PAGING)
USUAL_ROWS = 20


def products(request: Request) -> Listing:
    """
    Answer products.

    :param request: the call
    """
    params, way = request.params, request.quirks.several_values
    ids = read.numbers(params, "id", way)
    statuses, formats = read.several(params, "status", way), read.several(params, "format", way)
    for status in statuses or ():
        if status not in set(ProductStatus):
            raise RequestError("invalid_parameter", f"Parameter status has an invalid value: {status}")
    fitting = [
        product
        for product in list(request.world.products)
        if (ids is None or product["id"] in ids)
        and (statuses is None or product["status"] in statuses)
        and (formats is None or product["format"] in formats)
    ]
    return Listing(fitting, dict)


def offers(request: Request) -> Listing | Answer:
    """
    Answer the offers of a product.

    :param request: the call
    """
    product = _of_ucode(request)
    if isinstance(product, Answer):
        return product
    found = [] if product is None else product_rows.offers(request.world.catalog, product)
    return _elsewhere(found, request)


def plans(request: Request) -> Listing | Answer:
    """
    Answer the plans of a product.

    :param request: the call
    """
    product = _of_ucode(request)
    if isinstance(product, Answer):
        return product
    found = [] if product is None else product_rows.plans(request.world.catalog, product)
    if product is not None and not found and request.quirks.no_plans == "error":
        raise RequestError("invalid_parameter", "The product has no plans")
    return _elsewhere(found, request)


def coupons(request: Request) -> Listing:
    """
    Answer the coupons of a product.

    :param request: the call
    """
    way = request.quirks.undocumented_max_results
    if way == "error" and "max_results" in request.params:
        raise RequestError("invalid_parameter", "Unknown parameter: max_results")
    text = request.values["product_id"]
    if not text.isdecimal():
        raise RequestError("invalid_value_parameter", "Parameter product_id must be a whole number")
    product = request.world.product(id=int(text))
    if product is None:
        raise RequestError("not_found", "", 404)
    code = read.one(request.params, "code")
    found = product_rows.coupons(request.world.catalog, product)
    found = [row for row in found if code in (None, row["coupon_code"])]
    return _elsewhere(found, request, counts_on_client=way == "honoured")


def _of_ucode(request: Request) -> dict[str, Any] | Answer | None:
    """Give the product that the path names; an answer where the path is too odd for one; None: there is none."""
    text = request.values["ucode"]
    if text.isdecimal():
        if request.quirks.numeric_ucode == "empty_body":
            return Answer(200)
        raise RequestError("internal_error", "", 500)
    product = request.world.product(ucode=text)
    if product is None and request.quirks.unknown_ucode == "not_found":
        raise RequestError("not_found", "", 404)
    return product


def _elsewhere(found: list[dict[str, Any]], request: Request, *, counts_on_client: bool = True) -> Listing:
    return Listing(
        found,
        dict,
        most=request.quirks.max_page_size_elsewhere,
        usual=USUAL_ROWS,
        counts_on_client=counts_on_client,
        size_key="size",
    )
