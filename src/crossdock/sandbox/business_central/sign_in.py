# SPDX-License-Identifier: Apache-2.0
"""Microsoft Entra's token endpoint for client credentials: a client's secret in, a bearer token out."""

from __future__ import annotations

import hmac
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from crossdock.sandbox.books import Books

SCOPE = "https://api.businesscentral.dynamics.com/.default"
LEFT_OUT = "AADSTS900144: The request body must contain the following parameter: '{name}'."


class GrantError(Exception):
    """The token request is refused: HTTP status, OAuth error code, AADSTS text."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.code = code


class TokenDesk:
    """Issues bearer tokens to the registered clients, by id and secret."""

    def __init__(
        self, books: Books, clients: Mapping[str, str], token_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._books = books
        self._clients = clients
        self._seconds = token_seconds
        self._clock = clock

    def grant(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The token answer. Raises GrantError with what is wrong."""
        for name in ("grant_type", "client_id", "client_secret", "scope"):
            if not form.get(name):
                raise GrantError(400, "invalid_request", LEFT_OUT.format(name=name))
        if form["grant_type"] != "client_credentials":
            raise GrantError(400, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
        known = self._clients.get(form["client_id"])
        if known is None:
            text = f"AADSTS700016: Application with identifier '{form['client_id']}' was not found in the directory."
            raise GrantError(400, "unauthorized_client", text)
        if not hmac.compare_digest(known.encode(), form["client_secret"].encode()):
            raise GrantError(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        if form["scope"] != SCOPE:
            raise GrantError(400, "invalid_scope", f"AADSTS70011: The scope is not valid; it must be {SCOPE}.")
        self._forget_expired()
        token = secrets.token_urlsafe(32)
        self._books.put("tokens", token, {"client": form["client_id"], "until": self._clock() + self._seconds})
        self._books.bump("tokens.issued")
        seconds = max(1, int(self._seconds)) - 1
        return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}

    def client_of(self, authorization: str) -> str | None:
        """Whose token an Authorization header carries; None when it is missing, unknown or expired."""
        scheme, _, token = authorization.partition(" ")
        row = self._books.table("tokens").get(token.strip())
        if scheme.lower() != "bearer" or row is None or row["until"] <= self._clock():
            return None
        return str(row["client"])

    def _forget_expired(self) -> None:
        now = self._clock()
        for token in [token for token, row in self._books.table("tokens").items() if row["until"] <= now]:
            self._books.drop("tokens", token)

    def expire(self) -> int:
        """End every token now; how many those were."""
        tokens = list(self._books.table("tokens"))
        for token in tokens:
            self._books.drop("tokens", token)
        return len(tokens)


def grant_refused(error: GrantError, now: float) -> dict[str, Any]:
    """The body of a refused token request."""
    number = str(error).partition(":")[0].removeprefix("AADSTS")
    return {
        "error": error.code,
        "error_description": str(error),
        "error_codes": [int(number)],
        "timestamp": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
        "trace_id": str(uuid.uuid4()),
        "correlation_id": str(uuid.uuid4()),
    }
