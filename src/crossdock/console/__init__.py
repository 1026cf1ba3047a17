# SPDX-License-Identifier: Apache-2.0
"""The console (Control Bus): pages by task, rendered on the server, live by server-sent events."""
