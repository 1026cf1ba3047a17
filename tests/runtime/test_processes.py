# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from crossdock.errors import NeedsConfig
from crossdock.runtime.processes import EXIT_CONFIGURATION, Role, run_roles, step_port
from crossdock.runtime.spawn import Child, ends_with_parent

_ROLE = """
import os, pathlib, sys, time
name, folder, code = sys.argv[1:4]
with open(pathlib.Path(folder, name), "a") as file:
    file.write(f"{os.getpid()}\\n")
if code != "stay":
    sys.exit(int(code))
time.sleep(60)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "a_role_of_the_test.py").write_text(_ROLE, "utf-8")
    return {"PYTHONPATH": str(tmp_path)}


def _role(name: str, folder: Path, code: str, environment: dict[str, str]) -> Role:
    return Role(name, [str(folder), code], environment=environment, stop_within=5, module="a_role_of_the_test")


async def _pids(path: Path, count: int) -> list[int]:
    for _ in range(600):
        found = path.read_text("utf-8").split() if path.exists() else []
        if len(found) >= count:
            return [int(pid) for pid in found]
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path.name} did not start {count} times")


async def test_a_role_that_is_killed_starts_again_and_all_stop_together(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    roles = [_role(name, tmp_path, "stay", environment) for name in ("one", "two")]
    running = asyncio.create_task(run_roles(roles))
    [one], [two] = await _pids(tmp_path / "one", 1), await _pids(tmp_path / "two", 1)
    os.kill(one, signal.SIGKILL)
    again = (await _pids(tmp_path / "one", 2))[1]
    assert again != one
    assert roles[0].pid == again
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (roles[0].restarts, roles[1].restarts) == (1, 0)
    assert not any(psutil.pid_exists(pid) for pid in (one, two, again))


async def test_a_role_that_cannot_run_as_configured_ends_all(tmp_path: Path, environment: dict[str, str]) -> None:
    staying = _role("one", tmp_path, "stay", environment)
    with pytest.raises(NeedsConfig, match="the two cannot run"):
        await run_roles([staying, _role("two", tmp_path, str(EXIT_CONFIGURATION), environment)])
    assert len(await _pids(tmp_path / "two", 1)) == 1
    assert not psutil.pid_exists(staying.pid)


async def test_a_child_that_ignores_a_signal_gets_the_next(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        # A shell that runs tests in the background has them ignore it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    output = tmp_path / "output"
    child = Child([sys.executable, "-c", program], stop=((signal.SIGTERM, 0.2), (signal.SIGINT, 5.0)), output=output)
    assert (child.pid, child.running, child.exit_code) == (0, False, None)
    child.start()
    while b"ready" not in output.read_bytes():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert output.stat().st_mode & 0o777 == 0o600
    await child.stop()
    assert b"KeyboardInterrupt" in output.read_bytes()
    assert not child.running
    await child.stop()


@pytest.mark.skipif(not ends_with_parent(), reason="this system does not tell children of their parent's death")
async def test_a_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time\n"
        "from crossdock.runtime.spawn import Child\n"
        "child = Child([sys.executable, '-c', 'import time; time.sleep(60)'], stop=())\n"
        "child.start()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout
    child = psutil.Process(int(await asyncio.to_thread(parent.stdout.readline)))
    while "setpriv" in child.cmdline()[0]:  # noqa: ASYNC110 - it is told of its parent's death from its own start on
        await asyncio.sleep(0.02)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [child], 10)
    ended = gone or child.status() == psutil.STATUS_ZOMBIE
    assert ended


def test_busy_ports_are_stepped_over() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        if port > 65_000:
            pytest.skip("the system gave a port with too few above it")
        assert port < step_port("127.0.0.1", port) <= port + 49
        with pytest.raises(NeedsConfig, match=f"ports {port} to {port} are all taken"):
            step_port("127.0.0.1", port, tries=1)


def test_a_host_that_is_not_ours_is_refused() -> None:
    for host in ("192.0.2.1", "nothing.invalid"):
        with pytest.raises(NeedsConfig, match="is not an address of this machine"):
            step_port(host, 8480)
