# SPDX-License-Identifier: Apache-2.0
"""The estate: one YAML file that describes a distributor, read, checked and compiled into quick lookups."""
