"""What is in the table after a load is what is in the file."""

from __future__ import annotations

import io
import json
import traceback
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_hotmart.storage import StorageError
from airflow_provider_hotmart.transfers.loading import Loaded
from airflow_provider_hotmart.transfers.manifest import LoadError
from tests.databases.servers import Database
from tests.databases.support import COLUMNS, DAY, KEY, Loader, row

SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")
LATER = {"listed_from": "2025-03-03T06:00:00+00:00", "listed_until": "2025-03-03T06:01:00+00:00"}
EARLIER = {"listed_from": "2025-03-01T06:00:00+00:00", "listed_until": "2025-03-01T06:01:00+00:00"}
#: Texts that have been lost or changed by somebody's loader.
TEXTS = [
    "Zoë 👩🏽‍💻 São João",
    'says "no", twice ""',
    "two\nlines",
    "two\r\nlines",
    "a\n\\.\nb",
    "\\N",
    "\\.",
    "back\\slash\ttab",
    "NULL",
    " blanks ",
    "=1+1",
    "'; DROP TABLE participants; --",
    "%s %d %%",
    ',"",',
    '"',
    "",
    None,
]


def value_of(value: Any, kind: str) -> Any:
    """A value as the types of Python tell it, whatever the database's driver makes of it."""
    if value is None or kind in ("string", "integer"):
        return value
    if kind == "decimal":
        return Decimal(value)
    if kind == "boolean":
        return bool(value)
    if kind == "json":
        return json.loads(value) if isinstance(value, str) else value
    if kind == "timestamp":
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return date.fromisoformat(value) if isinstance(value, str) else value


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_value_arrives_as_it_is_in_the_file(loader: Loader, suffix: str) -> None:
    rows = [row(i, user_name=text) for i, text in enumerate(TEXTS)]
    rows += [
        row(100, price_value=Decimal("1234567890123456789012345678.0123456789"), product_id=2**63 - 1),
        row(101, price_value=Decimal("-0.0000000001"), product_id=-(2**63)),
        row(102, order_date=datetime(2025, 3, 1, 23, 59, 59, 999000, UTC)),
        row(103, order_date=datetime(1999, 12, 31, tzinfo=UTC), other='{"a": [1, null, "\\"é👍\\n"], "b": 1.50}'),
        {name: row(104)[name] for name in KEY},
    ]
    loaded = loader.load(loader.file(*rows, suffix=suffix))
    assert (loaded.records, loaded.rows, loaded.deleted) == (len(rows), len(rows), 0)
    found = loader.read(*COLUMNS)
    expected = [tuple(value_of(one.get(name), kind) for name, kind in COLUMNS.items()) for one in rows]
    assert [
        tuple(value_of(value, kind) for value, kind in zip(one, COLUMNS.values(), strict=True)) for one in found
    ] == expected


