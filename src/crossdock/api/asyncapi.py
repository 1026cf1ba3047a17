# SPDX-License-Identifier: Apache-2.0
"""The contract of the event stream, `GET /asyncapi.json`: AsyncAPI 3.0, made from the table of events."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get
from litestar.types import ControllerRouterHandler

from crossdock import __version__
from crossdock.api.event_table import EVENTS, EventKind
from crossdock.canonical.envelope import CloudEvent
from crossdock.journal.outbox import MOST_DATA, STREAM, TICK, Tick

_REFS = "#/components/schemas/{name}"
_ABOUT = f"""\
Business events as CloudEvents 1.0 on the JetStream stream {STREAM}, in the order in which their transactions committed.

Subscribe with a durable consumer and acknowledge after your own commit: nothing is lost while you are away. An event
may come again; `source` and `id` tell. Replay with a consumer of its own: by time (deliver policy by_start_time), by
number in the stream (by_start_sequence), or by SKU (filter crossdock.events.inventory.level.changed.stock_SKU.*). The
command `crossdock events replay` does all three.

Without the bus: subscribe over HTTP (`POST /v1/subscriptions`), and each event is sent as a signed webhook."""


def asyncapi() -> dict[str, Any]:
    """The document."""
    payloads = [CloudEvent, Tick, *dict.fromkeys(kind.data for kind in EVENTS.values())]
    _, schemas = msgspec.json.schema_components(payloads, ref_template=_REFS)
    schemas["ClaimCheck"] = {
        "title": "ClaimCheck",
        "description": f"Stands for data of more than {MOST_DATA} bytes: the document that holds it, and its size.",
        "type": "object",
        "properties": {"document": {"type": "integer"}, "size": {"type": "integer"}},
        "required": ["document", "size"],
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Crossdock events", "version": __version__, "description": _ABOUT},
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            **{_name(event): _channel(event, kind) for event, kind in EVENTS.items()},
            "tick": {
                "address": TICK,
                "description": "Core NATS, not kept: how far the stream is, after each look at the outbox.",
                "messages": {"tick": {"$ref": "#/components/messages/tick"}},
            },
        },
        "operations": {name: _sent(name) for name in [*map(_name, EVENTS), "tick"]},
        "components": {
            "messages": {
                **{_name(event): _message(event, kind) for event, kind in EVENTS.items()},
                "tick": {"contentType": "application/json", "payload": {"$ref": "#/components/schemas/Tick"}},
            },
            "schemas": schemas,
        },
    }


def _name(event: str) -> str:
    return event.replace(".", "_")


def _channel(event: str, kind: EventKind) -> dict[str, Any]:
    said = "with what a subject of the bus cannot hold as _, at most 200 characters"
    parameters = {"key": {"description": f"the event's subject, {kind.key}, {said}"}}
    if kind.placed:
        parameters["key"] = {"description": f"the event's subject, {kind.key}, up to its place, {said}"}
        parameters["place"] = {"description": f"the place, {said}"}
    return {
        "address": f"crossdock.events.{event}.{{key}}" + (".{place}" if kind.placed else ""),
        "description": kind.when[0].upper() + kind.when[1:] + ".",
        "parameters": parameters,
        "messages": {_name(event): {"$ref": f"#/components/messages/{_name(event)}"}},
    }


def _sent(name: str) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}


def _message(event: str, kind: EventKind) -> dict[str, Any]:
    data = [{"$ref": _REFS.format(name=kind.data.__name__)}, {"$ref": _REFS.format(name="ClaimCheck")}]
    return {
        "name": f"crossdock.{event}.v1",
        "summary": kind.when,
        "contentType": "application/cloudevents+json",
        "headers": {
            "type": "object",
            "properties": {
                "Nats-Msg-Id": {"type": "string", "description": "the event's id; the stream keeps one of each"}
            },
        },
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEvent"},
                {"properties": {"type": {"const": f"crossdock.{event}.v1"}, "data": {"anyOf": data}}},
            ]
        },
    }


@get("/asyncapi.json", summary="The contract of the event stream", tags=["contracts"], sync_to_thread=False)
def get_asyncapi() -> Response[dict[str, Any]]:
    """AsyncAPI 3.0: channels, messages and their schemas, how to subscribe and how to replay."""
    return Response(asyncapi(), media_type="application/json")


HANDLERS: list[ControllerRouterHandler] = [get_asyncapi]
