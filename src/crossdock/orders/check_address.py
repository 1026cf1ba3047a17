# SPDX-License-Identifier: Apache-2.0
"""Check that goods can get to an address: what its country needs of it is there and has the country's form.

Forms are those the Universal Postal Union lists; of a country that is not in the table, street and city are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct

from crossdock.canonical.party import Address
from crossdock.errors import NeedsEdit
from crossdock.orders.failure import edit


class AddressForm(Struct, frozen=True):
    """What a country's addresses have: the form of its postal code with an example, and whether a region is needed."""

    postal_code: re.Pattern[str]
    example: str
    region: bool = False


def _digits(count: int, example: str) -> AddressForm:
    return AddressForm(re.compile(rf"\d{{{count}}}"), example)


FORMS: Mapping[str, AddressForm] = MappingProxyType(
    {
        "AT": _digits(4, "1010"),
        "AU": AddressForm(re.compile(r"\d{4}"), "2000", region=True),
        "BE": _digits(4, "1000"),
        "CA": AddressForm(re.compile(r"[A-Z]\d[A-Z] ?\d[A-Z]\d"), "K1A 0B1", region=True),
        "CH": _digits(4, "8001"),
        "CZ": AddressForm(re.compile(r"\d{3} ?\d{2}"), "110 00"),
        "DE": _digits(5, "10115"),
        "DK": _digits(4, "1050"),
        "ES": _digits(5, "28001"),
        "FI": _digits(5, "00100"),
        "FR": _digits(5, "75001"),
        "GB": AddressForm(re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"), "SW1A 1AA"),
        "IT": _digits(5, "00184"),
        "NL": AddressForm(re.compile(r"\d{4} ?[A-Z]{2}"), "1012 AB"),
        "NO": _digits(4, "0150"),
        "PL": AddressForm(re.compile(r"\d{2}-\d{3}"), "00-001"),
        "PT": AddressForm(re.compile(r"\d{4}-\d{3}"), "1000-001"),
        "SE": AddressForm(re.compile(r"\d{3} ?\d{2}"), "111 22"),
        "US": AddressForm(re.compile(r"\d{5}(-\d{4})?"), "83702", region=True),
    }
)
"""Country (ISO 3166-1) → what its addresses have."""


def check_address(address: Address) -> Iterator[NeedsEdit]:
    """Everything that keeps goods from getting to `address`."""
    form = FORMS.get(address.country)
    needed = ["street", "city", *(["region"] if form is not None and form.region else [])]
    for name in needed:
        if not getattr(address, name).strip():
            yield edit(f"ship_to.{name}", "address_complete", "", f"the address has no {name}", f"put the {name}")
    code = address.postal_code.strip().upper()
    if form is not None and not form.postal_code.fullmatch(code):
        said = f"{address.postal_code!r} is no postal code of {address.country}" if code else "there is no postal code"
        yield edit("ship_to.postal_code", "address_complete", address.postal_code, said, f"put one as {form.example}")


def folded(text: str) -> str:
    """`text` as addresses are compared: without case, blanks, points and commas."""
    return "".join(text.casefold().replace(".", "").replace(",", "").split())
