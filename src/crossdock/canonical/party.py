# SPDX-License-Identifier: Apache-2.0
"""Addresses and parties."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Country = Annotated[str, Meta(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")]
Text = Annotated[str, Meta(max_length=512)]


class Address(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A postal address; `country` is ISO 3166-1 alpha-2, `region` the ISO 3166-2 part after the dash."""

    name: Text = ""
    company: Text = ""
    street: Text = ""
    street2: Text = ""
    city: Text = ""
    region: Text = ""
    postal_code: Text = ""
    country: Country
    phone: Text = ""


class Party(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A trading party as a document names it: our account key, its id in the source, its GLN if it has one."""

    id: Text = ""
    name: Text = ""
    email: Text = ""
    gln: Text = ""
