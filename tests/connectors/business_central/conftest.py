# SPDX-License-Identifier: Apache-2.0
"""A scripted company, and a sender and a lister of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.connectors.business_central.answers import Script, settings

OpenIt = Callable[..., Any]


@pytest.fixture
async def company() -> AsyncIterator[Script]:
    """A company that answers as it is told to; in the end everything it was told was asked, and nothing else."""
    async with Script() as script:
        yield script
    assert script.rest == []


@pytest.fixture
def sender(company: Script, open_sender: OpenIt) -> Any:
    """A sender to the scripted company."""
    return open_sender("business_central", **settings(company.url))


@pytest.fixture
def lister(company: Script, open_lister: OpenIt) -> Any:
    """A lister of the scripted company."""
    return open_lister("business_central", **settings(company.url))
