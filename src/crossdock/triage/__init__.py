# SPDX-License-Identifier: Apache-2.0
"""Triage (Dead Letter Channel): documents that need a person become cases, are mended, and go on where they stopped."""
