# SPDX-License-Identifier: Apache-2.0
"""The wiring: an estate and settings become running roles. Nothing below imports from here."""
