# SPDX-License-Identifier: Apache-2.0
"""The shape of who may use the API: consumers, their plans, and whose tokens are believed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta, Struct

from crossdock.estate.shape import Name

Scope = Literal[
    "availability:read",
    "reservations:read",
    "reservations:write",
    "orders:read",
    "orders:write",
    "prices:read",
    "products:read",
    "customers:read",
    "shipments:read",
    "returns:read",
    "returns:write",
    "webhooks:read",
    "webhooks:write",
    "ops",
]
SCOPES: Mapping[Scope, str] = MappingProxyType(
    {
        "availability:read": "ask what a channel may sell",
        "reservations:read": "read reservations",
        "reservations:write": "make, extend, commit and release reservations",
        "orders:read": "read orders, validate them",
        "orders:write": "place and cancel orders",
        "prices:read": "ask for prices",
        "products:read": "read products",
        "customers:read": "read customer accounts",
        "shipments:read": "read shipments",
        "returns:read": "read returns",
        "returns:write": "ask for returns",
        "webhooks:read": "read its own subscriptions",
        "webhooks:write": "change its own subscriptions",
        "ops": "everything under /v1/ops: read what all others do, and act on cases",
    }
)
"""What may be allowed, and what each scope lets one do."""

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures of tokens that may be believed: by a key pair only, so that who can check one cannot make one."""


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a consumer may ask for. `rate`: requests a second in the long run, `burst`: at once (default: one
    second's worth). `quota`: requests a UTC day. `concurrency`: requests under way. None = no limit.

    `weight`: the share of what is scarce, against other plans.
    """

    rate: Annotated[float, Meta(ge=0.001, le=100_000)] | None = None
    burst: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    quota: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    concurrency: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1


class TokenIssuer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An authorization server whose access tokens (JWT) are believed. `jwks`: address of its public keys.

    `client_claim`, `scope_claim`: where its tokens name the client and the scopes.
    """

    issuer: Annotated[str, Meta(min_length=1, max_length=1000)]
    audience: Annotated[str, Meta(min_length=1, max_length=1000)]
    jwks: Annotated[str, Meta(min_length=1, max_length=1000)]
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)] = ("RS256", "ES256")
    client_claim: Name = "client_id"
    scope_claim: Name = "scope"


class Client(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a consumer is called by an issuer of tokens: its OAuth 2.0 client id."""

    issuer: Name
    id: Annotated[str, Meta(min_length=1, max_length=300)]


class Consumer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who uses the API: a portal, a partner, a script. `channels`, `entities` (all channels of a legal entity) and
    `customers`: what it may see; nothing unless named, everything with "all".
    """

    owner: Name
    plan: Name
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1)]
    channels: tuple[Name, ...] | Literal["all"] = ()
    entities: tuple[Name, ...] = ()
    customers: tuple[Name, ...] | Literal["all"] = ()
    clients: tuple[Client, ...] = ()
    note: str = ""
