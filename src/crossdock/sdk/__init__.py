# SPDX-License-Identifier: Apache-2.0
"""The connector contract: what every connector declares and implements, and nothing about any one of them."""
