# SPDX-License-Identifier: Apache-2.0
"""JSON Schema of the estate file, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.estate.load import ENTRIES, SINGLES


def estate_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of an estate file or of a file that one includes."""
    kinds = [*ENTRIES.items(), *SINGLES.items()]
    schemas, components = msgspec.json.schema_components([cls for _, cls in kinds], ref_template="#/$defs/{name}")
    properties: dict[str, Any] = {
        "estate": {"type": "string", "minLength": 1, "description": "The name of the estate."},
        "include": {
            "description": "Files beside this one whose sections are joined with these.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        },
    }
    for (section, _), schema in zip(kinds, schemas, strict=True):
        single = section in SINGLES
        properties[section] = schema if single else {"type": "object", "additionalProperties": schema}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Crossdock estate",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": components,
    }
