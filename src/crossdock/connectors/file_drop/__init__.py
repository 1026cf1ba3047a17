# SPDX-License-Identifier: Apache-2.0
"""File drop: files from a folder, or fetched by SFTP into one, become documents row by row."""
