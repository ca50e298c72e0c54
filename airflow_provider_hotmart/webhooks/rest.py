"""Events of assets through Airflow's public REST API, for a receiver outside Airflow."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from airflow_provider_hotmart.webhooks.delivery import Delivery
from airflow_provider_hotmart.webhooks.seen import MAX_EVENTS, Seen, asset_uri

_log = logging.getLogger(__name__)
#: Seconds without any byte of an answer.
TIMEOUT = 30.0
PAGE_SIZE = 100
#: What to do about an answer, by its status.
REMEDIES = {
    401: "check the user and password, or the token",
    403: "let the user read and create assets",
    404: "the asset is gone, or --airflow-url is no Airflow 3",
}


class AirflowApiError(Exception):
    """
    Airflow's API does not do what it is asked for.

    :param message: one sentence that says what to do.
    """


class RestAssetEvents:
    """
    Add deliveries to Airflow's assets from outside.

    The API cannot make an asset, so a DAG has to name that of the connection. Each delivery becomes an event once as
    long as this is the only receiver of its connection.

    :param url: base URL of the API server.
    :param new_token: gets a token for the API; asked again when the last one is refused.
    """

    def __init__(self, url: str, new_token: Callable[[], str]) -> None:
        self._api = f"{url.rstrip('/')}/api/v2"
        self._new_token = new_token
        self._session = requests.Session()
        self._has_token = False
        self._asset_ids: dict[str, int] = {}
        #: By connection.
        self._seen: dict[str, Seen] = {}
        #: Connections of which everything that Airflow has was seen.
        self._up_to_date: set[str] = set()
        #: Ids of deliveries that the asset of their kind has, and that of the connection not yet.
        self._half: set[str] = set()

    def check(self, conn_id: str) -> int:
        """
        Make sure that there is an asset that the events of a connection can go to.

        :return: its id.
        :raises AirflowApiError: when there is none, or Airflow cannot be asked.
        """
        found = self._find(asset_uri(conn_id))
        if found is None:
            raise AirflowApiError(
                f"Airflow has no asset {asset_uri(conn_id)}: name it in a DAG, as a schedule or an outlet, because the "
                "API cannot make one"
            )
        return found

    def store(self, conn_id: str, delivery: Delivery) -> bool:
        """
        Add an event to the asset of the connection, and to that of the kind of event where a DAG names it.

        :param conn_id: whose webhook it is.
        :return: whether it was new.
        :raises AirflowApiError: when Airflow does not take it.
        """
        seen = self._seen.setdefault(conn_id, Seen())
        with seen.lock:
            asset_id = self.check(conn_id)
            if conn_id not in self._up_to_date:
                self._read(asset_id, seen)
                self._up_to_date.add(conn_id)
            if seen.knows(delivery.extra):
                return False
            # Until it is known what became of it, what Airflow has is not known.
            self._up_to_date.discard(conn_id)
            try:
                kind_id = self._find(asset_uri(conn_id, delivery.event))
                if kind_id is not None and delivery.id not in self._half:
                    self._add(kind_id, delivery)
                    self._half.add(delivery.id)
                # Last: it tells whether the delivery is known.
                made = self._add(asset_id, delivery)
            except AirflowApiError:
                # One that is gone may have been made anew.
                self._asset_ids.clear()
                raise
            self._half.discard(delivery.id)
            seen.add(made["id"], datetime.now(UTC).timestamp(), delivery.extra)
            self._up_to_date.add(conn_id)
            return True

    def _add(self, asset_id: int, delivery: Delivery) -> Any:
        return self._call("POST", "/assets/events", json={"asset_id": asset_id, "extra": delivery.extra})

    def _find(self, uri: str) -> int | None:
        """Find the id of an asset, whether or not it is in use; one that is not there is looked for each time."""
        if uri not in self._asset_ids:
            for only_active in ("true", "false"):
                params = {"uri_pattern": uri, "only_active": only_active, "limit": PAGE_SIZE}
                found = self._call("GET", "/assets", params=params)["assets"]
                ids = [asset["id"] for asset in found if asset["uri"] == uri]
                if ids:
                    self._asset_ids[uri] = ids[0]
                    break
        return self._asset_ids.get(uri)

    def _read(self, asset_id: int, seen: Seen) -> None:
        """Read the events of the last days that have not been seen, newest first, by pages."""
        earliest = datetime.now(UTC) - timedelta(seconds=seen.lifetime)
        events: list[dict[str, Any]] = []
        while len(events) < MAX_EVENTS:
            params = {"asset_id": asset_id, "order_by": "-timestamp", "limit": PAGE_SIZE, "offset": len(events)}
            page = self._call("GET", "/assets/events", params=params)["asset_events"]
            events += page
            last = page[-1] if len(page) == PAGE_SIZE else None
            if last is None or last["id"] <= seen.last_id or datetime.fromisoformat(last["timestamp"]) < earliest:
                break
        for event in reversed(events):
            seen.add(event["id"], datetime.fromisoformat(event["timestamp"]).timestamp(), event["extra"])

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            for is_last in (False, True):
                if not self._has_token:
                    self._session.headers["Authorization"] = f"Bearer {self._new_token()}"
                    self._has_token = True
                answer = self._session.request(
                    method, self._api + path, timeout=TIMEOUT, allow_redirects=False, **arguments
                )
                if answer.status_code != 401 or is_last:
                    break
                self._has_token = False
            if not answer.ok or answer.is_redirect:
                self._has_token = False
                remedy = REMEDIES.get(answer.status_code, "look into the log of the API server")
                raise AirflowApiError(f"{method} {path} was answered {answer.status_code}: {remedy}")
            return answer.json()
        except requests.RequestException as problem:
            raise AirflowApiError(f"{method} {path}: {type(problem).__name__}: check --airflow-url") from None


def password_login(url: str, user: str, password: str) -> Callable[[], str]:
    """
    Get tokens from Airflow itself.

    :param url: base URL of the API server.
    :param user: who may create events of assets.
    :param password: of the user.
    :return: gets a token.
    """

    def login() -> str:
        credential = {"username": user, "password": password}
        answer = requests.post(f"{url.rstrip('/')}/auth/token", json=credential, timeout=TIMEOUT, allow_redirects=False)
        if not answer.ok or answer.is_redirect:
            raise AirflowApiError(f"POST /auth/token was answered {answer.status_code}: check the user and password")
        return str(answer.json()["access_token"])

    return login
