# SPDX-License-Identifier: Apache-2.0
"""Figures: what comes in, what is settled, how long it takes, what is at risk."""
