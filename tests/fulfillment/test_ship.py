# SPDX-License-Identifier: Apache-2.0
"""What left is counted once, never beyond what was asked for, and told to ERP and channel."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.canonical.fulfillment import FulfillmentLine, Package, Shipment
from crossdock.canonical.objects import decode
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import OrderLine
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import NeedsEdit, RetryLater
from crossdock.fulfillment.convert import as_ordered
from crossdock.fulfillment.lines import LineState, load
from crossdock.fulfillment.plan import Wanted, plan
from crossdock.fulfillment.ship import ship
from crossdock.journal.decided import Decided, Routed, Split
from crossdock.orders.accept import Prepared, accept, weigh
from tests.orders.making import NOON, line, order, translated

ORDERED = {"1": 2, "2": 5}
PRODUCTS = {
    "CD-1": ProductFacts("EA", "", True, True, {"CS": Decimal(12)}),
    "CD-2": ProductFacts("EA", "", True, True),
    "OIL": ProductFacts("LTR", "", True, True, {"GLL": Decimal("3.785412")}),
}


@pytest_asyncio.fixture
async def asked(pool: asyncpg.Pool) -> asyncpg.Pool:
    """A database with order shop/1, of which EAST was asked for two of line 1 and five of line 2."""
    async with pool.acquire() as conn:
        await ask(conn)
    return pool


async def ask(conn: asyncpg.Connection, order_id: str = "1", *lines: OrderLine) -> None:
    given = order(order_id, *(lines or (line(1), line(2, "CD-2", "5", "1.00"))))
    split = Split(location="EAST", system="warehouse", lines=tuple(range(len(given.lines))))
    routed = Routed(entity="us", erp="netsuite", splits=(split,), record=b"{}", rules="r")
    prepared = Prepared(item=translated(given), order=given, routed=routed, content=1)
    await accept(conn, await weigh(conn, [prepared]), {})
    await plan(
        conn, [Wanted(document_id=1, order=given, splits=(split,), known=False)], {"EAST": "warehouse"}, PRODUCTS
    )


def shipment(lines: dict[str, int | str], shipment_id: str = "s1", order_id: str = "1", **changes: Any) -> Shipment:
    """A shipment of one package per line."""
    packages = tuple(
        Package(
            tracking_number=f"1Z{shipment_id}{name}",
            lines=(FulfillmentLine(line=name, sku="any", quantity=Quantity(Decimal(quantity))),),
        )
        for name, quantity in lines.items()
    )
    values: dict[str, Any] = {
        "shipment_id": shipment_id,
        "order_key": f"shop/{order_id}",
        "fulfillment_reference": f"shop/{order_id}#1",
        "location": "EAST",
        "carrier": "UPS",
        "shipped_at": NOON,
        "packages": packages,
    }
    return Shipment(**{**values, **changes})


async def shipped(pool: asyncpg.Pool, *shipments: Shipment, attempts: int = 0) -> list[Decided]:
    batch = [translated(one, "shipment", number, attempts=attempts) for number, one in enumerate(shipments, 1)]
    async with pool.acquire() as conn, conn.transaction():
        return await ship(conn, batch, {"shop": "shop-system"}, PRODUCTS)


async def state(pool: asyncpg.Pool, reference: str = "shop/1#1") -> tuple[str, dict[str, int]]:
    row = await pool.fetchrow("SELECT state, lines FROM fulfillment_order WHERE reference = $1", reference)
    return row["state"], {name: int(one.shipped) for name, one in load(row["lines"]).items()}


async def test_a_whole_shipment_closes_the_fulfillment_order_and_is_told(asked: asyncpg.Pool) -> None:
    (decided,) = await shipped(asked, shipment({"1": 2, "2": 5}))
    assert [(one.system, one.operation, one.reference) for one in decided.deliveries] == [
        ("netsuite", "item_fulfillment", "shop/1#1/s1"),
        ("shop-system", "fulfillment", "shop/1#1/s1"),
    ]
    assert [event.type for event in decided.events] == ["shipment.confirmed"]
    assert await state(asked) == ("shipped", {"1": 2, "2": 5})
    row = await asked.fetchrow("SELECT order_key, carrier, tracking FROM shipment")
    assert tuple(row) == ("shop/1", "UPS", ["1Zs11", "1Zs12"])


async def test_parts_add_up(asked: asyncpg.Pool) -> None:
    await shipped(asked, shipment({"1": 1}, "s1"))
    assert await state(asked) == ("partly_shipped", {"1": 1, "2": 0})
    await shipped(asked, shipment({"1": 1, "2": 3}, "s2"))
    assert await state(asked) == ("partly_shipped", {"1": 2, "2": 3})
    await shipped(asked, shipment({"2": 2}, "s3"))
    assert await state(asked) == ("shipped", {"1": 2, "2": 5})


async def test_packages_of_one_line_are_added(asked: asyncpg.Pool) -> None:
    both = shipment({"2": 3})
    (decided,) = await shipped(asked, shipment({}, packages=(*both.packages, *both.packages)))
    assert isinstance(decided.error, NeedsEdit)
    assert (decided.error.rule, decided.error.value) == ("shipment.quantity", Decimal(6))
    assert await state(asked) == ("open", {"1": 0, "2": 0})


async def test_a_shipment_that_is_known_is_a_duplicate(asked: asyncpg.Pool) -> None:
    await shipped(asked, shipment({"1": 1}))
    again, within = await shipped(asked, shipment({"1": 1}), shipment({"1": 1}))
    assert (again.duplicate, within.duplicate) == (True, True)
    first, second = await shipped(asked, shipment({"2": 1}, "s9"), shipment({"2": 1}, "s9"))
    assert (first.duplicate, second.duplicate) == (False, True)
    assert await state(asked) == ("partly_shipped", {"1": 1, "2": 1})


@pytest.mark.parametrize(
    ("lines", "field", "value"),
    [
        ({"1": 3}, "packages.lines[1].quantity", Decimal(3)),
        ({"1": 2, "2": 6}, "packages.lines[2].quantity", Decimal(6)),
        ({"7": 1}, "packages.lines[7].quantity", Decimal(1)),
        ({"1": 0}, "packages.lines[1].quantity", Decimal(0)),
        ({"1": -1}, "packages.lines[1].quantity", Decimal(-1)),
    ],
)
async def test_what_was_not_asked_for_is_a_case(
    asked: asyncpg.Pool, lines: dict[str, int | str], field: str, value: Decimal
) -> None:
    bad, good = await shipped(asked, shipment(lines), shipment({"2": 1}, "s2"))
    assert isinstance(bad.error, NeedsEdit)
    assert (bad.error.rule, bad.error.field, bad.error.value) == ("shipment.quantity", field, value)
    assert good.accepted
    assert await state(asked) == ("partly_shipped", {"1": 0, "2": 1})


async def test_a_shipment_of_nothing_is_a_case(asked: asyncpg.Pool) -> None:
    (decided,) = await shipped(asked, shipment({}))
    assert isinstance(decided.error, NeedsEdit)
    assert (decided.error.rule, decided.error.field) == ("shipment.not_empty", "packages")
    assert await state(asked) == ("open", {"1": 0, "2": 0})


@pytest.mark.parametrize(
    "unknown",
    [
        shipment({"1": 1}, order_id="404"),
        shipment({"1": 1}, fulfillment_reference="shop/1#9"),
        shipment({"1": 1}, order_key="shop/404", fulfillment_reference="shop/1#1"),
    ],
)
async def test_a_shipment_that_overtook_its_order_waits_and_then_is_a_case(
    asked: asyncpg.Pool, unknown: Shipment
) -> None:
    for attempts in range(5):
        (early,) = await shipped(asked, unknown, attempts=attempts)
        assert isinstance(early.error, RetryLater)
    (late,) = await shipped(asked, unknown, attempts=5)
    assert isinstance(late.error, NeedsEdit)
    assert (late.error.rule, late.error.value) == ("shipment.order_known", unknown.fulfillment_reference)


def ordered(number: int, quantity: str, unit: str, sku: str = "CD-1") -> OrderLine:
    return replace(line(number, sku), quantity=Quantity(Decimal(quantity), unit))


def left(shipment_id: str, *packages: tuple[str, str], number: str = "1") -> Shipment:
    """A shipment of a package each: (quantity, unit) of a line."""
    packed = tuple(
        Package(lines=(FulfillmentLine(line=number, sku="any", quantity=Quantity(Decimal(quantity), unit)),))
        for quantity, unit in packages
    )
    return shipment({}, shipment_id, packages=packed)


def told(decided: Decided) -> list[list[tuple[str, str]]]:
    """What ERP and channel are told of, both the same, per package: quantity and unit."""
    (body,) = {one.body for one in decided.deliveries}
    # Without a body of their own deliveries bring the shipment as it came.
    return _goods(said(decided) if body is None else body)


def said(decided: Decided) -> bytes:
    """The shipment as its event tells it."""
    (event,) = decided.events
    return event.data


def _goods(body: bytes) -> list[list[tuple[str, str]]]:
    shipment_: Shipment = decode("shipment", body)
    return [[(str(one.quantity.value), one.quantity.unit) for one in package.lines] for package in shipment_.packages]


async def test_cases_that_left_as_eaches_are_told_as_cases(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await ask(conn, "1", ordered(1, "3", "CS"))
    first, second = await shipped(pool, left("s1", ("24", "EA")), left("s2", ("1", "CS")))
    assert [told(first), told(second)] == [[[("2", "CS")]], [[("1", "CS")]]]
    assert [_goods(said(one)) for one in (first, second)] == [[[("24", "EA")]], [[("1", "CS")]]]
    assert (first.body, second.body) == (b"", b""), "what the warehouse said is kept as it said it"
    assert [len(one.deliveries) for one in (first, second)] == [2, 2]
    assert await state(pool) == ("shipped", {"1": 36})


async def test_a_case_that_left_in_parts_is_told_when_it_is_whole(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await ask(conn, "1", ordered(1, "2", "CS"))
    (first,) = await shipped(pool, left("s1", ("5", "EA")))
    assert (_goods(said(first)), first.deliveries, first.accepted) == ([[("5", "EA")]], (), True)
    assert first.note == "no unit of the order has left in whole yet: it is told with the rest of it"
    assert await state(pool) == ("partly_shipped", {"1": 5})
    (rest,) = await shipped(pool, left("s2", ("6", "EA"), ("2", "EA"), ("11", "EA")))
    assert told(rest) == [[], [("1", "CS")], [("1", "CS")]]
    assert [one.operation for one in rest.deliveries] == ["item_fulfillment", "fulfillment"]
    assert await state(pool) == ("shipped", {"1": 24})


async def test_eaches_that_left_as_a_case_are_told_as_eaches(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await ask(conn, "1", ordered(1, "30", "EA"))
    first, over = await shipped(pool, left("s1", ("2", "CS")), left("s2", ("1", "CS")))
    assert told(first) == [[("24", "EA")]]
    assert isinstance(over.error, NeedsEdit)
    assert (over.error.rule, over.error.value, over.error.reason) == (
        "shipment.quantity", 12, "line 1: 12 shipped, 6 left to ship",
    )  # fmt: skip


async def test_a_unit_the_product_does_not_have_is_a_case(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await ask(conn, "1", ordered(1, "1", "CS"))
    (decided,) = await shipped(pool, left("s1", ("1", "BX")))
    assert isinstance(decided.error, NeedsEdit)
    assert (decided.error.rule, decided.error.field, decided.error.value) == (
        "shipment.unit", "packages.lines[1].quantity.unit", "BX",
    )  # fmt: skip
    assert decided.error.reason == "line 1: 1 BX of CD-1 left, which is kept in EA"
    assert await state(pool) == ("open", {"1": 0})


async def test_what_is_measured_adds_up_to_what_was_ordered(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await ask(conn, "1", ordered(1, "2.5", "GLL", "OIL"))
    first, rest = await shipped(pool, left("s1", ("5", "LTR")), left("s2", ("4.46353", "LTR")))
    assert [told(first), told(rest)] == [[[("1.320860", "GLL")]], [[("1.179140", "GLL")]]]
    assert (await state(pool))[0] == "shipped"


async def test_what_was_asked_before_units_were_kept_is_counted_as_it_comes(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await ask(conn, "1", ordered(1, "2", "CS"))
    await pool.execute("""UPDATE fulfillment_order SET lines = '{"1": {"sku": "CD-1", "ordered": "2"}}'""")
    (decided,) = await shipped(pool, left("s1", ("2", "CS")))
    assert told(decided) == [[("2", "CS")]]
    assert await state(pool) == ("shipped", {"1": 2})


@settings(max_examples=50, deadline=None)
@given(
    cases=st.integers(1, 5),
    holds=st.integers(1, 30),
    cuts=st.lists(st.integers(1, 40), max_size=8),
)
def test_however_cases_are_cut_all_of_them_are_told_and_never_one_too_many(
    cases: int, holds: int, cuts: list[int]
) -> None:
    products = {"CD-1": ProductFacts("EA", "", True, True, {"CS": Decimal(holds)})}
    whole = Decimal(cases * holds)
    state = LineState(sku="CD-1", ordered=whole, unit="EA", of_order=Quantity(Decimal(cases), "CS"))
    sum_told = Decimal(0)
    for cut in [*cuts, cases * holds]:
        going = min(Decimal(cut), whole - state.shipped)
        if going == 0:
            break
        one = as_ordered(left("s", (str(going), "EA")), {"1": state}, products)
        state.shipped += going
        sum_told += sum((entry.quantity.value for package in one.packages for entry in package.lines), Decimal(0))
        assert sum_told == state.shipped // holds
    assert (state.shipped, sum_told) == (whole, cases)


async def test_a_channel_that_is_not_told_hears_nothing(asked: asyncpg.Pool) -> None:
    async with asked.acquire() as conn, conn.transaction():
        (decided,) = await ship(conn, [translated(shipment({"1": 1}), "shipment")], {}, PRODUCTS)
    assert [one.system for one in decided.deliveries] == ["netsuite"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.dictionaries(st.sampled_from("12"), st.integers(-1, 4), max_size=2)),
        max_size=8,
    )
)
def test_shipped_never_exceeds_ordered(database: str, came: list[tuple[int, dict[str, int | str]]]) -> None:
    """Whatever comes, however often: what counts is the first shipment under each id that was still due."""

    async def run() -> None:
        connection = await asyncpg.connect(database)
        transaction = connection.transaction()
        await transaction.start()
        try:
            await ask(connection)
            expected: dict[str, int] = defaultdict(int)
            taken: set[int] = set()
            for number, lines in came:
                one = translated(shipment(lines, f"s{number}"), "shipment")
                (decided,) = await ship(connection, [one], {}, PRODUCTS)
                fits = bool(lines) and all(
                    int(quantity) > 0 and expected[name] + int(quantity) <= ORDERED[name]
                    for name, quantity in lines.items()
                )
                assert decided.duplicate == (number in taken)
                assert decided.accepted == (fits and number not in taken)
                if decided.accepted:
                    taken.add(number)
                    for name, quantity in lines.items():
                        expected[name] += int(quantity)
            row = await connection.fetchrow("SELECT state, lines FROM fulfillment_order")
            counted = {name: int(one.shipped) for name, one in load(row["lines"]).items()}
            assert counted == {name: expected[name] for name in ORDERED}
            whole = counted == ORDERED
            assert row["state"] == ("shipped" if whole else "partly_shipped" if taken else "open")
        finally:
            await transaction.rollback()
            await connection.close()

    asyncio.run(run())
