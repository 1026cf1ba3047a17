# SPDX-License-Identifier: Apache-2.0
"""Laws of comparing schemas: nothing called compatible is contradicted, everything called breaking is shown."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from crossdock.governance.contract_change import schema_changes
from crossdock.governance.schema_formats import FORMATS
from crossdock.governance.schema_sample import FRESH, Sampler
from crossdock.governance.schema_side import Node, Side, everything, item_view, names, view
from tests.governance.schemas import PAYLOADS, SCHEMAS, changed

LAW = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def valid(schema: Any, payload: Any) -> bool:
    return Draft202012Validator(schema, format_checker=FORMATS).is_valid(payload)


def side(schema: Any) -> Side:
    return Side({"allOf": [schema]}, {"allOf": [schema]})


@LAW
@given(st.data())
def test_no_payload_contradicts_a_verdict(data: st.DataObject) -> None:
    old = data.draw(SCHEMAS, label="old")
    new = data.draw(changed(old), label="new")
    a, b = side(old), side(new)
    changes = schema_changes(a, b, "received")
    for change in changes:
        assert (change.witness is not None) == (change.verdict == "breaking")
        if change.witness is not None:
            assert valid(old, change.witness.payload)
            assert not valid(new, change.witness.payload)
    if not any(change.verdict != "compatible" for change in changes):
        sampled = list(Sampler(a).values(a.node, b.flat(b.node)))
        drawn = data.draw(st.lists(PAYLOADS, min_size=20, max_size=40), label="payloads")
        for payload in [*sampled, *drawn]:
            if valid(old, payload) and not valid(new, payload):
                assert not known(a, a.node, payload), payload


def known(a: Side, node: Node, payload: Any) -> bool:
    """Whether `node` says something of every property in `payload`, but for names that no schema here has."""
    parts = everything(a, node)
    if isinstance(payload, list):
        return all(
            known(a, tuple(one for part in parts for one in item_view(part, number)), item)
            for number, item in enumerate(payload)
        )
    if not isinstance(payload, dict):
        return True
    return all(
        (name.startswith(FRESH) or names(parts, name))
        and known(a, tuple(one for part in parts for one in view(part, name)), item)
        for name, item in payload.items()
    )
