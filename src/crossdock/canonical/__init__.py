# SPDX-License-Identifier: Apache-2.0
"""The canonical language (Canonical Data Model): business objects every connector translates to and from."""
