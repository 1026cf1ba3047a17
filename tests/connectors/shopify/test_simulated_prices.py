# SPDX-License-Identifier: Apache-2.0
"""Prices against a simulated store that was written apart from the connector."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from crossdock.canonical.channel_price import ChannelPrice
from crossdock.connectors.shopify import prices as told_prices
from crossdock.connectors.shopify.client import CallFailed
from crossdock.connectors.shopify.inventory_items import Variant
from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.shopify.simulator import ShopifyConfig, ShopifySim
from crossdock.sdk.sending import Delivered, Failed, Outgoing

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _sender(shop: ShopifySim, open_sender: Any, token: str = "", **names: Any) -> Any:
    secrets = {"token": token or shop.config.token}
    return open_sender("shopify", settings={"url": shop.url}, secrets=secrets, names=names)


def _price(sku: str, price: str, currency: str = "USD", sequence: int = 1) -> Outgoing:
    document = ChannelPrice(
        channel="us", sku=sku, price=Decimal(price), currency=currency, sequence=sequence, as_of=NOON
    )
    key = f"00000000-0000-4000-8000-{sequence:012d}"
    return Outgoing(
        delivery_id=0, operation="prices", reference=f"{sku}@", idempotency_key=key, document=document, known={}
    )


def _shown(shop: ShopifySim, *skus: str) -> list[str]:
    return [shop.store.price(shop.store.by_sku[sku]) for sku in skus]


async def test_prices_are_set_and_what_is_wrong_waits_apart(open_sender: Any) -> None:
    async with ShopifySim(ShopifyConfig()) as shop:
        sender = _sender(shop, open_sender, sku={"OURS-3": "CD-00003", "ALSO-3": "CD-00003"})
        batch = [
            _price("CD-00001", "12.34"),
            _price("NO-SUCH", "1"),
            _price("OURS-3", "1E+2"),
            _price("ALSO-3", "5"),
            _price("CD-00004", "4", currency="EUR"),
        ]
        first, unknown, named, twice, foreign = await sender.send("prices", batch)
        assert isinstance(first, Delivered)
        assert isinstance(named, Delivered)
        for wrong, rule in ((unknown, "shopify.sku"), (twice, "shopify.sku"), (foreign, "shopify.currency")):
            assert isinstance(wrong, Failed)
            assert isinstance(wrong.error, NeedsEdit)
            assert (wrong.error.rule, bool(wrong.error.fix)) == (rule, True)
        assert _shown(shop, "CD-00001", "CD-00003") == ["12.34", "100.00"]
        assert shop.books.counters["prices.set"] == 2
        assert await sender.find("prices", batch) == [None] * 5


async def test_a_variant_that_went_is_looked_up_again(open_sender: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ShopifySim(ShopifyConfig()) as shop:
        sender = _sender(shop, open_sender)
        gone = Variant("gid://shopify/ProductVariant/1", "gid://shopify/Product/2", "USD")
        sender._prices._variants._kept["CD-00001"] = gone
        (refused,) = await sender.send("prices", [_price("CD-00001", "2")])
        assert isinstance(refused, Failed)
        assert (refused.error.rule, isinstance(refused.error, NeedsEdit)) == ("PRODUCT_DOES_NOT_EXIST", True)
        (again,) = await sender.send("prices", [_price("CD-00001", "2")])
        assert isinstance(again, Delivered)
        assert _shown(shop, "CD-00001") == ["2.00"]


async def test_when_the_store_is_throttled_nothing_more_is_asked(open_sender: Any) -> None:
    async with ShopifySim(ShopifyConfig()) as shop:
        sender = _sender(shop, open_sender)
        skus = [f"CD-{number:05d}" for number in range(1, 6)]
        assert all(isinstance(one, Delivered) for one in await sender.send("prices", [_price(s, "1") for s in skus]))
        shop.faults.add(Fault("throttled", count=1))
        requests = shop.requests
        outcomes = await sender.send("prices", [_price(sku, "2", sequence=2) for sku in skus])
        assert all(isinstance(one, Failed) and isinstance(one.error, RetryLater) for one in outcomes)
        assert all(isinstance(one, Failed) and one.error.throttled for one in outcomes)  # type: ignore[attr-defined]
        assert shop.requests == requests + 1
        assert _shown(shop, *skus) == ["1.00"] * 5


async def test_a_call_without_an_answer_is_unknown_and_others_go_on(open_sender: Any) -> None:
    async with ShopifySim(ShopifyConfig()) as shop:
        sender = _sender(shop, open_sender)
        await sender.send("prices", [_price("CD-00001", "1"), _price("CD-00002", "1")])
        shop.faults.add(Fault("cut_after", count=1))
        cut, fine = await sender.send("prices", [_price("CD-00001", "2"), _price("CD-00002", "2")])
        assert isinstance(cut, Failed)
        assert isinstance(cut.error, OutcomeUnknown)
        assert isinstance(fine, Delivered)
        (refused,) = await _sender(shop, open_sender, token="wrong").send("prices", [_price("CD-00001", "3")])
        assert isinstance(refused, Failed)
        assert isinstance(refused.error, NeedsConfig)


class _Store:
    """A client whose answers are written down: three variants of one product."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[Any] = []

    async def run(self, name: str, variables: Any, answer: Any, *, cost: float) -> tuple[Any, Any]:
        if name == "FindVariants":
            nodes = [{"id": f"v{n}", "sku": f"S{n}", "product": {"id": "p"}} for n in (1, 2, 3)]
            body: Any = {"productVariants": {"nodes": nodes, "pageInfo": {}}, "shop": {"currencyCode": "USD"}}
        else:
            self.calls.append(variables)
            body = self.answers.pop(0)
            if isinstance(body, Exception):
                raise CallFailed(body, None)  # type: ignore[arg-type]
        return msgspec.convert(body, answer), None


