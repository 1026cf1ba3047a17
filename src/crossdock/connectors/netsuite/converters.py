# SPDX-License-Identifier: Apache-2.0
"""What the words of a mapping cannot say of NetSuite's records."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any


def attention(values: list[Any]) -> str | None:
    """The person from [company, name]: named beside a company, otherwise the addressee already."""
    company, name = values
    return str(name) if company and name else None


def as_billed(values: list[Any]) -> Decimal | None:
    """A quantity or amount as the document says it, from [what SuiteQL tells, the transaction's type].

    SuiteQL has the ledger's sign: what an invoice charges is negative, what a credit memo gives back is positive.
    """
    told, kind = values
    if told is None or told == "":
        return None
    # From zero, so that nothing stays nothing and not less.
    return Decimal(0) - _number(told) if kind == "CustInvc" else _number(told)


def tax_of(values: list[Any]) -> Decimal | None:
    """The tax of all tax lines, from [lines, the transaction's type]; None when there is no such line."""
    lines, kind = values
    if not isinstance(lines, list):
        raise ValueError("lines are no list")
    taxes = [line.get("foreignamount") for line in lines if isinstance(line, dict) and line.get("kind") == "tax"]
    billed = [as_billed([tax, kind]) for tax in taxes]
    return sum((tax for tax in billed if tax is not None), Decimal(0)) if billed else None


def _number(told: Any) -> Decimal:
    if not isinstance(told, str | int) or isinstance(told, bool):
        raise ValueError(f"{told!r} is no number")
    try:
        found = Decimal(told)
    except InvalidOperation as error:
        raise ValueError(f"{str(told)[:40]!r} is no number") from error
    if not found.is_finite():
        raise ValueError(f"{told!r} is no number")
    return found
