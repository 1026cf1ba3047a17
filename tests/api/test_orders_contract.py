# SPDX-License-Identifier: Apache-2.0
"""The contract of orders and returns holds: examples are taken, and whatever is sent is answered as it says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from crossdock.api.contract import HOT_SCHEMAS
from crossdock.api.orders_contract import EXAMPLE_CANCEL, EXAMPLE_ORDER, PATHS
from crossdock.api.returns_contract import PATHS as RETURNS
from crossdock.orders.request import OrderRequest
from crossdock.orders.withdraw import WithdrawRequest
from tests.api.ordering import desk_on
from tests.api.serving import gateway, ground

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    allow_header_conformance,
]


async def test_the_examples_of_the_contract_are_taken(pool: asyncpg.Pool, database: str, tmp_path: Path) -> None:
    async with desk_on(pool, database, tmp_path) as desk:
        cart = await desk.validate(EXAMPLE_ORDER)
        assert (cart.status, cart.json["valid"]) == (200, True), cart.body
        placed = await desk.place(body=EXAMPLE_ORDER)
        assert placed.status == 201, placed.body
        assert (await desk.cancel(placed.json["id"], EXAMPLE_CANCEL)).status == 202


def test_the_examples_are_what_their_schemas_say() -> None:
    for example, name in ((EXAMPLE_ORDER, "OrderRequest"), (EXAMPLE_CANCEL, "WithdrawRequest")):
        schema = {**HOT_SCHEMAS[name], "components": {"schemas": HOT_SCHEMAS}}
        Draft202012Validator(schema).validate(example)
    assert msgspec.convert(EXAMPLE_ORDER, OrderRequest, strict=False).channel == "portal"
    assert msgspec.convert(EXAMPLE_CANCEL, WithdrawRequest).reason


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
async def test_whatever_is_sent_is_answered_as_the_contract_says(
    mode: GenerationMode, pool: asyncpg.Pool, database: str, nats_url: str, tmp_path: Path
) -> None:
    on = await ground(pool, database, nats_url, tmp_path)
    async with gateway(on) as (url, _):
        answered = await asyncio.to_thread(_ask, url, mode)
    asked = {**PATHS, **RETURNS}
    assert set(answered) == {f"{method.upper()} {path}" for path, item in asked.items() for method in item}
    assert all(sum(statuses.values()) >= 20 for statuses in answered.values()), answered


def _ask(url: str, mode: GenerationMode) -> dict[str, Counter[int]]:
    """Send what each operation's schemas allow, or what they forbid; how often each status was answered."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json").include(path_regex="^/v1/(orders|returns)")
    answered: dict[str, Counter[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        seen = answered.setdefault(f"{operation.method.upper()} {operation.path}", Counter())

        ask = _asking(seen)
        limits = settings(
            max_examples=60,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        limits(given(operation.as_strategy(generation_mode=mode))(ask))()
    return answered


def _asking(seen: Counter[int]) -> Callable[[Case], None]:
    def ask(case: Case) -> None:
        response = case.call()
        seen[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    return ask
