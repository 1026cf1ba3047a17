# SPDX-License-Identifier: Apache-2.0
"""By which policies goods come back, as returns take it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from crossdock.estate import shape
from crossdock.estate.compile import CompiledEstate
from crossdock.returns.policy import ReturnPolicy, ReturnRules


def return_rules_of(estate: CompiledEstate) -> ReturnRules:
    """The policy of every channel."""
    declared = estate.declared.returns
    return ReturnRules(
        version=estate.rules_version,
        others=_policy(declared) if declared is not None else None,
        channels={name: _policy(said) for name, said in declared.channels.items()} if declared is not None else {},
    )


def _policy(said: shape.ReturnPolicy) -> ReturnPolicy:
    return ReturnPolicy(
        window=None if said.window_days is None else timedelta(days=said.window_days),
        reasons=frozenset(said.reasons),
        not_returnable=said.not_returnable,
        approve_up_to=None if said.approve_up_to is None else Decimal(str(said.approve_up_to)),
        location=said.location,
        restocking_fee=Decimal(str(said.restocking_fee)),
        free_reasons=frozenset(said.free_reasons),
        keeps=frozenset(said.keeps),
        declines=said.otherwise == "decline",
    )
