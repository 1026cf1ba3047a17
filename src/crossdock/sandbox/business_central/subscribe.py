# SPDX-License-Identifier: Apache-2.0
"""Webhook subscriptions: made and renewed after a handshake, gone after three days without renewal."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Any

import aiohttp
from yarl import URL

from crossdock.sandbox.business_central.addresses import EXTENSION_API, STANDARD_API
from crossdock.sandbox.business_central.entities import BLANK_ID
from crossdock.sandbox.business_central.problems import (
    BAD_REQUEST,
    METHOD_NOT_ALLOWED,
    NO_VALUE,
    NOT_FOUND,
    TOO_LONG,
    BusinessCentralError,
    dialog,
)
from crossdock.sandbox.business_central.records import Record, Store, etag
from crossdock.sandbox.business_central.route import Call, Reply, must_match

TABLE = "subscriptions"
LIFE_SECONDS = 3 * 86_400.0
MOST = 200
MOST_STATE = 2_048
SUPPORTED = {
    STANDARD_API: frozenset({"customers", "items", "salesOrders", "salesInvoices", "salesCreditMemos"}),
    EXTENSION_API: frozenset({"salesOrderShipments", "salesReturnOrders"}),
}
"""Published: not everything can be subscribed to; salesShipments and itemLedgerEntries cannot."""
RESOURCE = re.compile(
    r"(?:.*/)?api/(?P<api>v2\.0|crossdock/distribution/v1\.0)/companies\((?P<company>[\w-]+)\)/(?P<set>\w+)"
)
WRITABLE = frozenset({"subscriptionId", "notificationUrl", "resource", "clientState"})
ANSWER_BYTES = 4_096


class Subscriptions:
    """The subscriptions of the environment; `session` is set while the simulator runs."""

    def __init__(self, store: Store, timeout: float) -> None:
        self._store = store
        self._timeout = timeout
        self.session: aiohttp.ClientSession | None = None

    def live(self) -> list[Record]:
        """Those that have not expired; expired ones are deleted."""
        now = self._store.now()
        rows = self._store.all(TABLE)
        for ident in [ident for ident, row in rows.items() if row["expirationDateTime"] <= now]:
            self._store.books.drop(TABLE, ident)
        return list(rows.values())

    def drop(self, ident: str) -> None:
        """Delete one, as the vendor does when a subscriber answers what it must not."""
        if ident in self._store.all(TABLE):
            self._store.books.drop(TABLE, ident)
            self._store.books.bump("subscriptions.dropped")

    async def answer(self, call: Call) -> Reply:
        """Do what is asked of `subscriptions`. Raises BusinessCentralError."""
        key = call.address.segments[0].key
        rows = {row["id"]: row for row in self.live()}
        if key is None:
            if call.method == "GET":
                return Reply(200, {"value": [_shown(row) for row in rows.values()]})
            if call.method == "POST":
                return await self._create(call)
            raise BusinessCentralError(405, METHOD_NOT_ALLOWED, f"{call.method} is not allowed on subscriptions.")
        if key not in rows:
            raise BusinessCentralError(404, NOT_FOUND, f"Not Found: there is no subscription {key}.")
        return await self._one(call, rows[key])

    async def _one(self, call: Call, row: Record) -> Reply:
        if call.method == "GET":
            return Reply(200, _shown(row))
        must_match(row, call.headers)
        if call.method == "DELETE":
            self._store.books.drop(TABLE, row["id"])
            return Reply(204)
        if call.method != "PATCH":
            raise BusinessCentralError(405, METHOD_NOT_ALLOWED, f"{call.method} is not allowed on a subscription.")
        changed = {**row, **self._checked(call)}
        await self._shake_hands(changed["notificationUrl"])
        return Reply(200, _shown(self._keep(changed)))

    async def _create(self, call: Call) -> Reply:
        given = self._checked(call)
        for name in ("notificationUrl", "resource"):
            if name not in given:
                raise BusinessCentralError(400, NO_VALUE, f"Field '{name}' must not be blank or empty.")
        if len(self._store.all(TABLE)) >= MOST:
            raise dialog(f"There are {MOST} subscriptions already; that is the most.")
        await self._shake_hands(given["notificationUrl"])
        ident = secrets.token_hex(16)
        row = {"id": ident, "clientState": "", "systemCreatedAt": self._store.now(), **given, "subscriptionId": ident}
        return Reply(201, _shown(self._keep(row)))

    def _checked(self, call: Call) -> dict[str, str]:
        given = {name: value for name, value in call.body.items() if not name.startswith("@")}
        for name, value in given.items():
            if name not in WRITABLE or not isinstance(value, str):
                raise BusinessCentralError(400, BAD_REQUEST, f"The property '{name}' is unknown, read-only or no text.")
        if len(given.get("clientState", "")) > MOST_STATE:
            text = (
                f"The length of the string is {len(given['clientState'])}, but it must be less than or equal to 2048."
            )
            raise BusinessCentralError(400, TOO_LONG, text)
        if "resource" in given:
            self._check_resource(call.address.api, given["resource"])
        if "notificationUrl" in given and not given["notificationUrl"].startswith(("https://", "http://127.0.0.1:")):
            raise dialog("The notificationUrl must begin with https://.")
        return given

    def _check_resource(self, api: str, resource: str) -> None:
        match = RESOURCE.fullmatch(resource)
        if match is None or match["api"] != api or match["set"] not in SUPPORTED[api]:
            raise dialog(f"The resource {resource} cannot be subscribed to here.")
        if self._store.find("companies", match["company"]) is None:
            raise dialog(f"The company of the resource {resource} cannot be found.")

    async def _shake_hands(self, url: str) -> None:
        """The subscriber must answer 200 with the token as its body, when a subscription is made and when renewed."""
        token = secrets.token_urlsafe(24)
        try:
            answered = await self._ask(URL(url).update_query(validationToken=token))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise dialog(f"The notificationUrl could not be reached: {type(error).__name__}.") from error
        if answered != (200, token):
            raise dialog(
                f"The notificationUrl did not answer 200 with the validationToken as its body ({answered[0]})."
            )

    async def _ask(self, url: URL) -> tuple[int, str]:
        if self.session is None:
            raise RuntimeError("the simulator is not started")
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        async with self.session.post(url, timeout=timeout, allow_redirects=False) as answer:
            body = await answer.content.read(ANSWER_BYTES)
            return answer.status, body.decode("utf-8", "replace").strip()

    def _keep(self, row: Record) -> Record:
        now = self._store.clock()
        until = datetime.fromtimestamp(now + LIFE_SECONDS, UTC)
        row["expirationDateTime"] = until.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        row["lastModifiedDateTime"] = row["systemModifiedAt"] = self._store.now()
        row["_v"] = self._store.books.bump("versions")
        row["timestamp"] = row["_v"]
        self._store.books.put(TABLE, row["id"], row)
        return row


def set_of(resource: str) -> str:
    """The entity set that a resource names."""
    return resource.rpartition("/")[2]


def _shown(row: Record) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in ("id", "_v")}
    return {"@odata.etag": etag(row), "userId": BLANK_ID, **kept}
