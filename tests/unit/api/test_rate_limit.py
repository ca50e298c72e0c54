"""
One call budget per credential, against a simulated service that counts calls.

Time is simulated: workers call, wait for answers, and obey a refusal, as the client does; only the clock is not real.
"""

from __future__ import annotations

import math
import os
import random
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import partial

import pytest
from requests.structures import CaseInsensitiveDict

from airflow_provider_hotmart.api.clock import SYSTEM_CLOCK
from airflow_provider_hotmart.api.errors import HotmartRateLimitError
from airflow_provider_hotmart.api.headers import retry_after
from airflow_provider_hotmart.api.rate_limit import DOCUMENTED_LIMIT, WINDOW, CallBudget, shared_budget
from airflow_provider_hotmart.api.retry import Retrier, RetryPolicy
from tests.support import FakeClock, SimulatedClock

MINUTES = 4
#: Seconds of the way there and of the way back.
LATENCIES: dict[str, Callable[[random.Random], tuple[float, float]]] = {
    "no latency": lambda _: (0.0, 0.0),
    "steady latency": lambda _: (0.1, 0.1),
    "uneven latency": lambda dice: (dice.uniform(0.05, 0.3), dice.uniform(0.05, 0.3)),
    "latency with outliers": lambda dice: (0.05 + dice.expovariate(6), 0.05 + dice.expovariate(6)),
    "long latency": lambda dice: (dice.uniform(0.2, 1.0), dice.uniform(0.2, 1.0)),
}
COUNTINGS = ["fixed", "sliding"]
ROUNDINGS = {"rounded up": math.ceil, "rounded down": math.floor}


