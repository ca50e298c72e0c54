"""The emulator in a process of its own, so that what it costs is not counted with what is measured."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from typing import Any

from airflow_provider_hotmart.emulator import HotmartEmulator, Quirks
from airflow_provider_hotmart.emulator.service import bodies

SALES = "/payments/api/v1/sales/"
#: Texts of sales that the emulator keeps once it has made them: all, so that only a first listing waits for them.
KEPT = 1_000_000


def main() -> None:
    """Serve until the standard input ends; answer questions that come in there."""
    settings = json.loads(sys.argv[1])
    bodies.KEPT = KEPT
    quirks = Quirks(**settings.pop("quirks", {}))
    with HotmartEmulator(quirks=quirks, **settings) as hotmart:
        say(facts(hotmart, settings["days"]))
        answers = {"stats": stats, "forget": forget, "participants": participants, "latency": set_latency}
        for line in sys.stdin:
            name, _, argument = line.strip().partition(" ")
            say(answers[name](hotmart, argument))


def facts(hotmart: HotmartEmulator, days: float) -> dict[str, Any]:
    """Where the emulator is, as whom to call it, and which dates hold all of its sales."""
    end = int(hotmart.clock.now()) + 1
    return {
        "url": hotmart.url,
        "token_url": hotmart.token_url,
        "client_id": hotmart.client_id,
        "client_secret": hotmart.client_secret,
        "basic": hotmart.basic_token,
        "products": [product["id"] for product in hotmart.products],
        "start": end - int(days * 86400) - 2,
        "end": end,
    }


def stats(hotmart: HotmartEmulator, _: str) -> dict[str, Any]:
    """What was asked since it was last told to forget, and what all of it cost so far."""
    calls = [call for call in hotmart.calls if call.path.startswith(SALES)]
    return {
        "status": Counter(call.status for call in calls),
        "times": [call.at for call in calls if call.status == 200],
        # Each process has a token of its own.
        "most_refused": max(
            Counter(
                (call.headers["Authorization"], int(call.at // 60)) for call in calls if call.status == 429
            ).values(),
            default=0,
        ),
        "products": [call.params.get("product_id", [""])[0] for call in calls if call.status == 200],
        "server_seconds": hotmart.server_seconds,
        "cpu": time.process_time(),
    }


def forget(hotmart: HotmartEmulator, _: str) -> None:
    """Forget all calls."""
    hotmart.calls.clear()


def participants(hotmart: HotmartEmulator, status: str) -> int:
    """How many people a complete listing of a status finds; of all statuses, if none is named."""
    wanted = [sale for sale in hotmart.sales if not status or sale.life[-1][1] == status]
    return sum(len(sale.participants) for sale in wanted)


def set_latency(hotmart: HotmartEmulator, seconds: str) -> None:
    """Answer more slowly, or at once, from now on."""
    hotmart.latency = float(seconds)


def say(value: Any) -> None:
    """Answer with one line."""
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
    # At once: with a million sales the interpreter would take seconds to clear up.
    os._exit(0)
