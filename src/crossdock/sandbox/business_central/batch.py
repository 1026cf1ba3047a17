# SPDX-License-Identifier: Apache-2.0
"""`$batch` in JSON: at most 100 operations, each by itself, or with `Isolation: snapshot` all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from crossdock.sandbox.business_central.addresses import parse_address
from crossdock.sandbox.business_central.problems import BAD_REQUEST, BusinessCentralError, error_body
from crossdock.sandbox.business_central.records import Store
from crossdock.sandbox.business_central.route import Call, Reply

MOST = 100
METHODS = ("GET", "POST", "PATCH", "DELETE")
JSON_HEADERS = {"content-type": "application/json; odata.metadata=minimal", "odata-version": "4.0"}


class _RolledBack(Exception):
    """One operation of a snapshot failed: nothing of the batch holds."""


def run_batch(call: Call, store: Store, answer: Callable[[Call], Reply]) -> Reply:
    """The answer to a batch. Raises BusinessCentralError when the batch itself is wrong.

    Without `Prefer: odata.continue-on-error` the first operation that fails is the last one that is done.
    """
    requests = call.body.get("requests")
    if not isinstance(requests, list) or not all(isinstance(entry, dict) for entry in requests):
        raise BusinessCentralError(400, BAD_REQUEST, "Invalid Request Body: requests must be an array of objects.")
    if len(requests) > MOST:
        raise BusinessCentralError(400, BAD_REQUEST, f"A batch holds at most {MOST} operations; this has more.")
    go_on = "odata.continue-on-error" in call.headers.get("prefer", "")
    responses: list[dict[str, Any]] = []

    def work(stop: bool) -> bool:
        for entry in requests:
            told = _operation(call, entry, answer)
            responses.append(told)
            if told["status"] >= 400 and stop:
                return False
        return True

    if call.headers.get("isolation", "").lower() != "snapshot":
        work(not go_on)
        return Reply(200, {"responses": responses})
    try:
        with store.transaction():
            if not work(True):
                raise _RolledBack
    except _RolledBack:
        store.books.bump("batches.rolled_back")
    return Reply(200, {"responses": responses})


def _operation(call: Call, entry: dict[str, Any], answer: Callable[[Call], Reply]) -> dict[str, Any]:
    ident = entry.get("id")
    try:
        reply = answer(_inner(call, entry))
    except BusinessCentralError as error:
        body = error_body(error.code, str(error))
        return {"id": ident, "status": error.status, "headers": JSON_HEADERS, "body": body}
    told: dict[str, Any] = {"id": ident, "status": reply.status, "headers": dict(reply.headers)}
    if reply.body is not None:
        told |= {"headers": {**JSON_HEADERS, **reply.headers}, "body": reply.body}
    return told


def _inner(call: Call, entry: dict[str, Any]) -> Call:
    method, url, body = entry.get("method"), entry.get("url"), entry.get("body", {})
    given = entry.get("headers", {})
    if method not in METHODS or not isinstance(url, str) or not isinstance(body, dict) or not isinstance(given, dict):
        raise BusinessCentralError(400, BAD_REQUEST, "An operation of a batch has a method, a url and maybe a body.")
    path, _, query = url.partition("?")
    if "://" in path:
        path = "/" + path.split("/", 3)[-1]
    elif not path.startswith("/v2.0/"):
        path = f"{call.address.base}/{path.removeprefix('/')}"
    headers: Mapping[str, str] = {str(name).lower(): str(value) for name, value in given.items()}
    address = parse_address(path)
    if (address.tenant, address.environment) != (call.address.tenant, call.address.environment):
        raise BusinessCentralError(400, BAD_REQUEST, "An operation of a batch is for another environment.")
    return Call(method, address, dict(parse_qsl(query, keep_blank_values=True)), headers, body)
