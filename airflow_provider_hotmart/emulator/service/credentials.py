"""The credential of the emulated account, and the tokens handed out for it."""

from __future__ import annotations

import base64
import hashlib
import threading
from urllib.parse import quote

from airflow_provider_hotmart.emulator.account.people import make_ucode
from airflow_provider_hotmart.emulator.clock import Clock
from airflow_provider_hotmart.emulator.quirks import Quirks
from airflow_provider_hotmart.emulator.service.answers import Answer, error_answer
from airflow_provider_hotmart.emulator.service.bodies import encode, laid_out
from airflow_provider_hotmart.emulator.service.calls import Call


class Credentials:
    """
    Hands out tokens and knows them again. Safe to share between threads.

    :param client_id: of the one credential
    :param client_secret: of the one credential
    :param lifetime: of a token, in seconds
    :param seed: another seed, other tokens
    :param clock: decides when a token has expired
    """

    def __init__(self, client_id: str, client_secret: str, lifetime: int, seed: int, clock: Clock) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.lifetime = lifetime
        self._seed = seed
        self._clock = clock
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}

    @property
    def basic_token(self) -> str:
        """The value of the Authorization header that gets a token."""
        return "Basic " + base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()

    def answer(self, call: Call, quirks: Quirks) -> Answer:
        """
        Answer a call for a token.

        :param call: the call, with its form
        :param quirks: how a wrong credential is answered
        """
        fields = {key: values[-1] for key, values in (call.params | call.form).items()}
        header = (call.headers.get("Authorization") or "").split()
        right = header[:1] == ["Basic"] and " ".join(header) == self.basic_token
        for name, value in (("client_id", self.client_id), ("client_secret", self.client_secret)):
            right = right and fields.get(name, value) == value
        if not right:
            text = "Bad client credentials" if quirks.wrong_credential == "unauthorized" else None
            return error_answer(401, quirks.wrong_credential, quirks, text)
        if "grant_type" not in fields:
            return error_answer(400, "invalid_request", quirks, "Missing grant type")
        if fields["grant_type"] != "client_credentials":
            return error_answer(
                400, "unsupported_grant_type", quirks, f"Unsupported grant type: {fields['grant_type']}"
            )
        return Answer(200, laid_out(encode(self._new_token()), quirks.json_layout))

    def _new_token(self) -> dict[str, object]:
        with self._lock:
            digest = hashlib.blake2b(f"{self._seed}/token/{len(self._ends)}".encode(), digest_size=64).digest()
            text = quote(base64.b64encode(digest).decode(), safe="")
            # Escapes that a client must send back untouched: neither decoded nor escaped once more.
            token = f"H%2B{text}"
            self._ends[token] = self._clock.now() + self.lifetime
        return {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": self.lifetime,
            "scope": "read write",
            "jti": make_ucode(digest),
        }

    def problem(self, header: str | None, quirks: Quirks) -> str | None:
        """
        Give the name of the error that an Authorization header of an API call earns; None: it is right.

        :param header: as it was sent; None: it was not
        :param quirks: whether older tokens are good
        """
        token = bearer_of(header)
        if token is None:
            return "unauthorized"
        with self._lock:
            end = self._ends.get(token)
            is_newest = token == next(reversed(self._ends), None)
        if end is None or (quirks.only_newest_token and not is_newest):
            return "invalid_token"
        return "token_expired" if self._clock.now() >= end else None

    def expire(self, header: str | None = None) -> None:
        """
        Let tokens expire at this moment.

        :param header: the Authorization header that holds the one; None: all that were handed out so far
        """
        with self._lock:
            tokens = list(self._ends) if header is None else [bearer_of(header)]
            for token in tokens:
                if token in self._ends:
                    self._ends[token] = float("-inf")


def bearer_of(header: str | None) -> str | None:
    """
    Give the token in an Authorization header; None: there is none.

    :param header: as it was sent
    """
    words = (header or "").split(" ")
    return words[1] if len(words) == 2 and words[0].lower() == "bearer" and words[1] else None
