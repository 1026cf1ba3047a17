# SPDX-License-Identifier: Apache-2.0
"""The contract as a page for people, `GET /docs`: rendered here, without a script and without another host."""
