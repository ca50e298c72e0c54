"""Operators that list what an account has at Hotmart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_hotmart.api.client import HotmartClient
    from airflow_provider_hotmart.api.listing import Listing
    from airflow_provider_hotmart.hooks.hotmart import HotmartHook


class _HotmartListOperator(BaseOperator):
    """What the operators that list share: where the records go."""

    template_fields: Sequence[str] = (
        "hotmart_conn_id",
        "destination",
        "destination_conn_id",
        "max_xcom_records",
        "timezone",
    )
    ui_color = "#ffe3d3"
    #: Below the base URL, for lineage.
    path = ""

    def __init__(
        self,
        *,
        hotmart_conn_id: str = "hotmart_default",
        destination: str | ObjectStoragePath | None = None,
        destination_conn_id: str | None = None,
        max_xcom_records: int = 1000,
        timezone: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.timezone = timezone
        self.hotmart_conn_id = hotmart_conn_id
        self.destination = destination
        self.destination_conn_id = destination_conn_id
        self.max_xcom_records = max_xcom_records

    @cached_property
    def hook(self) -> HotmartHook:
        """The hook of the connection."""
        # Here and not above: parsing a DAG file must not pay for what only a running task needs.
        from airflow_provider_hotmart.hooks.hotmart import HotmartHook

        return HotmartHook(self.hotmart_conn_id)

    def execute(self, context: Context) -> list[dict[str, Any]] | dict[str, Any]:
        """
        List, into the destination or to XCom.

        :return: the records; with a destination, the manifest of the file.
        """
        from airflow_provider_hotmart.failing import fail_without_retry

        with fail_without_retry():
            if self.destination is None:
                return self._to_xcom()
            return self._to_file()

    def _prepare(self, client: HotmartClient) -> Any:
        raise NotImplementedError

    def _listing(self, client: HotmartClient, query: Any, encode: Any) -> Listing[Any]:
        raise NotImplementedError

    def _asked(self, query: Any) -> dict[str, Any]:
        raise NotImplementedError

    def _to_xcom(self) -> list[dict[str, Any]]:
        limit = self._xcom_limit()
        client = self.hook.get_conn()
        query = self._prepare(client)
        listing = self._listing(client, query, list)
        records: list[dict[str, Any]] = []
        for batch in listing:
            records += batch.data
            if len(records) > limit:
                raise AirflowFailException(
                    f"There are more than max_xcom_records={limit} records: set destination to write them to a file, "
                    "or narrow the filters"
                )
        self.log.info("Listed %d records%s with %d calls", len(records), self._window(query), listing.calls)
        return records

    def _xcom_limit(self) -> int:
        try:
            limit = int(self.max_xcom_records)
        except (TypeError, ValueError):
            limit = -1
        if limit < 0:
            raise AirflowFailException(
                f"max_xcom_records is {self.max_xcom_records!r}, expected a whole number of at least 0"
            )
        return limit

    def _to_file(self) -> dict[str, Any]:
        from airflow_provider_hotmart.storage import RecordFile, json_lines

        client = self.hook.get_conn()
        query = self._prepare(client)
        file = RecordFile(self.destination, self.destination_conn_id)
        listing = self._listing(client, query, json_lines)
        with file.writing() as writer:
            for batch in listing:
                writer.write(batch.data, batch.count)
        written = writer.result
        facts = (written.records, self._window(query), written.bytes, written.path, listing.calls)
        self.log.info("Wrote %d records%s (%d bytes) to %s with %d calls", *facts)
        self._collect_lineage(client, written.path)
        return {
            "path": written.path,
            "records": written.records,
            "bytes": written.bytes,
            "sha256": written.sha256,
            **self._asked(query),
            "calls": listing.calls,
        }

    def _window(self, query: Any) -> str:
        """Say which window was listed, whether it was given or not; empty where there was none."""
        asked = self._asked(query)
        return f" of [{asked['start_date']}, {asked['end_date']})" if asked.get("start_date") else ""

    def _collect_lineage(self, client: HotmartClient, path: str) -> None:
        """Tell Airflow's lineage collector, where there is one, what came from where."""
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

        host = client.config.base_url.partition("://")[2]
        collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]  # Airflow does not say
        collector.add_input_asset(context=self.hook, uri=f"hotmart://{host}{self.path}")
        collector.add_output_asset(context=self.hook, uri=path if "://" in path else f"file://{path}")


