# SPDX-License-Identifier: Apache-2.0
"""Products, customers and crosswalks: the master data that decisions are made with."""
