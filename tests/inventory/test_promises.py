# SPDX-License-Identifier: Apache-2.0
"""Whatever moves, reserves, orders, cancels, ships and expires in any order: what Crossdock holds is what an oracle in
plain Python says, nothing is promised that is not there, and nothing stays held after its time."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, TypeVar

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crossdock.canonical.master_data import Component, Customer, Product
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import SalesOrder
from crossdock.canonical.stock import StockMovement, StockMovements
from crossdock.catalog.accept import accept_customers, accept_products
from crossdock.catalog.cache import Catalog
from crossdock.decide import decide
from crossdock.decide_orders import Rules
from crossdock.inventory.commit import Commitment, commit
from crossdock.inventory.expire import expire
from crossdock.inventory.extend import Extension, extend
from crossdock.inventory.release import release
from crossdock.inventory.reservation import Answered, NotEnough
from crossdock.inventory.reserve import Reserving
from crossdock.journal.decided import Decided
from crossdock.routing.policy import ChannelFacts, LocationFacts, Policy
from tests.inventory.holding import PLACES, body, goods, overdue, rules, want
from tests.orders.making import NOON, line, order, translated

Result = TypeVar("Result")
Pair = tuple[str, str]
STOCK = rules()
POLICY = Policy(
    version="p/1",
    channels={"shop": ChannelFacts(name="shop", system="shop", entity="us", currency="USD")},
    locations={place: LocationFacts(name=place, system="warehouse") for place in PLACES},
    erp_of={"us": "erp"},
    default_location="EAST",
    rules=(),
    max_lines=100,
)
_numbers = itertools.count(1)
kinds = st.sampled_from(["1", "2", "K"])
counts = st.integers(1, 5)


class Reservation:
    """A hold as the oracle keeps it."""

    def __init__(self, held: dict[Pair, int]) -> None:
        self.held, self.state, self.over, self.order = held, "active", False, ""

    @property
    def living(self) -> bool:
        return self.state in ("active", "committed")


class Order:
    """An accepted order as the oracle keeps it."""

    def __init__(self, document: SalesOrder) -> None:
        self.document, self.open, self.shipped = document, True, False


class Promises(RuleBasedStateMachine):
    """The database on one side, the oracle on the other. `pool` and `loop` are those of the test."""

    pool: asyncpg.Pool
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"P{next(_numbers)}"
        self.on_hand: defaultdict[Pair, int] = defaultdict(int)
        self.reservations: dict[str, Reservation] = {}
        self.orders: dict[str, Order] = {}
        self.asked: dict[str, tuple[Any, str]] = {}
        self.documents = itertools.count(next(_numbers) * 100_000)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def sku(self, kind: str) -> str:
        return f"{self.prefix}-{kind}"

    def parts(self, sku: str) -> dict[str, int]:
        return {self.sku("1"): 2, self.sku("2"): 1} if sku == self.sku("K") else {sku: 1}

    # What is there, by the oracle.

    def reserved(self, pair: Pair) -> int:
        return sum(one.held.get(pair, 0) for one in self.reservations.values() if one.living)

    async def allocated(self) -> dict[Pair, int]:
        rows = await self.pool.fetch(
            "SELECT sku, location, sum(quantity - freed) AS open FROM allocation WHERE sku LIKE $1 GROUP BY 1, 2",
            f"{self.prefix}-%",
        )
        return {(row["sku"], row["location"]): int(row["open"]) for row in rows}

    def place(self, lines: list[tuple[str, int]]) -> dict[Pair, int] | None:
        """What these lines take, line after line; None when there is not enough for all of them."""
        allocated = self.run(self.allocated())
        free = {
            pair: self.on_hand[pair] - self.reserved(pair) - allocated.get(pair, 0)
            for pair in [(self.sku(kind), place) for kind in "12" for place in PLACES]
        }
        taken: defaultdict[Pair, int] = defaultdict(int)
        for sku, quantity in lines:
            parts = self.parts(sku)
            there = {place: max(0, min(free[part, place] // n for part, n in parts.items())) for place in PLACES}
            whole = [place for place in PLACES if there[place] >= quantity]
            left = quantity
            for place in whole[:1] or sorted(PLACES, key=lambda place: -there[place]):
                here = min(there[place], left)
                left -= here
                for part, n in parts.items():
                    free[part, place] -= here * n
                    taken[part, place] += here * n
            if left:
                return None
        return {pair: number for pair, number in taken.items() if number}

    # What happens.

    @initialize()
    def open(self) -> None:
        async def fill() -> None:
            self.desk = Reserving(self.pool, STOCK, Catalog())
            self.catalog = Catalog()
            kit = (Component(sku=self.sku("1"), quantity=Decimal(2)), Component(sku=self.sku("2"), quantity=Decimal(1)))
            products = [
                Product(sku=self.sku("1")),
                Product(sku=self.sku("2")),
                Product(sku=self.sku("K"), components=kit),
            ]
            async with self.pool.acquire() as conn, conn.transaction():
                await accept_products(conn, [(None, product) for product in products])
                await accept_customers(conn, [(None, Customer(customer_id="C-1"))])

        self.run(fill())

    def decide(self, document: Any, kind: str) -> Decided:
        async def one() -> Decided:
            async with self.pool.acquire() as conn, conn.transaction():
                await self.catalog.refresh(conn)
                by = Rules(
                    catalog=self.catalog,
                    policy=POLICY,
                    interfaces={},
                    outgoing={},
                    channel_system={},
                    stock=STOCK,
                )
                (decided,) = await decide(conn, by, [translated(document, kind, next(self.documents))])
                return decided

        return self.run(one())

    def move(self, kind: str, pair: Pair, quantity: int, reference: str = "") -> None:
        one = StockMovement(
            movement_id=f"{self.prefix}/{next(self.documents)}",
            kind=kind,  # type: ignore[arg-type]  # a literal by its callers
            sku=pair[0],
            location=pair[1],
            quantity=Quantity(Decimal(quantity)),
            occurred_at=NOON,
            reference=reference,
        )
        assert self.decide(StockMovements(source="warehouse", movements=(one,)), "stock_movements").accepted
        self.on_hand[pair] += quantity

    @rule(kind=st.sampled_from("12"), place=st.sampled_from(PLACES), quantity=st.integers(1, 8))
    def receive(self, kind: str, place: str, quantity: int) -> None:
        self.move("receipt", (self.sku(kind), place), quantity)

    @rule(kind=st.sampled_from("12"), place=st.sampled_from(PLACES), quantity=st.integers(1, 3))
    def lose(self, kind: str, place: str, quantity: int) -> None:
        """Goods are lost, promised or not."""
        self.move("adjustment", (self.sku(kind), place), -quantity)

    @rule(lines=st.lists(st.tuples(kinds, counts), min_size=1, max_size=4))
    def reserve(self, lines: list[tuple[str, int]]) -> None:
        wanted = [(self.sku(kind), quantity) for kind, quantity in lines]
        key = f"{self.prefix}/{next(self.documents)}"
        expected = self.place(wanted)
        if expected is None:
            # Before anybody is told that there is not enough, what is over of these goods is given back.
            self.swept({part for sku, _ in wanted for part in self.parts(sku)})
            expected = self.place(wanted)
        request = want(key, *wanted)
        (outcome,) = self.run(self.desk.reserve([request]))
        if expected is None:
            assert isinstance(outcome, NotEnough), outcome
            return
        held: defaultdict[Pair, int] = defaultdict(int)
        for _, sku, location, quantity in goods(outcome):
            held[sku, location] += int(quantity)
        assert dict(held) == expected
        one = body(outcome)["id"]
        assert one not in self.reservations
        self.reservations[one] = Reservation(dict(held))
        self.asked[one] = (request, key)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.asked)))
        (outcome,) = self.run(self.desk.reserve([self.asked[one][0]]))
        assert isinstance(outcome, Answered)
        assert (outcome.id, outcome.repeated) == (one, True)

    @precondition(lambda self: self.reservations)
    @rule(data=st.data(), what=st.sampled_from(["extend", "commit", "release"]))
    def change(self, data: st.DataObject, what: str) -> None:
        one = data.draw(st.sampled_from(sorted(self.reservations)))
        held = self.reservations[one]
        if what == "extend":
            (outcome,) = self.run(extend(self.pool, [Extension(one, 600)], STOCK.longest_hold))
            assert isinstance(outcome, Answered) == (held.state == "active" and not held.over)
        elif what == "commit":
            (outcome,) = self.run(commit(self.pool, [Commitment(one)]))
            allowed = held.state in ("committed", "allocated") or (held.state == "active" and not held.over)
            assert isinstance(outcome, Answered) == allowed
            if allowed and held.state == "active":
                held.state = "committed"
        else:
            (outcome,) = self.run(release(self.pool, [one]))
            assert isinstance(outcome, Answered) == (held.state != "allocated")
            if held.living:
                held.state = "released"

    @rule(data=st.data(), lines=st.dictionaries(st.sampled_from("12"), counts, min_size=1))
    def order(self, data: st.DataObject, lines: dict[str, int]) -> None:
        """An order, with or without a reservation, which may be of other goods, over, or ended."""
        number = str(next(self.documents))
        one = data.draw(st.sampled_from(["", *sorted(self.reservations)]))
        document = order(
            number,
            *(line(place, self.sku(kind), str(quantity)) for place, (kind, quantity) in enumerate(lines.items(), 1)),
            reservation=one,
        )
        taken = self.reservations[one] if one and self.reservations[one].living else None
        before, allocated = taken.state if taken is not None else "", self.run(self.allocated())
        enough = True
        for kind, quantity in lines.items():
            sku = self.sku(kind)
            there = 0
            for place in PLACES:
                free = self.on_hand[sku, place] - self.reserved((sku, place)) - allocated.get((sku, place), 0)
                there += max(0, free + (taken.held.get((sku, place), 0) if taken is not None else 0))
            enough = enough and there >= quantity
        decided = self.decide(document, "sales_order")
        assert decided.accepted == enough, (decided.error, lines)
        if enough:
            self.orders[document.order_key] = Order(document)
            if taken is not None:
                taken.state, taken.order = "allocated", document.order_key
        assert taken is None or enough or taken.state == before

    @precondition(lambda self: any(one.open for one in self.orders.values()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        one = self.orders[data.draw(st.sampled_from(sorted(key for key, one in self.orders.items() if one.open)))]
        gone = {name: getattr(one.document, name) for name in one.document.__struct_fields__}
        assert self.decide(SalesOrder(**{**gone, "status": "cancelled", "version": 2}), "sales_order").accepted
        one.open = False

    @precondition(lambda self: any(one.open and not one.shipped for one in self.orders.values()))
    @rule(data=st.data())
    def ship(self, data: st.DataObject) -> None:
        open_ = sorted(key for key, one in self.orders.items() if one.open and not one.shipped)
        key = data.draw(st.sampled_from(open_))
        rows = self.run(
            self.pool.fetch(
                "SELECT reference, sku, location, quantity - freed AS open FROM allocation WHERE order_key = $1", key
            )
        )
        for row in rows:
            if row["open"]:
                self.move("ship", (row["sku"], row["location"]), -int(row["open"]), row["reference"])
        self.orders[key].shipped = True

    @precondition(lambda self: any(one.state == "active" for one in self.reservations.values()))
    @rule(data=st.data())
    def let_time_pass(self, data: st.DataObject) -> None:
        one = data.draw(
            st.sampled_from(sorted(key for key, held in self.reservations.items() if held.state == "active"))
        )
        self.run(overdue(self.pool, one))
        self.reservations[one].over = True

    @rule()
    def sweep(self) -> None:
        self.run(expire(self.pool))
        self.swept()

    def swept(self, skus: set[str] | None = None) -> None:
        for one in self.reservations.values():
            if one.state == "active" and one.over and (skus is None or any(sku in skus for sku, _ in one.held)):
                one.state = "expired"

    # What must hold.

    @invariant()
    def everything_is_as_the_oracle_says(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        like = f"{self.prefix}-%"
        levels = {
            (row["sku"], row["location"]): (int(row["on_hand"]), int(row["reserved"]), int(row["allocated"]))
            for row in await self.pool.fetch("SELECT * FROM stock_level WHERE sku LIKE $1", like)
        }
        open_ = await self.allocated()
        pairs = {*levels, *self.on_hand, *open_, *(pair for one in self.reservations.values() for pair in one.held)}
        oracle = {pair: (self.on_hand[pair], self.reserved(pair), open_.get(pair, 0)) for pair in pairs}
        assert {pair: levels.get(pair, (0, 0, 0)) for pair in pairs} == oracle
        ledger = await self.pool.fetch(
            "SELECT sku, location, sum(on_hand) AS on_hand, sum(allocated) AS allocated FROM stock_movement "
            "WHERE sku LIKE $1 GROUP BY 1, 2",
            like,
        )
        sums = {(row["sku"], row["location"]): (int(row["on_hand"]), int(row["allocated"])) for row in ledger}
        assert {pair: sums.get(pair, (0, 0)) for pair in pairs} == {
            pair: (one[0], one[2]) for pair, one in oracle.items()
        }
        ids = sorted(self.reservations)
        states = dict(await self.pool.fetch("SELECT id, state FROM reservation WHERE id = ANY($1::text[])", ids))
        assert states == {one: held.state for one, held in self.reservations.items()}

    def teardown(self) -> None:
        """At the end everybody's time is over: what is still held waits for an order."""
        ids = [one for one, held in self.reservations.items() if held.state == "active"]
        self.run(overdue(self.pool, *ids))
        self.run(expire(self.pool))
        for one in ids:
            self.reservations[one].state = "expired"
        self.run(self._compare())


async def test_whatever_happens_nothing_is_promised_twice_and_nothing_stays_held(pool: asyncpg.Pool) -> None:
    machine = type("Here", (Promises,), {"pool": pool, "loop": asyncio.get_running_loop()})
    await asyncio.to_thread(
        run_state_machine_as_test,
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
