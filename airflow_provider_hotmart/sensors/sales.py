"""A sensor that waits for new people in an account's sales."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_hotmart.api.endpoints import SALES_PARTICIPANTS
from airflow_provider_hotmart.failing import check_rendered, fail_without_retry, given

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_hotmart.api.listing import Listing
    from airflow_provider_hotmart.hooks.hotmart import HotmartHook
    from airflow_provider_hotmart.storage import RecordFile
    from airflow_provider_hotmart.watching.ledgers import Ledger
    from airflow_provider_hotmart.watching.watch import Watch

#: ``ledger="xcom"``.
XCOM = "xcom"
#: Codes in the XCom.
MAX_TRANSACTIONS = 1000


class HotmartNewSalesParticipantsSensor(BaseSensorOperator):
    """
    Wait until somebody new is in the account's sales, in any of the watched statuses.

    New means: this person in this role of this sale has not been reported in this state of the sale. Each look lists
    the watched statuses from ``max(since, now - lookback)`` to now and subtracts what the ledger remembers. The
    look-back is what catches a boleto that is paid days after its order. APPROVED and COMPLETE are one state.

    XCom: ``{"new", "transactions", "since", "until", "transaction_status"}``: how many are new, the codes of their
    sales (at most 1,000), where the look went from and to, the statuses watched. With a ``destination``, the file of
    their records adds ``"path"``, ``"records"``, ``"bytes"``, ``"sha256"``.

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
    :param lookback: how far each look goes back from now, at most 366 days.
    :param report_status_changes: whether somebody is new again in another state of the sale, refunded say.
    :param ledger: where to remember what was reported: ``"xcom"``: in the XComs of this task's runs, each of which
        knows of those with an earlier date; the URL of a file that all know of, any that ``ObjectStoragePath`` takes
        (templated); None: nowhere, everybody in the window is new.
    :param ledger_conn_id: the connection of the ledger's object store (templated).
    :param min_new: how many have to be new at least.
    :param destination: URL of a file for the records of who is new, ending in ``.jsonl`` or ``.jsonl.gz`` (templated).
    :param destination_conn_id: the connection of the destination's object store (templated).
    :param hotmart_conn_id: the connection of type ``hotmart`` (templated).
    :param deferrable: wait in the triggerer, without taking up a worker.
    """

    filters = tuple(one.name for one in SALES_PARTICIPANTS.filters)
    template_fields: Sequence[str] = (
        *filters,
        "select",
        "since",
        "ledger",
        "ledger_conn_id",
        "destination",
        "destination_conn_id",
        "hotmart_conn_id",
    )
    ui_color = "#ffe3d3"
    #: What on_kill ends.
    _working: tuple[Listing | RecordFile | Ledger, ...] = ()
    _killed = False

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
        report_status_changes: bool = True,
        ledger: str | ObjectStoragePath | None = XCOM,
        ledger_conn_id: str | None = None,
        min_new: Any = 1,
        destination: str | ObjectStoragePath | None = None,
        destination_conn_id: str | None = None,
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
        self.lookback = lookback
        self.report_status_changes = report_status_changes
        self.ledger = ledger
        self.ledger_conn_id = ledger_conn_id
        self.min_new = min_new
        self.destination = destination
        self.destination_conn_id = destination_conn_id
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
        """Look once."""
        look = self._try_to_look(context)
        return PokeReturnValue(is_done=look.value is not None, xcom_value=look.value)

    def execute(self, context: Context) -> Any:
        """
        Look, and wait until somebody is new.

        :return: the XCom described above.
        """
        if not self.deferrable:
            return super().execute(context)
        with self._ending_like_a_poke():
            return self._look_or_defer(context, time.time(), polls=1)

    def execute_complete(self, context: Context, event: Any, started: float | None = None) -> Any:
        """
        Look again after the trigger saw a change; wait on if nobody is new after all.

        :param event: what the trigger sent.
        :param started: when the task began to wait, in seconds since the epoch; ``dag.test()`` forgets it.
        :raises AirflowFailException: when the trigger gave up, or the event is not understood.
        """
        from airflow_provider_hotmart.triggers.sensor import polls_before

        polls = polls_before(event) + 1
        return self._look_or_defer(context, time.time() if started is None else started, polls)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the wait in the triggerer."""
        with self._ending_like_a_poke():
            try:
                return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)
            except AirflowException as error:
                # Airflow 2 has no error of its own for the timeout.
                if next_method == "__fail__" and "timeout" in str(error).lower():
                    raise self._timed_out() from error
                raise

    def on_kill(self) -> None:
        """End calls, waits and writing: nothing is published after this. Airflow may call it in a signal handler."""
        self._killed = True
        for one in self._working:
            one.stop()

    @contextmanager
    def _ending_like_a_poke(self) -> Iterator[None]:
        """End as the base class does in its other modes; on its own it treats a deferred wait in other ways."""
        try:
            yield
        except AirflowSkipException:
            raise
        except (AirflowSensorTimeout, AirflowFailException, AirflowTaskTimeout) as error:
            if self.soft_fail:
                raise AirflowSkipException("Skipping due to soft_fail is set to True.") from error
            if self.never_fail and not isinstance(error, AirflowSensorTimeout):
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise
        except Exception as error:
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise

    def _timed_out(self) -> AirflowSensorTimeout:
        return AirflowSensorTimeout(f"Nobody new within the timeout of {self.timeout} seconds.")

    def _look_or_defer(self, context: Context, started: float, polls: int) -> dict[str, Any]:
        look = self._try_to_look(context)
        if look.value is None:
            self._defer(look, started, polls)
        self.log.info("Success criteria met. Exiting.")
        return look.value

    def _defer(self, look: Look, started: float, polls: int) -> NoReturn:
        """Go on waiting in the triggerer for what is left of the timeout."""
        from airflow_provider_hotmart.triggers.sensor import HotmartNewSalesParticipantsTrigger
        from airflow_provider_hotmart.watching.watch import canonical

        left = self.timeout - (time.time() - started)
        if left <= 0:
            raise self._timed_out()
        self.defer(
            trigger=HotmartNewSalesParticipantsTrigger(
                seen=look.seen,
                since=look.since,
                report_status_changes=self.report_status_changes,
                poll_interval=self.poke_interval,
                exponential_backoff=bool(self.exponential_backoff),
                max_wait=None if self.max_wait is None else self.max_wait.total_seconds(),
                polls=polls,
                hotmart_conn_id=self.hotmart_conn_id,
                **{name: canonical(name, getattr(self, name)) for name in self.filters},
            ),
            method_name="execute_complete",
            kwargs={"started": started},
            timeout=timedelta(seconds=left),
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
        from airflow_provider_hotmart.storage import RecordFile
        from airflow_provider_hotmart.storage.claims import claim_destination
        from airflow_provider_hotmart.watching.outcomes import outcomes
        from airflow_provider_hotmart.watching.watch import NOW, digest_of_all, plain, warn_of_cost

        if not isinstance(self.min_new, int) or isinstance(self.min_new, bool) or self.min_new < 1:
            raise HotmartInvalidRequestError(f"min_new is {self.min_new!r}, expected a whole number of at least 1")
        ti = context["ti"]
        client = self.hook.get_conn()
        now = client.clock.time()
        ledger = self._open_ledger(ti)
        file = None if self.destination is None else RecordFile(self.destination, self.destination_conn_id)
        claim = partial(claim_destination, ti, file) if file else list
        claim()
        memory = ledger.load(now, partial(outcomes, ti))
        since = self.watch.begin(memory.since, _started(context, now), client.config.timezone)
        begun = since if self.since == NOW else None
        window = self.watch.window(now, since)
        listing = self.watch.listing(client, window)
        self._working = (listing, ledger) if file is None else (listing, ledger, file)
        if self._killed:
            self.on_kill()
        seen: list[int] = []
        new: list[int] = []
        transactions: dict[str, None] = {}
        with ExitStack() as until_recorded:
            with suppress(_TooFewError), self._writing(file) as writing:
                for digest, record in self.watch.participants(listing):
                    seen.append(digest)
                    if digest not in memory.known:
                        new.append(digest)
                        transactions[plain(record, "transaction")] = None
                        writing.write(record)
                if len(new) < self.min_new:
                    raise _TooFewError
                claim()
                # Before anything is published: what nobody can record must not be seen.
                reservation = until_recorded.enter_context(ledger.reserve(now))
            self.log.info("%d new of %d in %s", len(new), len(seen), window)
            warn_of_cost(self.watch, listing.calls, self.poke_interval, client.budget.limit)
            look = Look(window.start, digest_of_all(seen))
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
                "transaction_status": self.watch.statuses,
                **writing.result(),
            }
            self._check_running()
            if self.do_xcom_push:
                # Before the ledger: a crash between the two must repeat, not lose.
                ti.xcom_push(key="return_value", value=look.value)
            reservation.record(new, begun)
        self._check_running()
        return look

    @contextmanager
    def _writing(self, file: RecordFile | None) -> Iterator[_Writing]:
        """Write records to the destination, if there is one; it appears when the block ends."""
        from airflow_provider_hotmart.api.rows import json_lines

        selection = self.watch.selection(self.select)
        if file is None:
            yield _Writing(lambda _: None, dict)
            return
        with file.writing() as writer:
            yield _Writing(
                lambda record: writer.write(json_lines([selection.of(record)]), 1), lambda: asdict(writer.result)
            )
            selection.check()

    def _open_ledger(self, ti: Any) -> Ledger:
        from airflow_provider_hotmart.watching.ledgers import FileLedger, NoLedger, Owner, Run, XComLedger

        owner = Owner(self.watch.scope, Run.of(ti), self.lookback)
        if self.ledger is None:
            return NoLedger()
        if self.ledger == XCOM:
            return XComLedger(owner, ti)
        return FileLedger(owner, self.ledger, self.ledger_conn_id)

    def _check_running(self) -> None:
        from airflow_provider_hotmart.api.errors import HotmartStoppedError

        if self._killed:
            raise HotmartStoppedError("The task was stopped")


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


@dataclass(frozen=True)
class _Writing:
    write: Callable[[dict[str, Any]], None]
    result: Callable[[], dict[str, Any]]


class _TooFewError(Exception):
    """Leaves the file unwritten."""


def _started(context: Context, now: float) -> float:
    """
    When the run was due: what ``since="now"`` means, the same for each look of the run, and after it was cleared.

    Airflow 2 does not tell when a run was due; there it is when the run started.
    """
    run = context.get("dag_run")
    due = getattr(run, "run_after", None) or getattr(run, "start_date", None)
    return min(due.timestamp(), now) if due is not None else now
