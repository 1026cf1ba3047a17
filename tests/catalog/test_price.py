# SPDX-License-Identifier: Apache-2.0
"""What something costs: precedence, breaks, units, times, currencies; and the laws of pricing."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.canonical.price_list import PriceEntry, PriceList, QuantityBreak
from crossdock.canonical.quantity import Quantity
from crossdock.catalog.book import PriceBook
from crossdock.catalog.price import quote
from crossdock.catalog.priced import WantedLine
from tests.catalog.pricing import NOON, PRODUCTS, asked, costs, entry, priced, stated

BASE = stated("BASE", entry("10.00"))
CHANNEL = stated("WEB", entry("9.50"), channel="web")
GROUP = stated("GROUP", entry("9.00"), group="trade")
GROUP_WEB = stated("GROUP-WEB", entry("8.90"), group="trade", channel="web")
CONTRACT = stated("C-1", entry("8.00"), customer="C-1")
CONTRACT_WEB = stated("C-1-WEB", entry("7.90"), customer="C-1", channel="web")
IN_ORDER = [CONTRACT_WEB, CONTRACT, GROUP_WEB, GROUP, CHANNEL, BASE]


def test_lists_are_asked_in_their_order_and_the_next_stands_in_for_one_that_is_gone() -> None:
    lists = list(IN_ORDER)
    while lists:
        line = priced(lists, customer="C-1", group="trade", channel="web")
        assert line.list == lists.pop(0).price_list_id


@pytest.mark.parametrize(
    ("who", "wins"),
    [
        ({"customer": "C-1"}, "C-1"),
        ({"customer": "C-2"}, "BASE"),
        ({"customer": "C-2", "group": "trade"}, "GROUP"),
        ({"group": "trade", "channel": "phone"}, "GROUP"),
        ({"channel": "web"}, "WEB"),
        ({}, "BASE"),
    ],
)
def test_a_list_is_for_whom_it_says(who: dict[str, str], wins: str) -> None:
    assert priced(IN_ORDER, **who).list == wins


def test_a_list_that_does_not_name_the_sku_leaves_it_to_the_next() -> None:
    lists = [stated("C-1", entry("1.00", sku="OIL", unit="LTR"), customer="C-1"), BASE]
    assert costs(priced(lists, customer="C-1")) == ("10.00", "10.00", "BASE")


@pytest.mark.parametrize(
    ("quantity", "unit_price", "total", "from_quantity", "following"),
    [
        ("1", "10.00", "10.00", None, "10"),
        ("9", "10.00", "90.00", None, "10"),
        ("10", "9.00", "90.00", "10", "100"),
        ("99", "9.00", "891.00", "10", "100"),
        ("100", "8.00", "800.00", "100", None),
    ],
)
def test_quantity_breaks(
    quantity: str, unit_price: str, total: str, from_quantity: str | None, following: str | None
) -> None:
    line = priced([stated("BASE", entry("10.00", b100="8.00", b10="9.00"))], quantity)
    assert costs(line) == (unit_price, total, "BASE")
    assert (line.from_quantity and str(line.from_quantity)) == from_quantity
    assert (line.next_break and str(line.next_break.from_quantity)) == following


@pytest.mark.parametrize(
    ("entries", "quantity", "unit", "unit_price", "total", "reason"),
    [
        ((entry("1.10"),), "2", "CS", "13.20", "26.40", "base list L, converted from EA"),
        ((entry("12.00", unit="CS"),), "6", "EA", "1.00", "6.00", "base list L, converted from CS"),
        # 10 / 12 has no end: the unit price is rounded, the total is not made of the rounded one.
        ((entry("10.00", unit="CS"),), "1000", "EA", "0.833333333", "833.33", "base list L, converted from CS"),
        ((entry("10.00", unit="CS"),), "1", "PK", "5.00", "5.00", "base list L, converted from CS"),
        # The line's own unit comes before the base unit, and that before any other.
        ((entry("1.10"), entry("12.00", unit="CS")), "1", "CS", "12.00", "12.00", "base list L"),
        ((entry("1.10"), entry("12.00", unit="CS")), "1", "PK", "6.60", "6.60", "base list L, converted from EA"),
        (
            (entry("5.00", unit="PK"), entry("12.00", unit="CS")),
            "12",
            "EA",
            "1.00",
            "12.00",
            "base list L, converted from CS",
        ),
    ],
)
def test_units_are_converted(
    entries: tuple[PriceEntry, ...], quantity: str, unit: str, unit_price: str, total: str, reason: str
) -> None:
    line = priced([stated("L", *entries)], quantity, unit)
    assert (*costs(line)[:2], line.reason) == (unit_price, total, reason)


def test_breaks_are_compared_in_the_unit_of_the_list_and_told_in_that_of_the_line() -> None:
    lists = [stated("L", entry("1.20", b10="1.10", b100="1.00"))]
    one, nine = priced(lists, "1", "CS"), priced(lists, "9", "CS")
    assert one.next_break is not None
    assert (str(one.unit_price), str(one.next_break.from_quantity), str(one.next_break.unit_price)) == (
        "13.20",
        "9",
        "12.00",
    )
    assert (str(nine.unit_price), nine.next_break) == ("12.00", None)
    assert str(priced(lists, "8", "CS").unit_price) == "13.20"


def test_measured_goods_are_priced_by_parts_of_a_unit() -> None:
    lists = [stated("L", entry("3.33", sku="OIL", unit="LTR"))]
    assert costs(priced(lists, "0.5", "LTR", "OIL")) == ("3.33", "1.67", "L")  # half up
    assert costs(priced(lists, "2", "CAN", "OIL"))[:2] == ("8.325", "16.65")


@pytest.mark.parametrize(
    ("currency", "price", "quantity", "total"), [("JPY", "0.5", "3", "2"), ("KWD", "0.0005", "3", "0.002")]
)
def test_totals_have_the_minor_unit_of_their_currency(currency: str, price: str, quantity: str, total: str) -> None:
    lists = [stated("L", entry(price), currency=currency)]
    assert str(priced(lists, quantity, currency=currency).total) == total


def test_a_list_is_in_effect_from_its_beginning_until_before_its_end() -> None:
    hour = timedelta(hours=1)
    lists = [BASE, stated("SALE", entry("5.00"), effective_from=NOON, effective_until=NOON + hour)]
    assert [priced(lists, at=at).list for at in (NOON - timedelta(microseconds=1), NOON)] == ["BASE", "SALE"]
    end = NOON + hour
    assert [priced(lists, at=at).list for at in (end - timedelta(microseconds=1), end)] == ["SALE", "BASE"]


def test_of_lists_for_the_same_the_one_that_took_effect_last_wins() -> None:
    old = stated("A-OLD", entry("1.00"), effective_from=NOON - timedelta(days=9))
    new = stated("B-NEW", entry("2.00"), effective_from=NOON - timedelta(days=1))
    always = stated("0-ALWAYS", entry("3.00"))
    assert priced([old, new, always]).list == "B-NEW"
    assert priced([old, always]).list == "A-OLD"
    assert priced([stated("Y", entry("1.00")), stated("X", entry("2.00"))]).list == "X"


def test_prices_of_another_currency_or_another_way_of_taxing_do_not_count() -> None:
    gross = stated("GROSS", entry("12.00"), taxes_included=True, channel="web")
    euro = stated("EUR", entry("1.00"), currency="EUR", customer="C-1")
    lists = [gross, euro, BASE]
    assert priced(lists, customer="C-1", channel="web").list == "GROSS"
    assert priced(lists, customer="C-1", channel="web", taxes_included=False).list == "BASE"
    assert priced(lists, taxes_included=True).unit_price is None


def test_where_no_list_names_it_the_products_own_price_counts() -> None:
    line = priced([BASE], "2", "CS", "OWN")
    assert (*costs(line), line.kind) == ("84.00", "168.00", "", "product")
    assert priced([stated("L", entry("1.00", sku="OWN"))], sku="OWN").list == "L"


@pytest.mark.parametrize(
    ("sku", "unit", "currency", "reason"),
    [
        ("X", "EA", "USD", "the catalog has no SKU 'X'"),
        ("A", "LTR", "USD", "it is not sold by LTR, only by EA or CS or PK"),
        (
            "A",
            "EA",
            "EUR",
            "no price list in EUR that is in effect names it, and the product has no price of its own in it",
        ),
        (
            "OWN",
            "EA",
            "EUR",
            "no price list in EUR that is in effect names it, and the product has no price of its own in it",
        ),
    ],
)
def test_no_price_is_said_to_be_none(sku: str, unit: str, currency: str, reason: str) -> None:
    line = priced([BASE], unit=unit, sku=sku, currency=currency)
    assert (line.unit_price, line.total, line.reason) == (None, None, reason)


def test_an_explanation_has_every_list_that_names_the_sku() -> None:
    lists = [
        CONTRACT,
        BASE,
        stated("OLD", entry("1.00"), customer="C-1", effective_until=NOON),
        stated("SOON", entry("1.00"), group="trade", effective_from=NOON + timedelta(days=1)),
        stated("GROSS", entry("1.00"), taxes_included=True),
        stated("DRUMS", entry("1.00", unit="DR")),
        CHANNEL,
        stated("OTHER", entry("1.00"), customer="C-2"),
    ]
    line = priced(lists, customer="C-1", group="trade", channel="web", taxes_included=False, explain=True)
    assert [(one.list, one.kind, one.unit_price and str(one.unit_price), one.why) for one in line.considered] == [
        ("C-1", "contract", "8.00", "wins"),
        ("OLD", "contract", None, "in effect until 2026-11-23T12:00:00+00:00"),
        ("SOON", "group", None, "in effect from 2026-11-24T12:00:00+00:00"),
        ("WEB", "channel", "9.50", "comes after the contract list C-1"),
        ("BASE", "base", "10.00", "comes after the contract list C-1"),
        ("DRUMS", "base", None, "the product is not sold by DR"),
        ("GROSS", "base", None, "its prices include taxes"),
    ]
    assert priced(lists, customer="C-1").considered == ()


def test_why_the_second_of_two_alike_does_not_win() -> None:
    two_units = stated("L", entry("1.10"), entry("12.00", unit="CS"))
    assert [one.why for one in priced([two_units], explain=True).considered] == [
        "the list has a price by EA, which is nearer",
        "wins",
    ]
    both = [CONTRACT_WEB, CONTRACT]
    assert [one.why for one in priced(both, customer="C-1", channel="web", explain=True).considered] == [
        "wins",
        "is for all channels, list C-1-WEB for this one",
    ]
    same = [stated("X", entry("1.00")), stated("Y", entry("1.00"))]
    assert [one.why for one in priced(same, explain=True).considered] == [
        "wins",
        "took effect no later than list X, which comes first",
    ]


@pytest.mark.parametrize("price", ["-0.01", "NaN", "Infinity", "1E+12", "0.0000000001"])
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="a price is zero or more"):
        entry(price)
    with pytest.raises(ValueError, match="a price is zero or more"):
        entry("1.00", b10=price)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"customer": "C", "group": "G"}, "for a customer or for a group"),
        ({"effective_from": NOON, "effective_until": NOON}, "ends before it begins"),
        ({"effective_from": NOON.replace(tzinfo=None)}, "without a time zone"),
    ],
)
def test_a_list_that_cannot_be_is_refused(said: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        stated("L", entry("1.00"), **said)
    with pytest.raises(ValueError, match="two prices of A by EA"):
        stated("L", entry("1.00"), entry("2.00"))
    with pytest.raises(ValueError, match="begin at the same quantity"):
        entry("1.00", b10="1.00", b10_0="2.00")
    with pytest.raises(ValueError, match="begins above zero"):
        entry("1.00", b0="1.00")


def test_a_list_is_replaced_dropped_and_retired_whole() -> None:
    book = PriceBook([CONTRACT, BASE])
    book.put(stated("C-1", entry("5.00", sku="OIL", unit="LTR"), customer="C-1"))
    assert priced(book, customer="C-1").list == "BASE"
    book.put(stated("BASE", entry("3.00"), status="retired"))
    assert priced(book).unit_price is None
    assert len(book) == 1
    book.drop("C-1")
    book.drop("unheard-of")
    assert (len(book), book._offers) == (0, {})


# Laws.

_MONEY = st.decimals(0, 1000, places=2)
_QUANTITY = st.integers(1, 500).map(Decimal)
_UNITS = st.sampled_from(["EA", "CS", "PK"])
_DAYS = st.none() | st.integers(-3, 3)


@st.composite
def _lists(draw: st.DrawFn) -> list[PriceList]:
    made = []
    for number in range(draw(st.integers(0, 7))):
        begins, ends = draw(_DAYS), draw(_DAYS)
        if begins is not None and ends is not None and begins >= ends:
            begins = None
        customer, group = draw(st.sampled_from([("", ""), ("C-1", ""), ("C-2", ""), ("", "trade")]))
        units = draw(st.lists(_UNITS, min_size=1, max_size=3, unique=True))
        made.append(
            PriceList(
                price_list_id=f"L{number}",
                currency=draw(st.sampled_from(["USD", "EUR"])),
                channel=draw(st.sampled_from(["", "web", "phone"])),
                taxes_included=draw(st.booleans()),
                effective_from=None if begins is None else NOON + timedelta(days=begins),
                effective_until=None if ends is None else NOON + timedelta(days=ends),
                entries=tuple(_entry(draw, unit) for unit in units),
                customer=customer,
                group=group,
            )
        )
    return made


def _entry(draw: st.DrawFn, unit: str) -> PriceEntry:
    """Breaks that never make it dearer."""
    prices = sorted(draw(st.lists(_MONEY, min_size=1, max_size=4)), reverse=True)
    begins = sorted(draw(st.sets(_QUANTITY, min_size=len(prices) - 1, max_size=len(prices) - 1)))
    breaks = tuple(QuantityBreak(from_quantity=q, price=p) for q, p in zip(begins, prices[1:], strict=True))
    return PriceEntry(sku="A", unit=unit, price=prices[0], breaks=breaks)


_WHO = {"customer": "C-1", "group": "trade", "channel": "web"}
_ANYBODY = st.fixed_dictionaries(
    {
        "customer": st.sampled_from(["", "C-1"]),
        "group": st.sampled_from(["", "trade"]),
        "channel": st.sampled_from(["", "web"]),
    }
)


@given(_lists(), _QUANTITY, _UNITS, st.randoms(use_true_random=False))
def test_the_order_of_lists_does_not_matter(
    lists: list[PriceList], quantity: Decimal, unit: str, rng: random.Random
) -> None:
    shuffled = list(lists)
    rng.shuffle(shuffled)
    one = priced(lists, str(quantity), unit, explain=True, **_WHO)
    assert priced(shuffled, str(quantity), unit, explain=True, **_WHO) == one
    # Nor does it that other lists were there before.
    book = PriceBook([*lists, stated("L99", entry("0.01"), customer="C-1")])
    book.drop("L99")
    assert priced(book, str(quantity), unit, explain=True, **_WHO) == one


@given(_lists(), _QUANTITY, _QUANTITY, _UNITS)
def test_more_never_costs_more_apiece_when_no_list_says_so(
    lists: list[PriceList], one: Decimal, other: Decimal, unit: str
) -> None:
    fewer, more = sorted((one, other))
    first, second = priced(lists, str(fewer), unit, **_WHO), priced(lists, str(more), unit, **_WHO)
    assert first.list == second.list
    if first.unit_price is not None and second.unit_price is not None:
        assert second.unit_price <= first.unit_price
        if first.next_break is not None:
            assert first.next_break.from_quantity > fewer
            assert (more >= first.next_break.from_quantity) == (second.from_quantity != first.from_quantity)


@given(_lists(), _QUANTITY, _UNITS, _ANYBODY)
def test_the_winner_is_the_first_by_the_rules_and_its_price_is_exact(
    lists: list[PriceList], quantity: Decimal, unit: str, who: dict[str, str]
) -> None:
    """An oracle that looks at every list, in fractions."""
    line = priced(lists, str(quantity), unit, **who)
    fitting = [one for one in lists if _fits(one, who)]
    fitting.sort(key=lambda one: one.price_list_id)
    fitting.sort(key=lambda one: one.effective_from.timestamp() if one.effective_from else float("-inf"), reverse=True)
    fitting.sort(key=lambda one: (not one.customer, not one.group, not one.channel))
    if not fitting:
        assert (line.unit_price, line.list) == (None, "")
        return
    winner = fitting[0]
    holds = {"EA": 1, "CS": 12, "PK": 6}
    units = {one.unit: one for one in winner.entries}
    by = next(one for one in (unit, "EA", "CS", "PK") if one in units)
    asked_in = Fraction(quantity) * holds[unit] / holds[by]
    price = units[by].price
    for step in units[by].breaks:
        if step.from_quantity <= asked_in:
            price = step.price
    exact = Fraction(price) * holds[unit] / holds[by]
    assert line.list == winner.price_list_id
    assert line.unit_price is not None
    assert line.total is not None
    assert abs(Fraction(line.unit_price) - exact) <= Fraction(1, 2 * 10**9)
    assert abs(Fraction(line.total) - exact * Fraction(quantity)) <= Fraction(1, 200)


def _fits(one: PriceList, who: dict[str, str]) -> bool:
    held = one.currency == "USD" and all(getattr(one, name) in ("", whom) for name, whom in who.items())
    begun = one.effective_from is None or one.effective_from <= NOON
    return held and begun and (one.effective_until is None or one.effective_until > NOON)


@given(st.lists(st.tuples(_QUANTITY, _UNITS), max_size=8), _lists())
def test_lines_are_priced_each_by_itself(wanted: list[tuple[Decimal, str]], lists: list[PriceList]) -> None:
    book = PriceBook(lists)
    lines = [WantedLine("A", Quantity(value, unit)) for value, unit in wanted]
    together = quote(book, PRODUCTS, asked(**_WHO), lines)
    assert together == [quote(book, PRODUCTS, asked(**_WHO), [one])[0] for one in lines]
