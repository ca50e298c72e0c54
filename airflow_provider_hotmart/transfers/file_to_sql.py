"""From a file that a listing operator wrote to a table of a SQL database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook, BaseOperator

from airflow_provider_hotmart.failing import StoppableTask, check_rendered, fail_without_retry, given

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_hotmart.transfers.loading import Loaded


class HotmartFileToSqlOperator(StoppableTask, BaseOperator):
    """
    Load flat files into a table of PostgreSQL, MySQL, MariaDB or SQLite: all of them or nothing, in constant memory.

    Run twice, the table is the same. Runs that load the same table at the same time wait for each other. A sale that
    stands in a file under two statuses, because it moved on while it was listed, is loaded under the later one.

    Each row carries the window that it was listed in (``listed_window_start``, ``listed_window_end``) and when that
    was done (``listed_from``, ``listed_until``).

    :param manifest: the output of a listing task with a destination in ``.csv``, ``.csv.gz`` or ``.parquet``, or in
        JSON Lines with ``flat=True``; or several of them with the same columns (templated).
    :param conn_id: the connection of the database (templated).
    :param table: name of the table (templated).
    :param schema: of the table, in MySQL the database; None: the connection's own (templated).
    :param create_table: whether to make the table, with the primary key that the manifest names, if there is none.
    :param mode: what becomes of rows that are there (templated). ``upsert``: rows of the same primary key are
        replaced, unless they are known to be of a later moment. ``replace_window``: as well, all rows that were
        listed in exactly the same window are deleted before, so that rows that left a status go; a file that was
        listed before those were changes nothing. ``append``: rows are added, and one whose key is there is an error.
    :param source_conn_id: the connection of the object store that has the file; None: the one that it was written with
        (templated).
    :raises AirflowFailException: where retrying cannot help: a column that the table lacks, a file that was replaced.
    :raises LoadError: for what may pass. The table is as it was then, too.
    """

    template_fields: Sequence[str] = ("manifest", "conn_id", "table", "schema", "mode", "source_conn_id")
    ui_color = "#ffe3d3"
    _loaded: Loaded | None = None

    def __init__(
        self,
        *,
        manifest: Any,
        conn_id: str,
        table: str,
        schema: str | None = None,
        create_table: bool = True,
        mode: Literal["upsert", "replace_window", "append"] = "upsert",
        source_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifest = manifest
        self.conn_id = conn_id
        self.table = table
        self.schema = schema
        self.create_table = create_table
        self.mode = mode
        self.source_conn_id = source_conn_id
        self._given = given(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Load the files.

        :return: where to, and how many rows were read, written, and deleted before.
        """
        # Here and not above: parsing a DAG file must not pay for what only a running task needs.
        from airflow_provider_hotmart.transfers.loading import TableLoad
        from airflow_provider_hotmart.transfers.manifest import parse_manifests

        with fail_without_retry():
            check_rendered(self, self._given)
            load = TableLoad(
                parse_manifests(self.manifest),
                table=self.table,
                schema=self.schema,
                create_table=self.create_table,
                mode=self.mode,
                source_conn_id=self.source_conn_id,
            )
            self._stop_when_killed(load)
            loaded = self._loaded = load.run(self._connect())
        facts = (loaded.records, loaded.rows, loaded.schema, self.table, self.mode, loaded.deleted)
        self.log.info("Read %d records and wrote %d rows to %s.%s (%s), deleted %d before", *facts)
        return {"table": self.table, "mode": self.mode, **asdict(loaded)}

    def _connect(self) -> Any:
        from airflow_provider_hotmart.transfers.manifest import LoadError

        try:
            hook: Any = BaseHook.get_hook(self.conn_id)
        except AirflowNotFoundException:
            raise LoadError(f"there is no connection {self.conn_id!r}: add it in Airflow, or correct conn_id") from None
        except AirflowException:
            raise LoadError(
                f"connection {self.conn_id!r} has no hook: install Airflow's provider of its "
                "database, or correct conn_id"
            ) from None
        return hook.get_conn()

    def get_openlineage_facets_on_complete(self, _: Any) -> Any:
        """Tell OpenLineage what was read and written; called where its provider is installed."""
        from airflow_provider_hotmart.operators.lineage import openlineage_of_load
        from airflow_provider_hotmart.transfers.loading import ADDED
        from airflow_provider_hotmart.transfers.manifest import parse_manifests

        if self._loaded is None:
            return None
        manifests = parse_manifests(self.manifest)
        table = f"{self._loaded.schema}.{self.table}"
        columns = (*manifests[0].columns, *ADDED)
        uris = [one.uri for one in manifests]
        return openlineage_of_load(uris, self.conn_id, table, columns, self._loaded.rows)
