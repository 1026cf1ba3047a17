# SPDX-License-Identifier: Apache-2.0
"""Who may use the API and how much of it: consumers, API keys, tokens of others, plans."""