def _teller(store: _Store) -> told_prices.PriceTeller:
    def translate(source: Any) -> dict[str, Any]:
        return {"id": source["names"]["variant"], "price": f"{source['document'].price:f}"}

    return told_prices.PriceTeller(store, translate, {})  # type: ignore[arg-type]  # as far as it is used


BATCH = [_price(f"S{number}", str(number)) for number in (1, 2, 3)]


async def test_variants_of_a_product_go_in_one_call_and_a_refused_one_spoils_no_other() -> None:
    error = {"code": "NEGATIVE_PRICE_VALUE", "field": ["variants", "1", "price"], "message": "no"}
    store = _Store({"productVariantsBulkUpdate": {"productVariants": [{"id": "v1"}], "userErrors": [error]}})
    first, second, third = await _teller(store).send(BATCH)
    assert [[one["id"] for one in call["variants"]] for call in store.calls] == [["v1", "v2", "v3"]]
    assert isinstance(first, Delivered)
    assert isinstance(second, Failed)
    assert isinstance(second.error, NeedsEdit)
    # Nothing says that it was set.
    assert isinstance(third, Failed)
    assert isinstance(third.error, RetryLater)


@pytest.mark.parametrize(
    "answer",
    [
        {"productVariantsBulkUpdate": None},
        {"productVariantsBulkUpdate": {"userErrors": [{"message": "odd", "field": ["variants", "99999"]}]}},
        {"productVariantsBulkUpdate": {"userErrors": [{"message": "odd", "field": ["variants", "²", "price"]}]}},
        {"productVariantsBulkUpdate": {"userErrors": [{"message": "", "code": "NEVER_SEEN"}], "productVariants": None}},
    ],
)
async def test_hostile_answers_set_nothing(answer: Any) -> None:
    outcomes = await _teller(_Store(answer)).send(BATCH)
    assert all(isinstance(one, Failed) for one in outcomes)
    assert len(outcomes) == 3
