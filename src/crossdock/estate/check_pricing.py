# SPDX-License-Identifier: Apache-2.0
"""Check what an estate says of prices and of checking orders: channels exist, times are times, lists can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from crossdock.errors import NeedsConfig
from crossdock.estate.durations import duration
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place, unresolved
from crossdock.estate.price_seeds import read_price_lists
from crossdock.sdk.manifest import Manifest


def check_pricing(estate: Estate, manifests: Mapping[str, Manifest]) -> Iterator[Finding]:
    """Findings about `pricing`, `price_publication`, `checks` and `price_lists`."""
    yield from _time(estate, ("pricing", "stale_after"), estate.pricing.stale_after)
    compared = estate.pricing.reconcile
    for name in ("every", "look_again_after"):
        if getattr(compared, name) or name != "every":
            yield from _time(estate, ("pricing", "reconcile", name), getattr(compared, name))
    yield from _publications(estate, manifests)
    for name, checks in estate.checks.items():
        yield from unresolved(estate, ("checks", name), "channels", name, estate.channels)
        if checks.duplicates_within:
            yield from _time(estate, ("checks", name, "duplicates_within"), checks.duplicates_within)
    if estate.price_lists is not None:
        at = ("price_lists",)
        try:
            for stated in read_price_lists(estate.beside(estate.price_lists.file, *at)):
                if stated.channel:
                    yield from unresolved(estate, at, "channels", stated.channel, estate.channels)
        except NeedsConfig as error:
            yield at_place(estate, at, error.reason, error.fix)


def _publications(estate: Estate, manifests: Mapping[str, Manifest]) -> Iterator[Finding]:
    told: dict[str, str] = {}
    for name, said in estate.price_publication.items():
        at = ("price_publication", name)
        yield from unresolved(estate, at, "channels", name, estate.channels)
        if said.round and not Decimal(said.round):
            yield at_place(estate, (*at, "round"), "no price is a multiple of nothing", 'write round: "0.05"')
        system = estate.channels[name].system if name in estate.channels else ""
        manifest = manifests.get(system)
        if manifest is not None and all(sends.operation != "prices" for sends in manifest.sends):
            what = f"{system} takes no prices: connector {manifest.name} has no operation 'prices'"
            yield at_place(estate, at, what, "remove it, or give the system a connector that has it")
        if system and told.setdefault(system, name) != name:
            fix = "keep one of the two"
            yield at_place(estate, at, f"{system} would be told prices by channel {told[system]} and by {name}", fix)


def _time(estate: Estate, at: tuple[str | int, ...], text: str) -> Iterator[Finding]:
    try:
        duration(text)
    except ValueError as error:
        yield at_place(estate, at, str(error), "write 5m")
