# SPDX-License-Identifier: Apache-2.0
"""`crossdock interfaces`: what the estate declares, and from the database whether it is still used."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossdock.cli.interfaces import listing
from crossdock.cli.main import build
from crossdock.estate.compile import compile_estate
from crossdock.estate.load import load_estate
from crossdock.runtime.postgres import connect
from tests.estate.estates import changed, write_estate
from tests.governance.estates import estate_text

ENDING = "state: deprecated, deprecated_on: 2026-01-01, sunset: 2026-07-01"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def listed(*arguments: object) -> Any:
    result = CliRunner().invoke(build(["interfaces"]), ["interfaces", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("text", "today", "overdue"),
    [
        (changed("state: active", ENDING), date(2026, 6, 30), False),
        (changed("state: active", ENDING), date(2026, 7, 1), True),
        (changed("state: active", ENDING.replace("deprecated,", "retired,")), date(2026, 7, 1), False),
    ],
)
def test_past_its_sunset_it_is_overdue_until_it_is_retired(
    tmp_path: Path, text: str, today: date, overdue: bool
) -> None:
    (one,) = listing(compile_estate(load_estate(write_estate(tmp_path, text))), None, today)
    assert one.overdue is overdue
    assert one.use is None


def test_without_a_database_the_estate_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("CROSSDOCK_DATA", raising=False)
    (one,) = listed("-e", write_estate(tmp_path, changed("state: active", ENDING)))
    assert {name: one[name] for name in ("interface", "owner", "tier", "version", "state")} == {
        "interface": "exports.orders",
        "owner": "ops",
        "tier": "gold",
        "version": 1,
        "state": "deprecated",
    }
    assert (one["deprecated_on"], one["sunset"], one["use"]) == ("2026-01-01", "2026-07-01", None)
    table = CliRunner().invoke(build(["interfaces"]), ["interfaces", "-e", str(tmp_path / "estate.yaml")]).stdout
    assert "2026-07-01 (passed)" in table


def test_the_database_says_when_a_message_came_last(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    estate = write_estate(tmp_path)
    (never,) = listed("-e", estate)
    assert never["use"]["last_message"] is None

    async def fill() -> None:
        conn = await connect(database)
        try:
            for dedup_key, at in (("m-1", NOON), ("m-2", NOON.replace(hour=11))):
                await conn.execute(
                    "INSERT INTO document (message_id, interface, topic, key, digest, received_at)"
                    " VALUES (1, $1, 'order', $2, 0, $3)",
                    "exports.orders",
                    dedup_key,
                    at,
                )
            for rule, hour in (("retired", 13), ("headers", 14), ("retired", 12)):
                await conn.execute(
                    "INSERT INTO rejection (interface, received_at, rule, reason, size) VALUES ($1, $2, $3, '', 1)",
                    "exports.orders",
                    NOON.replace(hour=hour),
                    rule,
                )
        finally:
            await conn.close()

    asyncio.run(fill())
    (one,) = listed("-e", estate)
    assert one["use"] == {
        "interface": "exports.orders",
        "last_message": "2026-11-23T12:00:00Z",
        "refused": 2,
        "last_refused": "2026-11-23T13:00:00Z",
    }


def test_interfaces_of_the_api_are_listed_with_who_may_send_by_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("CROSSDOCK_DATA", raising=False)
    by_api = "currency: GBP, api: {tier: gold}}"
    everybody = listed("-e", write_estate(tmp_path, changed("currency: GBP}", by_api)))
    assert [(one["interface"], one["tier"], one["consumers"]) for one in everybody] == [
        ("exports.orders", "gold", []),
        ("shop.api", "gold", ["local"]),
    ]
    # The portal may not place orders; the partner sees the channel through its entity, the desk sees all and may not.
    known = listed("-e", write_estate(tmp_path, estate_text().replace("currency: GBP}", by_api)))
    assert known[1]["consumers"] == ["partner"]