class HotmartListProductsOperator(_HotmartListOperator):
    """
    List the account's products.

    Without a ``destination`` the products are the task's XCom; with one they are written to that file, and the
    XCom is its manifest: ``{"path", "records", "bytes", "sha256", "status", "format", "calls"}``.

    Source: https://developers.hotmart.com/docs/en/v1/product/product-list/.

    :param product_id: one ID or several (templated).
    :param status: one or several of DRAFT, ACTIVE, PAUSED, NOT_APPROVED, IN_REVIEW, DELETED,
        CHANGES_PENDING_ON_PRODUCT (templated).
    :param format: one or several of EBOOK, ONLINE_COURSE, … (templated).
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param hotmart_conn_id: the connection of type ``hotmart`` (templated).
    :param destination: URL of the file to write, any that ``ObjectStoragePath`` takes, ending in ``.jsonl`` or
        ``.jsonl.gz`` (templated).
    :param destination_conn_id: the connection of the object store (templated).
    :param max_xcom_records: without a destination, more records than this are an error (templated).
    :param timezone: of dates that name none; None: the connection's (templated).
    :raises AirflowFailException: where retrying cannot help: a wrong filter, credential or destination.
    :raises HotmartError: for everything else; the file that was there before is then untouched.
    """

    template_fields: Sequence[str] = (
        "product_id",
        "status",
        "format",
        "select",
        *_HotmartListOperator.template_fields,
    )
    path = "/products/api/v1/products"

    def __init__(
        self,
        *,
        product_id: int | str | Sequence[int | str] | None = None,
        status: str | Sequence[str] | None = None,
        format: str | Sequence[str] | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.product_id = product_id
        self.status = status
        self.format = format
        self.select = select

    def _prepare(self, client: HotmartClient) -> Any:
        from airflow_provider_hotmart.api.queries import ProductsQuery

        return ProductsQuery.build(
            product_id=self.product_id, status=self.status, format=self.format, select=self.select
        )

    def _listing(self, client: HotmartClient, query: Any, encode: Any) -> Listing[Any]:
        return client.list_products(query, encode)

    def _asked(self, query: Any) -> dict[str, Any]:
        return {
            "status": [str(one) for one in query.statuses] or None,
            "format": list(query.formats) or None,
        }


class HotmartListSalesParticipantsOperator(_HotmartListOperator):
    """
    List the people in the account's sales: buyers, producers, co-producers, affiliates.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the
    XCom is its manifest: ``{"path", "records", "bytes", "sha256", "start_date", "end_date",
    "transaction_status", "calls"}``. A record is one person in one sale:
    ``{"transaction", "transaction_status", "product": {…}, "role", "user": {…}}``.

    Records are personal data, protected by the Brazilian LGPD: choose a destination that you may keep them in.

    Source: https://developers.hotmart.com/docs/en/v1/sales/sales-users/.

    :param transaction: one transaction code or several (templated). Without dates, sales of any date are found.
    :param transaction_status: one status or several, or ``"ALL"`` (templated). None means APPROVED and COMPLETE,
        or, with ``transaction``, whatever status the sale has.
    :param sales_start_date: Hotmart's ``start_date``, the first moment: ISO 8601 text, ``datetime`` or ``date``;
        without a zone it is in ``timezone`` (templated). None: 30 days before the end. Not called ``start_date``,
        because every Airflow task has a ``start_date`` of its own, which the DAG fills in; written out for a single
        task, ``start_date`` is taken as this filter.
    :param sales_end_date: Hotmart's ``end_date``, the first moment that no longer counts (templated). None: now.
    :param product_id: one product ID or several (templated).
    :param buyer_email: the buyer's e-mail address (templated).
    :param buyer_name: the buyer's name (templated).
    :param sales_source: the SRC code of the sale's link (templated).
    :param affiliate_name: the affiliate's name (templated).
    :param commission_as: PRODUCER, COPRODUCER or AFFILIATE: the role of the account that asks (templated).
    :param roles: keep only people in these roles: BUYER, PRODUCER, COPRODUCER, AFFILIATE (templated).
    :param select: dot paths of the fields to fetch, a list or comma-separated (templated).
    :param hotmart_conn_id: the connection of type ``hotmart`` (templated).
    :param destination: URL of the file to write, any that ``ObjectStoragePath`` takes, ending in ``.jsonl`` or
        ``.jsonl.gz`` (templated).
    :param destination_conn_id: the connection of the object store (templated).
    :param max_xcom_records: without a destination, more records than this are an error (templated).
    :param timezone: of dates that name none; None: the connection's (templated).
    :raises AirflowFailException: where retrying cannot help: a wrong filter, credential or destination.
    :raises HotmartError: for everything else; the file that was there before is then untouched.
    """

    filters = (
        "transaction",
        "transaction_status",
        "sales_start_date",
        "sales_end_date",
        "product_id",
        "buyer_email",
        "buyer_name",
        "sales_source",
        "affiliate_name",
        "commission_as",
        "roles",
        "select",
    )
    #: Filters that the hook calls otherwise.
    hook_names: ClassVar[dict[str, str]] = {"sales_start_date": "start_date", "sales_end_date": "end_date"}
    path = "/payments/api/v1/sales/users"

    template_fields: Sequence[str] = (*filters, *_HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        transaction: str | Sequence[str] | None = None,
        transaction_status: str | Sequence[str] | None = None,
        sales_start_date: Any = None,
        sales_end_date: Any = None,
        product_id: int | str | Sequence[int | str] | None = None,
        buyer_email: str | None = None,
        buyer_name: str | None = None,
        sales_source: str | None = None,
        affiliate_name: str | None = None,
        commission_as: str | None = None,
        roles: str | Sequence[str] | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        if not getattr(self, "_BaseOperator__from_mapped", False):
            # A mapped task is made with the dates of the DAG; anywhere else, somebody wrote them here.
            sales_start_date = kwargs.pop("start_date", None) if sales_start_date is None else sales_start_date
            sales_end_date = kwargs.pop("end_date", None) if sales_end_date is None else sales_end_date
        super().__init__(**kwargs)
        self.transaction = transaction
        self.transaction_status = transaction_status
        self.sales_start_date = sales_start_date
        self.sales_end_date = sales_end_date
        self.product_id = product_id
        self.buyer_email = buyer_email
        self.buyer_name = buyer_name
        self.sales_source = sales_source
        self.affiliate_name = affiliate_name
        self.commission_as = commission_as
        self.roles = roles
        self.select = select

    def _prepare(self, client: HotmartClient) -> Any:
        from airflow_provider_hotmart.api.dates import parse_datetime
        from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
        from airflow_provider_hotmart.api.queries import ParticipantsQuery

        filters = {self.hook_names.get(name, name): getattr(self, name) for name in self.filters}
        for name, hook_name in self.hook_names.items():
            if filters[hook_name] is not None:
                seconds = parse_datetime(filters[hook_name], name, self.timezone or client.config.timezone)
                filters[hook_name] = datetime.fromtimestamp(seconds, UTC)
        try:
            return ParticipantsQuery.build(now=client.clock.time(), **filters)
        except HotmartInvalidRequestError as error:
            told = error.message
            for name, hook_name in self.hook_names.items():
                told = re.sub(rf"\b{hook_name}\b", name, told)
            raise HotmartInvalidRequestError(told.replace(" an sales_", " a sales_")) from None

    def _listing(self, client: HotmartClient, query: Any, encode: Any) -> Listing[Any]:
        return client.list_sales_participants(query, encode)

    def _asked(self, query: Any) -> dict[str, Any]:
        start, end = query.window.isoformat() if query.dated else (None, None)
        return {
            "start_date": start,
            "end_date": end,
            "transaction_status": [str(one) for one in query.statuses] or None,
        }
