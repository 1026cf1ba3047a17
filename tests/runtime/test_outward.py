# SPDX-License-Identifier: Apache-2.0
"""Addresses that others choose never lead into our own network, however they are written."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import Refused, RetryLater
from crossdock.runtime import outward
from crossdock.runtime.http import open_session, post
from crossdock.runtime.outward import Reach, address_of, target_of

PUBLIC = Reach()
HERE = Reach(loopback=True)
INSIDE = Reach((ip_network("10.20.0.0/16"), ip_network("fd00::/8")))


def names(monkeypatch: pytest.MonkeyPatch, **known: list[str]) -> None:
    """Let these host names have these addresses, and no other any."""

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(0, 0, 0, "", (one, port)) for one in known[host]]

    monkeypatch.setattr(outward.socket, "getaddrinfo", look_up)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://localhost/",
        "https://10.1.2.3/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[ff02::1]/",
        "https://[64:ff9b:1::a00:1]/",
        "https://[::ffff:0:a00:1]/",
        "https://[fec0::1]/",
        "https://[4000::1]/",
    ],
)
def test_addresses_inside_are_refused_however_they_are_written(url: str) -> None:
    with pytest.raises(Refused) as told:
        target_of(url, PUBLIC)
    assert told.value.rule == "webhook.private_address"
    assert told.value.field == "url"


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://example.com/", "webhook.https"),
        ("http://8.8.8.8/", "webhook.https"),
        ("ftp://example.com/", "webhook.https"),
        ("file:///etc/passwd", "webhook.url"),
        ("gopher://example.com/", "webhook.https"),
        ("nonsense", "webhook.url"),
        ("https://", "webhook.url"),
        ("https://user@example.com/", "webhook.url"),
        ("https://:secret@example.com/", "webhook.url"),
        ("https://example.com/#x", "webhook.url"),
        ("https://example.com./", "webhook.url"),
        ("https://example.com/a b", "webhook.url"),
        ("https://ex\u00e4mple.com/", "webhook.url"),
        ("https://example.com/\r\nHost: x", "webhook.url"),
        ("https://example.com/" + "a" * 2000, "webhook.url"),
    ],
)
def test_what_is_no_plain_https_url_is_refused(url: str, rule: str) -> None:
    with pytest.raises(Refused) as told:
        target_of(url, PUBLIC)
    assert told.value.rule == rule


def test_what_the_estate_allows_is_allowed() -> None:
    assert target_of("https://10.20.3.4/x", INSIDE).host == "10.20.3.4"
    assert target_of("https://[fd12::1]/", INSIDE).host == "[fd12::1]"
    with pytest.raises(Refused):
        target_of("https://10.21.0.1/", INSIDE)
    with pytest.raises(Refused):
        target_of("http://10.20.3.4/", INSIDE)
    assert target_of("http://127.0.0.1:8080/x", HERE).port == 8080
    assert target_of("http://localhost/", HERE).port == 80
    with pytest.raises(Refused):
        target_of("http://10.20.3.4/", HERE)
    assert target_of("https://example.com:8443/x?y=1", PUBLIC).port == 8443


# By hand from the registries of special-purpose addresses (RFC 6890 and what followed), not from Python's own idea.
SPECIAL = [
    ip_network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/29", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/4", "240.0.0.0/4", "2001:2::/48", "2001:10::/28", "2001:db8::/32"),
    )
]
# Prefixes whose addresses carry an IPv4 address, and how many bits behind it.
CARRIERS = {"::ffff:0:0": 0, "64:ff9b::": 0, "64:ff9b:1::": 0, "::ffff:0:0:0": 0, "::": 0, "2002::": 80}


def public(address: IPv4Address | IPv6Address) -> bool:
    """Whether everybody may be called there."""
    if any(address.version == network.version and address in network for network in SPECIAL):
        return False
    if isinstance(address, IPv4Address):
        return True
    number = int(address)
    if number >> 32 in (0xFFFF, 0x64FF9B << 64) or (number >> 32 == 0 and number > 1):
        return public(IPv4Address(number & 0xFFFFFFFF))
    if number >> 112 == 0x2002:
        return public(IPv4Address(number >> 80 & 0xFFFFFFFF))
    if number >> 96 == 0x20010000:
        return public(IPv4Address(number >> 64 & 0xFFFFFFFF)) and public(IPv4Address(~number & 0xFFFFFFFF))
    return number >> 125 == 1  # 2000::/3 is all that was ever given out


CARRYING = st.builds(
    lambda prefix, carried: IPv6Address(int(IPv6Address(prefix)) | int(carried) << CARRIERS[prefix]),
    st.sampled_from(sorted(CARRIERS)),
    st.ip_addresses(v=4),
)


@given(st.one_of(st.ip_addresses(), CARRYING))
def test_what_is_reached_is_public(address: Any) -> None:
    shown = f"[{address}]" if address.version == 6 else str(address)
    try:
        target_of(f"https://{shown}/", PUBLIC)
    except Refused:
        return
    assert public(address)


async def test_every_address_of_a_name_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    names(
        monkeypatch,
        **{
            "good.example": ["2606:4700::1111", "8.8.8.8"],
            "mixed.example": ["8.8.8.8", "10.0.0.1"],
            "inside.example": ["10.20.0.9"],
            "here.example": ["127.0.0.1"],
        },
    )
    assert await address_of(target_of("https://good.example/", PUBLIC), PUBLIC) == "8.8.8.8"
    for name in ("mixed.example", "inside.example", "here.example"):
        with pytest.raises(Refused, match="public Internet"):
            await address_of(target_of(f"https://{name}/", PUBLIC), PUBLIC)
    assert await address_of(target_of("https://inside.example/", INSIDE), INSIDE) == "10.20.0.9"
    with pytest.raises(RetryLater):
        await address_of(target_of("https://nowhere.example/", PUBLIC), PUBLIC)
    assert await address_of(target_of("https://8.8.4.4/", PUBLIC), PUBLIC) is None


async def test_the_address_in_use_is_kept_while_the_name_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    target = target_of("https://many.example/", PUBLIC)
    names(monkeypatch, **{"many.example": ["8.8.8.8", "8.8.4.4"]})
    assert await address_of(target, PUBLIC, "8.8.4.4") == "8.8.4.4"
    assert await address_of(target, PUBLIC, "1.1.1.1") == "8.8.8.8"
    names(monkeypatch, **{"many.example": ["8.8.4.4", "10.0.0.1"]})
    with pytest.raises(Refused, match="public Internet"):
        await address_of(target, PUBLIC, "8.8.4.4")


async def test_localhost_over_http_must_be_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, localhost=["8.8.8.8"])
    with pytest.raises(Refused):
        await address_of(target_of("http://localhost/", HERE), HERE)


async def test_a_connection_goes_to_the_address_that_was_checked_whatever_the_name_says_later() -> None:
    seen: list[str] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(request.host)
        return web.Response(text="x" * 5000)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    # The name has no address at all: only the pin leads anywhere.
    async with open_session(pinned=("pinned.invalid", "127.0.0.1")) as session:
        answer = await post(session, f"http://pinned.invalid:{port}/hook", b"{}", headers={}, kept=100)
    await runner.cleanup()
    assert (answer.status, answer.body, seen) == (200, b"x" * 100, [f"pinned.invalid:{port}"])
