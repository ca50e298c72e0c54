"""Sales that go on while the clock runs."""

from __future__ import annotations

import random

from airflow_provider_hotmart.emulator.account.lives import life_line
from airflow_provider_hotmart.emulator.account.spread import HOUR
from airflow_provider_hotmart.emulator.account.world import World

_AFFILIATE, _COPRODUCER, _RETURNING = 0.12, 0.1, 0.15


class Market:
    """
    Makes sales at random moments. Safe to share between threads.

    :param world: where they are made
    :param per_hour: how many, on average, in an hour of the world's clock; 0: none
    :param seed: another seed, other sales
    """

    def __init__(self, world: World, per_hour: float, seed: int) -> None:
        if per_hour < 0:
            raise ValueError(f"sales per hour cannot be less than none: {per_hour}")
        self._world = world
        self._per_hour = per_hour
        self._rng = random.Random(seed)
        self._next = world.clock.now()
        if per_hour:
            self._wait()

    def catch_up(self) -> None:
        """Make the sales that were due since it was last called."""
        if not self._per_hour:
            return
        with self._world.lock:
            now = self._world.clock.now()
            while self._next <= now:
                self._sell(int(self._next))
                self._wait()

    def _wait(self) -> None:
        self._next += self._rng.expovariate(self._per_hour / HOUR)

    def _sell(self, moment: int) -> None:
        rng, world = self._rng, self._world
        states, times = life_line(rng.random, moment)
        buyer = world.some_sale(rng.random()) if rng.random() < _RETURNING else None
        world.add(
            life=zip(times, states, strict=True),
            product_id=rng.choice(world.products)["id"],
            buyer=buyer,
            coproducers=int(rng.random() < _COPRODUCER),
            affiliate=rng.random() < _AFFILIATE,
        )
