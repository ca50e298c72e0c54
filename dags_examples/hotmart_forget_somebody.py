"""
Remove one person from the files that other tasks have written, as the Brazilian LGPD gives everybody the right to ask.

Started by hand with the codes that the person has in the files: the ``ucode``, and the pseudonyms of e-mail address,
phone and document where files were written under pseudonyms (``HotmartHook().pseudonym("email", …)`` tells them). Every
record in which one of them stands goes. Run it again, and nothing is left to do.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime

# Finds them on every Airflow. Where yours is 3 and stays so, airflow.sdk has all of them.
from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task

# A row of CSV may have line breaks between quotation marks.
ROW = re.compile(rb'(?:[^"\n]|"[^"]*")*\n')


def from_lines(content: bytes, codes: list[bytes]) -> bytes:
    """Leave out lines of JSON."""
    lines = io.BytesIO(content)  # which knows one kind of line break, as JSON Lines does
    return b"".join(line for line in lines if not any(code in line for code in codes))


def from_rows(content: bytes, codes: list[bytes]) -> bytes:
    """Leave out rows of CSV."""
    return b"".join(row for row in ROW.findall(content) if not any(code in row for code in codes))


def from_gzip(content: bytes, codes: list[bytes], inside: Callable[[bytes, list[bytes]], bytes]) -> bytes:
    """Leave out what is compressed."""
    return gzip.compress(inside(gzip.decompress(content), codes), mtime=0)


def from_parquet(content: bytes, codes: list[bytes]) -> bytes:
    """Leave out rows of Parquet; this needs pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    texts = [code.decode() for code in codes]
    kept = [row for row in table.to_pylist() if not any(code in str(one) for one in row.values() for code in texts)]
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(kept, schema=table.schema), written, compression="zstd")
    return written.getvalue()


REMOVERS: dict[str, Callable[[bytes, list[bytes]], bytes]] = {
    ".jsonl": from_lines,
    ".jsonl.gz": lambda content, codes: from_gzip(content, codes, from_lines),
    ".csv": from_rows,
    ".csv.gz": lambda content, codes: from_gzip(content, codes, from_rows),
    ".parquet": from_parquet,
}


@task
def forget(folder: str, codes: list[str]) -> list[str]:
    """Remove somebody, and tell from which files."""
    if not codes or not all(len(code) >= 32 for code in codes):
        raise ValueError("give the codes of one person: each is a ucode or a pseudonym")
    place, changed = ObjectStoragePath(folder), []
    wanted = [code.encode() for code in codes]
    for path in sorted(place.fs.find(place.path)):
        remove = next((REMOVERS[suffix] for suffix in sorted(REMOVERS, reverse=True) if path.endswith(suffix)), None)
        if remove is None:
            continue
        content = place.fs.cat_file(path)
        left = remove(content, wanted)
        if left != remove(content, []):
            # Beside the file first: it is then the old one or the new one, and never a half of either.
            place.fs.pipe_file(f"{path}.part", left)
            place.fs.mv(f"{path}.part", path)
            changed.append(path)
    print(f"removed from {len(changed)} files")
    return changed


with DAG(
    dag_id="hotmart_forget_somebody",
    description="Remove one person from files",
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
    forget("{{ var.value.hotmart_destination }}", "{{ params.codes }}")
