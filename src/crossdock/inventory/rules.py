# SPDX-License-Identifier: Apache-2.0
"""The rules of stock: what each channel may sell of what is there; compiled from the estate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct


class Held(Struct, frozen=True, kw_only=True):
    """What is held back from a channel for one SKU, in its base unit; see `estate.shape.ChannelStock`."""

    safety: int = 0
    percent: float = 100.0
    cap: int | None = None
    keep: int = 0


class ChannelRule(Struct, frozen=True, kw_only=True):
    """A channel and where it sells from. `system`: who is told; `publish`: whether it is told at all."""

    name: str
    system: str
    locations: tuple[str, ...]
    held: Held = Held()
    priority: int = 100
    horizon: timedelta | None = None
    derived_buffer: bool = False
    summed: bool = False
    publish: bool = True


class SkuRule(Struct, frozen=True, kw_only=True):
    """Numbers for SKUs that begin with `sku_prefix`, on `channel` or ("") on all; None leaves the channel's own."""

    sku_prefix: str
    channel: str = ""
    safety: int | None = None
    percent: float | None = None
    cap: int | None = None
    keep: int | None = None


class StockRules(Struct, frozen=True, kw_only=True):
    """Everything availability is decided with. `version` is the digest of the estate's rules.

    `governed`: orders allocate (the estate has an `inventory` section). `hold_for`: how long an order waits for stock.
    `longest_hold`: the longest a reservation may be asked for. `stale_after`: an answer older than this says so.
    `locations`: those goods can be shipped from, in order.
    """

    version: str
    channels: Mapping[str, ChannelRule] = {}
    overrides: tuple[SkuRule, ...] = ()
    governed: bool = False
    hold_for: timedelta = timedelta(minutes=15)
    longest_hold: timedelta = timedelta(days=1)
    stale_after: timedelta = timedelta(seconds=5)
    locations: tuple[str, ...] = ()

    def held(self, channel: ChannelRule, sku: str) -> Held:
        """What is held back from `channel` for `sku`: its own numbers, or those of the first rule that fits."""
        for rule in self.overrides:
            if sku.startswith(rule.sku_prefix) and rule.channel in ("", channel.name):
                own = channel.held
                return Held(
                    safety=own.safety if rule.safety is None else rule.safety,
                    percent=own.percent if rule.percent is None else rule.percent,
                    cap=own.cap if rule.cap is None else rule.cap,
                    keep=own.keep if rule.keep is None else rule.keep,
                )
        return channel.held

    def kept_for(self, channel: ChannelRule, sku: str) -> list[tuple[str, int]]:
        """What `channel` must leave for others: (channel, quantity) of each of higher priority that keeps some."""
        found = []
        for other in self.channels.values():
            if other.priority < channel.priority:
                keep = self.held(other, sku).keep
                if keep:
                    found.append((other.name, keep))
        return found
