# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of canonical objects: `GET /schemas` lists them, `GET /schemas/{object}/{version}` gives one."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from crossdock.canonical.objects import OBJECTS, json_schema
from crossdock.errors import Refused


class SchemaLink(Struct, frozen=True, kw_only=True):
    """A published schema and where it is."""

    object: str
    version: int
    url: str


@get("/schemas", summary="List published schemas", tags=["contracts"], sync_to_thread=False)
def list_schemas() -> list[SchemaLink]:
    """Every canonical object with its version."""
    return [
        SchemaLink(object=name, version=version, url=f"/schemas/{name}/{version}")
        for name, (version, _) in OBJECTS.items()
    ]


@get(
    "/schemas/{object_name:str}/{version:int}",
    summary="One JSON Schema",
    tags=["contracts"],
    sync_to_thread=False,
)
def get_schema(object_name: FromPath[str], version: FromPath[int]) -> Response[dict[str, Any]]:
    """The JSON Schema (2020-12) of a canonical object; 404 when there is no such object or version."""
    try:
        schema = json_schema(object_name, version)
    except KeyError as error:
        raise Refused(
            f"there is no schema {object_name[:100]}/{version}",
            status=404,
            rule="not_found",
            fix="GET /schemas lists all",
        ) from error
    return Response(schema, media_type="application/schema+json")


HANDLERS: list[ControllerRouterHandler] = [list_schemas, get_schema]
