# SPDX-License-Identifier: Apache-2.0
"""The whole contract holds: whatever is sent to any route, the answer is one it describes, and never a 5xx."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.serving import gateway, ground

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
EXAMPLES = 5
SEED = 4711


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
async def test_every_route_answers_as_the_contract_says(
    mode: GenerationMode, pool: asyncpg.Pool, database: str, nats_url: str, tmp_path: Path
) -> None:
    on = await ground(pool, database, nats_url, tmp_path)
    async with gateway(on) as (url, _):
        wrong, answered = await asyncio.to_thread(_ask, url, mode)
    assert not wrong, "\n".join(wrong)
    asked = {name for name, statuses in answered.items() if statuses}
    if mode is GenerationMode.POSITIVE:
        assert asked == set(answered)
    else:  # what takes nothing that could be wrong is asked nothing
        assert len(asked) >= 30, answered


def _ask(url: str, mode: GenerationMode) -> tuple[list[str], dict[str, Counter[int]]]:
    """Send each operation what its schemas allow, or what they forbid: what was answered wrongly, and how often each
    status was answered."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    wrong: list[str] = []
    answered: dict[str, Counter[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        name = f"{operation.method.upper()} {operation.path}"
        seen = answered.setdefault(name, Counter())
        limits = settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        try:
            seed(SEED)(limits(given(operation.as_strategy(generation_mode=mode))(_asking(seen))))()
        except Unsatisfiable:
            continue  # it takes nothing that could be wrong
        except (AssertionError, FailureGroup) as error:
            wrong.append(f"{name}: {error}")
    return wrong, answered


def _asking(seen: Counter[int]) -> Callable[[Any], None]:
    def ask(case: Any) -> None:
        response = case.call()
        seen[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    return ask
