# SPDX-License-Identifier: Apache-2.0
"""What every connector has to hold, as tests that one line buys.

    from crossdock.sdk.conformance import conformance

    TestShopify = conformance("shopify")

The tests want a fixture `translate(mapping, source, context)` that compiles and runs a mapping (tests/connectors/conftest.py
has it): this package lies below the compiler. It needs pytest and hypothesis, which only tests import.
"""

from crossdock.sdk.conformance.suite import conformance

__all__ = ["conformance"]
