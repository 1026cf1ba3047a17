# SPDX-License-Identifier: Apache-2.0
"""GS1 identifiers: GTIN, GLN and SSCC share one check digit (GS1 General Specifications, section 7.9)."""

from __future__ import annotations

GTIN_LENGTHS = (8, 12, 13, 14)
GLN_LENGTH = 13
SSCC_LENGTH = 18


def check_digit(body: str) -> str:
    """The GS1 check digit for `body` (digits without it): weights 3,1,3,… from the right, modulo 10."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


def _is_valid(code: str, lengths: tuple[int, ...]) -> bool:
    return len(code) in lengths and code.isascii() and code.isdigit() and check_digit(code[:-1]) == code[-1]


def is_gtin(code: str) -> bool:
    """Whether `code` is a GTIN-8, -12, -13 or -14 with a right check digit."""
    return _is_valid(code, GTIN_LENGTHS)


def is_gln(code: str) -> bool:
    """Whether `code` is a 13-digit GLN with a right check digit."""
    return _is_valid(code, (GLN_LENGTH,))


def is_sscc(code: str) -> bool:
    """Whether `code` is an 18-digit SSCC with a right check digit."""
    return _is_valid(code, (SSCC_LENGTH,))