class Service:
    """
    Counts calls, and refuses those beyond the limit.

    :param counting: "fixed" (minutes of its own clock) or "sliding" (the last sixty seconds).
    :param rounding: how it makes whole seconds of the time that is left.
    :param phase: seconds that its current minute is old when the simulation begins.
    """

    def __init__(
        self, clock: SimulatedClock, counting: str, rounding: Callable[[float], int], phase: float = 37.3
    ) -> None:
        self._clock = clock
        self._counting = counting
        self._rounding = rounding
        self._phase = phase
        self._counted: deque[float] = deque()
        #: Calls by minute; refused ones by (who, minute).
        self.allowed: Counter[int] = Counter()
        self.refused: Counter[tuple[int, int]] = Counter()

    def call(self, who: int) -> tuple[bool, Mapping[str, str]]:
        """Answer one call: whether it is within the limit, and the headers."""
        now = self._clock.monotonic() + self._phase
        minute = int(now // 60)
        since = now - now % 60 if self._counting == "fixed" else math.nextafter(now - 60, math.inf)
        while self._counted and self._counted[0] < since:
            self._counted.popleft()
        allowed = len(self._counted) < DOCUMENTED_LIMIT
        if allowed:
            self._counted.append(now)
            self.allowed[minute] += 1
        else:
            self.refused[who, minute] += 1
        reset = 60 - now % 60 if self._counting == "fixed" else self._counted[0] + 60 - now
        return allowed, CaseInsensitiveDict(
            {
                "ratelimit-limit": str(DOCUMENTED_LIMIT),
                "ratelimit-remaining": str(DOCUMENTED_LIMIT - len(self._counted)),
                "ratelimit-reset": str(self._rounding(reset)),
            }
        )

    def used(self) -> float:
        """The part of the allowed calls that was used in the whole minutes of the simulation."""
        minutes = range(1, MINUTES + 1)
        return sum(self.allowed[minute] for minute in minutes) / (len(minutes) * DOCUMENTED_LIMIT)


def simulate(counting: str, rounding: str, latency: str, clients: int, workers: int = 8, late: float = 0.0) -> Service:
    """
    Let clients, each with a budget of its own, share one credential, all with more work than the limit allows.

    :param late: seconds between the starts of two clients.
    """
    clock = SimulatedClock()
    service = Service(clock, counting, ROUNDINGS[rounding])
    dice = random.Random(1)
    end = (MINUTES + 1) * 60 - 37.3

    def work(budget: CallBudget, who: int) -> None:
        clock.sleep(who * late)
        while clock.monotonic() < end:
            retrier = Retrier(RetryPolicy(max_rate_limit_wait=math.inf), clock.sleep, budget.block, dice.random)
            while True:
                call = budget.acquire(budget, clock.sleep)
                there, back = LATENCIES[latency](dice)
                clock.sleep(there)
                allowed, headers = service.call(who)
                clock.sleep(back)
                budget.report(call, headers)
                if allowed:
                    break
                retrier.wait(HotmartRateLimitError("Used up", status=429, retry_after=retry_after(headers, 0.0)))

    budgets = [CallBudget(clock) for _ in range(clients)]
    clock.run(*(partial(work, budget, who) for who, budget in enumerate(budgets) for _ in range(workers)))
    return service


every_service = pytest.mark.parametrize("counting", COUNTINGS)
every_rounding = pytest.mark.parametrize("rounding", ROUNDINGS)
every_latency = pytest.mark.parametrize("latency", LATENCIES)


@every_service
@every_rounding
@every_latency
def test_one_client_uses_the_limit_fully_and_never_exceeds_it(counting: str, rounding: str, latency: str) -> None:
    service = simulate(counting, rounding, latency, clients=1, workers=24)
    assert not service.refused
    assert service.used() >= (0.98 if counting == "fixed" else 0.95)


@every_service
@every_rounding
@every_latency
@pytest.mark.parametrize("clients", [2, 4])
def test_clients_that_share_a_credential_share_its_limit(
    counting: str, rounding: str, latency: str, clients: int
) -> None:
    service = simulate(counting, rounding, latency, clients)
    assert max(service.refused.values(), default=0) <= 1
    assert service.used() >= 0.90


@every_service
@every_rounding
def test_a_client_that_joins_later_gets_its_share_too(counting: str, rounding: str) -> None:
    service = simulate(counting, rounding, "uneven latency", clients=4, late=25.0)
    assert max(service.refused.values(), default=0) <= 1
    assert service.used() >= 0.90


@every_service
@every_rounding
@pytest.mark.parametrize("calls", [50, 200, 400])
def test_tasks_that_run_one_after_the_other_do_not_take_each_other_for_rivals(
    counting: str, rounding: str, calls: int
) -> None:
    clock = SimulatedClock()
    service = Service(clock, counting, ROUNDINGS[rounding])
    end = (MINUTES + 1) * 60 - 37.3
    begun: Counter[int] = Counter()
    done: Counter[int] = Counter()
    budgets: dict[int, CallBudget] = {}

    def work() -> None:
        task = 0
        while clock.monotonic() < end:
            budget = budgets.setdefault(task, CallBudget(clock))
            if begun[task] < calls:
                begun[task] += 1
                call = budget.acquire(budget, clock.sleep)
                clock.sleep(0.35)
                _, headers = service.call(task)
                clock.sleep(0.35)
                budget.report(call, headers)
                done[task] += 1
            elif done[task] < calls:
                clock.sleep(0.05)
            else:
                task += 1

    clock.run(*[work] * 8)
    assert len(done) >= 4
    assert not service.refused
    assert service.used() >= (0.85 if counting == "fixed" else 0.75)


def test_a_client_that_starts_late_in_a_minute_uses_what_is_left_of_it() -> None:
    service = simulate("fixed", "rounded up", "no latency", clients=1, workers=24)
    assert service.allowed[0] >= 0.95 * DOCUMENTED_LIMIT


def test_two_listings_that_wait_on_one_budget_take_turns() -> None:
    clock = SimulatedClock()
    budget = CallBudget(clock)
    order: list[str] = []
    big, small = object(), object()

    def work(listing: object, name: str, calls: int, start: float) -> None:
        clock.sleep(start)
        for _ in range(calls):
            budget.acquire(listing, clock.sleep)
            order.append(name)

    clock.run(
        *(partial(work, big, "big", 10, 0.0) for _ in range(8)),
        partial(work, small, "small", 10, 1.0),
    )

    begin = order.index("small")
    between = "".join("s" if name == "small" else "b" for name in order[begin : begin + 20])
    assert between.count("s") >= 9
    assert "bbb" not in between.rstrip("b")


def test_a_listing_alone_does_not_wait_for_turns_of_others() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    for _ in range(500):
        budget.acquire("alone", clock.sleep)
    assert clock.monotonic() == pytest.approx(60.0, abs=0.5)


def answer(left: int, reset: int, limit: int = 500) -> Mapping[str, str]:
    """The headers of an answer."""
    return {"RateLimit-Limit": str(limit), "RateLimit-Remaining": str(left), "RateLimit-Reset": str(reset)}


def test_nobody_calls_before_there_are_calls_again() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    budget.report(budget.acquire(budget, clock.sleep), answer(0, 42))
    start = clock.monotonic()
    budget.acquire(budget, clock.sleep)
    assert clock.monotonic() - start >= 42


def test_a_late_answer_of_the_minute_before_does_not_close_the_new_one() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    first, late = budget.acquire(budget, clock.sleep), budget.acquire(budget, clock.sleep)
    budget.report(first, answer(499, 60))
    budget.report(late, answer(0, 1))
    start = clock.monotonic()
    budget.acquire(budget, clock.sleep)
    assert clock.monotonic() - start < 1


def test_an_answer_that_was_overtaken_tells_nothing() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    slow, fast = budget.acquire(budget, clock.sleep), budget.acquire(budget, clock.sleep)
    budget.report(fast, answer(300, 40))
    known = budget.left
    budget.report(slow, answer(450, 41))
    assert budget.left == known


def test_calls_under_way_count_as_used() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    calls = [budget.acquire(budget, clock.sleep) for _ in range(5)]
    budget.report(calls[4], answer(10, 40))
    assert budget.left == 6


def test_a_call_that_was_never_answered_is_forgotten_after_a_minute() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    budget.acquire(budget, clock.sleep)
    clock.sleep(WINDOW)
    budget.report(budget.acquire(budget, clock.sleep), answer(10, 40))
    assert budget.left == 10


def test_calls_that_were_never_answered_are_forgotten_without_any_answer_too() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    budget.report(budget.acquire(budget, clock.sleep), answer(499, 60))
    for _ in range(3 * DOCUMENTED_LIMIT):
        budget.acquire(budget, clock.sleep)
    assert clock.monotonic() < 6 * WINDOW


def test_a_forked_process_does_not_wait_for_threads_that_it_has_not() -> None:
    budget = shared_budget("forking", SYSTEM_CLOCK, None)
    budget.block(2)
    waiting = threading.Thread(target=budget.acquire, args=(budget, time.sleep), daemon=True)
    waiting.start()
    while not budget._waiting:
        time.sleep(0.01)
    child = os.fork()
    if not child:  # pragma: no cover - another process
        signal.alarm(60)
        budget.acquire(budget, time.sleep)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    waiting.join(10)


def test_a_lower_limit_is_kept_to() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    budget.report(budget.acquire(budget, clock.sleep), answer(59, 60, limit=60))
    start = clock.monotonic()
    for _ in range(59):
        budget.acquire(budget, clock.sleep)
    assert clock.monotonic() - start == pytest.approx(60, rel=0.05)


@pytest.mark.parametrize(
    "headers",
    [{}, {"RateLimit-Remaining": "many"}, {"RateLimit-Limit": "0"}, {"RateLimit-Reset": "-1"}],
    ids=str,
)
def test_an_answer_without_usable_headers_leaves_the_documented_pace(headers: dict[str, str]) -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    for _ in range(500):
        budget.report(budget.acquire(budget, clock.sleep), headers)
    assert clock.monotonic() == pytest.approx(60, abs=0.5)


def test_the_older_headers_serve_where_the_newer_are_missing() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    budget.report(
        budget.acquire(budget, clock.sleep), {"X-RateLimit-Limit-Minute": "60", "X-RateLimit-Remaining-Minute": "7"}
    )
    assert budget.left == 7


def test_a_limit_of_our_own_is_never_exceeded_however_much_the_service_allows() -> None:
    clock = FakeClock()
    budget = CallBudget(clock, calls_per_minute=30)
    made = []
    for _ in range(120):
        call = budget.acquire(budget, clock.sleep)
        made.append(clock.monotonic())
        budget.report(call, answer(500, 5))
    assert all(later - earlier >= 59.99 for earlier, later in zip(made, made[30:], strict=False))


def test_a_block_holds_everybody_off_and_a_shorter_one_does_not_shorten_it() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    budget.block(30)
    budget.block(5)
    budget.acquire(budget, clock.sleep)
    assert 30 <= clock.monotonic() < 31


def test_a_waiter_that_is_interrupted_does_not_hold_up_the_others() -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    clock = FakeClock()
    budget = CallBudget(clock)
    budget.block(1)
    with pytest.raises(KeyboardInterrupt):
        budget.acquire("interrupted", interrupted)
    clock.sleep(2)
    assert budget.acquire("other", clock.sleep) == 1


def test_whoever_waits_looks_again_at_least_once_a_second() -> None:
    clock = FakeClock()
    budget = CallBudget(clock)
    budget.block(30)
    budget.acquire(budget, clock.sleep)
    assert max(clock.slept) <= 1


def test_one_credential_has_one_budget_in_a_process() -> None:
    clock = FakeClock()
    mine = shared_budget("mine", clock, None)
    assert shared_budget("mine", clock, None) is mine
    assert shared_budget("yours", clock, None) is not mine
    assert shared_budget("mine", FakeClock(), None) is not mine
    assert shared_budget("mine", clock, 100) is not mine
