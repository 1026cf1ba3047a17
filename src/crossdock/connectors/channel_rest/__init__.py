# SPDX-License-Identifier: Apache-2.0
"""A plain JSON sales channel: signed orders in, availability and shipments out (docs/reference/channel-rest.md)."""
