# SPDX-License-Identifier: Apache-2.0
"""What every connector has to hold, as tests that one line buys.

    from crossdock.sdk.conformance import conformance

    TestShopify = conformance("shopify")

The tests want a fixture `translate(mapping, source, context)` that compiles and runs a mapping, because this package
lies below the compiler (tests/connectors/conftest.py has it). They need pytest and hypothesis.
"""

from crossdock.sdk.conformance.suite import conformance

__all__ = ["conformance"]
