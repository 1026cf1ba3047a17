# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket

from crossdock.app.worker import worker_name


def test_a_worker_never_takes_the_lease_of_a_dead_one_with_the_same_host_and_number_for_its_own():
    first, second = worker_name(), worker_name()
    assert first != second
    assert first.startswith(f"{socket.gethostname()}-{os.getpid()}-")
