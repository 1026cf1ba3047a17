# SPDX-License-Identifier: Apache-2.0
"""The shape of where goods are and how orders find them: locations, routing rules, the policy among locations."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from crossdock.canonical.money import Currency
from crossdock.canonical.party import Country
from crossdock.estate.shape import Name, Share

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class LocationCutOff(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when an order still ships on the same day: `at` (15:00) in `time_zone` (IANA), on `days`."""

    at: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    time_zone: Name = "UTC"
    days: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri")


class Location(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place with goods. `system`: who is asked to ship from it; "" = nobody, goods are gone when we hear of them.

    `codes`: what each system calls it. `kind` drop_ship: a supplier's, which ships without stock of ours. `entity`: who
    owns the goods there, "" = whoever sells them. `cut_off`: until when it ships on the same day. `handling`: what
    picking and packing a unit costs there.
    """

    system: str = ""
    name: str = ""
    gln: str = ""
    codes: dict[str, str] = field(default_factory=dict)
    kind: Literal["own", "drop_ship"] = "own"
    entity: str = ""
    cut_off: LocationCutOff | None = None
    handling: Share = 0


class RoutingWhen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a routing rule looks at; all that are given must hold. `stock` short: only when ours does not suffice."""

    sku_prefix: str = ""
    country: Country | None = None
    channel: str = ""
    service: str = ""
    stock: Literal["", "short"] = ""


class RoutingRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content-Based Router, one rule: when it holds, the location or the entity (or both) it names is taken."""

    when: RoutingWhen
    location: str = ""
    entity: str = ""
    note: str = ""


class ShippingCost(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shipping from `location` ("" = any) to `to` (a zone, a country or country-region; "" = anywhere) costs."""

    location: str = ""
    to: Annotated[str, Meta(max_length=100)] = ""
    shipment: Share = 0
    unit: Share = 0


class RoutingPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a location is chosen among those that have the goods. `prefer` rules: the one that the rules name, then in
    the order of the channel's locations. `costs`, in `currency`: the first row that fits counts; `zones`: names for
    lists of countries (US) and regions (US-CA)."""

    prefer: Literal["rules", "fewest_shipments", "lowest_cost"] = "rules"
    currency: Currency = "USD"
    zones: dict[Name, tuple[Annotated[str, Meta(pattern=r"^[A-Z]{2}(-.{1,50})?$")], ...]] = field(default_factory=dict)
    costs: tuple[ShippingCost, ...] = ()


class TransferRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `seller` pays `owner` ("" = any entity) for goods it sold: `percent` of the customer's net price.

    `customer`: the seller's account in the owner's books, `supplier`: the owner's in the seller's; "" = the entity.
    """

    seller: str = ""
    owner: str = ""
    percent: Annotated[float, Meta(gt=0, le=1000)]
    customer: str = ""
    supplier: str = ""


class Routing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules in order, the first that holds wins; `default_location` where none does.

    `policy`: how a location is chosen among those that have the goods. `intercompany`: what entities pay each other;
    the first that fits counts. `max_lines`: the most lines an order may have.
    """

    default_location: str = ""
    rules: tuple[RoutingRule, ...] = ()
    policy: RoutingPolicy = RoutingPolicy()
    intercompany: tuple[TransferRule, ...] = ()
    max_lines: Annotated[int, Meta(ge=1, le=100_000)] = 5000