def test_every_row_says_in_which_window_it_was_listed_and_when(loader: Loader) -> None:
    loader.load(loader.file(row(1)))
    [found] = loader.read("listed_window_start", "listed_window_end", "listed_from", "listed_until")
    assert [value_of(value, "timestamp").isoformat() for value in found] == [
        DAY["start"],
        DAY["end"],
        "2025-03-02T06:00:00+00:00",
        "2025-03-02T06:01:00+00:00",
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_makes_an_empty_table(loader: Loader, suffix: str) -> None:
    loaded = loader.load(loader.file(suffix=suffix))
    assert (loaded.records, loaded.rows) == (0, 0)
    assert loader.read(*COLUMNS, "listed_from") == []


@pytest.mark.parametrize("mode", ["upsert", "replace_window"])
def test_a_file_that_is_loaded_twice_leaves_the_same_table(loader: Loader, mode: str) -> None:
    manifest = loader.file(*map(row, range(2500)))
    loader.load(manifest, mode=mode)
    before = loader.read(*COLUMNS, "listed_from")
    loaded = loader.load(manifest, mode=mode)
    assert loaded.rows == 2500
    assert loader.read(*COLUMNS, "listed_from") == before
    assert len(before) == 2500


def test_an_appended_file_that_is_appended_again_is_refused_and_the_table_stays_as_it_was(loader: Loader) -> None:
    manifest = loader.file(row(1), row(2))
    loader.load(manifest, mode="append")
    with pytest.raises(LoadError, match="use mode='upsert'") as caught:
        loader.load(manifest, mode="append")
    assert caught.value.permanent
    assert "HP" not in str(caught.value)
    assert len(loader.statuses()) == 2


def test_upsert_replaces_rows_of_the_same_key_and_keeps_the_others(loader: Loader) -> None:
    loader.load(loader.file(row(1), row(2)))
    loader.load(loader.file(row(2, transaction_status="REFUNDED"), row(3), **LATER))
    assert loader.statuses() == {"HP0000000001": "APPROVED", "HP0000000002": "REFUNDED", "HP0000000003": "APPROVED"}


def test_a_file_that_was_listed_before_does_not_bring_back_an_earlier_state(loader: Loader) -> None:
    loader.load(loader.file(row(1, transaction_status="CHARGEBACK"), row(2, transaction_status="APPROVED"), **LATER))
    loaded = loader.load(loader.file(row(1), row(2, transaction_status="REFUNDED"), row(3), **EARLIER))
    assert (loaded.records, loaded.rows) == (3, 1)
    assert loader.statuses() == {"HP0000000001": "CHARGEBACK", "HP0000000002": "APPROVED", "HP0000000003": "APPROVED"}


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_listings_at_the_same_time_the_later_status_counts_whichever_is_loaded_last(
    loader: Loader, order: int
) -> None:
    long = {"listed_from": "2025-03-02T06:00:00+00:00", "listed_until": "2025-03-02T06:10:00+00:00"}
    short = {"listed_from": "2025-03-02T06:01:00+00:00", "listed_until": "2025-03-02T06:02:00+00:00"}
    files = [
        loader.file(row(1, transaction_status="REFUNDED"), row(2, transaction_status="APPROVED"), **long),
        loader.file(row(1, transaction_status="APPROVED"), row(2, transaction_status="COMPLETE"), **short),
    ]
    for manifest in files[::order]:
        loader.load(manifest)
    assert loader.statuses() == {"HP0000000001": "REFUNDED", "HP0000000002": "COMPLETE"}


@pytest.mark.parametrize("mode", ["upsert", "replace_window", "append"])
def test_a_sale_that_moved_while_it_was_listed_is_loaded_under_the_later_status(loader: Loader, mode: str) -> None:
    moved = [row(1, transaction_status=status) for status in ("REFUNDED", "APPROVED", "COMPLETE")]
    unknown = [row(2, transaction_status=status) for status in ("APPROVED", "NEWLY_INVENTED")]
    same = [row(3, user_name=name) for name in ("before", "after")]
    loaded = loader.load(loader.file(*moved, *unknown, *same), mode=mode)
    assert (loaded.records, loaded.rows) == (7, 3)
    assert loader.read("transaction_status", "user_name") == [
        ("REFUNDED", "Person 1"),
        ("APPROVED", "Person 2"),
        ("APPROVED", "after"),
    ]


@pytest.mark.parametrize("mode", ["upsert", "replace_window", "append"])
def test_keys_that_differ_only_in_case_or_accents_are_several(loader: Loader, mode: str) -> None:
    keys = ["aBc", "abc", "e", "é"]
    manifest = loader.file(*(row(number, user_key=key) for number in (1, 2) for key in keys))
    loaded = loader.load(manifest, mode=mode)
    assert (loaded.records, loaded.rows) == (8, 8)
    assert sorted(loader.read("transaction", "user_key")) == sorted(
        (row(number)["transaction"], key) for number in (1, 2) for key in keys
    )


def test_replacing_a_window_deletes_the_rows_that_left_it_and_no_others(loader: Loader) -> None:
    next_day = {"start": DAY["end"], "end": "2025-03-03T03:00:00+00:00", "timezone": "America/Sao_Paulo"}
    loader.load(loader.file(row(1), row(2)), mode="replace_window")
    loader.load(loader.file(row(3), window=next_day), mode="replace_window")
    # The same moments, told by another zone.
    same_day = {"start": "2025-03-01T00:00:00-03:00", "end": "2025-03-02T00:00:00-03:00", "timezone": "UTC"}
    loaded = loader.load(loader.file(row(2), window=same_day, **LATER), mode="replace_window")
    assert (loaded.rows, loaded.deleted) == (1, 2)
    assert sorted(loader.statuses()) == ["HP0000000002", "HP0000000003"]


def test_a_window_is_not_replaced_by_what_was_listed_before(loader: Loader) -> None:
    loader.load(loader.file(row(1, transaction_status="REFUNDED"), **LATER), mode="replace_window")
    loaded = loader.load(loader.file(row(1), row(2)), mode="replace_window")
    assert (loaded.records, loaded.rows, loaded.deleted) == (2, 0, 0)
    assert loader.statuses() == {"HP0000000001": "REFUNDED"}


def test_files_of_one_window_that_were_listed_one_after_the_other_replace_it_together(loader: Loader) -> None:
    files = [loader.file(row(1)), loader.file(row(2), **LATER)]
    for _ in range(2):
        assert loader.load(files, mode="replace_window").rows == 2
        assert sorted(loader.statuses()) == ["HP0000000001", "HP0000000002"]


def test_several_files_are_loaded_together_or_not_at_all(loader: Loader) -> None:
    files = [loader.file(row(1)), loader.file(row(2), suffix=".jsonl.gz")]
    loaded = loader.load(files)
    assert (loaded.records, loaded.rows) == (2, 2)
    wrong = loader.file(row(4))
    wrong["records"] = 2
    with pytest.raises(LoadError, match=r"than its manifest says: list it again, .*: 1, not 2"):
        loader.load([loader.file(row(3)), wrong])
    assert sorted(loader.statuses()) == ["HP0000000001", "HP0000000002"]


def test_names_that_need_quoting_are_quoted(loader: Loader, database: Database) -> None:
    table = 'Sales "2025"; DROP TABLE x -- 100%s `y`'
    if database.kind == "mariadb":
        table = table.replace("`", "")
    loader.load(loader.file(row(1)), table=table)
    loader.load(loader.file(row(1)), table=table)
    name = database.quote(table.replace('"', '""') if database.kind != "mariadb" else table)
    assert database.rows(f"SELECT COUNT(*) FROM {name}") == [(1,)]


@pytest.mark.parametrize("argument", ["table", "schema"])
def test_a_name_that_would_be_cut_is_refused(loader: Loader, database: Database, argument: str) -> None:
    refused = {"a\0b": "has no name"}
    if database.kind in ("postgres", "psycopg2"):
        refused |= dict.fromkeys(["t" * 64, "é" * 32], "a name is longer than the 63 bytes that count: shorten it")
    for name, message in refused.items():
        with pytest.raises(LoadError, match=message) as caught:
            loader.load(loader.file(row(1)), **{argument: name})
        assert caught.value.permanent


def test_a_table_is_found_in_its_schema(loader: Loader, database: Database) -> None:
    if database.kind == "sqlite":
        assert loader.load(loader.file(row(1)), schema="main").schema == "main"
    else:
        database.run(
            f"DROP SCHEMA IF EXISTS {database.quote('Ware house')}" + " CASCADE" * (database.kind != "mariadb")
        )
        database.run(f"CREATE SCHEMA {database.quote('Ware house')}")
        assert loader.load(loader.file(row(1)), schema="Ware house").schema == "Ware house"
        table = f"{database.quote('Ware house')}.participants"
        assert database.rows(f"SELECT COUNT(*) FROM {table}") == [(1,)]
    with pytest.raises(LoadError, match="there is no schema 'elsewhere'"):
        loader.load(loader.file(row(1)), schema="elsewhere")


def test_a_column_that_the_table_lacks_is_an_error_with_the_statement_that_adds_it(
    loader: Loader, database: Database
) -> None:
    loader.load(loader.file(row(1)))
    grown = {**COLUMNS, "price_base": "decimal", "It's new": "string"}
    manifest = loader.file(row(2, price_base=Decimal("0.1")), columns=grown)
    with pytest.raises(LoadError, match="lacks columns of the file; run: ALTER TABLE") as caught:
        loader.load(manifest)
    assert loader.statuses() == {"HP0000000001": "APPROVED"}
    statements = str(caught.value).partition("run: ")[2].split("; ")
    assert len(statements) == 2
    database.run(*statements)
    loader.load(manifest)
    assert [value and Decimal(value) for (value,) in loader.read("price_base")] == [None, Decimal("0.1")]


def test_a_column_whose_name_has_another_case_is_the_same_where_the_database_says_so(
    loader: Loader, database: Database
) -> None:
    loader.load(loader.file(row(1)))
    database.run(f"ALTER TABLE participants RENAME COLUMN user_name TO {database.quote('User_Name')}")
    if database.kind in ("postgres", "psycopg2"):
        with pytest.raises(LoadError, match=r'lacks columns of the file; run: ALTER TABLE .* ADD COLUMN "user_name"'):
            loader.load(loader.file(row(2)))
    else:
        loader.load(loader.file(row(2)))
        assert len(loader.statuses()) == 2


def test_a_table_of_ones_own_may_have_more_columns_which_stay(loader: Loader, database: Database) -> None:
    loader.load(loader.file(row(1)))
    database.run("ALTER TABLE participants ADD COLUMN note varchar(20)", "UPDATE participants SET note = 'mine'")
    loader.load(loader.file(row(1, transaction_status="COMPLETE"), **LATER))
    assert loader.read("transaction_status", "note") == [("COMPLETE", "mine")]


def test_a_column_that_would_round_is_refused(loader: Loader, database: Database) -> None:
    loader.load(loader.file(row(1)))
    narrow = "REAL" if database.kind == "sqlite" else "numeric(10,2)"
    database.run("ALTER TABLE participants DROP COLUMN price_value")
    database.run(f"ALTER TABLE participants ADD COLUMN price_value {narrow}")
    with pytest.raises(LoadError, match=r"cannot hold every value.*price_value"):
        loader.load(loader.file(row(1)))


def test_a_table_without_the_key_is_refused_with_the_statement_that_adds_it(loader: Loader, database: Database) -> None:
    loader.load(loader.file(), table="made")
    database.run("CREATE TABLE participants AS SELECT * FROM made WHERE 1 = 0")
    with pytest.raises(LoadError, match="no key that tells rows apart; run: ") as caught:
        loader.load(loader.file(row(1)))
    loader.load(loader.file(row(1)), mode="append")
    database.run(str(caught.value).partition("run: ")[2])
    loader.load(loader.file(row(1, transaction_status="COMPLETE"), **LATER))
    assert loader.statuses() == {"HP0000000001": "COMPLETE"}


def test_without_create_table_a_missing_table_is_an_error_with_the_statement_that_makes_it(
    loader: Loader, database: Database
) -> None:
    manifest = loader.file(row(1))
    with pytest.raises(LoadError, match="set create_table=True, or run: CREATE TABLE") as caught:
        loader.load(manifest, create_table=False)
    database.run(str(caught.value).partition("or run: ")[2])
    loader.load(manifest, create_table=False)
    assert len(loader.statuses()) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("values", [{"user_name": "a\0b"}, {"other": '{"a": "b\\u0000"}'}], ids=["text", "json"])
def test_the_character_nul_is_kept_or_refused_with_what_to_do(
    loader: Loader, database: Database, values: dict[str, Any], suffix: str
) -> None:
    manifest = loader.file(row(1), row(2, **values), suffix=suffix)
    if database.kind in ("postgres", "psycopg2"):
        with pytest.raises(LoadError, match=r"NUL, which this database cannot store: leave .* line 2 of the file"):
            loader.load(manifest)
    else:
        loader.load(manifest)
        [(name, value)] = values.items()
        [_, (found,)] = loader.read(name)
        assert value_of(found, COLUMNS[name]) == value_of(value, COLUMNS[name])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_was_replaced_is_not_loaded(loader: Loader, suffix: str) -> None:
    before = loader.file(row(1), suffix=suffix)
    other = loader.file(row(2), suffix=suffix)
    with pytest.raises(LoadError, match="was replaced after it was listed: run the task again that wrote it") as caught:
        loader.load({**other, "sha256": before["sha256"]})
    assert caught.value.permanent
    database = loader.database
    with pytest.raises(Exception, match="participants"):
        database.rows("SELECT * FROM participants")


@pytest.mark.parametrize("content", [b"", b"not the columns\n1\n", b"\xff\xfe", b'"', b"{"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_another_form_that_replaced_it_is_told_as_that(loader: Loader, suffix: str, content: bytes) -> None:
    manifest = loader.file(row(1), suffix=suffix)
    Path(manifest["uri"]).write_bytes(content)
    with pytest.raises(LoadError, match="was replaced after it was listed"):
        loader.load(manifest)


def test_no_error_shows_a_value_of_a_row(loader: Loader, database: Database) -> None:
    secret = "maria.secret"
    wrong = {**COLUMNS, "product_id": "string", "order_date": "string"}
    types = {"columns": [{"name": name, "type": kind} for name, kind in COLUMNS.items()]}
    files = [
        loader.file(row(1, user_key=secret), row(1, user_key=secret)),
        {**loader.file(row(1, product_id=secret), columns=wrong), **types},
        {**loader.file(row(1, order_date=secret), columns=wrong), **types},
        loader.file(row(1, user_key=None, user_name=secret)),
    ]
    loader.load(loader.file(row(1, user_key=secret)))
    failed = 0
    for number, manifest in enumerate(files):
        for mode in ("append", "upsert"):
            try:
                loader.load(manifest, mode=mode)
            except LoadError as error:
                failed += 1
                seen: list[BaseException | None] = [error]
                while seen[-1] is not None:
                    assert secret not in str(seen[-1]), number
                    seen.append(seen[-1].__cause__ or seen[-1].__context__)
    assert failed >= 6


def test_nor_does_one_of_a_store_that_breaks_while_a_load_that_failed_is_checked(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "maria.secret"
    rows = [row(number, product_id=secret, user_name="x" * 1000) for number in range(3000)]
    manifest = loader.file(*rows, columns={**COLUMNS, "product_id": "string"})
    manifest["columns"] = [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
    open_path = Path.open

    class Breaking(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            if self.tell() > 2 * size:
                raise ConnectionResetError("the share is gone")
            return super().read(size)

    def open_breaking(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return Breaking(path) if str(path) == manifest["uri"] else open_path(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", open_breaking)
    with pytest.raises(StorageError, match="the share is gone") as caught:
        loader.load(manifest)
    assert secret not in "".join(traceback.format_exception(caught.value))
    assert not caught.value.permanent


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": None}, "list them with flat=True"),
        ({"uri": None}, "the manifest"),
        ({"sha256": None, "records": "many"}, "is not what a listing task returns: give its output as it is"),
        ({"format": "xml"}, "does not know: .*: xml\\]"),
        ({"primary_key": ["nobody"]}, "does not know: .*: nobody\\]"),
        ({"listed_from": "2025-03-02T06:00:00"}, r"with a timezone component - at `\$\.listed_from`"),
    ],
)
def test_what_is_no_manifest_of_a_flat_file_is_refused(loader: Loader, changes: dict[str, Any], message: str) -> None:
    manifest = {**loader.file(row(1)), **changes}
    if changes == {"uri": None}:
        del manifest["uri"]
        message = "set destination on the listing task"
    with pytest.raises(LoadError, match=message):
        loader.load(manifest)


def test_the_text_that_a_template_makes_of_a_manifest_is_one(loader: Loader) -> None:
    manifest = loader.file(row(1))
    assert loader.load(json.dumps(manifest)).rows == 1
    assert loader.load(str([manifest])).rows == 1
    assert loader.load({**manifest, "records": str(manifest["records"])}).rows == 1
    with pytest.raises(LoadError, match="is a text that is no JSON"):
        loader.load("{{ not rendered }}")
    with pytest.raises(LoadError, match="empty list"):
        loader.load([])


def test_what_does_not_fit_together_is_refused_before_anything_is_read(loader: Loader) -> None:
    for arguments, changes, message in (
        ({"mode": "truncate"}, {}, "expected upsert, replace_window, append"),
        ({"mode": "replace_window"}, {"window": None}, "without a window: load it with mode='upsert'"),
        ({"mode": "upsert"}, {"primary_key": []}, "nothing tells the rows"),
        ({"table": " "}, {}, "table is blank"),
    ):
        with pytest.raises(LoadError, match=message):
            loader.load({**loader.file(row(1)), **changes}, **arguments)
    assert isinstance(loader.load({**loader.file(row(1)), "primary_key": []}, mode="append"), Loaded)
