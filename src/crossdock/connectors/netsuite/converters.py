# SPDX-License-Identifier: Apache-2.0
"""What the words of a mapping cannot say of NetSuite's records."""

from __future__ import annotations

from typing import Any


def attention(values: list[Any]) -> str | None:
    """The person from [company, name]: named beside a company, otherwise the addressee already."""
    company, name = values
    return str(name) if company and name else None
