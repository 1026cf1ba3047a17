# SPDX-License-Identifier: Apache-2.0
"""The shape of an estate file: a struct for every section; unknown fields are refused, so a slip of the pen is seen."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from crossdock.canonical.money import Currency

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1_000_000)]
State = Literal["planned", "active", "deprecated", "retired"]


class Owner(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A team that answers for interfaces and systems."""

    email: str
    name: str = ""


class Tier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A promise about time. `settle_within`: how long a document may stay open ("15m", "4h")."""

    settle_within: str


class Entity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A legal entity and the system that keeps its books."""

    name: str
    currency: Currency
    erp: Name


class Lowered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits for one system, lower than its connector's manifest allows: calls, calls/s, seconds, bytes."""

    concurrency: Annotated[int, Meta(ge=1, le=1000)] | None = None
    rate: Annotated[float, Meta(gt=0, le=100_000)] | None = None
    burst: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    timeout: Annotated[float, Meta(gt=0, le=600)] | None = None
    body_bytes: Annotated[int, Meta(ge=1, le=100_000_000)] | None = None


class System(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An outside system. `settings` are values or `env:NAME`; `secrets` are always references."""

    connector: Name
    owner: Name
    title: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    limits: Lowered = Lowered()


class ChannelApi(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a channel takes orders by `POST /v1/orders`: they come in by an interface of its own, CHANNEL.api.

    `owner`: the team that answers for it, "" = the owner of the channel's system; `tier`: how quickly its documents
    must be settled, "" = within an hour. Prices and accounts that the gateway remembers are called stale when they are
    older than `stale_after`; when they are older than `too_old_after`, nothing is answered from them.
    """

    owner: str = ""
    tier: str = ""
    stale_after: str = "1m"
    too_old_after: str = "4h"


class Channel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where customers order: the system it lives in, the entity that sells, the currency it sells in.

    `customer`: the account that orders of customers without an account are booked on; "" = such orders need a person.
    `api`: orders can be placed by `POST /v1/orders`; true, or how. `back_order`: what becomes of an order whose goods
    are not all there: it waits for them, is split (what is there ships, the rest when it has come), or needs a person.
    """

    system: Name
    entity: Name
    currency: Currency
    customer: str = ""
    api: bool | ChannelApi = False
    back_order: Literal["wait", "split", "refuse"] = "wait"

    @property
    def by_api(self) -> ChannelApi | None:
        """How orders are placed by `POST /v1/orders`; None when they cannot be."""
        if isinstance(self.api, bool):
            return ChannelApi() if self.api else None
        return self.api


class Poll(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the topics of an interface are asked about. `every`: how often; `overlap`: how far each time looks back; both
    "" = as the connector's manifest says. `since`: the day from which on, the first time; None = from now on."""

    every: str = ""
    overlap: str = ""
    since: date | None = None


class Interface(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A governed conversation with a system: topics it tells us about, or operations we ask of it.

    `deprecated_on` and `sunset`: from when it should not be used any more, and from when it is not there; senders are
    told both with every answer. `replaced_by`: the interface to use instead. `poll`: how its system is asked, where it
    does not tell by itself.
    """

    system: Name
    object: Name
    owner: str = ""
    tier: str = ""
    version: int = 0
    state: State | Literal[""] = ""
    direction: Literal["in", "out"] = "in"
    topics: tuple[Name, ...] = ()
    operations: tuple[Name, ...] = ()
    replaced_by: str = ""
    deprecated_on: date | None = None
    sunset: date | None = None
    poll: Poll = Poll()
    note: str = ""


class Deprecation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A route of the API that comes to an end; its callers are told with every answer.

    Dates as of an interface. `replaced_by`: the route to use instead; `link`: a page that tells more; `retired`: it is
    not answered any more.
    """

    deprecated_on: date | None = None
    sunset: date | None = None
    replaced_by: str = ""
    link: str = ""
    retired: bool = False


class StockPublication(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a channel system is told of stock: the levels of `locations`, each less `safety` (in the SKU's unit)."""

    locations: tuple[Name, ...]
    safety: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class ChannelStock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a channel may sell: goods at `locations`, less what these rules hold back, in the SKU's base unit.

    `safety` stays at each location. `percent`: the share of the rest the channel may sell; `cap`: the most it is shown;
    `keep`: what channels of a lower priority (a higher number) must leave for this one. `horizon`: goods expected
    within it count. `buffer` derived: held back besides, from the channel's measured lag and how fast the SKU sells.
    `summed`: the channel is told one number per SKU, not one per location. `publish` false: it asks and is not told.
    """

    locations: tuple[Name, ...]
    safety: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    percent: Annotated[float, Meta(gt=0, le=100)] = 100.0
    cap: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None = None
    keep: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    priority: Annotated[int, Meta(ge=0, le=1000)] = 100
    horizon: str = ""
    buffer: Literal["fixed", "derived"] = "fixed"
    summed: bool = False
    publish: bool = True


class StockRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Other numbers for SKUs that begin with `sku_prefix`, on `channel` or on all; the first rule that fits counts."""

    sku_prefix: Annotated[str, Meta(min_length=1, max_length=100)]
    channel: str = ""
    safety: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    percent: Annotated[float, Meta(gt=0, le=100)] | None = None
    cap: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None = None
    keep: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None = None
    note: str = ""


class Reconcile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How stock is compared with what ERP and warehouse have and channels show. `every`: "" = only when asked.

    `truth`: location → the system whose count holds there. A difference to it of up to `heal_up_to` (units, or percent
    of what we have: "2%") is taken over; everything else is for a person. `tolerance`: units that count as equal.
    `late_within`: how old a figure may be to be called late. `look_again_after`: the pause before the second look.
    """

    every: str = ""
    heal_up_to: Annotated[str, Meta(pattern=r"^\d{1,9}(\.\d{1,3})?\s?%?$")] | Annotated[int, Meta(ge=0)] = 0
    truth: dict[Name, Name] = field(default_factory=dict)
    tolerance: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    late_within: str = "10m"
    look_again_after: str = "5s"


class Inventory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stock is governed here: orders allocate, channels are told what they may sell, reservations are taken.

    `hold_for`: how long an order waits for stock before a person is asked. `longest_hold`: the longest a reservation
    may be asked for. `stale_after`: what is answered of availability says so when it is older. `reconcile`: how stock
    is compared. Without this section orders allocate nothing.
    """

    channels: dict[Name, ChannelStock] = field(default_factory=dict)
    rules: tuple[StockRule, ...] = ()
    hold_for: str = "15m"
    longest_hold: str = "1d"
    stale_after: str = "5s"
    reconcile: Reconcile = Reconcile()


class Planning(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a planning system is given: files in `folder` (beside the estate file) with the demand of each day that has
    ended and what channels may sell, written anew `every` so often. Days are UTC."""

    folder: Annotated[str, Meta(min_length=1, max_length=1000)]
    every: str = "1h"


class Webhooks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where consumers may have webhooks sent besides public HTTPS addresses: into `networks` (10.20.0.0/16), and with
    `loopback` to this machine, also by plain HTTP, which is for development."""

    networks: tuple[Annotated[str, Meta(min_length=1, max_length=50)], ...] = ()
    loopback: bool = False


class PricePublication(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which prices a channel shows: those somebody without an account would be quoted there for one base unit, in
    `currency` (null = the channel's).

    `group`: those of a customer group in place of anybody's. `taxes_included`: only prices that include taxes, or do
    not; null = either. `round`: the step of what is shown ("0.05"), "" = the currency's smallest. `sku_prefixes`: only
    SKUs that begin with one of these are shown there; none = all.
    """

    currency: Currency | None = None
    group: Annotated[str, Meta(max_length=200)] = ""
    taxes_included: bool | None = None
    round: Annotated[str, Meta(pattern=r"^(\d{1,9}(\.\d{1,9})?)?$")] = ""
    sku_prefixes: tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...] = ()


class PriceReconcile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How prices are compared with what channels show. `every`: "" = only when asked. `look_again_after`: the pause
    before the second look."""

    every: str = ""
    look_again_after: str = "5s"


class Pricing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How prices are asked for and compared. A unit price may differ from the contract price by `percent` of it or by
    `amount`, whichever is more. `stale_after`: what is answered of prices says so when it is older. `reconcile`: how
    what channels show is compared."""

    percent: Share = 0
    amount: Share = 0
    stale_after: str = "5m"
    reconcile: PriceReconcile = PriceReconcile()


class ReturnPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which goods may come back without a person being asked, and what that costs.

    `window_days`: asked for so many days after the goods left; `reasons`: words that may be given, () = any;
    `not_returnable`: SKUs that begin so; `approve_up_to`: money in the order's currency. None = no limit. `location`:
    where goods go back to, "" = where they came from. `restocking_fee`: percent of what was paid for them, not for
    `free_reasons`; `keeps`: charges of the order that are not given back. `otherwise`: what becomes of a return that
    does not pass: a person is asked, or it is declined.
    """

    window_days: Annotated[int, Meta(ge=0, le=36_500)] | None = None
    reasons: tuple[Name, ...] = ()
    not_returnable: tuple[Name, ...] = ()
    approve_up_to: Annotated[float, Meta(ge=0, le=1_000_000_000)] | None = None
    location: str = ""
    restocking_fee: Annotated[float, Meta(ge=0, le=100)] = 0
    free_reasons: tuple[Name, ...] = ()
    keeps: tuple[Literal["shipping", "fee"], ...] = ()
    otherwise: Literal["ask", "decline"] = "ask"


class Returns(ReturnPolicy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Returns are taken, by this policy, or for the channels named by one of their own. Without this section every
    return needs a person."""

    channels: dict[Name, ReturnPolicy] = field(default_factory=dict)


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A CSV file beside the estate file that names it."""

    file: str
