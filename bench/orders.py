# SPDX-License-Identifier: Apache-2.0
"""Orders as the store's webhooks bring them: distinct bodies, signed, as whole HTTP requests."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from crossdock.sandbox.catalog import Catalog
from crossdock.sandbox.shopify.orders import make_order
from crossdock.sandbox.shopify.signing import signed_headers

SHOP = "northstar.myshopify.com"
TOPIC = "orders/create"
PATH = f"/hooks/shopify-us/{TOPIC}"


def bodies(catalog: Catalog, count: int, *, first: int, lines: int | None = None) -> list[bytes]:
    """`count` orders with running numbers from `first` on; `lines` as in `make_order` (one line: 3.7 KB)."""
    rng = random.Random(first)
    now = datetime.now(UTC)
    return [
        msgspec.json.encode(make_order(rng, catalog, number=number, lines=lines, at=now))
        for number in range(first, first + count)
    ]


def signed(body: bytes, secret: str, number: int) -> dict[str, str]:
    """The headers of the webhook with this running number, which is its id."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return signed_headers(
        secret,
        body,
        topic=TOPIC,
        shop=SHOP,
        webhook_id=f"bench-{number:032d}",
        event_id=f"event-{number:032d}",
        triggered_at=now,
    )


def requests(orders: list[bytes], secret: str, *, first: int) -> list[bytes]:
    """Each order as the HTTP request the store would send, with a webhook id of its own."""
    return [post(PATH, signed(body, secret, number), body) for number, body in enumerate(orders, start=first)]


def post(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """An HTTP/1.1 POST on a connection that stays open."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def store(path: Path, parts: list[bytes]) -> Path:
    """Write `parts` to a file that another process reads with `load`."""
    path.write_bytes(msgspec.msgpack.encode(parts))
    return path


def load(path: Path) -> list[bytes]:
    """Read what `store` wrote."""
    return msgspec.msgpack.decode(path.read_bytes(), type=list[bytes])
