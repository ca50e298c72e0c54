"""What is told to Airflow's lineage collector, and to OpenLineage where its provider is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.flat import TYPES


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
    columns = manifest["columns"] or [
        {"name": one.path.removeprefix(f"{endpoint.records_in}."), "type": TYPES[one.type]} for one in endpoint.columns
    ]
    schema = [facet.SchemaDatasetFacetFields(name=one["name"], type=one["type"]) for one in columns]
    namespace, name = "file", manifest["uri"]
    if manifest["bucket"] is not None:
        namespace, name = manifest["uri"].removesuffix(f"/{manifest['key']}"), manifest["key"]
    written = facet.OutputDataset(
        namespace=namespace,
        name=name,
        facets={"schema": facet.SchemaDatasetFacet(fields=schema)},
        outputFacets={
            "outputStatistics": facet.OutputStatisticsOutputDatasetFacet(
                rowCount=manifest["records"], size=manifest["bytes"]
            )
        },
    )
    return OperatorLineage(inputs=inputs, outputs=[written])
