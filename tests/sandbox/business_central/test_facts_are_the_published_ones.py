# SPDX-License-Identifier: Apache-2.0
"""The facts of the entity sets must equal the catalogue derived from Microsoft's sources, where that is present."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crossdock.sandbox.business_central.entities import STANDARD, Field

DERIVED = Path(__file__).parents[4] / "shared/contracts/business-central/bc_api_v2.0_entities.derived.json"
pytestmark = pytest.mark.skipif(not DERIVED.exists(), reason="../shared/contracts/business-central is not here")


def told(field: dict[str, Any]) -> tuple[str, str, bool]:
    return field["name"], field["type"].replace("NAV.", "Microsoft.NAV."), field["readOnly"]


def ours(field: Field) -> tuple[str, str, bool]:
    return field.name, field.edm, field.read_only


@pytest.mark.parametrize("name", sorted(set(STANDARD) - {"companies"}))
def test_names_types_and_what_may_be_written(name: str) -> None:
    derived = json.loads(DERIVED.read_text(encoding="utf-8"))["entitySets"][name]
    entity = STANDARD[name]
    assert entity.name == derived["entityName"]
    assert [ours(field) for field in entity.fields.values()] == [told(field) for field in derived["fields"]]
    letters = zip("IMD", ("insertAllowed", "modifyAllowed", "deleteAllowed"), strict=True)
    assert entity.writes == "".join(letter for letter, flag in letters if derived[flag])
    assert list(entity.actions) == derived["boundActions"]
    assert set(entity.parts) <= {one["navigation"] for one in derived["navigation"]}
