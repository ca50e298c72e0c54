"""Sends webhooks as Hotmart does: when a sale moves on, now and then twice, late, or to somebody who fails."""

from __future__ import annotations

import heapq
import http.client
import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_hotmart.emulator.account.sale import Sale
from airflow_provider_hotmart.emulator.account.webhook_rows import EVENTS, trial, webhook
from airflow_provider_hotmart.emulator.account.world import World
from airflow_provider_hotmart.emulator.service.bodies import encode

HOTTOK = "00000000-0770-4000-a000-000000000003"
#: Real seconds between two looks at what has happened.
INTERVAL = 0.1
#: Senders at work at the same time.
SENDERS = 4
#: What each habit means, by its name.
MEANINGS = {
    "duplicates": "share of deliveries that come twice, with the same id",
    "roles": "share of sales of which each role gets a copy, with an id of its own",
    "late": "share of deliveries that come late_by seconds late, and so out of order",
    "late_by": "seconds",
    "wrong_tokens": "share of deliveries before which somebody sends the same with a wrong token",
    "broken": "share of deliveries before which a broken body comes",
    "attempts": "how often a delivery is tried",
    "retry_after": "seconds until it is tried again; doubles each time",
    "switch_off_after": "deliveries in a row that failed in all attempts, after which nothing is sent any more",
    "timeout": "seconds that an answer may take",
}


@dataclass(frozen=True)
class Habits:
    """
    How webhooks are sent; what each means is in :data:`MEANINGS`.

    How often Hotmart tries, and for how long, is not known: the defaults are what receivers in public code report.
    """

    duplicates: float = 0.0
    roles: float = 0.0
    late: float = 0.0
    late_by: float = 5.0
    wrong_tokens: float = 0.0
    broken: float = 0.0
    attempts: int = 5
    retry_after: float = 1.0
    switch_off_after: int = 10
    timeout: float = 10.0


@dataclass
class Delivery:
    """
    One body that is sent, or was.

    :param body: as a dictionary
    :param sent_at: real epoch seconds of the first attempt
    :param answered_at: likewise, of the first 2xx; None: there was none
    :param statuses: of all attempts; -1: no connection
    """

    body: Mapping[str, Any]
    token: str
    raw: bytes
    is_genuine: bool = True
    attempts: int = 5
    sent_at: float | None = None
    answered_at: float | None = None
    statuses: list[int] = field(default_factory=list)


