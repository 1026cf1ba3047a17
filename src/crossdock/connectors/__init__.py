# SPDX-License-Identifier: Apache-2.0
"""One folder per outside system; none knows another. `sdk/connector.py` says what a folder offers."""
