# SPDX-License-Identifier: Apache-2.0
"""What it costs to ship from a location to a destination, and until when a location ships on the same day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from crossdock.canonical.party import Address

ZERO = Decimal(0)
Prefer = Literal["rules", "fewest_shipments", "lowest_cost"]


class CutOff(Struct, frozen=True, kw_only=True):
    """Orders ship on the same day until `at`, in `time_zone`, on `days` (0 = Monday)."""

    at: time
    time_zone: str
    days: frozenset[int]

    def met(self, moment: datetime) -> bool:
        """Whether an order that is decided on at `moment` (UTC) still ships on that day."""
        here = moment.astimezone(ZoneInfo(self.time_zone))
        return here.weekday() in self.days and here.time() < self.at

    def describe(self) -> str:
        """The time and place as a person reads them."""
        return f"{self.at:%H:%M} {self.time_zone}"


class Rate(Struct, frozen=True, kw_only=True):
    """A cost table's row: from `location` ("" = any) to one of `to` (countries, country-region; none = anywhere) each
    shipment costs `shipment`, and each unit `unit`."""

    location: str = ""
    to: frozenset[str] = frozenset()
    shipment: Decimal = ZERO
    unit: Decimal = ZERO


class Destination(Struct, frozen=True, gc=False):
    """Where an order ships to; "" = not said."""

    country: str = ""
    region: str = ""

    @property
    def codes(self) -> tuple[str, str]:
        """What a row may call it: the country, and with the region behind it."""
        return self.country, f"{self.country}-{self.region}"


def destination_of(address: Address | None) -> Destination:
    """The destination that an address is."""
    return Destination() if address is None else Destination(address.country or "", (address.region or "").upper())


class NodePolicy(Struct, frozen=True, kw_only=True):
    """How a location is chosen among those that have the goods. `handling`: location → what picking and packing a unit
    costs there. Costs are in `currency`."""

    prefer: Prefer = "rules"
    currency: str = ""
    rates: tuple[Rate, ...] = ()
    handling: Mapping[str, Decimal] = {}
    cut_offs: Mapping[str, CutOff] = {}

    def rate(self, location: str, to: Destination) -> Rate | None:
        """The first row that fits, with handling added to its unit; None when there is none."""
        for row in self.rates:
            if row.location in ("", location) and (not row.to or not row.to.isdisjoint(to.codes)):
                return Rate(shipment=row.shipment, unit=row.unit + self.handling.get(location, ZERO))
        return None

    def cost(self, units: Mapping[str, Decimal], to: Destination) -> Decimal | None:
        """What shipping so many units from each location costs; None when a location has no rate to there."""
        total = ZERO
        for location, number in units.items():
            rate = self.rate(location, to)
            if rate is None:
                return None
            total += rate.shipment + number * rate.unit
        return total
