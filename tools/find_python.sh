#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Print the first Python that is new enough and can make a virtual environment (Debian ships some that cannot).
# PYTHON=path is taken first.
set -euo pipefail

for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
  # A name on PATH is no proof: version managers leave shims that only print an error.
  if path=$("$candidate" -c 'import sys, venv, ensurepip
print(sys.executable)
sys.exit(sys.version_info < (3, 11))' 2>/dev/null); then
    echo "$path"
    exit 0
  fi
done
echo "Crossdock needs Python 3.11 or newer with its venv module; none of python3.13, python3.12, python3.11, python3 is." >&2
echo "Install one (Debian: apt-get install python3 python3-venv) or say which: make PYTHON=/path/to/python3.11 ..." >&2
exit 1
