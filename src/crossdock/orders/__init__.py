# SPDX-License-Identifier: Apache-2.0
"""Orders: validated before any ERP sees them, kept here, sent where routing says."""
