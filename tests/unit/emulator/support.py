"""What the tests of the emulator share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from airflow_provider_hotmart.api.enums import SaleStatus
from airflow_provider_hotmart.emulator import Clock, HotmartEmulator

NOW = datetime(2026, 3, 15, 12, 0, 20, tzinfo=UTC)
STATES = [status for status in SaleStatus if status is not SaleStatus.DISPUTE]
PRODUCTS = "/products/api/v1/products"
SALES = "/payments/api/v1/sales/users"


def ms(moment: datetime | float) -> int:
    """Epoch milliseconds."""
    seconds = moment.timestamp() if isinstance(moment, datetime) else moment
    return round(seconds * 1000)


class Client:
    """Asks an emulator the way a simple client would, with the same parameters in every call."""

    def __init__(self, hotmart: HotmartEmulator, **params: Any) -> None:
        self.hotmart = hotmart
        self.params = params
        self.http = requests.Session()
        self.log_in()

    def log_in(self) -> None:
        self.token = self.ask_token().json()["access_token"]

    def ask_token(self) -> requests.Response:
        return self.http.post(
            self.hotmart.token_url,
            headers={"Authorization": self.hotmart.basic_token},
            data={"grant_type": "client_credentials"},
            timeout=10,
        )

    def get(self, path: str = SALES, headers: dict[str, str] | None = None, **params: Any) -> requests.Response:
        sent = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        return self.http.get(self.hotmart.url + path, params=self.params | params, headers=sent, timeout=10)

    def pages(self) -> list[dict[str, Any]]:
        """All pages of sales until one has no next token; not more than ten."""
        found: list[dict[str, Any]] = []
        token = None
        while len(found) < 10:
            found.append(self.get(page_token=token).json())
            token = found[-1]["page_info"].get("next_page_token")
            if not token:
                break
        return found

    def items(self, path: str = SALES, **params: Any) -> list[dict[str, Any]]:
        """All items of a listing, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.get(path, **params)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            found += body.get("items", [])
            params["page_token"] = body.get("page_info", {}).get("next_page_token")
            if not params["page_token"]:
                return found

    def transactions(self, **params: Any) -> list[str]:
        return [item["transaction"] for item in self.items(**params)]

    def error(self, path: str = SALES, headers: dict[str, str] | None = None, **params: Any) -> tuple[int, str]:
        answer = self.get(path, headers, **params)
        return answer.status_code, answer.json()["error"]


def everything(**more: Any) -> dict[str, Any]:
    """A window that holds all sales."""
    return {"start_date": 0, "end_date": ms(NOW + timedelta(days=3650)), "max_results": 500} | more


def identities(items: list[dict[str, Any]], status: str) -> set[tuple[str, str, str | None, str]]:
    return {
        (item["transaction"], user["role"], user["user"].get("ucode") or None, status)
        for item in items
        for user in item["users"]
    }


def emulator(**settings: Any) -> HotmartEmulator:
    return HotmartEmulator(**({"clock": Clock(frozen=NOW), "rate_limit": None} | settings))


def rows(page: dict[str, Any]) -> list[str]:
    return [item["transaction"] for item in page["items"]]
