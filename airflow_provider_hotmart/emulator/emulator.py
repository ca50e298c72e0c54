"""A Hotmart of one's own: the account, its API and its troubles behind one object."""

from __future__ import annotations

import random
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.emulator.account.club import has_club, subdomain
from airflow_provider_hotmart.emulator.account.events import is_event
from airflow_provider_hotmart.emulator.account.market import Market
from airflow_provider_hotmart.emulator.account.people import User
from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.account.truth import Identity, truth
from airflow_provider_hotmart.emulator.account.truth_rows import TruthRows
from airflow_provider_hotmart.emulator.account.world import World
from airflow_provider_hotmart.emulator.clock import Clock
from airflow_provider_hotmart.emulator.quirks import Quirks
from airflow_provider_hotmart.emulator.service import control
from airflow_provider_hotmart.emulator.service.answers import Answer, error_answer
from airflow_provider_hotmart.emulator.service.calls import Call, CallLog
from airflow_provider_hotmart.emulator.service.control import Control
from airflow_provider_hotmart.emulator.service.credentials import Credentials
from airflow_provider_hotmart.emulator.service.faults import DOCS_PATH, Delivery, Fault, Faults
from airflow_provider_hotmart.emulator.service.limiter import MINUTE, Limiter, Standing
from airflow_provider_hotmart.emulator.service.params import RequestError, page_asked
from airflow_provider_hotmart.emulator.service.routes import Routes
from airflow_provider_hotmart.emulator.service.server import Reply, Server
from airflow_provider_hotmart.emulator.service.webhooks import HOTTOK, Habits, Webhooks

TOKEN_PATH = "/security/oauth/token"
CLIENT_ID = "00000000-e5e5-4000-a000-000000000001"
CLIENT_SECRET = "00000000-5ec3-4000-a000-000000000002"
USUAL_LIMIT = 500
_PLAIN_HEADERS = frozenset(
    {
        "host", "authorization", "accept", "accept-encoding", "connection", "content-type", "content-length",
        "user-agent",
    }
)  # fmt: skip
_DOCS = b"<!DOCTYPE html><html><head><title>Documentation</title></head><body><h1>Welcome</h1></body></html>"

Callback = Callable[[Call], None]


