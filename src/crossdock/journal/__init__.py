# SPDX-License-Identifier: Apache-2.0
"""The journal (Message Store): raw messages, documents and their states, versions, events, the books."""
