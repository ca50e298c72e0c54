"""A sensor that waits for new people in an account's sales."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_hotmart.api.endpoints import SALES_PARTICIPANTS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_hotmart.api.windows import Window
    from airflow_provider_hotmart.hooks.hotmart import HotmartHook
    from airflow_provider_hotmart.watch import Participant, Watch
    from airflow_provider_hotmart.watching.ledgers import Ledger, Reservation

#: ``ledger="xcom"``.
XCOM = "xcom"
MOST_TRANSACTIONS = 1000


class HotmartNewSalesParticipantsSensor(BaseSensorOperator):
    """
    Wait until somebody new is in the account's sales, in any of the watched statuses.

    New means: this person in this role of this sale has not been reported before. Each look lists the watched statuses
    from ``max(since, now - lookback)`` to now and subtracts what the ledger remembers. The look-back is what catches
    a boleto that is paid days after its order. Who moves from one watched status to another is not new again.

    XCom: ``{"new", "transactions", "since", "until", "transaction_status"}``: how many are new, the codes of their
    sales (at most 1,000), where the look went from and to, the statuses watched. With a ``destination``, the file of
    their records adds ``"path"``, ``"records"``, ``"bytes"``, ``"sha256"``.

    Source: https://developers.hotmart.com/docs/en/v1/sales/sales-users/.

    :param transaction: one transaction code or several (templated).
    :param transaction_status: one status or several, or ``"ALL"`` (templated). None means APPROVED and COMPLETE.
    :param product_id: one product ID or several (templated).
    :param buyer_email: the buyer's e-mail address (templated).
    :param buyer_name: the buyer's name (templated).
    :param sales_source: the SRC code of the sale's link (templated).
    :param affiliate_name: the affiliate's name (templated).
    :param commission_as: PRODUCER, COPRODUCER or AFFILIATE: the role of the account that asks (templated).
    :param roles: only people in these roles: BUYER, PRODUCER, COPRODUCER, AFFILIATE (templated).
    :param select: dot paths of the fields to write to the destination (templated).
    :param since: earliest order date: ISO 8601 text or ``datetime``; ``"now"``: the start of the first run (templated).
    :param lookback: how far each look goes back from now, at most 366 days.
    :param ledger: where to remember what was reported: ``"xcom"``: in the XComs of this task's runs, each of which
        knows of those with an earlier date; the URL of a file that all know of, any that ``ObjectStoragePath`` takes
        (templated); None: nowhere, everybody in the window is new.
    :param ledger_conn_id: the connection of the ledger's object store (templated).
    :param min_new: how many have to be new at least.
    :param destination: URL of a file for the records of who is new, ending in ``.jsonl`` or ``.jsonl.gz`` (templated).
    :param destination_conn_id: the connection of the destination's object store (templated).
    :param max_consecutive_failures: so many passing failures in a row are waited out; the next one fails the task.
        In mode ``reschedule`` each look is on its own, and all of them are waited out until the timeout.
    :param hotmart_conn_id: the connection of type ``hotmart`` (templated).
    :param deferrable: wait in the triggerer, without taking up a worker.
    """

    filters = (*(one.name for one in SALES_PARTICIPANTS.filters), "select")
    template_fields: Sequence[str] = (
        *filters,
        "since",
        "ledger",
        "ledger_conn_id",
        "destination",
        "destination_conn_id",
        "hotmart_conn_id",
    )
    ui_color = "#ffe3d3"
    #: Looks that failed in a row, in this process.
    _failures = 0

    def __init__(
        self,
        *,
        transaction: str | Sequence[str] | None = None,
        transaction_status: str | Sequence[str] | None = None,
        product_id: int | str | Sequence[int | str] | None = None,
        buyer_email: str | None = None,
        buyer_name: str | None = None,
        sales_source: str | None = None,
        affiliate_name: str | None = None,
        commission_as: str | None = None,
        roles: str | Sequence[str] | None = None,
        select: str | Sequence[str] | None = None,
        since: Any = None,
        lookback: timedelta = timedelta(days=7),
        ledger: str | ObjectStoragePath | None = XCOM,
        ledger_conn_id: str | None = None,
        min_new: Any = 1,
        destination: str | ObjectStoragePath | None = None,
        destination_conn_id: str | None = None,
        max_consecutive_failures: int = 5,
        hotmart_conn_id: str = "hotmart_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.transaction = transaction
        self.transaction_status = transaction_status
        self.product_id = product_id
        self.buyer_email = buyer_email
        self.buyer_name = buyer_name
        self.sales_source = sales_source
        self.affiliate_name = affiliate_name
        self.commission_as = commission_as
        self.roles = roles
        self.select = select
        self.since = since
        self.lookback = lookback
        self.ledger = ledger
        self.ledger_conn_id = ledger_conn_id
        self.min_new = min_new
        self.destination = destination
        self.destination_conn_id = destination_conn_id
        self.max_consecutive_failures = max_consecutive_failures
        self.hotmart_conn_id = hotmart_conn_id
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> HotmartHook:
        """The hook of the connection."""
        # Here and not above: parsing a DAG file must not pay for what only a running task needs.
        from airflow_provider_hotmart.hooks.hotmart import HotmartHook

        return HotmartHook(self.hotmart_conn_id)

    @cached_property
    def watch(self) -> Watch:
        """What is watched."""
        from airflow_provider_hotmart.watch import Watch

        filters = {name: getattr(self, name) for name in self.filters}
        return Watch(self.hotmart_conn_id, filters, self.since, self.lookback)

    def execute(self, context: Context) -> Any:
        """
        Look, and wait until somebody is new.

        :return: the XCom described above.
        """
        if not self.deferrable:
            return super().execute(context)
        try:
            return self._look_or_defer(context, time.time())
        except (AirflowFailException, AirflowSensorTimeout) as error:
            # What the base class does around a poke.
            self._skip_if_wanted(error)
            raise

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Go on after the wait in the triggerer.

        Before Airflow 3.1, the base class fails the task at its timeout in spite of ``soft_fail`` (only 3.0), and
        does not know of ``never_fail`` here.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException:
            raise
        except AirflowException as error:
            self._skip_if_wanted(error)
            raise

    def _skip_if_wanted(self, error: AirflowException) -> None:
        if self.soft_fail:
            raise AirflowSkipException("Skipping due to soft_fail is set to True.") from error
        if self.never_fail:
            raise AirflowSkipException("Skipping due to never_fail is set to True.") from error

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        look = self._look_patiently(context)
        return PokeReturnValue(is_done=look is not None and look.done, xcom_value=look.value if look else None)

    def execute_complete(self, context: Context, event: Any, started: float | None = None, failures: int = 0) -> Any:
        """
        Look again after the trigger saw a change; wait on if nothing is new after all.

        :param event: what the trigger sent.
        :param started: when the task began to wait, in seconds since the epoch; ``dag.test()`` forgets it.
        :param failures: looks that failed in a row before.
        :raises AirflowFailException: when the event is not understood: no news is no success.
        """
        status = event.get("status") if isinstance(event, dict) else None
        if status == "changed":
            self._failures = failures
            return self._look_or_defer(context, time.time() if started is None else started)
        if status == "error":
            message = f"The trigger gave up: {event.get('message')}"
            raise AirflowFailException(message) if event.get("permanent") else AirflowException(message)
        raise AirflowFailException(f"The trigger sent {type(event).__name__} that this sensor does not understand")

    def _look_or_defer(self, context: Context, started: float) -> dict[str, Any] | None:
        look = self._look_patiently(context)
        if look is None or not look.done:
            self._wait(look, started)
        self.log.info("Success criteria met. Exiting.")
        return look.value

    def _wait(self, look: _Look | None, started: float) -> NoReturn:
        """Go on waiting in the triggerer for what is left of the timeout."""
        from airflow_provider_hotmart.triggers.hotmart import HotmartNewSalesParticipantsTrigger
        from airflow_provider_hotmart.watch import as_scalar

        left = self.timeout - (time.time() - started)
        if left <= 0:
            raise AirflowSensorTimeout(f"Nobody new within the timeout of {self.timeout} seconds.")
        filters = {name: as_scalar(getattr(self, name)) for name in self.filters if name != "select"}
        self.defer(
            trigger=HotmartNewSalesParticipantsTrigger(
                hotmart_conn_id=self.hotmart_conn_id,
                # After a failed look nothing is known, so that whatever the trigger sees is a change.
                since=look.window.start if look else self.watch.window(time.time(), None).start,
                seen=look.seen if look else "",
                poll_interval=self.poke_interval,
                max_consecutive_failures=self.max_consecutive_failures,
                **filters,
            ),
            method_name="execute_complete",
            kwargs={"started": started, "failures": self._failures},
            timeout=timedelta(seconds=left),
        )

    def _look_patiently(self, context: Context) -> _Look | None:
        """Look once; None when that failed in a way that may pass, and has not done so too often in a row."""
        from airflow_provider_hotmart.api.errors import HotmartError
        from airflow_provider_hotmart.storage import StorageError

        try:
            look = self._look(context)
        except (HotmartError, StorageError) as error:
            self._failures += 1
            if self._failures > self.max_consecutive_failures:
                raise
            self.log.warning("Look failed, %d in a row: %s: %s", self._failures, type(error).__name__, error)
            return None
        self._failures = 0
        return look

    def _look(self, context: Context) -> _Look:
        """Look once; when enough are new, write them out, and remember them."""
        from airflow_provider_hotmart.failing import fail_without_retry
        from airflow_provider_hotmart.watching.outcomes import outcomes

        with fail_without_retry(), ExitStack() as until_recorded:
            self._check()
            client = self.hook.get_conn()
            now = client.clock.time()
            ledger = self._ledger(context)
            memory = ledger.load(now, partial(outcomes, context["ti"]))
            since = self.watch.begin(memory.since, _started(context, now))
            window = self.watch.window(now, since)
            look = _Look(window)
            look.reserve = lambda: until_recorded.enter_context(ledger.reserve(now))
            written = self._read(look, self.watch.look(client, window), memory.known)
            self.log.info("%d new of %d in %s", len(look.new), len(look.all), window)
            look.done = len(look.new) >= self.min_new
            if look.done:
                start, end = window.isoformat()
                look.value = {
                    "new": len(look.new),
                    "transactions": list(look.transactions)[:MOST_TRANSACTIONS],
                    "since": start,
                    "until": end,
                    "transaction_status": self.watch.statuses(),
                    **written,
                }
                if self.do_xcom_push:
                    # Before the ledger: a crash between the two must repeat, not lose.
                    context["ti"].xcom_push(key="return_value", value=look.value)
            begun = since if self.since == "now" else None
            if look.reservation is not None:
                look.reservation.record(look.new, begun)
            elif memory.since is None and begun is not None:
                # The next run goes on from here, even if this one meets nobody.
                ledger.record([], now, begun)
            return look

    def _check(self) -> None:
        from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError

        if not isinstance(self.min_new, int) or isinstance(self.min_new, bool) or self.min_new < 1:
            raise HotmartInvalidRequestError(f"min_new is {self.min_new!r}, expected a whole number of at least 1")

    def _read(self, look: _Look, participants: Any, known: set[int]) -> dict[str, Any]:
        """
        Read everybody in the window, and write those who are new to the destination if they are enough.

        :return: the file's part of the XCom.
        """
        from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
        from airflow_provider_hotmart.api.rows import json_lines
        from airflow_provider_hotmart.storage import RecordFile

        if self.destination is None:
            for participant in participants:
                look.add(participant, known)
            if len(look.new) >= self.min_new:
                look.reservation = look.reserve()
            return {}
        matched = False
        with suppress(_TooFewError), RecordFile(self.destination, self.destination_conn_id).writing() as writer:
            for participant in participants:
                if look.add(participant, known):
                    row = self.watch.selected(participant.record)
                    matched = matched or len(row) > 1  # more than the status, which is always there
                    writer.write(json_lines([row]), 1)
            if look.new and not matched:
                raise HotmartInvalidRequestError(f"select {self.select!r} matches nothing in any row")
            if len(look.new) < self.min_new:
                raise _TooFewError
            # Before the file is published: what nobody can record must not be seen.
            look.reservation = look.reserve()
        if len(look.new) < self.min_new:
            return {}
        file = writer.result
        return {"path": file.path, "records": file.records, "bytes": file.bytes, "sha256": file.sha256}

    def _ledger(self, context: Context) -> Ledger:
        from airflow_provider_hotmart.watching.ledgers import FileLedger, NoLedger, Owner, Run, XComLedger

        ti = context["ti"]
        owner = Owner(self.watch.scope, Run.of(ti), self.lookback)
        if self.ledger is None:
            return NoLedger()
        if self.ledger == XCOM:
            return XComLedger(owner, ti)
        return FileLedger(owner, self.ledger, self.ledger_conn_id)


class _TooFewError(Exception):
    """Leaves the file unwritten."""


class _Look:
    """
    What one look found.

    :param window: where it went.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.done = False
        self.value: dict[str, Any] | None = None
        self.reserve: Callable[[], Reservation]
        self.reservation: Reservation | None = None
        self.all: set[int] = set()
        self.new: list[int] = []
        self.transactions: dict[str, None] = {}

    @property
    def seen(self) -> str:
        """One digest of everybody who was seen."""
        from airflow_provider_hotmart.watch import digest_of_all

        return digest_of_all(self.all)

    def add(self, participant: Participant, known: set[int]) -> bool:
        """Count a participant; say whether it is new."""
        self.all.add(participant.digest)
        if participant.digest in known:
            return False
        self.new.append(participant.digest)
        if len(self.transactions) < MOST_TRANSACTIONS:
            self.transactions[participant.record["transaction"]] = None
        return True


def _started(context: Context, now: float) -> float:
    """
    When the run was due: what ``since="now"`` means, the same for each look of the run, and after it was cleared.

    Airflow 2 does not tell when a run was due; there it is when the run started.
    """
    run = context.get("dag_run")
    due = getattr(run, "run_after", None) or getattr(run, "start_date", None)
    return min(due.timestamp(), now) if due is not None else now
