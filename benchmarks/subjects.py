"""
What is measured: each runs as a process of its own, ``python -m benchmarks.subjects JOB``.

A subject is a function that takes the job, imports what it needs, and returns the work to be measured. Nothing is
imported above that not all of them need, so that each pays for its own imports only.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

Job = dict[str, Any]
Work = Callable[[], dict[str, Any]]

OURS = "airflow_provider_hotmart"
STATUS = "COMPLETE"
PAGE = 500
SALES = "/payments/api/v1/sales/users"
OUR_MODULES = (
    f"{OURS}.hooks.hotmart",
    f"{OURS}.operators.lineage",
    f"{OURS}.storage.claims",
    f"{OURS}.storage.manifest",
)


def main() -> None:
    """Do one job: get ready, wait for the word, work, tell, and wait to be dismissed."""
    # What Airflow prints must not get in between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.loads(sys.argv[1])
    work = SUBJECTS[job["subject"]](job)
    print(json.dumps("ready"), file=answers, flush=True)
    sys.stdin.readline()
    print(json.dumps(work()), file=answers, flush=True)
    sys.stdin.read()


def params_of(job: Job) -> dict[str, Any]:
    """The query of the endpoint, the same for everybody who lists page after page."""
    return {
        "transaction_status": STATUS,
        "start_date": job["start"] * 1000 - 1,
        "end_date": job["end"] * 1000 - 1,
        "max_results": PAGE,
    }


def lines_of(sale: dict[str, Any]) -> Iterator[str]:
    """One line of JSON for each participant of a sale."""
    for one in sale["users"]:
        record = {
            "transaction": sale["transaction"],
            "transaction_status": STATUS,
            "product": sale["product"],
            "role": one["role"],
            "user": one["user"],
        }
        yield json.dumps(record) + "\n"


def bearer(job: Job) -> dict[str, str]:
    """Get a token, and make the header of it."""
    import requests

    answer = requests.post(
        job["token_url"],
        headers={"Authorization": job["basic"]},
        data={"grant_type": "client_credentials"},
        timeout=60,
    )
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def floor(job: Job) -> Work:
    """A bare loop: a session of requests, the standard library's json, one line per participant. Nothing else."""
    import requests

    def work() -> dict[str, Any]:
        session = requests.Session()
        session.headers.update(bearer(job))
        params, pages = params_of(job), 0
        with open(job["path"], "w", encoding="utf-8") as file:  # noqa: PTH123
            while pages < job.get("pages", sys.maxsize):
                body = json.loads(session.get(job["url"] + SALES, params=params, timeout=60).content)
                pages += 1
                for sale in body["items"]:
                    file.writelines(lines_of(sale))
                token = body["page_info"].get("next_page_token")
                if not token:
                    break
                params["page_token"] = token
        return {"pages": pages}

    return work


def client_of_hotmart_python(job: Job) -> Any:
    """Make a client of the package hotmart-python as it comes, its addresses changed to the emulator's."""
    import hotmart
    from hotmart import _auth, _config

    _auth.AUTH_URL = job["token_url"]
    for domain in ("payments", "products", "club"):
        _config.BASE_URLS["prod"][domain] = f"{job['url']}/{domain}/api/v1"
    return hotmart.Hotmart(client_id=job["client_id"], client_secret=job["client_secret"], basic=job["basic"])


