# SPDX-License-Identifier: Apache-2.0
"""The contract of the event stream is AsyncAPI, and events are what it says.

`asyncapi-3.0.0.json` is the AsyncAPI Initiative's own JSON Schema (npm @asyncapi/specs 6.11.1,
schemas/3.0.0-without-$id.json, Apache-2.0) without its descriptions and examples.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import jsonschema
import msgspec
import pytest
from litestar import Litestar

from crossdock.api.asyncapi import asyncapi
from crossdock.api.event_table import EVENTS
from crossdock.api.routes import routes
from crossdock.catalog.cache import Catalog
from crossdock.inventory.commit import Commitment, commit
from crossdock.inventory.extend import Extension, extend
from crossdock.inventory.release import release
from crossdock.inventory.reserve import Reserving
from crossdock.journal.outbox import SUBJECTS, subject_of
from tests.inventory.holding import rules, stocked, want

OFFICIAL = jsonschema.Draft7Validator(msgspec.json.decode(Path(__file__).with_name("asyncapi-3.0.0.json").read_bytes()))


def check_event(event: Any) -> None:
    """Refuse an event that is not what the contract says of its type."""
    contract = asyncapi()
    name = event["type"].removeprefix("crossdock.").removesuffix(".v1").replace(".", "_")
    payload = contract["components"]["messages"][name]["payload"]
    jsonschema.Draft202012Validator({**payload, "components": contract["components"]}).validate(event)
    key = EVENTS[event["type"].removeprefix("crossdock.").removesuffix(".v1")].key
    if "{" in key:
        # What follows a blank explains the form.
        parts = re.split(r"({\w+})", key.partition(" ")[0])
        form = "".join(part if number % 2 else re.escape(part) for number, part in enumerate(parts))
        assert re.fullmatch(re.sub(r"{\w+}", ".+", form), event["subject"]), (key, event["subject"])


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_it_is_asyncapi() -> None:
    OFFICIAL.validate(asyncapi())


@pytest.mark.parametrize("spoiled", ["version", "channel", "operation"])
def test_what_is_no_asyncapi_is_noticed(spoiled: str) -> None:
    document = copy.deepcopy(asyncapi())
    if spoiled == "version":
        document["asyncapi"] = "2.6.0"
    elif spoiled == "channel":
        document["channels"]["sales_order_accepted"]["adress"] = "x"
    else:
        document["operations"]["sales_order_accepted"]["action"] = "publish"
    assert not OFFICIAL.is_valid(document)


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi()
    found = set(references(document))
    assert len(found) > len(EVENTS)
    for reference in found:
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_addresses_are_the_subjects_events_are_published_under() -> None:
    channels = asyncapi()["channels"]
    assert set(channels) == {event.replace(".", "_") for event in EVENTS} | {"tick"}
    for event, kind in EVENTS.items():
        address = channels[event.replace(".", "_")]["address"]
        shown = address.replace("{key}", "stock_CD-1").replace("{place}", "DC")
        assert subject_of(event, "stock/CD-1@DC" if kind.placed else "stock/CD-1") == shown
        assert shown.startswith(SUBJECTS[0].removesuffix(">"))


async def test_it_is_served() -> None:
    transport = httpx.ASGITransport(Litestar(routes(), openapi_config=None))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/asyncapi.json")).json() == msgspec.json.decode(msgspec.json.encode(asyncapi()))


async def test_what_is_told_of_reservations_is_what_the_contract_says(pool: asyncpg.Pool) -> None:
    await stocked(pool, ("CD-1", "EAST", 10))
    reserving = Reserving(pool, rules(), Catalog())
    outcomes = await reserving.reserve([want("1", ("CD-1", "2")), want("2", ("CD-1", "1"))])
    first, second = (msgspec.json.decode(outcome.body)["id"] for outcome in outcomes)  # type: ignore[union-attr]
    await extend(pool, [Extension(first, 900)], timedelta(hours=1))
    await commit(pool, [Commitment(first, "order/shop/1")])
    await release(pool, [second])
    rows = await pool.fetch("SELECT type, data FROM event WHERE many ORDER BY xid, id")
    kinds = {row["type"] for row in rows}
    assert {f"reservation.{what}" for what in ("created", "extended", "committed", "released")} <= kinds
    for row in rows:
        for element in msgspec.json.decode(row["data"]):
            event = {
                "specversion": "1.0",
                "id": "1-1",
                "source": "/crossdock/test",
                "type": f"crossdock.{row['type']}.v1",
                "subject": element["key"],
                "time": "2026-11-23T12:00:00Z",
                "data": element["data"],
            }
            check_event(event)
            with pytest.raises(jsonschema.ValidationError):
                check_event({**event, "data": {}})
