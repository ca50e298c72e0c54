"""Operators that list an account's products, and their offers, plans and coupons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_hotmart.api.endpoints.products import PRODUCT_COUPONS, PRODUCT_OFFERS, PRODUCT_PLANS, PRODUCTS
from airflow_provider_hotmart.operators.base import HotmartListOperator


class HotmartListProductsOperator(HotmartListOperator):
    """
    List the account's products.

    Without a ``destination`` the products are the task's XCom; with one they are written to that file, and the
    XCom is its manifest.

    Source: https://developers.hotmart.com/docs/en/v1/product/product-list/.

    :param product_id: one ID or several (templated).
    :param status: one or several of DRAFT, ACTIVE, PAUSED, NOT_APPROVED, IN_REVIEW, DELETED,
        CHANGES_PENDING_ON_PRODUCT (templated).
    :param format: one or several of EBOOK, ONLINE_COURSE, … (templated). Hotmart adds to this list: a format unknown
        to this package is asked for, and is an error when there is none of it.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = PRODUCTS
    template_fields: Sequence[str] = (*PRODUCTS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        product_id: int | str | Sequence[int | str] | None = None,
        status: str | Sequence[str] | None = None,
        format: str | Sequence[str] | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListProductOffersOperator(HotmartListOperator):
    """
    List the offers of products: codes, prices, payment modes.

    A record is one offer, with the ``product_ucode``. Each product takes a call.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Source: https://developers.hotmart.com/docs/en/v1/product/product-offers/.

    :param product_ucode: one ucode of a product or several, not its ID (templated). None: all products of the account.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = PRODUCT_OFFERS
    template_fields: Sequence[str] = (*PRODUCT_OFFERS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        product_ucode: str | Sequence[str] | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListProductPlansOperator(HotmartListOperator):
    """
    List the plans of subscriptions: prices, periods, trials.

    A record is one plan, with the ``product_ucode``. Each product takes a call; one without plans has no records.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Source: https://developers.hotmart.com/docs/en/v1/product/product-plans/.

    :param product_ucode: one ucode of a product or several, not its ID (templated). None: all products of the account
        that are subscriptions.
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = PRODUCT_PLANS
    template_fields: Sequence[str] = (*PRODUCT_PLANS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        product_ucode: str | Sequence[str] | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListProductCouponsOperator(HotmartListOperator):
    """
    List the coupons of products.

    A record is one coupon, with the ``product_id``. Each product takes a call.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Source: https://developers.hotmart.com/docs/, "Products", "Coupons".

    :param product_id: one product ID or several, not its ucode (templated). None: all products of the account.
    :param code: a coupon's code (templated).
    :param select: dot paths of the fields to keep, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = PRODUCT_COUPONS
    template_fields: Sequence[str] = (*PRODUCT_COUPONS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        product_id: int | str | Sequence[int | str] | None = None,
        code: str | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)
