# SPDX-License-Identifier: Apache-2.0
"""The form that the compared parts of OpenAPI 3.1 and AsyncAPI 3.0 documents must have, whatever else they say.

What stands for a schema is not looked into here: `Side` does that.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from crossdock.errors import Refused
from crossdock.governance.schema_side import Place, follow, pointer

_MOST_LINKS = 20
Security = list[dict[str, list[str]]]


class Linked(Struct):
    """What may be a reference to the thing itself."""

    ref: str | None = field(default=None, name="$ref")


class Media(Struct):
    """A media type of a body."""


class Header(Linked):
    """A header of an answer."""

    required: bool = False
    content: dict[str, Media] = {}


class Parameter(Header):
    """A parameter of a request."""

    name: str | None = None
    kind: Literal["path", "query", "header", "cookie"] | None = field(default=None, name="in")

    def __post_init__(self) -> None:
        if self.ref is None and (self.name is None or self.kind is None):
            raise ValueError("a parameter has `name` and `in`")


class Body(Linked):
    """The body of a request."""

    required: bool = False
    content: dict[str, Media] = {}


class Answer(Linked):
    """An answer."""

    content: dict[str, Media] = {}
    headers: dict[str, Header] = {}


class Operation(Struct):
    """What one method does at a path."""

    parameters: list[Parameter] = []
    body: Body | None = field(default=None, name="requestBody")
    responses: dict[str, Any] = {}
    security: Security = []


class PathItem(Linked):
    """All methods at a path."""

    parameters: list[Parameter] = []
    get: Operation | None = None
    put: Operation | None = None
    post: Operation | None = None
    delete: Operation | None = None
    options: Operation | None = None
    head: Operation | None = None
    patch: Operation | None = None
    trace: Operation | None = None


class Components(Struct):
    """What is referred to."""

    schemes: dict[str, Any] = field(default_factory=dict, name="securitySchemes")


class OpenApi(Struct):
    """A whole OpenAPI document."""

    paths: dict[str, Any] = {}
    components: Components = field(default_factory=Components)
    security: Security = []


class Message(Linked):
    """A message of a channel."""

    written: str | None = field(default=None, name="contentType")


class Channel(Linked):
    """A channel of messages."""

    address: str | None = None
    messages: dict[str, Message] = {}


class Spoken(Linked):
    """An operation on a channel."""

    action: Literal["send", "receive"] | None = None
    channel: Linked | None = None
    messages: list[Linked] = []

    def __post_init__(self) -> None:
        if self.ref is None and (self.action is None or self.channel is None or self.channel.ref is None):
            raise ValueError("an operation has `action` and a reference to its `channel`")
        if any(one.ref is None for one in self.messages):
            raise ValueError("the messages of an operation are references")


class AsyncApi(Struct):
    """A whole AsyncAPI document."""

    operations: dict[str, Any] = {}
    written: str | None = field(default=None, name="defaultContentType")


def formed(found: Any, kind: type[Struct], place: Place = ()) -> None:
    """Nothing, when `found` (at `place`) has the form of `kind`. Refused when not."""
    try:
        msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise Refused(f"{pointer(place)}: {error}", rule="form", fix="correct the document") from error


def linked(document: dict[str, Any], item: Any, kind: type[Linked], place: Place = ()) -> tuple[Any, Place]:
    """`item` (at `place`), or what it refers to, and where that stands. Refused when that is no `kind`."""
    for _ in range(_MOST_LINKS):
        if "$ref" not in item:
            return item, place
        item, place = follow(document, item["$ref"])
        formed(item, kind, place)
    raise Refused(f"{pointer(place)}: references that lead nowhere", rule="reference", fix="correct the $ref")
