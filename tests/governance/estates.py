# SPDX-License-Identifier: Apache-2.0
"""A small estate with consumers, whose keys and tokens are made here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from crossdock.api.plain import Receive, Scope, Send, answer
from crossdock.estate.consumers import SCOPES
from tests.estate.estates import SOUND, write_estate
from tests.intake.asgi import served

ISSUER = "https://login.example"
AUDIENCE = "https://crossdock.example"
CONSUMERS = """
consumers:
  portal:
    owner: ops
    plan: gold
    scopes: ["availability:read", "reservations:read", "reservations:write"]
    channels: [shop]
    customers: [C1]
    clients: [{issuer: login, id: portal-app}]
  partner:
    owner: ops
    plan: gold
    scopes: [ALL_BUT_OPS]
    channels: [shop]
    entities: [uk]
  desk:
    {owner: ops, plan: gold, scopes: [ops], channels: all, customers: all, clients: [{issuer: login, id: desk-app}]}
plans:
  gold: {quota: 100000}
  slow: {rate: 1, burst: 2, quota: 5, concurrency: 3}
token_issuers:
  login:
    {issuer: "https://login.example", audience: "https://crossdock.example", jwks: "http://127.0.0.1:9/jwks"}
"""


def estate_text(jwks: str = "http://127.0.0.1:9/jwks") -> str:
    """The sound estate with consumers, whose issuer's keys are at `jwks`."""
    everything = ", ".join(f'"{scope}"' for scope in SCOPES if scope != "ops")
    return SOUND + CONSUMERS.replace("http://127.0.0.1:9/jwks", jwks).replace("ALL_BUT_OPS", everything)


def write(folder: Path, jwks: str = "http://127.0.0.1:9/jwks") -> Path:
    """Its file."""
    return write_estate(folder, estate_text(jwks))


class Authority:
    """An authorization server: its keys, the document that publishes them, and tokens it gives. `asked`: how often."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"k1": ec.generate_private_key(ec.SECP256R1())}
        self.published = ["k1"]
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.status = 200
        self.body: bytes | None = None

    def add_rsa(self, name: str) -> None:
        """A further key, of RSA."""
        self.keys[name] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.published.append(name)

    def jwk(self, name: str) -> dict[str, Any]:
        """The public key as it is published."""
        public = self.keys[name].public_key()
        kind = (
            jwt.algorithms.ECAlgorithm if isinstance(public, ec.EllipticCurvePublicKey) else jwt.algorithms.RSAAlgorithm
        )
        return {**kind.to_jwk(public, as_dict=True), "kid": name, "use": "sig"}

    def document(self) -> bytes:
        """The published document."""
        return self.body or msgspec.json.encode({"keys": [self.jwk(name) for name in self.published]})

    def token(
        self, key: str = "k1", algorithm: str = "ES256", header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token; a claim of None is left out."""
        said = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "exp": 4_000_000_000,
            "client_id": "portal-app",
            "scope": "availability:read reservations:read reservations:write ops",
            **claims,
        }
        whole = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(whole, self.keys[key], algorithm=algorithm, headers={"kid": key, **(header or {})})

    async def app(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer whoever asks for the keys."""
        self.asked += 1
        self.was_asked.set()
        await answer(send, self.status, self.document(), [(b"content-type", b"application/json")])


@asynccontextmanager
async def authority() -> AsyncIterator[tuple[Authority, str]]:
    """An authorization server on a port of this machine, and the address of its keys."""
    made = Authority()
    async with served(made.app) as address:
        yield made, f"{address}/jwks"