class Webhooks:
    """
    Watches the sales and sends what becomes of them. Safe to share between threads.

    :param world: whose sales
    :param url: where to
    :param hottok: the token
    :param habits: how
    :param seed: another one, other deliveries that are late or come twice
    :param catch_up: makes the sales that are due by now
    """

    def __init__(
        self, world: World, url: str, hottok: str, habits: Habits, seed: int, catch_up: Callable[[], None]
    ) -> None:
        self._catch_up = catch_up
        self.url = url
        self.hottok = hottok
        self.habits = habits
        #: Whether it is still sent; Hotmart switches off what keeps failing.
        self.is_active = True
        self.deliveries: list[Delivery] = []
        self._world = world
        self._rng = random.Random(seed)
        self._lock = threading.Condition()
        self._stopped = True
        self._threads: list[threading.Thread] = []
        self._count = itertools.count()
        self._failed = 0
        #: Real moments, and what is to be sent then.
        self._due: list[tuple[float, int, Delivery]] = []
        self._sending = 0
        #: Whether what has become due is being made into deliveries.
        self._telling = False
        #: Moments of the world's clock at which sales move on.
        self._changes: list[tuple[int, int, Sale]] = []
        #: Up to where the world was looked at, and how many of its sales.
        self._looked = int(world.clock.now())
        for sale in world.sales:
            self._expect(sale, self._looked)
        world.on_change = self._changed

    def start(self) -> None:
        """Send from now on."""
        with self._lock:
            if not self._stopped:
                return
            self._stopped = False
        work = [self._watch, *[self._send_on] * SENDERS]
        self._threads = [threading.Thread(target=one, name="hotmart-webhooks", daemon=True) for one in work]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more."""
        with self._lock:
            self._stopped = True
            self._lock.notify_all()
        for thread in self._threads:
            thread.join()

    def activate(self) -> None:
        """Switch it on again, as somebody does in the panel; what happened meanwhile is not sent."""
        with self._lock:
            self.is_active, self._failed = True, 0

    def send(self, event: str, sale: Sale) -> Delivery:
        """
        Send an event that no sale has by itself.

        :param event: its kind
        :param sale: that it is about
        """
        return self._add(webhook(event, sale, self._world.clock.now(), number=next(self._count)))

    def test(self, sale: Sale) -> Delivery:
        """
        Press the panel's button.

        :param sale: that the body is like
        """
        return self._add(trial(sale, self._world.clock.now(), next(self._count), self.hottok))

    def resend(self, delivery: Delivery) -> Delivery:
        """
        Send once more what was sent, as can be done in the panel.

        :param delivery: one that was sent
        """
        return self._add(delivery.body)

    def wait(self, timeout: float = 60.0) -> None:
        """
        Wait until nothing is left to be sent.

        :param timeout: seconds
        :raises TimeoutError: when something still is
        """
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            with self._lock:
                has_news = self._telling or (self._changes and self._changes[0][0] <= self._world.clock.now())
                if not has_news and not self._due and not self._sending:
                    return
            time.sleep(0.02)
        raise TimeoutError("webhooks are still being sent")

    def _changed(self, sale: Sale) -> None:
        """Somebody has made or moved a sale; the state that it has now is news."""
        now = int(self._world.clock.now())
        with self._lock:
            if sale.status_at(now) is not None:
                heapq.heappush(self._changes, (sale.last_change(now), next(self._count), sale))
            self._expect(sale, now)

    def _expect(self, sale: Sale, after: int) -> None:
        change = sale.next_change(after)
        if change is not None:
            heapq.heappush(self._changes, (change, next(self._count), sale))

    def _watch(self) -> None:
        while not self._stopped:
            self._catch_up()
            now = int(self._world.clock.now())
            with self._lock:
                due: list[tuple[int, Sale]] = []
                while self._changes and self._changes[0][0] <= now:
                    at, _, sale = heapq.heappop(self._changes)
                    due.append((at, sale))
                    self._expect(sale, at)
                self._telling = bool(due)
            for at, sale in due:
                self._tell(sale, at)
            self._telling = False
            time.sleep(INTERVAL)

    def _tell(self, sale: Sale, at: int) -> None:
        status = sale.status_at(at)
        event = None if status is None else EVENTS.get(status)
        # A sale that was moved by hand does not become what it was to become.
        if event is None or (at, status) not in sale.life:
            return
        # Dates of events have milliseconds, and come after what they tell of.
        moment = at + self._rng.random()
        roles = [role.value for role, _ in sale.people if role.value != "BUYER"]
        copies = roles if self._rng.random() < self.habits.roles else roles[:1]
        for role in copies:
            self._add(webhook(event, sale, moment, role=role))

    def _add(self, body: Mapping[str, Any]) -> Delivery:
        habits, rng = self.habits, self._rng
        raw = encode(body)
        now = time.time()
        made = Delivery(body, self.hottok, raw, attempts=habits.attempts)
        with self._lock:
            if not self.is_active:
                return made
            if rng.random() < habits.wrong_tokens:
                self._put(now, Delivery(body, "wrong", raw, is_genuine=False, attempts=1))
            if rng.random() < habits.broken:
                self._put(now, Delivery({}, self.hottok, raw[: len(raw) // 2], is_genuine=False, attempts=1))
            late = habits.late_by if rng.random() < habits.late else 0.0
            self._put(now + late, made)
            if rng.random() < habits.duplicates:
                self._put(now + late, Delivery(body, self.hottok, raw, attempts=habits.attempts))
        return made

    def _put(self, at: float, delivery: Delivery) -> None:
        if not delivery.statuses:
            self.deliveries.append(delivery)
        heapq.heappush(self._due, (at, next(self._count), delivery))
        self._lock.notify()

    def _send_on(self) -> None:
        while True:
            with self._lock:
                while not self._stopped and (not self._due or self._due[0][0] > time.time()):
                    self._lock.wait(self._due[0][0] - time.time() if self._due else None)
                if self._stopped:
                    return
                delivery = heapq.heappop(self._due)[2]
                self._sending += 1
            status = self._post(delivery)
            with self._lock:
                self._sending -= 1
                self._settle(delivery, status)

    def _settle(self, delivery: Delivery, status: int) -> None:
        delivery.statuses.append(status)
        if 200 <= status < 300:
            delivery.answered_at = delivery.answered_at or time.time()
            self._failed = 0
        elif not delivery.is_genuine:
            return
        elif len(delivery.statuses) < delivery.attempts and self.is_active:
            wait = self.habits.retry_after * 2 ** (len(delivery.statuses) - 1)
            self._put(time.time() + wait, delivery)
        else:
            self._failed += 1
            if self._failed >= self.habits.switch_off_after:
                self.is_active = False
                self._due.clear()

    def _post(self, delivery: Delivery) -> int:
        target = urlsplit(self.url)
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        delivery.sent_at = delivery.sent_at or time.time()
        headers = {"Content-Type": "application/json", "X-HOTMART-HOTTOK": delivery.token}
        try:
            connection = kind(target.hostname or "", target.port, timeout=self.habits.timeout)
            try:
                connection.request("POST", target.path or "/", delivery.raw, headers)
                answer = connection.getresponse()
                answer.read()
                return answer.status
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            return -1


def parse_habit(text: str) -> tuple[str, float | int]:
    """
    Read a habit from the command line.

    :param text: name=value
    :raises ValueError: when there is no such habit, or it is no number
    """
    name, _, value = text.partition("=")
    if name not in MEANINGS:
        raise ValueError(f"no such habit: {name}; there are {', '.join(MEANINGS)}")
    kind = type(getattr(Habits, name))
    try:
        found = kind(value)
    except ValueError:
        raise ValueError(f"{name} takes a number, not {value!r}") from None
    if found < 0:
        raise ValueError(f"{name} cannot be less than 0")
    return name, found
