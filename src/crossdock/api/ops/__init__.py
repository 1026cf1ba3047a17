# SPDX-License-Identifier: Apache-2.0
"""Operations for machines (Control Bus): everything the console shows, under /v1/ops."""
