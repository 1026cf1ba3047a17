# SPDX-License-Identifier: Apache-2.0
"""Message Translator: mappings written as data, compiled to closures, run on batches, described and compared."""
