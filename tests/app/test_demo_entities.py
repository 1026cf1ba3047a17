# SPDX-License-Identifier: Apache-2.0
"""What companies sold and what their ERPs booked is compared order by order, to the cent."""

from __future__ import annotations

from decimal import Decimal

from crossdock.app.demo.entities import Booked, EntityCounts, Standing, entity_counts, total_of, written


def standing(key: str, entity: str, erp: str, total: str) -> Standing:
    return Standing(key=key, entity=entity, erp=erp, total=Decimal(total))


def booked(erp: str, key: str, total: str) -> Booked:
    return Booked(erp=erp, key=key, number="", total=Decimal(total))


def test_each_erp_writes_keys_in_its_own_way() -> None:
    assert written("netsuite", "shopify-us/5123") == "shopify-us-5123"
    assert written("business-central", "PORTAL/17") == "PORTAL/17"
    assert written("business-central", "portal/ord_1").startswith("PORTAL/ORD_1~")


def test_companies_are_counted_apart_and_differences_do_not_cancel_out() -> None:
    orders = [
        standing("shop/1", "us", "netsuite", "10.00"),
        standing("shop/2", "us", "netsuite", "20.00"),
        standing("shop/3", "us", "netsuite", "5.00"),
        standing("PORTAL/1", "de", "business-central", "7.50"),
    ]
    books = [
        booked("netsuite", "shop-1", "10.01"),
        booked("netsuite", "shop-2", "19.99"),
        # Business Central knows an order of that name too; it is not NetSuite's.
        booked("business-central", "shop-3", "5.00"),
        booked("business-central", "PORTAL/1", "7.50"),
    ]
    assert entity_counts(orders, books) == {
        "de": EntityCounts(
            erp="business-central", orders=1, in_erp=1, differing=0, sold=Decimal("7.50"), booked=Decimal("7.50")
        ),
        "us": EntityCounts(
            erp="netsuite", orders=3, in_erp=2, differing=2, sold=Decimal("35.00"), booked=Decimal("30.00")
        ),
    }


def test_an_order_that_is_booked_twice_comes_to_more() -> None:
    twice = [booked("netsuite", "shop-1", "10.00")] * 2
    (counts,) = entity_counts([standing("shop/1", "us", "netsuite", "10.00")], twice).values()
    assert (counts.in_erp, counts.differing, counts.booked) == (1, 1, Decimal("20.00"))


def test_stores_and_markets_name_their_totals_otherwise() -> None:
    assert total_of({"total_price": "12.30"}) == Decimal("12.30")
    assert total_of({"total": "4.00"}) == Decimal("4.00")
    assert total_of({}) == 0
