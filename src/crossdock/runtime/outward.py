# SPDX-License-Identifier: Apache-2.0
"""Where calls to addresses that others chose may go: never into our own network unless that is allowed (SSRF).

A URL is read by the parser of the client that will call it, its name is resolved, every address it has is checked, and
the connection is pinned to one that was: what the name points to later does not matter. Redirects are not followed and
no proxy is used, so nothing else is connected to.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from msgspec import Struct
from pyreqwest.http import Url

from crossdock.errors import Refused, RetryLater

MOST_URL: Final = 2000
RESOLVE_SECONDS: Final = 5.0
_NAT64 = ip_network("64:ff9b::/96")
_V4_COMPATIBLE = ip_network("::/96")
_LOCALHOST = "localhost"

Address = IPv4Address | IPv6Address
# Its own threads: a name server that does not answer must not keep the process's other threads.
_resolvers = ThreadPoolExecutor(max_workers=16, thread_name_prefix="resolve")


class Reach(Struct, frozen=True):
    """What may be called besides the public Internet over HTTPS: these networks, and our own machine, also by HTTP."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    loopback: bool = False


class Target(Struct, frozen=True):
    """A URL as it will be called. `host`: a name, or an address as it is connected to."""

    url: str
    scheme: str
    host: str
    port: int


def target_of(url: str, reach: Reach) -> Target:
    """The target that `url` means. Raises Refused when it is none, is not HTTPS, or names an address out of reach."""
    try:
        if len(url) > MOST_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError(f"it is longer than {MOST_URL} characters, or not plain ASCII")
        parsed = Url(url)
    except ValueError as error:
        raise _refused(f"this is no URL: {error}", "url", "give an absolute URL: https://example.com/hooks") from error
    # As the client has it: what is pinned under another spelling would be resolved again.
    host = parsed.host_str or ""
    if parsed.username or parsed.password or parsed.fragment or not host or host.endswith("."):
        raise _refused(
            "the URL has a user, a password or a fragment, no host, or one that ends with a dot",
            "url",
            "leave these away; requests are signed",
        )
    address = _literal(host)
    loopback = host == _LOCALHOST or (address is not None and address.is_loopback)
    if parsed.scheme != "https" and not (parsed.scheme == "http" and loopback and reach.loopback):
        raise _refused("only https is called", "https", "give an https:// URL")
    if address is not None:
        _check(address, reach)
    elif loopback and not reach.loopback:
        raise _out_of_reach(host)
    return Target(str(parsed), parsed.scheme, host, parsed.port_or_known_default or 443)


async def address_of(target: Target, reach: Reach, using: str = "") -> str | None:
    """The address to connect to for `target`, checked; None when its URL names the address itself.

    `using`: the one that is connected to already, which is kept while the name has it, in whatever order it names them.

    Raises Refused when any of its addresses is out of reach, RetryLater when the name cannot be resolved just now.
    """
    if _literal(target.host) is not None:
        return None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await loop.run_in_executor(_resolvers, _resolve, target.host, target.port)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise RetryLater(f"the name {target.host} cannot be resolved", rule="dns") from error
    for one in found:
        address = ip_address(one.partition("%")[0])
        if target.scheme == "http" and not address.is_loopback:
            raise _out_of_reach(target.host)
        _check(address, reach)
    return using if using in found else found[0]


def _resolve(host: str, port: int) -> Sequence[str]:
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # IPv4 first: not every machine that knows IPv6 addresses has a way to them.
    return sorted(dict.fromkeys(str(row[4][0]) for row in rows), key=lambda one: ":" in one)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _check(address: Address, reach: Reach) -> None:
    """Raise Refused unless `address`, and the IPv4 address inside it if it carries one, is public or allowed."""
    for one in _inside(address):
        allowed = any(one.version == network.version and one in network for network in reach.networks)
        if not allowed and not (reach.loopback and one.is_loopback) and not _public(one):
            raise _out_of_reach(str(address))


def _public(address: Address) -> bool:
    # What is reserved is no address of anybody's; some of it leads to IPv4 through a gateway that we do not know. Not
    # all of it is "not global" to every Python.
    if address.is_multicast or address.is_reserved or (isinstance(address, IPv6Address) and address.is_site_local):
        return False
    return address.is_global


def _inside(address: Address) -> list[Address]:
    if isinstance(address, IPv4Address):
        return [address]
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or (address in _V4_COMPATIBLE and int(address) > 1):
        carried.append(IPv4Address(int(address) & 0xFFFFFFFF))
    found: list[Address] = [one for one in carried if one is not None]
    # An address that only carries another is as public as that one; Python calls some of them not global.
    return found or [address]


def _out_of_reach(what: str) -> Refused:
    return _refused(
        f"{what[:200]} is not on the public Internet",
        "private_address",
        "give a public address, or let the estate allow its network under webhooks.networks",
    )


def _refused(reason: str, rule: str, fix: str) -> Refused:
    return Refused(reason, field="url", rule=f"webhook.{rule}", fix=fix)
