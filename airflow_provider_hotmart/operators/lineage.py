"""What is told to Airflow's lineage collector, and to OpenLineage where its provider is installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.flat import TYPES, FlatColumn


def collect(hook: Any, source: str, uri: str) -> None:
    """
    Tell Airflow's lineage collector, where there is one, what came from where.

    :param hook: that read it.
    :param source: URL of the endpoint.
    :param uri: of the file, or its path.
    """
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

    collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]  # Airflow does not say
    collector.add_input_asset(context=hook, uri=source)
    collector.add_output_asset(context=hook, uri=uri if "://" in uri else f"file://{uri}")


def openlineage(endpoint: Endpoint, source: str, manifest: Mapping[str, Any] | None) -> Any:
    """
    Describe a finished task to OpenLineage: where its records came from, and the file's columns, rows and size.

    :param endpoint: that was listed.
    :param source: its URL.
    :param manifest: of the file; None: the records went to XCom.
    :return: an ``OperatorLineage``.
    """
    from airflow.providers.common.compat.openlineage import facet
    from airflow.providers.openlineage.extractors import OperatorLineage

    scheme, _, rest = source.partition("://")
    host, _, path = rest.partition("/")
    inputs = [facet.Dataset(namespace=f"{scheme}://{host}", name=f"/{path}")]
    if manifest is None:
        return OperatorLineage(inputs=inputs)
    columns = [FlatColumn(one["name"], one["type"]) for one in manifest["columns"] or ()] or [
        FlatColumn(one.path.removeprefix(f"{endpoint.records_in}."), TYPES[one.type]) for one in endpoint.columns
    ]
    written = _written(*_place_of(manifest["uri"]), columns, rowCount=manifest["records"], size=manifest["bytes"])
    return OperatorLineage(inputs=inputs, outputs=[written])


def openlineage_of_load(uris: Iterable[str], conn_id: str, table: str, columns: Iterable[FlatColumn], rows: int) -> Any:
    """
    Describe a finished load to OpenLineage: the files, and the table with its columns and how many rows were written.

    :param uris: of the files.
    :param conn_id: of the database.
    :param table: its schema and name, with a dot between them.
    :param columns: of the table.
    :param rows: that were written.
    :return: an ``OperatorLineage``.
    """
    from airflow.providers.common.compat.openlineage import facet
    from airflow.providers.common.compat.sdk import BaseHook
    from airflow.providers.openlineage.extractors import OperatorLineage

    hook: Any = BaseHook.get_hook(conn_id)
    connection = hook.get_connection(conn_id)
    database = hook.get_openlineage_database_info(connection)
    if database is None:  # SQLite's hook does not say
        namespace = f"{connection.conn_type}://{connection.host}"
    else:
        namespace = f"{database.scheme}://{database.authority}"
        table = f"{database.database}.{table}" if database.database else table
    inputs = [facet.Dataset(*_place_of(uri)) for uri in uris]
    return OperatorLineage(inputs=inputs, outputs=[_written(namespace, table, columns, rowCount=rows)])


def _place_of(uri: str) -> tuple[str, str]:
    """Namespace and name of a file: its bucket and key."""
    scheme, separator, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    return (f"{scheme}://{bucket}", key) if separator else ("file", uri)


def _written(namespace: str, name: str, columns: Iterable[FlatColumn], **statistics: Any) -> Any:
    from airflow.providers.common.compat.openlineage import facet

    fields = [facet.SchemaDatasetFacetFields(name=one.name, type=one.type) for one in columns]
    return facet.OutputDataset(
        namespace=namespace,
        name=name,
        facets={"schema": facet.SchemaDatasetFacet(fields=fields)},
        outputFacets={"outputStatistics": facet.OutputStatisticsOutputDatasetFacet(**statistics)},
    )
