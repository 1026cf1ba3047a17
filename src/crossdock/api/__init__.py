# SPDX-License-Identifier: Apache-2.0
"""The HTTP API: one thin file per resource; problems are RFC 9457 documents."""
