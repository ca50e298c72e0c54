"""What the operators that list share: where the records go, and how they end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_hotmart.failing import StoppableTask, check_rendered, fail_without_retry, given

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_hotmart.api.client import HotmartClient
    from airflow_provider_hotmart.api.endpoint import Endpoint
    from airflow_provider_hotmart.api.filters import Query
    from airflow_provider_hotmart.api.listing import Listing
    from airflow_provider_hotmart.api.shape import Shape
    from airflow_provider_hotmart.hooks.hotmart import HotmartHook
    from airflow_provider_hotmart.storage import RecordFile


class HotmartListOperator(StoppableTask, BaseOperator):
    """
    List what an endpoint has, into XCom or a file. The base of the operators for each endpoint.

    A manifest has ``uri``, ``bucket``, ``key``, ``conn_id``, ``records``, ``bytes``, ``sha256``, ``format``,
    ``compression``, ``columns`` (each with ``name`` and ``type``; None: Hotmart's own shape), ``primary_key``,
    ``window`` (``start``, ``end``, ``timezone``; None: no dates), ``statuses``, ``filters``, ``listed_from``,
    ``listed_until`` and ``calls``. Moments are ISO 8601. Each is an XCom of its own as well.

    :param filters: of the endpoint, by the names of its row in the table (templated); others are left alone, so
        that an operator passes its ``locals()``.
    :param hotmart_conn_id: the connection of type ``hotmart`` (templated).
    :param destination: URL of the file to write, any that ``ObjectStoragePath`` takes, ending in ``.jsonl``,
        ``.jsonl.gz``, ``.csv``, ``.csv.gz`` or ``.parquet`` (templated).
    :param destination_conn_id: the connection of the object store (templated).
    :param max_xcom_records: without a destination, more records than this are an error (templated).
    :param timezone: of dates that name none; None: the connection's (templated).
    :param personal_data: what becomes of people's data: ``keep``; ``pseudonymize``: e-mail addresses, phones and
        documents are replaced by pseudonyms, and names and addresses but for country and state are dropped; ``drop``:
        all of it is (templated).
    :param pseudonymize_ucode: whether Hotmart's codes of people are replaced by pseudonyms as well (templated).
    :param flat: whether JSON Lines have the columns of the other formats (templated).
    :param escape_formulas: whether text in CSV that spreadsheets take for a formula gets an apostrophe before it
        (templated).
    :raises AirflowFailException: where retrying cannot help: a wrong filter, credential or destination.
    :raises HotmartError: for everything else; the file that was there before is then untouched.
    """

    endpoint: ClassVar[Endpoint]
    template_fields: Sequence[str] = (
        "hotmart_conn_id",
        "destination",
        "destination_conn_id",
        "max_xcom_records",
        "timezone",
        "personal_data",
        "pseudonymize_ucode",
        "flat",
        "escape_formulas",
    )
    ui_color = "#ffe3d3"
    #: Of the file that was written.
    _manifest: dict[str, Any] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make all that its endpoint can be asked for template fields of an operator for which nobody named them."""
        super().__init_subclass__(**kwargs)
        if "endpoint" in vars(cls) and cls.template_fields is HotmartListOperator.template_fields:
            cls.template_fields = (*cls.endpoint.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        filters: dict[str, Any],
        hotmart_conn_id: str = "hotmart_default",
        destination: str | ObjectStoragePath | None = None,
        destination_conn_id: str | None = None,
        max_xcom_records: int = 1000,
        timezone: str | None = None,
        personal_data: str = "keep",
        pseudonymize_ucode: bool | str = False,
        flat: bool | str = False,
        escape_formulas: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name in self.template_fields:
            if name in filters:
                setattr(self, name, filters[name])
        self.hotmart_conn_id = hotmart_conn_id
        self.destination = destination
        self.destination_conn_id = destination_conn_id
        self.max_xcom_records = max_xcom_records
        self.timezone = timezone
        self.personal_data = personal_data
        self.pseudonymize_ucode = pseudonymize_ucode
        self.flat = flat
        self.escape_formulas = escape_formulas
        self._given = given(self)

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
        from airflow_provider_hotmart.storage.claims import open_destination

        with fail_without_retry():
            check_rendered(self, self._given)
            filters = {name: getattr(self, name) for name in self.endpoint.arguments}
            query = self.hook.build_query(self.endpoint, timezone=self.timezone, **filters)
            listing = self._make_listing(self.hook.get_conn(), query)
            file = open_destination(self)
            self._stop_when_killed(listing, file)
            shape = self.hook.shape(
                listing.query,
                listing.parts,
                personal_data=self.personal_data,
                pseudonymize_ucode=self.pseudonymize_ucode,
                is_flat=file is not None and file.is_flat,
            )
            result = self._to_xcom(listing, shape) if file is None else self._to_file(context, listing, shape, file)
            self._check_running()
            return result

    def _make_listing(self, client: HotmartClient, query: Query) -> Listing:
        from airflow_provider_hotmart.api.listing import Listing

        return Listing(client, query)

    def _to_xcom(self, listing: Listing, shape: Shape) -> list[dict[str, Any]]:
        limit = self._xcom_limit()
        records: list[dict[str, Any]] = []
        for batch in listing:
            records += shape.objects(batch)
            if len(records) > limit:
                raise AirflowFailException(
                    f"There are more than max_xcom_records={limit} records: set destination to write them to a file, "
                    "or narrow the filters"
                )
        self.log.info("Listed %d records%s with %d calls", len(records), listing.described, listing.calls)
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

    def _to_file(self, context: Context, listing: Listing, shape: Shape, file: RecordFile) -> dict[str, Any]:
        from airflow_provider_hotmart.operators.lineage import collect
        from airflow_provider_hotmart.storage.claims import claim_destination
        from airflow_provider_hotmart.storage.manifest import describe, publish

        client = self.hook.get_conn()
        claim_destination(context.get("ti"), file)
        listed_from = client.clock.time()
        with file.writing(shape.columns) as writer:
            for batch in listing:
                writer.write(shape.write(batch), len(batch))
            listed_until = client.clock.time()
            claim_destination(context.get("ti"), file)
        written = writer.result
        facts = (written.records, listing.described, written.bytes, written.path, listing.calls)
        self.log.info("Wrote %d records%s (%d bytes) to %s with %d calls", *facts)
        collect(self.hook, self._source, written.location.uri)
        listed = (listed_from, listed_until)
        zone = self.timezone or client.config.timezone
        manifest = describe(written, listing.query, shape.primary_key, zone, listed)
        manifest |= {**listing.facts, "calls": listing.calls}
        self._manifest = manifest
        self._check_running()
        publish(self, context, manifest)
        return manifest

    @property
    def _source(self) -> str:
        """URL of the endpoint, for lineage."""
        host = self.hook.get_conn().config.base_url.partition("://")[2]
        return f"hotmart://{host}{self.endpoint.path}"

    def get_openlineage_facets_on_complete(self, _: Any) -> Any:
        """Tell OpenLineage what was read and written; called where its provider is installed."""
        from airflow_provider_hotmart.operators.lineage import openlineage

        return openlineage(self.endpoint, self._source, self._manifest)
