# SPDX-License-Identifier: Apache-2.0
"""`crossdock up` for tests that kill something every second: the same program, but it never loses patience.

By itself it gives an engine up that dies six times a minute and waits up to ten seconds before it starts a role again;
both are right for a fault that does not go away, and would only make these tests slow.
"""

from __future__ import annotations

import crossdock.runtime.embedded.engines
import crossdock.runtime.processes
from crossdock.cli.main import main

crossdock.runtime.embedded.engines._RESTARTS = 10_000
crossdock.runtime.processes._CALM_AFTER = 0.0

if __name__ == "__main__":
    main()
