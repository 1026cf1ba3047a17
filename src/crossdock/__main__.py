# SPDX-License-Identifier: Apache-2.0
"""`python -m crossdock`: the same as the `crossdock` command."""

from crossdock.cli.main import main

if __name__ == "__main__":
    main()
