"""
Remove one person from files and archived webhooks, as the Brazilian LGPD gives everybody the right to ask.

Started by hand with the codes of the person: the ``ucode``, and the pseudonyms of e-mail address, phone and document
(``HotmartHook().pseudonym("email", …)`` tells them). What has one of them in it goes: records of files, and webhooks as
a whole. So does what has the e-mail address whose pseudonym is among them. The address itself is never asked for:
Airflow keeps what a run was started with. Run it again, and nothing is left to do.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

# Finds them on every Airflow. Where yours is 3 and stays so, airflow.sdk has all of them.
from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_hotmart.hooks.hotmart import HotmartHook

# An apostrophe may be in the name of an address, and stand before it.
EMAIL = re.compile(rb"""[^][\s"\\,;:<>(){}]+@[^][\s"'\\,;:<>(){}]+""")
# What JSON may have in place of a character.
ESCAPE = re.compile(rb"\\u([0-9a-fA-F]{4})")
# A row of CSV may have line breaks between quotation marks.
ROW = re.compile(rb'(?:[^"\n]|"[^"]*")*\n')
# Says whether a record is about the person.
IsAbout = Callable[[bytes], bool]


def from_lines(content: bytes, is_about: IsAbout) -> bytes:
    """Leave out lines of JSON."""
    lines = io.BytesIO(content)  # which knows one kind of line break, as JSON Lines does
    return b"".join(line for line in lines if not is_about(line))


def from_rows(content: bytes, is_about: IsAbout) -> bytes:
    """Leave out rows of CSV."""
    return b"".join(row for row in ROW.findall(content) if not is_about(row))


def from_gzip(content: bytes, is_about: IsAbout, inside: Callable[[bytes, IsAbout], bytes]) -> bytes:
    """Leave out what is compressed."""
    return gzip.compress(inside(gzip.decompress(content), is_about), mtime=0)


def from_parquet(content: bytes, is_about: IsAbout) -> bytes:
    """Leave out rows of Parquet; this needs pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    kept = [row for row in table.to_pylist() if not is_about("\n".join(map(str, row.values())).encode())]
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(kept, schema=table.schema), written, compression="zstd")
    return written.getvalue()


def from_webhook(content: bytes, is_about: IsAbout) -> bytes | None:
    """Leave out all of a webhook: it is about one sale."""
    return None if is_about(content) else content


REMOVERS: dict[str, Callable[[bytes, IsAbout], bytes | None]] = {
    ".json": from_webhook,
    ".jsonl": from_lines,
    ".jsonl.gz": lambda content, is_about: from_gzip(content, is_about, from_lines),
    ".csv": from_rows,
    ".csv.gz": lambda content, is_about: from_gzip(content, is_about, from_rows),
    ".parquet": from_parquet,
}


@task
def forget(folders: list[str], codes: list[str]) -> list[str]:
    """Remove somebody, and tell from which files."""
    if not codes or not all(len(code) >= 32 for code in codes):
        raise ValueError("give the codes of one person: each is a ucode or a pseudonym")
    wanted = [code.encode() for code in codes]
    hook = HotmartHook("hotmart_default")  # its pseudonym_key is needed, also where files have no pseudonyms

    @lru_cache(maxsize=100_000)
    def is_theirs(email: bytes) -> bool:
        address = email.decode(errors="replace")
        return any(hook.pseudonym("email", one) in codes for one in (address, address.lstrip("'")))

    def is_about(record: bytes) -> bool:
        record = ESCAPE.sub(lambda found: chr(int(found[1], 16)).encode(errors="replace"), record)
        return any(code in record for code in wanted) or any(map(is_theirs, EMAIL.findall(record)))

    changed = []
    for place in map(ObjectStoragePath, folders):
        for path in sorted(place.fs.find(place.path)):
            remove = next((REMOVERS[end] for end in sorted(REMOVERS, reverse=True) if path.endswith(end)), None)
            if remove is None:
                continue
            content = place.fs.cat_file(path)
            left = remove(content, is_about)
            if left is None:
                place.fs.rm_file(path)
            elif left != remove(content, lambda _: False):
                # Beside the file first: it is then the old one or the new one, and never a half of either.
                place.fs.pipe_file(f"{path}.part", left)
                place.fs.mv(f"{path}.part", path)
            else:
                continue
            changed.append(path)
    print(f"removed from {len(changed)} files")
    return changed


with DAG(
    dag_id="hotmart_forget_somebody",
    description="Remove one person from files and archived webhooks",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    render_template_as_native_obj=True,
    params={
        "codes": Param([], type="array", items={"type": "string"}, description="The person's ucode and pseudonyms"),
    },
    doc_md=__doc__,
    tags=["hotmart"],
):
    # Where there is a webhook_archive, its folder, too.
    forget(["{{ var.value.hotmart_destination }}"], "{{ params.codes }}")
