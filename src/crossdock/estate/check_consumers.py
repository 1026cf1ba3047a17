# SPDX-License-Identifier: Apache-2.0
"""Check who may use the API: owners, plans, channels and clients are there, and tokens are believed with reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from crossdock.estate.consumers import Consumer
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_ABOUT_CHANNELS = frozenset({"availability:read", "reservations:read", "reservations:write", "orders:write"})


def check_consumers(estate: Estate) -> Iterator[Finding]:
    """Findings about `consumers`, `plans` and `token_issuers`."""
    for section in ("consumers", "plans", "token_issuers"):
        for name in getattr(estate, section):
            if not _NAME.fullmatch(name) or name == "local":
                fix = "small letters, digits and dashes, as in b2b-portal; `local` is who asks without consumers"
                yield at_place(estate, (section, name), f"{name!r} is no good name here", fix)
    for name, consumer in estate.consumers.items():
        yield from _consumer(estate, name, consumer)
    yield from _plans(estate)
    yield from _issuers(estate)
    yield from _clients(estate)


def _consumer(estate: Estate, name: str, consumer: Consumer) -> Iterator[Finding]:
    at = ("consumers", name)
    yield from unresolved(estate, (*at, "owner"), "owners", consumer.owner, estate.owners)
    yield from unresolved(estate, (*at, "plan"), "plans", consumer.plan, estate.plans)
    for entity in consumer.entities:
        yield from unresolved(estate, (*at, "entities"), "entities", entity, estate.entities)
    if consumer.channels != "all":
        for channel in consumer.channels:
            yield from unresolved(estate, (*at, "channels"), "channels", channel, estate.channels)
    sees = consumer.channels == "all" or consumer.channels or consumer.entities
    asks = sorted(_ABOUT_CHANNELS.intersection(consumer.scopes))
    if asks and not sees:
        fix = "name its channels or entities, or write `channels: all`"
        yield at_place(estate, at, f"{asks[0]} is of no use to it: it sees no channel", fix, "warning")
    if "ops" in consumer.scopes and (consumer.channels != "all" or consumer.customers != "all"):
        fix = "write `channels: all` and `customers: all`, so that it can be seen, or take the scope away"
        yield at_place(estate, at, "ops shows it every channel and customer all the same", fix, "warning")


def _plans(estate: Estate) -> Iterator[Finding]:
    used = {consumer.plan for consumer in estate.consumers.values()}
    for name, plan in estate.plans.items():
        if plan.burst is not None and plan.rate is None:
            yield at_place(estate, ("plans", name), "a burst without a rate limits nothing", "add rate")
        if plan == type(plan)(weight=plan.weight):
            yield at_place(
                estate, ("plans", name), "the plan limits nothing", "add rate, quota or concurrency", "warning"
            )
        if name not in used and not estate.consumers:
            fix = "add consumers, or take it out: without consumers nobody is limited"
            yield at_place(estate, ("plans", name), "nobody has this plan", fix, "warning")


def _issuers(estate: Estate) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name, issuer in estate.token_issuers.items():
        at = ("token_issuers", name)
        if issuer.issuer in seen:
            yield at_place(estate, (*at, "issuer"), f"{seen[issuer.issuer]} has the same issuer", "keep one of them")
        seen[issuer.issuer] = name
        if not _is_safe(issuer.jwks):
            fix = "give its https address: who can change the keys on their way can make tokens"
            yield at_place(estate, (*at, "jwks"), f"{issuer.jwks[:100]!r} is no https address", fix)


def _clients(estate: Estate) -> Iterator[Finding]:
    seen: dict[tuple[str, str], str] = {}
    for name, consumer in estate.consumers.items():
        for client in consumer.clients:
            at = ("consumers", name, "clients")
            yield from unresolved(estate, at, "token_issuers", client.issuer, estate.token_issuers)
            other = seen.setdefault((client.issuer, client.id), name)
            if other != name:
                what = f"client {client.id!r} of {client.issuer} is {other} already"
                yield at_place(estate, at, what, "give each consumer a client of its own")


def _is_safe(address: str) -> bool:
    try:
        url = urlsplit(address)
        host = url.hostname or ""
    except ValueError:
        return False
    if url.scheme == "https":
        return bool(host) and url.username is None
    if url.scheme != "http":
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