def hotmart_python(job: Job) -> Work:
    """The package hotmart-python, all pages of the people in sales."""
    client = client_of_hotmart_python(job)

    def work() -> dict[str, Any]:
        most = job.get("pages", sys.maxsize) * PAGE
        count = 0
        with open(job["path"], "w", encoding="utf-8") as file:  # noqa: PTH123
            for sale in client.sales.participants_autopaginate(**params_of(job)):
                file.writelines(lines_of(sale.model_dump(exclude_unset=True)))
                count += 1
                if count == most:
                    break
        return {"pages": -(-count // PAGE)}

    return work


def http_operator(job: Job) -> Work:
    """Airflow's HttpOperator with a ``pagination_function``, and a ``response_filter`` that writes the file."""
    os.environ["AIRFLOW_CONN_HOTMART_HTTP"] = json.dumps({"conn_type": "http", "host": job["url"]})
    import airflow.sdk  # noqa: F401
    from airflow.providers.http.operators.http import HttpOperator

    be_a_task()
    pages = 0

    def next_page(response: Any) -> dict[str, Any] | None:
        nonlocal pages
        pages += 1
        token = response.json()["page_info"].get("next_page_token")
        return {"data": {"page_token": token}} if token and pages < job.get("pages", sys.maxsize) else None

    def write(responses: list[Any]) -> None:
        with open(job["path"], "w", encoding="utf-8") as file:  # noqa: PTH123
            for response in responses:
                for sale in response.json()["items"]:
                    file.writelines(lines_of(sale))

    listing = HttpOperator(
        task_id="listing",
        http_conn_id="hotmart_http",
        endpoint=SALES,
        method="GET",
        data=params_of(job),
        pagination_function=next_page,
        response_filter=write,
    )
    # The first look-up reads the metadata of every provider that is installed; that is not held against it.
    listing.hook  # noqa: B018

    def work() -> dict[str, Any]:
        listing.headers = bearer(job)
        listing.execute({})
        return {"pages": pages}

    return work


def ours(job: Job) -> Work:
    """Our operator with a destination, as a task runs it."""
    connect(job)
    be_a_task(*OUR_MODULES)
    if job["path"].endswith(".parquet"):
        import pyarrow as pa

        importlib.import_module(f"{OURS}.storage.parquet")
        pa.array([None])  # looks for pandas, and imports it
    from airflow_provider_hotmart.operators.sales import HotmartListSalesParticipantsOperator

    listing = HotmartListSalesParticipantsOperator(
        task_id="listing",
        destination=job["path"],
        transaction_status=job.get("statuses", STATUS),
        sales_start_date=moment(job["start"]),
        sales_end_date=moment(job["end"]),
    )

    def work() -> dict[str, Any]:
        return listing.execute({})

    return work


def ours_hook(job: Job) -> Work:
    """Our hook: a dictionary for each participant, and the same lines written of them as by the floor."""
    connect(job)
    be_a_task(*OUR_MODULES)
    from airflow_provider_hotmart.hooks.hotmart import HotmartHook

    def work() -> dict[str, Any]:
        records = HotmartHook().iter_sales_participants(
            transaction_status=STATUS, sales_start_date=moment(job["start"]), sales_end_date=moment(job["end"])
        )
        with open(job["path"], "w", encoding="utf-8") as file:  # noqa: PTH123
            file.writelines(json.dumps(record) + "\n" for record in records)
        return {}

    return work


def pandas_loop(job: Job) -> Work:
    """What a notebook does: all pages into a list, normalised by pandas, and written with types."""
    import pandas
    import pyarrow.parquet  # noqa: F401 - so that the import does not count
    import requests

    def work() -> dict[str, Any]:
        session = requests.Session()
        session.headers.update(bearer(job))
        params, records = params_of(job), []
        while True:
            body = session.get(job["url"] + SALES, params=params, timeout=60).json()
            for sale in body["items"]:
                shared = {**sale, "users": None, "transaction_status": STATUS}
                records += [{**shared, **one} for one in sale["users"]]
            token = body["page_info"].get("next_page_token")
            if not token:
                break
            params["page_token"] = token
        frame = pandas.json_normalize(records, sep="_").drop(columns="users")
        documents = frame["user_documents"]
        for key in ("type", "value"):
            frame[f"user_document_{key}"] = documents.map(lambda found, key=key: found[0][key] if found else None)
        frame["user_documents"] = documents.map(json.dumps)
        if job["path"].endswith(".parquet"):
            frame.to_parquet(job["path"], compression="zstd", index=False)
        else:
            frame.to_csv(job["path"], index=False)
        return {"records": len(frame)}

    return work


def ours_sales(job: Job) -> Work:
    """Our operator for sales, with a destination, as a task runs it."""
    connect(job)
    be_a_task(*OUR_MODULES)
    from airflow_provider_hotmart.operators.sales import HotmartListSalesOperator

    listing = HotmartListSalesOperator(
        task_id="listing",
        destination=job["path"],
        transaction_status=job["statuses"],
        include=job.get("include"),
        sales_start_date=moment(job["start"]),
        sales_end_date=moment(job["end"]),
    )

    def work() -> dict[str, Any]:
        return listing.execute({})

    return work


def hotmart_python_sales(job: Job) -> Work:
    """The package hotmart-python, all pages of the history of sales."""
    client = client_of_hotmart_python(job)
    window = {name: params_of(job)[name] for name in ("start_date", "end_date", "max_results")}

    def work() -> dict[str, Any]:
        with open(job["path"], "w", encoding="utf-8") as file:  # noqa: PTH123
            for sale in client.sales.history_autopaginate(**window):
                file.write(json.dumps(sale.model_dump(exclude_unset=True)) + "\n")
        return {}

    return work


def tap_hotmart(job: Job) -> Work:
    """The stream of transactions of tap-hotmart, its messages into a file."""
    import contextlib

    client_of_hotmart_python(job)
    from tap_hotmart.tap import TapHotmart

    names = ("client_id", "client_secret", "basic")
    tap = TapHotmart(config={**{name: job[name] for name in names}, "start_date": moment(job["start"])})

    def work() -> dict[str, Any]:
        with open(job["path"], "w", encoding="utf-8") as file, contextlib.redirect_stdout(file):  # noqa: PTH123
            tap.streams["transactions"].sync()
        return {}

    return work


def sdk(job: Job) -> Work:
    """Nothing but ``import airflow.sdk``, which every task does."""
    import airflow.sdk  # noqa: F401

    return dict


def imports(job: Job) -> Work:
    """What a DAG file imports, after what all of them import."""
    from airflow.sdk import DAG  # noqa: F401

    def work() -> dict[str, Any]:
        before = len(sys.modules)
        for module in job["modules"]:
            importlib.import_module(module)
        return {"modules": len(sys.modules) - before}

    return work


def ledger(job: Job) -> Work:
    """The ledger of a sensor: load it, subtract it from what is there now, save it."""
    import time
    from datetime import timedelta

    from airflow_provider_hotmart.watching.entries import Owner, Run
    from airflow_provider_hotmart.watching.ledgers import FileLedger

    now, each = time.time(), job["entries"] // job["looks"]

    def of(run: str) -> FileLedger:
        return FileLedger(Owner(b"scopeabc", Run("dag", "task", run), timedelta(days=7)), job["path"])

    def digests(look: int) -> list[int]:
        # Spread over all eight bytes, as digests are.
        return [(number * 0x9E3779B97F4A7C15) % 2**64 for number in range(look * each, (look + 1) * each)]

    for look in range(job["looks"]):
        writer = of(f"run {look}")
        writer.load(now)
        writer.record(digests(look), now, None)
    seen = [digest for look in range(job["looks"] + 1) for digest in digests(look)]

    def work() -> dict[str, Any]:
        began = time.perf_counter()
        file = of("this run")
        known = file.load(now).known
        loaded = time.perf_counter()
        new = [digest for digest in seen if digest not in known]
        subtracted = time.perf_counter()
        file.record(new, now, None)
        return {
            "new": len(new),
            "known": len(known),
            "bytes": os.path.getsize(job["path"]),  # noqa: PTH202
            "load": loaded - began,
            "subtract": subtracted - loaded,
            "save": time.perf_counter() - subtracted,
        }

    return work


def poll(job: Job) -> Work:
    """One look of a sensor or a watcher."""
    import time
    from datetime import timedelta

    from airflow_provider_hotmart.api.client import HotmartClient
    from airflow_provider_hotmart.api.config import HotmartConfig
    from airflow_provider_hotmart.watching.watch import Watch

    config = HotmartConfig(job["client_id"], job["client_secret"], base_url=job["url"], token_url=job["token_url"])
    client = HotmartClient(config)
    filters = {"transaction_status": job["statuses"]}
    watch = Watch("hotmart_default", filters, None, timedelta(days=job["lookback_days"]))

    def work() -> dict[str, Any]:
        window = watch.window(time.time(), None)
        return {"participants": sum(1 for _ in watch.participants(watch.listing(client, window)))}

    return work


def triggerer(job: Job) -> Work:
    """Triggers in Airflow's own runner of them."""
    from benchmarks.triggerer import prepare

    return prepare(job)


def connect(job: Job) -> None:
    """Define the connection that our hook looks up."""
    connection = {
        "conn_type": "hotmart",
        "host": job["url"],
        "login": job["client_id"],
        "password": job["client_secret"],
        "extra": {"token_url": job["token_url"], **job.get("extra", {})},
    }
    os.environ["AIRFLOW_CONN_HOTMART_DEFAULT"] = json.dumps(connection)


def be_a_task(*modules: str) -> None:
    """
    Import what Airflow has imported when a task begins, and what its collector of lineage imports.

    :param modules: what the operator imports when it runs.
    """
    from airflow.sdk.bases.operator import ExecutorSafeguard

    airflow = (
        "airflow.providers.common.compat.lineage.hook",
        "airflow.providers.common.io.assets.file",
        "airflow.sdk.execution_time.supervisor",
    )
    for module in (*airflow, *modules):
        importlib.import_module(module)
    # At its first use it reads what every provider that is installed knows of assets, and imports some of it.
    importlib.import_module(airflow[0]).get_hook_lineage_collector()
    ExecutorSafeguard.test_mode = True


def moment(epoch: int) -> str:
    """Write seconds since the epoch as ISO 8601."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(epoch, UTC).isoformat()


SUBJECTS: dict[str, Callable[[Job], Work]] = {
    function.__name__: function
    for function in (
        floor,
        hotmart_python,
        http_operator,
        ours,
        ours_hook,
        pandas_loop,
        ours_sales,
        hotmart_python_sales,
        tap_hotmart,
        sdk,
        imports,
        ledger,
        poll,
        triggerer,
    )
}

if __name__ == "__main__":
    main()
