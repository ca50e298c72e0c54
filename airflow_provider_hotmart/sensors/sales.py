"""A sensor that waits for new people in an account's sales."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_hotmart.api.endpoints.sales import SALES_PARTICIPANTS
from airflow_provider_hotmart.failing import StoppableTask, check_rendered, fail_without_retry, given

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_hotmart.hooks.hotmart import HotmartHook
    from airflow_provider_hotmart.watching.ledgers import Ledger
    from airflow_provider_hotmart.watching.watch import Watch

#: ``ledger="xcom"``.
XCOM = "xcom"
#: Codes in the XCom.
MAX_TRANSACTIONS = 1000


class HotmartNewSalesParticipantsSensor(StoppableTask, BaseSensorOperator):
    """
    Wait until somebody new is in the account's sales, in any of the watched statuses.

    New means: this person in this role of this sale has not been reported in this state of the sale. Each look lists
    the watched statuses from ``max(since, now - lookback)`` to now and subtracts what the ledger remembers. The
    look-back is what catches a boleto that is paid days after its order. APPROVED and COMPLETE are one state.

    XCom: ``{"new", "transactions", "since", "until", "transaction_status"}``: how many are new, the codes of their
    sales (at most 1,000), where the look went from and to, the statuses watched. With a ``destination``, the file of
    their records adds its manifest, as an operator's.

    A failure that may pass is logged, and the next look tries again, until the ``timeout``; others fail the task.

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
    :param timezone: of ``since`` where it names none; None: the connection's (templated).
    :param lookback: how far each look goes back from now, at most 366 days.
    :param report_status_changes: whether somebody is new again in another state of the sale, refunded say.
    :param ledger: where to remember what was reported: ``"xcom"``: in the XComs of this task's runs, each of which
        knows of those with an earlier date; the URL of a file that all know of, any that ``ObjectStoragePath`` takes
        (templated); None: nowhere, everybody in the window is new.
    :param ledger_conn_id: the connection of the ledger's object store (templated).
    :param min_new: how many have to be new at least.
    :param destination: URL of a file for the records of who is new, ending in ``.jsonl``, ``.jsonl.gz``, ``.csv``,
        ``.csv.gz`` or ``.parquet`` (templated).
    :param destination_conn_id: the connection of the destination's object store (templated).
    :param personal_data: what becomes of people's data: ``keep``; ``pseudonymize``: e-mail addresses, phones and
        documents are replaced by pseudonyms, and names and addresses but for country and state are dropped; ``drop``:
        all of it is (templated).
    :param pseudonymize_ucode: whether Hotmart's codes of people are replaced by pseudonyms as well (templated).
    :param flat: whether JSON Lines have the columns of the other formats (templated).
    :param escape_formulas: whether text in CSV that spreadsheets take for a formula gets an apostrophe before it
        (templated).
    :param hotmart_conn_id: the connection of type ``hotmart`` (templated).
    :param deferrable: wait in the triggerer, without taking up a worker.
    """

    filters = tuple(one.name for one in SALES_PARTICIPANTS.filters)
    template_fields: Sequence[str] = (
        *filters,
        "select",
        "since",
        "timezone",
        "ledger",
        "ledger_conn_id",
        "destination",
        "destination_conn_id",
        "personal_data",
        "pseudonymize_ucode",
        "flat",
        "escape_formulas",
        "hotmart_conn_id",
    )
    ui_color = "#ffe3d3"
    #: What is left of a wait in the triggerer: what to do about its end, when it began, and looks taken before.
    _resume: Callable[[], None] | None = None
    _began: float | None = None
    _polls = 0

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
        timezone: str | None = None,
        lookback: timedelta = timedelta(days=7),
        report_status_changes: bool = True,
        ledger: str | ObjectStoragePath | None = XCOM,
        ledger_conn_id: str | None = None,
        min_new: Any = 1,
        destination: str | ObjectStoragePath | None = None,
        destination_conn_id: str | None = None,
        personal_data: str = "keep",
        pseudonymize_ucode: bool | str = False,
        flat: bool | str = False,
        escape_formulas: bool | str = False,
        hotmart_conn_id: str = "hotmart_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        arguments = locals()
        super().__init__(**kwargs)
        for name in self.filters:
            setattr(self, name, arguments[name])
        self.select = select
        self.since = since
        self.timezone = timezone
        self.lookback = lookback
        self.report_status_changes = report_status_changes
        self.ledger = ledger
        self.ledger_conn_id = ledger_conn_id
        self.min_new = min_new
        self.destination = destination
        self.destination_conn_id = destination_conn_id
        self.personal_data = personal_data
        self.pseudonymize_ucode = pseudonymize_ucode
        self.flat = flat
        self.escape_formulas = escape_formulas
        self.hotmart_conn_id = hotmart_conn_id
        self.deferrable = deferrable
        self._given = given(self)

    @cached_property
    def hook(self) -> HotmartHook:
        """The hook of the connection."""
        # Here and not above: parsing a DAG file must not pay for what only a running task needs.
        from airflow_provider_hotmart.hooks.hotmart import HotmartHook

        return HotmartHook(self.hotmart_conn_id)

    @cached_property
    def watch(self) -> Watch:
        """What is watched."""
        from airflow_provider_hotmart.watching.watch import Watch

        filters = {name: getattr(self, name) for name in self.filters}
        return Watch(self.hotmart_conn_id, filters, self.since, self.lookback, self.report_status_changes)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; a deferrable sensor that finds too few waits in the triggerer."""
        if self._resume is not None:
            # Here, where the base class knows what an error is to end in.
            resume, self._resume = self._resume, None
            resume()
        look = self._try_to_look(context)
        if look.value is None and self.deferrable:
            self._defer(look)
        return PokeReturnValue(is_done=look.value is not None, xcom_value=look.value)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the wait in the triggerer, and end as in the other modes; the base class would do otherwise."""
        if next_method == "__fail__" and "timeout" in str((next_kwargs or {}).get("error")).lower():
            message = f"Nobody new within the timeout of {self.timeout} seconds."
            raise AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)
        self._resume = partial(super(BaseSensorOperator, self).resume_execution, next_method, next_kwargs, context)
        # What Airflow wraps it in would complain that execute() is not what Airflow called.
        return BaseSensorOperator.execute.__wrapped__(self, context)  # type: ignore[attr-defined]  # of functools.wraps

    def execute_complete(self, context: Context, event: Any, began: float | None = None) -> None:
        """
        Take in what the trigger saw, before the sensor looks again.

        :param event: what the trigger sent.
        :param began: when the task began to wait, in seconds since the epoch; ``dag.test()`` forgets it.
        :raises AirflowFailException: when the trigger gave up, or the event is not understood.
        """
        status = event.get("status") if isinstance(event, dict) else None
        if status == "error":
            # As it would be told without a trigger.
            raise AirflowFailException(event.get("message"))
        polls = event.get("polls") if status == "changed" else None
        if not isinstance(polls, int):
            # No news is no success.
            raise AirflowFailException(f"The trigger sent {type(event).__name__} that this sensor does not understand")
        self._polls, self._began = polls, began

    def _defer(self, look: Look) -> NoReturn:
        """Go on waiting in the triggerer for what is left of the timeout."""
        from airflow_provider_hotmart.triggers.sensor import HotmartNewSalesParticipantsTrigger
        from airflow_provider_hotmart.watching.watch import canonical

        now = time.time()
        began = now if self._began is None else self._began
        self.defer(
            trigger=HotmartNewSalesParticipantsTrigger(
                seen=look.seen,
                since=look.since,
                report_status_changes=self.report_status_changes,
                poll_interval=self.poke_interval,
                exponential_backoff=bool(self.exponential_backoff),
                max_wait=None if self.max_wait is None else self.max_wait.total_seconds(),
                polls=self._polls + 1,
                hotmart_conn_id=self.hotmart_conn_id,
                **{name: canonical(name, getattr(self, name)) for name in self.filters},
            ),
            method_name="execute_complete",
            kwargs={"began": began},
            timeout=timedelta(seconds=max(0.0, began + self.timeout - now)),
        )

    def _try_to_look(self, context: Context) -> Look:
        """Look once; a failure that may pass has found nobody."""
        from airflow_provider_hotmart.api.errors import HotmartError
        from airflow_provider_hotmart.storage import StorageError

        try:
            with fail_without_retry():
                check_rendered(self, self._given)
                return self._look(context)
        except AirflowFailException:
            raise
        except Exception as error:
            if self._killed or not (self.silent_fail or isinstance(error, (HotmartError, StorageError))):
                raise
            self.log.warning("Poll failed, and is tried again: %s: %s", type(error).__name__, error)
        # Nothing is known, so that whatever the trigger sees is a change.
        return Look(self.watch.window(time.time(), None).start)

    def _look(self, context: Context) -> Look:
        """Look once; when enough are new, write them out, and remember them."""
        from airflow_provider_hotmart.api.errors import HotmartInvalidRequestError
        from airflow_provider_hotmart.storage.claims import claim_destination, open_destination
        from airflow_provider_hotmart.storage.manifest import describe
        from airflow_provider_hotmart.watching.outcomes import outcomes
        from airflow_provider_hotmart.watching.watch import NOW, digest_of_all, warn_of_cost

        if not isinstance(self.min_new, int) or isinstance(self.min_new, bool) or self.min_new < 1:
            raise HotmartInvalidRequestError(f"min_new is {self.min_new!r}, expected a whole number of at least 1")
        ti, watch, client = context["ti"], self.watch, self.hook.get_conn()
        selection = watch.selection(self.select)
        ledger = self._open_ledger(ti)
        file = open_destination(self)
        shape = self.hook.shape(
            selection.query,
            personal_data=self.personal_data,
            pseudonymize_ucode=self.pseudonymize_ucode,
            is_flat=file is not None and file.is_flat,
        )
        if file is not None:
            claim_destination(ti, file)
        now = client.clock.time()
        zone = self.timezone or client.config.timezone
        memory = ledger.load(now, partial(outcomes, ti))
        since = watch.begin(memory.since, _started(context, now), zone)
        begun = since if self.since == NOW else None
        window = watch.window(now, since)
        listing = watch.listing(client, window)
        self._stop_when_killed(listing, ledger, file)
        look, new, seen = Look(window.start), [], []
        transactions: dict[str, None] = {}
        listed_from = client.clock.time()
        with ExitStack() as until_recorded:
            with suppress(_TooFewError), nullcontext() if file is None else file.writing(shape.columns) as writer:
                for one in watch.participants(listing):
                    seen.append(one.digest)
                    if one.digest in memory.known or watch.is_announced(one.transaction, one.status, memory.announced):
                        continue
                    new.append(one.digest)
                    transactions[one.transaction] = None
                    if writer is not None:
                        writer.write(shape.write([selection.of(one.record)], [one.place]), 1)
                if len(new) < self.min_new:
                    raise _TooFewError
                # Before anything is published: what nobody can record must not be seen.
                record = until_recorded.enter_context(ledger.reserve(now))
                if file is not None:
                    selection.check()
                    claim_destination(ti, file)
            listed_until = client.clock.time()
            self.log.info("%d new of %d in %s", len(new), len(seen), window)
            warn_of_cost(watch, listing.calls, self.poke_interval, client.budget.limit)
            # While a run may yet fail, people may be new though nobody comes: the trigger's next poll wakes the sensor.
            look.seen = digest_of_all(seen) if memory.is_settled else ""
            if len(new) < self.min_new:
                if memory.since is None and begun is not None:
                    # The next run goes on from here, even if this one meets nobody.
                    ledger.record([], now, begun)
                return look
            start, end = window.isoformat()
            look.value = {
                "new": len(new),
                "transactions": list(transactions)[:MAX_TRANSACTIONS],
                "since": start,
                "until": end,
                "transaction_status": watch.statuses,
            }
            if writer is not None:
                listed = (listed_from, listed_until)
                facts = describe(writer.result, listing.query, shape.primary_key, zone, listed)
                look.value |= {**facts, "calls": listing.calls}
            self._check_running()
            # Before the ledger: a crash between the two must repeat, not lose.
            self._tell(context, look.value)
            record(new, begun)
        self._check_running()
        return look

    def _tell(self, context: Context, value: dict[str, Any]) -> None:
        """Let others know what was found."""
        from airflow_provider_hotmart.storage.manifest import publish

        if self.destination is not None:
            publish(self, context, value)
        if self.do_xcom_push:
            context["ti"].xcom_push(key="return_value", value=value)

    def _open_ledger(self, ti: Any) -> Ledger:
        from airflow_provider_hotmart.watching.entries import Owner, Run
        from airflow_provider_hotmart.watching.ledgers import FileLedger, NoLedger, XComLedger
        from airflow_provider_hotmart.watching.watch import announcement_scope

        run = Run(ti.dag_id, ti.task_id, ti.run_id, ti.map_index)
        owner = Owner(self.watch.scope, run, self.lookback, announcement_scope(self.hotmart_conn_id))
        if self.ledger is None:
            return NoLedger()
        if self.ledger == XCOM:
            return XComLedger(owner, ti)
        return FileLedger(owner, self.ledger, self.ledger_conn_id)


@dataclass
class Look:
    """
    What one look found.

    :param since: where it began, in seconds since the epoch.
    :param seen: one digest of everybody who was seen; empty: nobody knows.
    :param value: the XCom; None: too few are new.
    """

    since: int
    seen: str = ""
    value: dict[str, Any] | None = None


class _TooFewError(Exception):
    """Leaves the file unwritten."""


def _started(context: Context, now: float) -> float:
    """
    Tell when the run was due: what ``since="now"`` means, the same for each look of the run, and after it was cleared.

    Airflow 2 does not tell when a run was due; there it is when the run started.
    """
    run = context.get("dag_run")
    due = getattr(run, "run_after", None) or getattr(run, "start_date", None)
    return min(due.timestamp(), now) if due is not None else now
