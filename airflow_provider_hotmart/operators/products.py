"""Operators that list an account's products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_hotmart.api.endpoints import PRODUCTS
from airflow_provider_hotmart.operators.base import HotmartListOperator


class HotmartListProductsOperator(HotmartListOperator):
    """
    List the account's products.

    Without a ``destination`` the products are the task's XCom; with one they are written to that file, and the
    XCom is its manifest: ``{"path", "records", "bytes", "sha256", "status", "format", "calls"}``.

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
        filters = {"product_id": product_id, "status": status, "format": format, "select": select}
        super().__init__(filters=filters, **kwargs)
