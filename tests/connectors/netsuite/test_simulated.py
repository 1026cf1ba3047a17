# SPDX-License-Identifier: Apache-2.0
"""The NetSuite connector against a simulated account that was written apart from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec.structs import replace

from crossdock.canonical.fulfillment import FulfillmentLine, Package, Shipment
from crossdock.canonical.money import Money
from crossdock.canonical.party import Address, Party
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import Charge, OrderLine, SalesOrder
from crossdock.connectors.netsuite.mapping import CHARGE_LINE, SALES_ORDER
from crossdock.connectors.netsuite.order import OrderNames, order_body
from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.mapping.compile import compile_mapping
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.netsuite.simulator import NetSuiteConfig, NetSuiteSim
from crossdock.sdk.sending import Delivered, Failed, Outgoing

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SHIPPING, TAX = "FREIGHT-OUT", "TAX-OUT"


def _pem(key: Any) -> tuple[str, str]:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


PRIVATE, PUBLIC = _pem(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
async def account() -> AsyncIterator[NetSuiteSim]:
    async with NetSuiteSim(NetSuiteConfig(certificate=PUBLIC, extra_items=(SHIPPING, TAX))) as simulator:
        yield simulator


def _sender(account: NetSuiteSim, open_sender: Any, private_key: str = PRIVATE, **settings: Any) -> Any:
    config = account.config
    return open_sender(
        "netsuite",
        settings={
            "url": account.url,
            "account": config.account,
            "client_id": config.client_id,
            "certificate_id": config.certificate_id,
            "algorithm": "ES256",
            "default_customer": "WEB-STORE",
            "charge_items": {"shipping": SHIPPING, "tax": TAX},
            **settings,
        },
        secrets={
            "private_key": private_key,
            "consumer_key": config.consumer_key,
            "consumer_secret": config.consumer_secret,
            "token_id": config.token_id,
            "token_secret": config.token_secret,
        },
    )


@pytest.fixture
def sender(account: NetSuiteSim, open_sender: Any) -> Any:
    return _sender(account, open_sender)


async def _ask(account: NetSuiteSim, what: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{account.url}/_sim/{what}") as reply:
        assert reply.status == 200
        return await reply.json()


def _order(*skus: str, number: int = 1, **changed: Any) -> Outgoing:
    lines = tuple(
        OrderLine(
            line=str(index),
            sku=sku,
            description=f"Article {sku}",
            quantity=Quantity(Decimal(2)),
            unit_price=Money(Decimal("10.50"), "USD"),
            discount=Money(Decimal("1.00"), "USD"),
            total=Money(Decimal("20.00"), "USD"),
        )
        for index, sku in enumerate(skus, start=1)
    )
    order = SalesOrder(
        order_key=f"shopify-us/{number}",
        number=f"#{number}",
        channel="shopify-us",
        placed_at=NOW,
        currency="USD",
        customer=Party(name="Ada Byron", email="ada@example.com"),
        ship_to=Address(name="Ada Byron", street="1 Main St", city="Louisville", region="KY", country="US"),
        lines=lines,
        charges=(Charge(kind="shipping", description="Standard", amount=Money(Decimal("7.50"), "USD")),),
        tax=Money(Decimal("1.20"), "USD"),
        total=Money(Decimal("48.70"), "USD"),
    )
    return _outgoing("sales_order", replace(order, **changed), order.order_key)


def _outgoing(operation: str, document: Any, reference: str, known: dict[str, str] | None = None) -> Outgoing:
    return Outgoing(
        delivery_id=1,
        operation=operation,
        reference=reference,
        idempotency_key="00000000-0000-4000-8000-000000000001",
        document=document,
        known=known or {},
    )


def _shipment(order: Outgoing, quantities: dict[str, int], known: dict[str, str], ident: str = "shp-1") -> Outgoing:
    lines = tuple(
        FulfillmentLine(line=line.line, sku=line.sku, quantity=Quantity(Decimal(quantities[line.sku])))
        for line in order.document.lines
        if line.sku in quantities
    )
    shipment = Shipment(
        shipment_id=ident,
        order_key=order.reference,
        fulfillment_reference=f"{order.reference}#1",
        carrier="UPS",
        shipped_at=NOW,
        packages=(Package(tracking_number=f"1Z-{ident}", lines=lines),),
    )
    return _outgoing("item_fulfillment", shipment, ident, known)


async def _sent(sender: Any, order: Outgoing) -> str:
    (outcome,) = await sender.send("sales_order", [order])
    assert isinstance(outcome, Delivered), outcome
    return outcome.reference


async def _sent_after_looking(sender: Any, order: Outgoing) -> str:
    """As a delivery whose outcome is unknown goes on: it looks, and sends what it does not find."""
    (found,) = await sender.find("sales_order", [order])
    return found.reference if found is not None else await _sent(sender, replace(order, attempt=2))


async def test_order_is_upserted_once_with_its_lines(account: NetSuiteSim, sender: Any) -> None:
    order = _order("CD-00001", "CD-00002")
    first = await _sent(sender, order)
    assert await _sent(sender, order) == first
    (stored,) = (await _ask(account, "sales_orders"))["sales_orders"]
    lines = stored["item"]
    assert len(lines) == 4
    assert [line["amount"] for line in lines] == [20, 20, 7.5, 1.2]
    assert stored["externalId"] == "shopify-us-1"
    counts = await _ask(account, "counts")
    assert (counts["sales_orders"], counts["created_more_than_once_by_other_ref"]) == (1, 0)


@pytest.mark.parametrize(
    ("account_id", "crosswalk", "booked_on"),
    [("", {}, "WEB-STORE"), ("ACME", {}, "ACME"), ("ACME", {"ACME": "C-77"}, "C-77"), ("", {"": "C-77"}, "WEB-STORE")],
)
def test_customer_an_order_is_booked_on(account_id: str, crosswalk: dict[str, str], booked_on: str) -> None:
    translate, charge = compile_mapping(SALES_ORDER), compile_mapping(CHARGE_LINE)
    names = OrderNames(
        sku={}, location={}, customer=crosswalk, currency={}, charge_items={"tax": TAX}, default_customer="WEB-STORE"
    )
    order = _order("CD-00001", customer=Party(id=account_id))
    body = order_body(order, names, translate, charge)
    assert body["entity"] == {"externalId": booked_on}
    assert body["shippingCost"] == Decimal("7.50")


async def test_token_based_authentication(account: NetSuiteSim, open_sender: Any) -> None:
    sender = _sender(account, open_sender, auth="tba")
    assert await _sent(sender, _order("CD-00001"))


async def test_rsa_certificate(open_sender: Any) -> None:
    private, public = _pem(rsa.generate_private_key(public_exponent=65537, key_size=3072))
    async with NetSuiteSim(NetSuiteConfig(certificate=public, extra_items=(SHIPPING, TAX))) as account:
        sender = _sender(account, open_sender, private_key=private, algorithm="PS256")
        assert await _sent(sender, _order("CD-00001"))


async def test_token_that_ended_early_is_renewed_once(account: NetSuiteSim, sender: Any) -> None:
    await _sent(sender, _order("CD-00001"))
    account.books.table("tokens").clear()
    await _sent(sender, _order("CD-00002", number=2))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"algorithm": "RS256"}, "settings.algorithm"),
        ({"algorithm": "PS256"}, "secrets.private_key"),
        ({"client_id": ""}, "settings.client_id"),
    ],
)
async def test_wrong_credentials_pause_the_system(
    account: NetSuiteSim, open_sender: Any, changed: dict[str, str], field: str
) -> None:
    (outcome,) = await _sender(account, open_sender, **changed).send("sales_order", [_order("CD-00001")])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsConfig)
    assert outcome.error.field == field
    assert "PRIVATE KEY" not in repr(outcome)


async def test_refused_assertion_pauses_the_system(account: NetSuiteSim, open_sender: Any) -> None:
    (outcome,) = await _sender(account, open_sender, certificate_id="other").send("sales_order", [_order("CD-00001")])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsConfig)


async def test_unknown_item_is_a_case_that_names_it(account: NetSuiteSim, sender: Any) -> None:
    (outcome,) = await sender.send("sales_order", [_order("CD-00001", "NO-SUCH-ITEM")])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert outcome.error.rule == "INVALID_KEY_OR_REF"
    assert outcome.error.field
    assert (await _ask(account, "counts"))["sales_orders"] == 0


async def test_charge_without_an_item_is_a_case(account: NetSuiteSim, sender: Any) -> None:
    fee = Charge(kind="fee", amount=Money(Decimal("2.00"), "USD"))
    (outcome,) = await sender.send("sales_order", [_order("CD-00001", charges=(fee,))])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert outcome.error.value == "fee"


@pytest.mark.parametrize("kind", ["error_after", "cut_after"])
async def test_order_made_without_an_answer_is_made_once(account: NetSuiteSim, sender: Any, kind: Any) -> None:
    await _sent(sender, _order("CD-00001"))
    account.faults.add(Fault(kind=kind, count=1, match="eid:"))
    order = _order("CD-00002", number=2)
    (outcome,) = await sender.send("sales_order", [order])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, OutcomeUnknown)
    account.faults.clear()
    assert await _sent_after_looking(sender, order) == await _sent(sender, order)
    counts = await _ask(account, "counts")
    assert (counts["sales_orders"], counts["created_more_than_once_by_other_ref"]) == (2, 0)


@pytest.mark.parametrize("kind", ["error_before", "down", "cut_after"])
async def test_change_without_an_answer_is_not_taken_for_done(account: NetSuiteSim, sender: Any, kind: Any) -> None:
    """The order is there as it was before: that it is there says nothing of its change."""
    reference = await _sent(sender, _order("CD-00001", "CD-00002"))
    account.faults.add(Fault(kind=kind, count=1, match="eid:"))
    smaller = _order("CD-00002")
    (outcome,) = await sender.send("sales_order", [smaller])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, OutcomeUnknown)
    account.faults.clear()
    assert await _sent_after_looking(sender, smaller) == reference
    (stored,) = (await _ask(account, "sales_orders"))["sales_orders"]
    assert [line["amount"] for line in stored["item"]] == [20, 7.5, 1.2]


async def test_too_many_calls_are_throttled(account: NetSuiteSim, sender: Any) -> None:
    await _sent(sender, _order("CD-00001"))
    account.faults.add(Fault(kind="throttled", count=1))
    (outcome,) = await sender.send("sales_order", [_order("CD-00002", number=2)])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, RetryLater)
    assert outcome.error.throttled


async def test_shipment_in_two_parts_then_no_more(account: NetSuiteSim, sender: Any) -> None:
    order = _order("CD-00001", "CD-00002")
    known = {"netsuite/sales_order": await _sent(sender, order)}
    parts = [
        _shipment(order, {"CD-00001": 2, "CD-00002": 1}, known, "shp-1"),
        _shipment(order, {"CD-00002": 1}, known, "shp-2"),
    ]
    references = []
    for part in parts:
        (outcome,) = await sender.send("item_fulfillment", [part])
        assert isinstance(outcome, Delivered), outcome
        references.append(outcome.reference)
    assert await sender.find("item_fulfillment", parts) == [Delivered(reference=one) for one in references]
    fulfillments = (await _ask(account, "item_fulfillments"))["item_fulfillments"]
    assert [one["shipStatus"] for one in fulfillments] == ["C", "C"]
    (outcome,) = await sender.send("item_fulfillment", [_shipment(order, {"CD-00001": 1}, known, "shp-3")])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert outcome.error.rule == "netsuite.remaining"


async def test_second_try_of_a_fulfillment_looks_first(account: NetSuiteSim, sender: Any) -> None:
    order = _order("CD-00001")
    await _sent(sender, order)
    shipment = _shipment(order, {"CD-00001": 2}, {})
    account.faults.add(Fault(kind="cut_after", count=1, match="!transform"))
    (outcome,) = await sender.send("item_fulfillment", [shipment])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, OutcomeUnknown)
    (again,) = await sender.send("item_fulfillment", [replace(shipment, attempt=2)])
    assert isinstance(again, Delivered), again
    assert (await _ask(account, "counts"))["item_fulfillments"] == 1


async def test_cancelled_order_has_its_lines_closed_once(account: NetSuiteSim, sender: Any) -> None:
    order = _order("CD-00001", "CD-00002")
    reference = await _sent(sender, order)
    cancel = replace(order, operation="order_cancel")
    assert await sender.find("order_cancel", [cancel]) == [None]
    (outcome,) = await sender.send("order_cancel", [cancel])
    assert isinstance(outcome, Delivered), outcome
    (stored,) = (await _ask(account, "sales_orders"))["sales_orders"]
    lines = stored["item"]
    assert [line.get("isClosed") for line in lines] == [True] * 4
    assert await sender.find("order_cancel", [cancel]) == [Delivered(reference=reference)]
    assert await sender.send("order_cancel", [cancel]) == [Delivered(reference=reference)]
    never = replace(_order("CD-00001", number=9), operation="order_cancel")
    assert await sender.send("order_cancel", [never]) == [Delivered(reference="none")]


async def test_intercompany_sale_is_a_sales_order_and_ends_with_its_lines_closed(
    account: NetSuiteSim, sender: Any
) -> None:
    sale = replace(_order("CD-00001"), operation="intercompany_sale")
    for _ in range(2):
        (made,) = await sender.send("intercompany_sale", [sale])
        assert isinstance(made, Delivered), made
    (stored,) = (await _ask(account, "sales_orders"))["sales_orders"]
    assert not any(line.get("isClosed") for line in stored["item"])
    gone = replace(sale, document=replace(sale.document, status="cancelled", version=2))
    (done,) = await sender.send("intercompany_sale", [gone])
    assert isinstance(done, Delivered), done
    assert done.reference == made.reference
    (stored,) = (await _ask(account, "sales_orders"))["sales_orders"]
    assert all(line.get("isClosed") for line in stored["item"])
    assert await sender.find("intercompany_sale", [gone]) == [None]
