#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Resolve pyproject.toml for every supported Python at once and write hashed lock files for plain pip.
# usage: tools/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."

tool_env=.venv-lock
[ -x "$tool_env/bin/uv" ] || {
  "${PYTHON:-python3}" -m venv "$tool_env"
  "$tool_env/bin/python" -m pip install --quiet --require-hashes -r requirements/lock-tools.txt
}

# No header and no index lines: the files must not name any registry, so that they work behind every mirror.
compile() {
  "$tool_env/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$@"
}
compile pyproject.toml --all-extras --group dev -o requirements/lock.txt "$@" >/dev/null
compile --group lock -o requirements/lock-tools.txt "$@" >/dev/null
