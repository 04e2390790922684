"""A whole life of a local cloud on a machine that is otherwise empty; what there was before, during and after, as JSON.

Run as root in namespaces of its own (network, mounts, processes) by test_leaves_nothing.py. Arguments: a folder, and
`there` if a dockerd that is not ours runs already.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from local_aws import dockercli, processes
from local_aws.firewall import FORWARDING
from tests.local.emulator.ecs.conftest import eventually
from tests.local.side import command, start

PRIVATE = ("/run", "/var/tmp", "/var/lib/docker")


def main(folder: Path, *, docker_there: bool) -> None:
    _forget_the_machines_mounts()
    for place in PRIVATE:
        Path(place).mkdir(exist_ok=True)  # where Docker never ran
        subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    FORWARDING.write_text("0\n")  # as on a machine that never ran Docker
    os.environ["LOCAL_AWS_BASE_IMAGE"] = "none"  # nothing is built here
    if docker_there:
        _start_dockerd(folder)
    before = look()
    side = start(folder / "checkout/.local", "alone")
    during = look()
    down = command(side.places, "down")
    after = look()
    print(
        json.dumps({"before": before, "during": during, "after": after, "said": down.stderr, "code": down.returncode})
    )


def _forget_the_machines_mounts() -> None:
    """Of its own Docker's containers: they may end meanwhile. Only in this namespace."""

    def there() -> list[str]:
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        return [mount for mount in mounts if mount.startswith(tuple(f"{place}/" for place in PRIVATE))]

    for mount in there():
        subprocess.run(["umount", "--lazy", mount], capture_output=True)  # what was mounted twice may be gone already
    assert not there(), there()


def _start_dockerd(folder: Path) -> None:
    with (folder / "dockerd.log").open("wb") as log:
        subprocess.Popen(["dockerd"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    eventually(dockercli.answers, "dockerd's start")


def look() -> dict[str, list[str]]:
    return {
        "processes": sorted(f"{pid} {processes.command_of(pid)}" for pid in processes.every_pid() if _lives(pid)),
        "containers": _docker("ps", "--all", "--no-trunc", "--format", "{{.ID}}"),
        "networks": _docker("network", "ls", "--format", "{{.Name}}"),
        "volumes": _docker("volume", "ls", "--format", "{{.Name}}"),
        "mounts": sorted(line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()),
        "links": sorted(name for _, name in socket.if_nameindex()),
        "routes": _lines("ip", "route") + _lines("ip", "rule"),
        "rules": sorted(_rule(line) for line in [*_lines("iptables-save"), *_lines("ip6tables-save")] if _counts(line)),
        "forwarding": [FORWARDING.read_text().strip()],
        "ports": sorted(f"{address}:{port}" for address, port, _ in processes._listening()),
    }


def _lives(pid: int) -> bool:
    return processes.start_ticks(pid) is not None


def _docker(*arguments: str) -> list[str]:
    return sorted(dockercli.docker(*arguments).splitlines()) if dockercli.answers() else []


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()


def _counts(line: str) -> bool:
    """A rule, a chain of somebody's, or a policy that somebody changed."""
    return line.startswith(("-A", ":")) and not re.match(r":[A-Z]+ ACCEPT ", line)


def _rule(line: str) -> str:
    return re.sub(r" \[\d+:\d+\]$", "", line)


if __name__ == "__main__":
    main(Path(sys.argv[1]), docker_there="there" in sys.argv[2:])
