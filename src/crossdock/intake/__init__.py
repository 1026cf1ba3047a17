# SPDX-License-Identifier: Apache-2.0
"""Receive: authenticate, identify, keep, and only then acknowledge."""
