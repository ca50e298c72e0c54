"""What databases do differently: names, types, locks, bulk loading, and what their errors may show."""

from __future__ import annotations

from typing import Any

from airflow_provider_hotmart.transfers.dialects.base import Dialect
from airflow_provider_hotmart.transfers.dialects.mysql import MySql
from airflow_provider_hotmart.transfers.dialects.postgres import Postgres
from airflow_provider_hotmart.transfers.dialects.sqlite import Sqlite
from airflow_provider_hotmart.transfers.manifest import LoadError

#: By the beginning of the module of a connection's class.
_DIALECTS: dict[str, type[Dialect]] = {
    "psycopg": Postgres,
    "MySQLdb": MySql,
    "mysql.connector": MySql,
    "pymysql": MySql,
    "sqlite3": Sqlite,
}


def find_dialect(connection: Any) -> Dialect:
    """
    Return what knows the database of a connection.

    :param connection: as the driver makes it.
    :raises LoadError: when none does.
    """
    for kind in type(connection).__mro__:
        for prefix, dialect in _DIALECTS.items():
            if kind.__module__.startswith(prefix):
                return dialect(connection)
    raise LoadError(
        f"the connection is of {type(connection).__module__}: this operator loads into PostgreSQL, MySQL, MariaDB and "
        "SQLite; the page 'Load into a database' shows the operators for other ones"
    )
