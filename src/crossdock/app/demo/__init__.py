# SPDX-License-Identifier: Apache-2.0
"""The demo: a simulated estate, a morning at a distributor, and an audit against counts Crossdock did not make."""
