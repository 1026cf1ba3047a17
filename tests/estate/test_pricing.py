# SPDX-License-Identifier: Apache-2.0
"""Price lists from the table beside the estate, and what is found wrong in `pricing`, `checks` and `price_lists`."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from crossdock.app.order_rules import checks_of
from crossdock.app.price_rules import price_rules_of, prices_wanted
from crossdock.canonical.money import Money
from crossdock.canonical.party import Address
from crossdock.canonical.price_list import PriceEntry, PriceList, QuantityBreak
from crossdock.errors import NeedsConfig
from crossdock.estate.check import check
from crossdock.estate.compile import compile_estate
from crossdock.estate.load import load_estate
from crossdock.estate.price_seeds import read_price_lists
from crossdock.estate.seeds import read_customers, read_products
from tests.estate.estates import SOUND, write_estate


def lists(folder: Path, text: str) -> list[PriceList]:
    file = folder / "prices.csv"
    file.write_text(text, "utf-8")
    return list(read_price_lists(file))


def test_rows_of_a_list_become_one_with_its_breaks(tmp_path: Path) -> None:
    made = lists(
        tmp_path,
        "list,sku,unit,from_quantity,price,currency,customer,taxes_included,effective_from,effective_until,version\n"
        "C-1,A,,,9.00,USD,C-1,true,2026-01-01,2026-12-31T18:00:00+01:00,3\n"
        "BASE,A,,,10.00,USD,,,,,\n"
        "C-1,A,,10,8.50,USD,C-1,true,2026-01-01,2026-12-31T18:00:00+01:00,3\n"
        "C-1,A,CS,,100,USD,C-1,true,2026-01-01,2026-12-31T18:00:00+01:00,3\n",
    )
    assert made == [
        PriceList(
            price_list_id="C-1",
            currency="USD",
            customer="C-1",
            taxes_included=True,
            effective_from=datetime(2026, 1, 1, tzinfo=UTC),
            effective_until=datetime(2026, 12, 31, 17, tzinfo=UTC),
            version=3,
            entries=(
                PriceEntry(
                    sku="A",
                    price=Decimal("9.00"),
                    breaks=(QuantityBreak(from_quantity=Decimal(10), price=Decimal("8.50")),),
                ),
                PriceEntry(sku="A", unit="CS", price=Decimal(100)),
            ),
        ),
        PriceList(price_list_id="BASE", currency="USD", entries=(PriceEntry(sku="A", price=Decimal("10.00")),)),
    ]


HEAD = "list,sku,price,currency,from_quantity,customer,group,effective_from\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("list,sku,price\n", "prices.csv:1: the header has no column 'currency'"),
        (HEAD + "L,A,many,USD,,,,\n", "prices.csv:2: no price: no number"),
        (HEAD + "L,A,1,USD,,,,\nL,B,1,EUR,,,,\n", "prices.csv:3: list 'L' has another currency than in line 2"),
        (HEAD + "L,A,1,USD,,,,\nL,A,2,USD,,,,\n", "prices.csv:3: no price: A by EA has two prices in list 'L'"),
        (
            HEAD + "L,A,1,USD,10,,,\n",
            "prices.csv:2: price list 'L': A by EA has quantity breaks and no row without from_quantity",
        ),
        (HEAD + "L,A,1,USD,0,,,\n", "prices.csv:2: no price: a quantity break begins above zero"),
        (HEAD + "L,A,-1,USD,,,,\n", "prices.csv:2: price list 'L': a price is zero or more"),
        (HEAD + "L,A,1,dollars,,,,\n", "prices.csv:2: price list 'L': Expected `str` matching regex"),
        (HEAD + "L,A,1,USD,,C,G,\n", "prices.csv:2: price list 'L': price list L is for a customer or for a group"),
        (HEAD + "L,A,1,USD,,,,soon\n", "prices.csv:2: price list 'L': Invalid RFC3339"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(NeedsConfig) as raised:
        lists(tmp_path, text)
    assert raised.value.reason.startswith(reason)


def test_prices_include_taxes_or_not_as_the_row_says(tmp_path: Path) -> None:
    head = "list,sku,price,currency,taxes_included\n"
    said = {"A": "true", "B": "TRUE", "C": "False", "D": ""}
    made = lists(tmp_path, head + "".join(f"{name},A,1,USD,{word}\n" for name, word in said.items()))
    assert [one.taxes_included for one in made] == [True, True, False, False]
    with pytest.raises(NeedsConfig) as raised:
        lists(tmp_path, head + "A,A,1,USD,yes\n")
    assert raised.value.reason == "prices.csv:2: taxes_included is 'yes'"
    assert raised.value.fix == "put true or false, or leave it empty (false)"


def test_accounts_have_limits_terms_groups_and_addresses(tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(
        "customer_id,currency,payment_terms,price_group,credit_limit,addresses\n"
        "C-1,USD,NET30,trade,5000.00,Oak Ave 1|Boise|ID|83702|US; Dock 7|Reno|NV|89501|US\n"
        "C-2,,,,,\n",
        "utf-8",
    )
    first, second = read_customers(file)
    assert (first.terms, first.price_group, first.credit_limit) == (
        "NET30",
        "trade",
        Money(Decimal("5000.00"), "USD"),
    )
    assert first.addresses == (
        Address(street="Oak Ave 1", city="Boise", region="ID", postal_code="83702", country="US"),
        Address(street="Dock 7", city="Reno", region="NV", postal_code="89501", country="US"),
    )
    assert (second.terms, second.credit_limit, second.addresses) == ("", None, ())


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("credit_limit", "5000"),
        ("currency,credit_limit", "USD,much"),
        ("addresses", "Oak Ave 1|Boise"),
        ("addresses", "Oak Ave 1|Boise|ID|83702|Idaho"),
    ],
)
def test_an_account_that_cannot_be_used_is_named(tmp_path: Path, columns: str, row: str) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(f"customer_id,{columns}\nC-1,{row}\n", "utf-8")
    with pytest.raises(NeedsConfig, match=r"customers\.csv:2: no customer"):
        list(read_customers(file))


def test_a_product_is_sold_in_packs(tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text("sku,pack\nA,6\nB,\n", "utf-8")
    assert [one.pack for one in read_products(file)] == [Decimal(6), None]
    file.write_text("sku,pack\nA,0\n", "utf-8")
    with pytest.raises(NeedsConfig, match="multiples of more than zero"):
        list(read_products(file))


PRICES = "list,sku,price,currency,channel\nBASE,A,1.00,GBP,shop\n"
SECTIONS = """\
pricing: {percent: 2, amount: 0.05, stale_after: 1m}
checks: {shop: {price: true, credit: true, credit_days: 30, duplicates_within: 7d}}
price_lists: {file: prices.csv}
"""


# A channel that can be told prices beside the one of files.
WITH_PORTAL = SOUND.replace(
    "  exports: {connector: file_drop, owner: ops}\n",
    "  exports: {connector: file_drop, owner: ops}\n"
    "  portal: {connector: channel_rest, owner: ops, settings: {url: 'http://portal.test'},\n"
    "           secrets: {token: 'env:TOKEN', webhook: 'env:WEBHOOK'}}\n",
).replace("channels:\n", "channels:\n  portal: {system: portal, entity: uk, currency: GBP}\n")


def found(folder: Path, text: str, prices: str = PRICES) -> list[tuple[str, str]]:
    """Place (without file and line) and text of every finding."""
    (folder / "prices.csv").write_text(prices, "utf-8")
    findings = check(load_estate(write_estate(folder, WITH_PORTAL + text)))
    return [(str(one.where).partition(" ")[2], one.what) for one in findings]


def test_sound_sections_are_compiled(tmp_path: Path) -> None:
    assert found(tmp_path, SECTIONS) == []
    estate = compile_estate(load_estate(tmp_path / "estate.yaml"))
    assert [one.price_list_id for one in estate.price_lists()] == ["BASE"]
    checks = checks_of(estate)["shop"]
    assert checks.price is not None
    assert (checks.price.percent, checks.price.amount) == (Decimal(2), Decimal("0.05"))
    assert checks.credit is not None
    assert checks.duplicates is not None
    assert (checks.credit.days, checks.duplicates.days, checks.unit, checks.terms) == (30, 7, False, False)
    assert prices_wanted(estate)


def test_without_the_sections_nothing_is_checked(tmp_path: Path) -> None:
    estate = compile_estate(load_estate(write_estate(tmp_path)))
    assert (checks_of(estate), estate.price_lists(), prices_wanted(estate)) == ({}, [], False)


def test_what_decides_about_orders_is_in_the_version_of_the_rules(tmp_path: Path) -> None:
    plain = compile_estate(load_estate(write_estate(tmp_path)))
    assert found(tmp_path, SECTIONS) == []
    assert compile_estate(load_estate(tmp_path / "estate.yaml")).rules_version != plain.rules_version


@pytest.mark.parametrize(
    ("section", "prices", "where", "what"),
    [
        (
            "price_publication: {shop: {}}\n",
            PRICES,
            "price_publication.shop",
            "exports takes no prices: connector file_drop has no operation 'prices'",
        ),
        ("price_publication: {mars: {}}\n", PRICES, "price_publication.mars", "there is no 'mars' among the channels"),
        (
            "price_publication: {portal: {round: '0.0'}}\n",
            PRICES,
            "price_publication.portal.round",
            "no price is a multiple of nothing",
        ),
        (
            "pricing: {reconcile: {every: now}}\n",
            PRICES,
            "pricing.reconcile.every",
            "'now' is not a duration: write a whole number and a unit, such as 90s, 15m, 4h or 2d",
        ),
        ("checks: {mars: {unit: true}}\n", PRICES, "checks.mars", "there is no 'mars' among the channels"),
        (
            "checks: {shop: {duplicates_within: often}}\n",
            PRICES,
            "checks.shop.duplicates_within",
            "'often' is not a duration: write a whole number and a unit, such as 90s, 15m, 4h or 2d",
        ),
        (
            "pricing: {stale_after: x}\n",
            PRICES,
            "pricing.stale_after",
            "'x' is not a duration: write a whole number and a unit, such as 90s, 15m, 4h or 2d",
        ),
        (
            "price_lists: {file: prices.csv}\n",
            PRICES.replace("shop", "mars"),
            "price_lists",
            "there is no 'mars' among the channels",
        ),
        (
            "price_lists: {file: prices.csv}\n",
            PRICES.replace("1.00", "x"),
            "price_lists",
            "prices.csv:2: no price: no number",
        ),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, section: str, prices: str, where: str, what: str) -> None:
    assert found(tmp_path, section, prices) == [(where, what)]


def test_what_channels_show_of_prices(tmp_path: Path) -> None:
    said = "price_publication: {portal: {group: dealers, taxes_included: true, round: '0.05', sku_prefixes: [CD-]}}\n"
    assert found(tmp_path, said) == []
    estate = compile_estate(load_estate(tmp_path / "estate.yaml"))
    assert prices_wanted(estate)
    (rule,) = price_rules_of(estate).values()
    assert (rule.channel, rule.currency, rule.group, rule.step) == ("portal", "GBP", "dealers", Decimal("0.05"))
    assert (rule.taxes_included, rule.prefixes, rule.system) == (
        True,
        ("CD-",),
        "portal",
    )
    assert found(tmp_path, "price_publication: {portal: {currency: JPY}}\n") == []
    (rule,) = price_rules_of(compile_estate(load_estate(tmp_path / "estate.yaml"))).values()
    assert (rule.currency, rule.step, rule.taxes_included, rule.prefixes) == ("JPY", Decimal(1), None, ())
