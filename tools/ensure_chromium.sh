#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Page tests need a Chromium. Take the machine's, else install Debian's where that is allowed, else say why they skip.
# Never fails: without a browser the page tests are skipped with a reason, the others still run.
set -uo pipefail

browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

if [ -n "${CROSSDOCK_CHROMIUM:-}" ] || browser >/dev/null; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "page tests will be skipped: no Chromium here and no apt-get to install it with (set CROSSDOCK_CHROMIUM=/path)"
elif [ "$(id -u)" != 0 ]; then
  echo "page tests will be skipped: no Chromium here; install it once as root: apt-get install chromium"
else
  echo "installing Chromium for the page tests ..."
  log=$(mktemp)
  if { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium; } \
    >"$log" 2>&1; then
    browser
  else
    echo "page tests will be skipped: Chromium could not be installed:"
    tail -n 3 "$log"
  fi
  rm -f "$log"
fi
exit 0
