# SPDX-License-Identifier: Apache-2.0
"""The door of the order API: a request is drafted as an order and examined by what is in memory, all faults at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.party import Party
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.price import Asked, asking
from crossdock.catalog.priced import WantedLine
from crossdock.decide_orders import Rules, routed_of
from crossdock.errors import CrossdockError, EngineAway, NeedsEdit, Refused
from crossdock.governance.caller import Caller
from crossdock.orders.checks import NO_CHECKS
from crossdock.orders.draft import Identity, PriceOf, Setting, draft
from crossdock.orders.examine import ChannelRules, account_of, examine, with_our_skus
from crossdock.orders.request import OrderRequest
from crossdock.translate import check_texts

_SHOWN = 20


class ApiChannel(Struct, frozen=True):
    """A channel that takes orders by the API. `source`: the system whose crosswalks name its SKUs and customers.

    What is remembered of prices and accounts is stale after so many seconds, and not answered from after so many.
    """

    name: str
    source: str
    stale_after: float
    too_old_after: float


class Checked(Struct, frozen=True):
    """What the door found. `placed`: the order as it is kept; `order`: the same in our SKUs. Both are None when nothing
    could be made of the request. `customer`: the account it is booked on; `entity`: the company that sells."""

    placed: SalesOrder | None
    order: SalesOrder | None
    customer: Party | None
    failures: list[NeedsEdit]
    entity: str = ""


class OrderDoor:
    """Checks requests by `rules`, whose catalog is kept up by somebody else; `age` says how old it is."""

    def __init__(
        self,
        rules: Rules,
        channels: Mapping[str, ApiChannel],
        age: Callable[[], float | None],
    ) -> None:
        self.rules = rules
        self.channels = channels
        self._age = age

    def channel(self, name: str, caller: Caller) -> ApiChannel:
        """The channel called `name`. Refused when it takes no orders here, or none of the caller's."""
        channel = self.channels.get(name)
        if channel is None or not caller.sees_channel(name):
            seen = [one for one in sorted(self.channels) if caller.sees_channel(one)]
            known = ", ".join(seen[:_SHOWN]) or "none: give a channel of the estate `api: true`"
            raise Refused(
                f"channel {name[:100]!r} takes no orders here",
                field="channel",
                rule="order.channel_api",
                fix=f"put one of {known}",
            )
        return channel

    def age(self, channel: ApiChannel) -> float:
        """How many seconds old prices and accounts are. EngineAway before they were read, and when they are too old."""
        age = self._age()
        if age is None:
            raise EngineAway("products and accounts are not in memory yet")
        if age > channel.too_old_after:
            raise EngineAway(f"what is known of products and accounts is {age:.0f} s old: too old to be answered from")
        return age

    def check(self, request: OrderRequest, body: bytes, identity: Identity, caller: Caller) -> Checked:
        """Everything that is wrong with `request`, which was read from `body`. Raises as `channel` and `age`."""
        channel = self.channel(request.channel, caller)
        self.age(channel)
        limits = self.rules.limits(channel.name)
        if limits is None:
            raise Refused(f"channel {channel.name!r} is not in the estate", field="channel", rule="order.channel_known")
        try:
            check_texts(request, body)
        except NeedsEdit as error:
            return Checked(None, None, None, [error])
        catalog = self.rules.catalog
        account = account_of(Party(id=request.customer.id), catalog, limits, channel.source)
        theirs = caller.customers is None or (account is not None and caller.sees_customer(account.id))
        # Prices of an account that is none of the caller's are nobody else's business.
        buyer = account.id if account is not None and theirs else ""
        setting = Setting(
            catalog,
            channel.source,
            limits.currency,
            limits.max_lines,
            self._prices(request, limits, identity.placed_at, buyer),
        )
        placed = draft(request, identity, setting)
        if isinstance(placed, list):
            return Checked(None, None, None, placed)
        order = with_our_skus(placed, catalog, channel.source)
        if not theirs:
            # Nor are its terms, addresses and credit: its channel's checks would tell of them.
            found = examine(order, catalog, replace(limits, checks=NO_CHECKS), channel.source).failures
            found = [one for one in found if one.rule != "order.customer_known"]
            return Checked(placed, order, None, [*found, _not_theirs(order.customer.id)])
        if self.rules.tax is not None:
            # Another company may sell than the channel's own: then its tax is due, as the worker will say too.
            routed = routed_of(self.rules, order)
            limits = limits if isinstance(routed, CrossdockError) else replace(limits, entity=routed.entity)
        examined = examine(order, catalog, limits, channel.source)
        return Checked(placed, order, examined.customer, examined.failures, limits.entity)

    def _prices(self, request: OrderRequest, limits: ChannelRules, at: datetime, buyer: str) -> PriceOf:
        """What a line costs that comes without a price: what account `buyer` is quoted for it now, "" = what anybody
        is."""
        catalog = self.rules.catalog
        account = catalog.customers.get(buyer)
        asked = Asked(
            customer=buyer,
            group=account.group if account is not None else "",
            channel=request.channel,
            currency=request.currency or limits.currency,
            at=at,
            taxes_included=request.taxes_included,
        )
        if catalog.book is None:
            return lambda _sku, _quantity: None
        ask = asking(catalog.book, catalog.products, asked)
        return lambda sku, quantity: ask(WantedLine(sku, quantity)).unit_price

    def sees(self, caller: Caller, order: SalesOrder, known: bool) -> bool:
        """Whether an order is the caller's. `known`: it was decided on."""
        if not caller.sees_channel(order.channel):
            return False
        if caller.customers is None or known:
            return caller.sees_customer(order.customer.id)
        # As it was placed it says who buys as the channel does.
        channel, limits = self.channels.get(order.channel), self.rules.limits(order.channel)
        if channel is None or limits is None:
            return False
        account = account_of(order.customer, self.rules.catalog, limits, channel.source)
        return account is not None and caller.sees_customer(account.id)


def _not_theirs(customer: str) -> NeedsEdit:
    # In the words for an account that there is not: whose there are is nobody else's business.
    return NeedsEdit(
        f"customer {customer or '(none)'} has no account that this caller orders for",
        field="customer.id",
        rule="order.customer_known",
        value=customer,
        fix="put an account of your own",
    )


def invalid(failures: list[NeedsEdit]) -> CrossdockError:
    """One error for all that is wrong with an order; every failure is listed, also when it is the only one."""
    error = NeedsEdit.of(failures)
    error.failures = tuple(failures)
    return error