class HotmartEmulator:
    """
    A Hotmart API on this machine. Use it in a ``with`` statement, or call ``start`` and ``stop``.

    :param products: number of products
    :param sales: number of sales
    :param days: how many days before the clock's now the oldest sale lies
    :param seed: the same seed, the same account
    :param port: 0: a free one
    :param host: address to listen on; ``0.0.0.0``: all that this machine has, for containers that are to reach it
    :param rate_limit: calls a minute; None: no limit, and no headers about one
    :param latency: real seconds before each answer
    :param clock: None: the system's
    :param client_id: of the one credential
    :param client_secret: of the one credential
    :param token_lifetime: seconds
    :param quirks: how the API behaves where its documentation is silent
    :param spread: "even"; "daily": day and night, and weekends; "noisy": the same, and days that differ by up to
        30 %; "growing": three times as many at the end as at the start; "launch": half of the sales on one day in the
        middle; "spike": a third of them in three days, and most of those within four hours
    :param statuses: statuses that all sales have and keep, dealt out in turn; None: sales live
    :param sales_per_hour: how many sales, on average, are made in an hour of the clock while the emulator runs
    :param webhook_url: where what becomes of sales is posted to; None: nowhere
    :param hottok: the token of webhooks
    :param webhook_habits: how they are sent; None: promptly and once
    """

    def __init__(
        self,
        products: int = 20,
        sales: int = 1000,
        days: float = 90,
        seed: int = 1,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        rate_limit: int | None = USUAL_LIMIT,
        latency: float = 0.0,
        clock: Clock | None = None,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        token_lifetime: int = 172_799,
        quirks: Quirks | None = None,
        spread: str = "even",
        statuses: Sequence[SaleStatus | str] | None = None,
        sales_per_hour: float = 0.0,
        webhook_url: str | None = None,
        hottok: str = HOTTOK,
        webhook_habits: Habits | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.rate_limit = rate_limit
        self.token_rate_limit: int | None = None
        self.latency = latency
        self.permission = True
        self.faults = Faults()
        self.calls = CallLog()
        self.token_calls = CallLog()
        self.on_call: Callback | None = None
        self.after_call: Callback | None = None
        self._world = World(
            products=products,
            sales=sales,
            days=days,
            seed=seed,
            spread=spread,
            statuses=statuses,
            clock=self.clock,
            quirks=quirks or Quirks(),
        )
        self._market = Market(self._world, sales_per_hour, seed)
        #: Sends webhooks; None: there is nowhere to send them to.
        self.webhooks = (
            None
            if webhook_url is None
            else Webhooks(self._world, webhook_url, hottok, webhook_habits or Habits(), seed, self._market.catch_up)
        )
        self._control = Control(self._world, self.webhooks)
        self._routes = Routes(self._world)
        self._truth_rows = TruthRows(self._world)
        self._credentials = Credentials(client_id, client_secret, token_lifetime, seed, self.clock)
        self._limiter = Limiter(self.clock)
        self._token_limiter = Limiter(self.clock)
        self._rng = random.Random(seed)
        self._rng_lock = threading.Lock()
        self._server = Server(self._reply, port, host)

    def start(self) -> Self:
        """Open the port; after a stop, the same one again. Does nothing while it is open."""
        self._server.start()
        if self.webhooks is not None:
            self.webhooks.start()
        return self

    def stop(self) -> None:
        """Close the port and all connections, at once."""
        if self.webhooks is not None:
            self.webhooks.stop()
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        host = "127.0.0.1" if self._server.host == "0.0.0.0" else self._server.host  # noqa: S104 - compared, not listened on
        return f"http://{host}:{self._server.port}"

    @property
    def token_url(self) -> str:
        """Where tokens are handed out."""
        return self.url + TOKEN_PATH

    @property
    def client_id(self) -> str:
        """Client ID of the one credential."""
        return self._credentials.client_id

    @property
    def client_secret(self) -> str:
        """Client Secret of the one credential."""
        return self._credentials.client_secret

    @property
    def basic_token(self) -> str:
        """The credential as Hotmart's panel shows it: ``Basic …``."""
        return self._credentials.basic_token

    @property
    def quirks(self) -> Quirks:
        """How the API behaves; may be changed at any time."""
        return self._world.quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self._world.quirks = quirks

    @property
    def sales(self) -> Sequence[Sale]:
        """All sales, also those to be ordered in the future."""
        return self._world.sales

    @property
    def products(self) -> list[dict[str, Any]]:
        """The products as they are served; may be changed."""
        return self._world.products

    @property
    def server_seconds(self) -> float:
        """CPU seconds spent on answers so far."""
        return self._server.cpu_seconds

    def expire_tokens(self) -> None:
        """Let every token that was handed out so far expire."""
        self._credentials.expire()

    def truth(
        self,
        transaction_status: SaleStatus | str | Iterable[SaleStatus | str] | None = None,
        start: datetime | float | None = None,
        end: datetime | float | None = None,
        *,
        product_id: int | None = None,
        transaction: str | None = None,
        buyer_email: str | None = None,
    ) -> set[Identity]:
        """
        Tell what a complete listing has to find now: (transaction, role, ucode or None, status) of everybody.

        :param transaction_status: one or several; None: all
        :param start: first moment inside, datetime (naive: UTC) or epoch seconds; None: no bound. A bound leaves out
            what the quirk ``never_approved`` hides from dates
        :param end: first moment outside; None: no bound
        :param product_id: None: all products
        :param transaction: this one alone
        :param buyer_email: exactly as it is stored
        """
        self._market.catch_up()
        return truth(self._world, transaction_status, start, end, product_id, transaction, buyer_email)

    def truth_rows(self, endpoint: str, **filters: Any) -> list[dict[str, Any]]:
        """
        Give the rows that a complete listing of an endpoint has to have now, each once.

        Worked out from all that there is, not from answers. What the quirks change within a row is changed here too.
        No default of the service applies: without filters, these are all rows of all statuses and all dates, but for
        tickets, of which those that were sold or given away come back.

        :param endpoint: the end of its path: ``products``, ``products/:ucode/offers``, ``products/:ucode/plans``,
            ``coupon/product/:product_id``, ``sales/users``, ``sales/history``, ``sales/commissions``,
            ``sales/price/details``, ``sales/summary``, ``subscriptions``, ``subscriptions/summary``,
            ``subscriptions/transactions``, ``subscriptions/:subscriber_code/purchases``, ``club/modules``,
            ``club/modules/:module_id/pages``, ``club/users``, ``club/users/:user_id/lessons``,
            ``events/:event_id/info``, ``events/:event_id/participants``, ``user/me``
        :param filters: Hotmart's own names, and those in the path; one value or several. Of a pair of dates the
            first is inside and the last outside, each a datetime (naive: UTC) or epoch seconds
        """
        self._market.catch_up()
        return self._truth_rows.of(endpoint, filters)

    @property
    def club_subdomains(self) -> dict[str, int]:
        """The subdomains of all members' areas, and the id of the product that each belongs to."""
        return {subdomain(product): product["id"] for product in self.products if has_club(product)}

    @property
    def event_ids(self) -> list[int]:
        """The ids of all events."""
        return [product["id"] for product in self.products if is_event(product)]

    def add_sale(
        self,
        *,
        status: SaleStatus | str = SaleStatus.APPROVED,
        ordered_at: datetime | float | None = None,
        approved_at: datetime | float | None = None,
        product_id: int | None = None,
        buyer: Sale | User | None = None,
        coproducers: int = 0,
        affiliate: bool = False,
        life: Iterable[tuple[datetime | float, SaleStatus | str]] | None = None,
    ) -> Sale:
        """
        Add a sale; it keeps its status unless a life is given.

        :param status: from the order on; with a later ``approved_at``, WAITING_PAYMENT until then
        :param ordered_at: datetime (naive: UTC) or epoch seconds, cut to whole ones; None: now, or when the life begins
        :param approved_at: likewise; None: when a paid status begins, if ever
        :param product_id: None: the first product
        :param buyer: a user, a participant, or a sale whose buyer it is; None: a new one
        :param coproducers: how many
        :param affiliate: whether an affiliate takes part
        :param life: when each status begins; replaces ``status``
        """
        return self._world.add(
            status=status,
            ordered_at=ordered_at,
            approved_at=approved_at,
            product_id=product_id,
            buyer=buyer,
            coproducers=coproducers,
            affiliate=affiliate,
            life=life,
        )

    def move(self, transaction: str, status: SaleStatus | str) -> None:
        """
        Give a sale another status now; what would have become of it is void.

        :param transaction: code of the sale
        :param status: the new one
        """
        self._world.move(transaction, status)

    def remove(self, transaction: str) -> None:
        """
        Let a sale vanish.

        :param transaction: code of the sale
        """
        self._world.remove(transaction)

    def _reply(self, call: Call) -> Reply:
        """Answer a call; the server sends it."""
        if call.path.startswith(control.PATH):
            return Reply(self._control.answer(call))
        self._market.catch_up()
        call.at = self.clock.now()
        call.page = page_asked(call.params)
        is_token = call.path == TOKEN_PATH
        standing = None if is_token or call.path == DOCS_PATH else self._standing()
        with self._rng_lock:
            rng = random.Random(self._rng.random())
        answer = self._token_answer(call) if is_token else self._api_answer(call, standing, rng)
        is_last = answer.page is not None and answer.page.next is None
        is_api = standing is not None
        fault = self.faults.take(call.path, page=call.page, is_last=is_last, is_api=is_api, params=call.params)
        if fault is not None:
            call.fault = fault.name
            answer = self._spoilt(answer, fault, call, rng)
        elif answer.page is not None:
            answer.body = answer.page.text(self.quirks, rng)
        if standing is not None:
            answer.headers.update(self._budget_headers(answer.status, standing))
        call.status = 0 if fault and fault.delivery is Delivery.RESET else answer.status
        call.items = len(answer.page.items) if answer.page else 0
        (self.token_calls if is_token else self.calls).append(call)
        after = self.after_call if standing is not None else None
        return Reply(
            answer,
            fault.delivery if fault else None,
            silence=self.latency + (fault.seconds if fault else 0.0),
            gzip=self.quirks.content_encoding == "gzip",
            after=after,
        )

    def _token_answer(self, call: Call) -> Answer:
        if call.method != "POST":
            return error_answer(405, "method_not_allowed", self.quirks)
        if self.token_rate_limit is not None:
            standing = self._token_limiter.take(self.token_rate_limit, self.quirks.rate_window)
            if not standing.allowed:
                return error_answer(429, "too_many_requests", self.quirks)
        return self._credentials.answer(call, self.quirks)

    def _api_answer(self, call: Call, standing: Standing | None, rng: random.Random) -> Answer:
        if call.path == DOCS_PATH:
            return Answer(200, _DOCS, "text/html;charset=UTF-8")
        try:
            self._check(call, standing)
            if self.on_call is not None:
                self.on_call(call)
            return self._routes.answer(call.path, call.params, rng)
        except RequestError as problem:
            return problem.answer(self.quirks)
        except Exception:  # noqa: BLE001 - a bug must be seen, not taken for a fault that was asked for
            traceback.print_exc(file=sys.stderr)
            return error_answer(500, "emulator_error", self.quirks, traceback.format_exc(limit=-1))

    def _check(self, call: Call, standing: Standing | None) -> None:
        """Refuse a call for all reasons but its query."""
        if self._routes.find(call.path) is None:
            raise RequestError("not_found", "", 404)
        if call.method != "GET":
            raise RequestError("method_not_allowed", "", 405)
        if standing is not None and not standing.allowed:
            raise RequestError("too_many_requests", "", 429)
        problem = self._credentials.problem(call.headers.get("Authorization"), self.quirks)
        if problem is not None:
            raise RequestError(problem, "", 401)
        if not self.permission:
            raise RequestError("unauthorized_client", "", self.quirks.no_permission_status)
        if self.quirks.unexpected_headers == "error":
            for name in call.headers:
                if name.lower() not in _PLAIN_HEADERS:
                    raise RequestError("invalid_value_headers", f"Unexpected header: {name}")

    def _spoilt(self, answer: Answer, fault: Fault, call: Call, rng: random.Random) -> Answer:
        """Tell what a fault makes of the true answer."""
        if fault.expires:
            self._credentials.expire(call.headers.get("Authorization") or "")
        if answer.page is not None:
            if fault.rows:
                answer = self._routes.answer(call.path, call.params, rng, fault.rows, fault.keep_total)
            if answer.page is not None:
                if fault.edit_page is not None:
                    fault.edit_page(answer.page)
                answer.body = answer.page.text(self.quirks, rng)
        return fault.edit(answer, self.quirks) if fault.edit else answer

    def _standing(self) -> Standing:
        if self.rate_limit is not None:
            return self._limiter.take(self.rate_limit, self.quirks.rate_window)
        return Standing(USUAL_LIMIT, USUAL_LIMIT, int(MINUTE - self.clock.now() % MINUTE) or 1)

    def _budget_headers(self, status: int, standing: Standing) -> dict[str, str]:
        way = self.quirks.rate_headers
        if way == "retry_after":
            return {"Retry-After": str(standing.reset)} if status == 429 else {}
        if way == "none" or (self.rate_limit is None and status != 429):
            return {}
        if status == 429:
            standing = Standing(standing.limit, 0, standing.reset)
        return standing.headers()
