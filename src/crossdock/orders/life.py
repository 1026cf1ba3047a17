# SPDX-License-Identifier: Apache-2.0
"""The life of an order as data: its states, what each means and when it holds, and where it may go from there.

An order's state is a function of what is known of it (`Facts`), never a tally of what arrived: whichever way messages
come, late, twice or in another order, they end in the same state. `orders.follow` reads the facts and tells what moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec import Struct

NONE = Decimal(0)


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of an order.

    `open`: its source has not cancelled it. `told`: its ERP has what it asks for now. Of the fulfillment orders that
    are not cancelled, `asked` there are, `taken` by their warehouse, `begun` of which goods have left, `shipped` whole;
    `waiting`: lines of which something is back-ordered.
    Money in the order's currency: `total` ordered; `invoiced` and `credited` on documents that hold; `paid` and
    `refunded`.
    """

    open: bool = True
    told: bool = False
    asked: int = 0
    taken: int = 0
    begun: int = 0
    shipped: int = 0
    waiting: int = 0
    total: Decimal = NONE
    invoiced: Decimal = NONE
    credited: Decimal = NONE
    paid: Decimal = NONE
    refunded: Decimal = NONE

    @property
    def whole(self) -> bool:
        """Everything that was to be shipped has left; nothing had to be when the ERP has an order without goods."""
        return not self.waiting and (self.shipped == self.asked if self.asked else self.told)

    @property
    def billed(self) -> bool:
        """Invoices that hold come to what was ordered."""
        return self.invoiced >= self.total

    @property
    def settled(self) -> bool:
        """What was invoiced and not credited is paid and not refunded."""
        return self.paid - self.refunded >= self.invoiced - self.credited


class State(Struct, frozen=True, kw_only=True):
    """A state: what it means, when it holds, and where one fact more may take an order from it."""

    means: str
    holds: Callable[[Facts], bool]
    to: frozenset[str]


def _to(*names: str) -> frozenset[str]:
    return frozenset(names)


# The first that holds is the order's state. An arrow back is there for every fact that can be taken back: a change that
# the ERP has not taken yet, a voided invoice, a refund.
STATES: Mapping[str, State] = {
    "cancelled": State(
        means="cancelled before anything left",
        holds=lambda of: not of.open and not of.begun,
        to=_to("accepted"),
    ),
    "closed": State(
        means="shipped, invoiced and paid",
        holds=lambda of: of.whole and of.billed and of.settled,
        to=_to("accepted", "acknowledged", "cancelled", "invoiced", "shipped"),
    ),
    "invoiced": State(
        means="shipped and invoiced, not paid in full",
        holds=lambda of: of.whole and of.billed,
        to=_to("accepted", "acknowledged", "cancelled", "closed", "shipped"),
    ),
    "shipped": State(
        means="all that was asked of warehouses has left",
        holds=lambda of: of.whole and of.asked > 0,
        to=_to("closed", "invoiced"),
    ),
    "partly_shipped": State(
        means="some of it has left",
        holds=lambda of: of.begun > 0,
        to=_to("closed", "invoiced", "shipped"),
    ),
    "allocated": State(
        means="its ERP has it, and every warehouse has taken what it is to ship",
        holds=lambda of: of.told and 0 < of.asked == of.taken and not of.waiting,
        to=_to("accepted", "cancelled", "partly_shipped"),
    ),
    "acknowledged": State(
        means="its ERP has it and has said what it calls it",
        holds=lambda of: of.told,
        to=_to("accepted", "allocated", "cancelled", "closed", "invoiced", "partly_shipped"),
    ),
    "accepted": State(
        means="validated, enriched and routed; its ERP has not taken it, or not its last change",
        holds=lambda _: True,
        to=_to("acknowledged", "allocated", "cancelled", "closed", "invoiced", "partly_shipped"),
    ),
}
"""Every state of an order that was decided on, in the order in which they are asked."""

FIRST = "accepted"


def state_of(facts: Facts) -> str:
    """The state that `facts` make."""
    return next(name for name, state in STATES.items() if state.holds(facts))


class LineFacts(Struct, frozen=True, kw_only=True):
    """What is known of a line, in the order's unit. `ordered`: by its newest version; `goods`: a warehouse ships it."""

    ordered: Decimal
    goods: bool = True
    asked: Decimal = NONE
    shipped: Decimal = NONE
    invoiced: Decimal = NONE
    returned: Decimal = NONE


LINE_STATES: Mapping[str, tuple[str, Callable[[LineFacts], bool]]] = {
    "returned": ("all of it that left has come back", lambda of: 0 < of.shipped <= of.returned),
    "shipped": ("all of it has left", lambda of: of.goods and of.shipped >= of.ordered),
    "partly_shipped": ("some of it has left", lambda of: of.shipped > 0),
    "allocated": ("a warehouse is to ship all of it", lambda of: of.goods and of.asked >= of.ordered),
    "open": ("nothing of it is under way", lambda of: of.goods),
    "service": ("no goods: nothing of it is shipped", lambda _: True),
}
"""Every state of a line, in the order in which they are asked; a line is in the first that holds, so in one."""


def line_state_of(facts: LineFacts, *, open: bool = True) -> str:
    """The state of a line; one of a cancelled order of which nothing left is cancelled."""
    if not open and not facts.shipped:
        return "cancelled"
    return next(name for name, (_, holds) in LINE_STATES.items() if holds(facts))
