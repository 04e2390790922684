"""The emulator as a process: its own virtual environment, its start, whether it is ready, its end."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from local_aws import processes, server_images
from local_aws.emulator.edge.process import Failed, find_executable
from local_aws.errors import LocalError, NotAllowed
from local_aws.logs import last_lines
from local_aws.places import HERE, Places
from local_aws.project import REGION
from local_aws.toolchain.cache import Say, filling, only_one
from local_aws.toolchain.uv import uv

NAME = "emulator"
LOCK = HERE / "emulator/requirements.lock"
READY_WITHIN = 60.0  # seconds
STOP_WITHIN = 3.0  # seconds
MARK = "LOCAL_CLOUD_ID"  # in the environment of the emulator and of everything that it starts
EDGE_PORTS = (80, 443, 9001, 9002)
UNPRIVILEGED = "net.ipv4.ip_unprivileged_port_start"


def ensure_environment(cache: Path, say: Say) -> Path:
    """The interpreter of the emulator's own virtual environment; it is made from its own lock if it is missing."""
    digest = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = cache / "emulator" / digest
    python = home / "venv/bin/python"
    if python.exists():
        return python
    with only_one(cache / "emulator" / "lock", say):
        if not python.exists():
            say("making its virtual environment")
            with filling(home) as work:
                _install(work / "venv")
    return python


def _install(venv: Path) -> None:
    python = str(venv / "bin/python")
    base = getattr(sys, "_base_executable", sys.executable)
    _must(uv("venv", "--quiet", "--python", base, str(venv)))
    _must(uv("pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(LOCK)))
    compiled = [python, "-m", "compileall", "-q", "-j", "0", *map(str, venv.glob("lib/python*/site-packages"))]
    _must(subprocess.run(compiled, capture_output=True, text=True, stdin=subprocess.DEVNULL))


def _must(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        why = "\n        ".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise LocalError(
            f"`{' '.join(done.args[:4])} …` failed.",
            why=why,
            next_step="check the network and the package index, then run it again",
        )


def running(places: Places) -> processes.Started | None:
    return processes.find(places.run, NAME)


LETS_GO = 10.0
"""Seconds for the ports of what has just died: on a busy machine the kernel frees them a little later."""


def need_ports(places: Places, patience: float = 0.0) -> None:
    """Raises LocalError naming the process that holds a port of this slot's emulator or first load balancer.

    NotAllowed if this user may not open such a port at all. A port without a visible holder is waited
    for, `patience` seconds in all.
    """
    until = time.monotonic() + patience
    edge = [(f"{places.balancers}.1", port) for port in EDGE_PORTS]
    for address, port in [("127.0.0.1", places.port), *edge]:
        while error := processes.refusal_to_bind(address, port):
            if error.errno != errno.EADDRINUSE or time.monotonic() > until or processes.listener(address, port):
                raise _port_error(address, port, error)
            time.sleep(0.1)


def _port_error(address: str, port: int, error: OSError) -> LocalError:
    if error.errno == errno.EACCES:
        return NotAllowed(
            f"{address}:{port} cannot be opened by user {os.geteuid()}.",
            why="ports below 1024 are kept for root",
            next_step=f"sudo sysctl -w {UNPRIVILEGED}=80, and to keep it over restarts: echo {UNPRIVILEGED}=80 | "
            "sudo tee /etc/sysctl.d/80-local-aws.conf; or be root",
        )
    holder = processes.listener(address, port)
    other = processes.environment_of(holder) if holder else {}
    if MARK in other:
        state = Path(other.get("LOCAL_EMULATOR_STATE", "another folder"))
        return LocalError(
            f"{address}:{port} is taken by the local cloud in {state.parent}.",
            why="two local clouds cannot use the same addresses",
            next_step=f"cd {state.parent.parent} && local-aws down",
        )
    who = f"process {holder} ({processes.command_of(holder)[:100]})" if holder else "a process that is not visible"
    return LocalError(
        f"{address}:{port} is taken by {who}.",
        why="the local cloud needs it",
        next_step=f"stop that process: kill {holder}" if holder else "find it: ss -ltnp, and stop it",
    )


def need_haproxy() -> str:
    """Where it is. Raises LocalError if there is none, or an old one."""
    try:
        return find_executable()
    except Failed as error:
        raise LocalError(
            str(error),
            why="HAProxy is the local cloud's load balancer; Debian 12, Ubuntu 24.04 and later have a new enough one",
            next_step="sudo apt-get install --no-install-recommends haproxy",
        ) from error


def start(places: Places, python: Path, say: Say) -> processes.Started:
    """Start it and wait until it answers. Raises LocalError with the end of its log."""
    need_ports(places, LETS_GO)
    need_haproxy()
    for folder in (places.emulator, places.edge):
        folder.mkdir(parents=True, exist_ok=True)
    log = places.logs / "emulator.log"
    log.unlink(missing_ok=True)
    lay_path(places.emulator_path)
    command = [str(python), "-u", "-m", "local_aws.emulator"]
    environment = emulator_environment(places)
    started = processes.spawn(places.run, NAME, command, log=log, environment=environment, cwd=places.emulator_path)
    wait_until_ready(places, started, say)
    return started


def lay_path(folder: Path) -> None:
    """A Python path with this package alone. Packages next to it may have versions that are not the emulator's."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / HERE.name
    link.unlink(missing_ok=True)
    link.symlink_to(HERE)


def emulator_environment(places: Places) -> dict[str, str]:
    passed = (
        *("PATH", "HOME", "LANG", "DOCKER_HOST", "PYTHONDONTWRITEBYTECODE"),
        *("LOCAL_TIME_SCALE", "LOCAL_METRICS_PERIOD", "LOCAL_METRICS_DELAY"),
        *server_images.NEEDS,
    )
    kept = {name: os.environ[name] for name in passed if name in os.environ}
    kept["PATH"] = kept.get("PATH", os.defpath) + ":/usr/sbin:/sbin"  # haproxy's place on Debian
    return {
        **kept,
        "PYTHONPATH": str(places.emulator_path),
        MARK: places.cloud_id,
        "LOCAL_EMULATOR_STATE": str(places.emulator),
        "LOCAL_EDGE_DIR": str(places.edge),
        "LOCAL_EMULATOR_PORT": str(places.port),
        "LOCAL_DOCKER_NETWORK": places.network,
        "LOCAL_BALANCERS": places.balancers,
        "AWS_DEFAULT_REGION": REGION,
        "LOCAL_PYTHON": sys.executable,
    }


def wait_until_ready(places: Places, started: processes.Started, say: Say) -> None:
    begin = time.monotonic()
    while not is_ready(places):
        waited = time.monotonic() - begin
        if not started.alive or waited > READY_WITHIN:
            raise LocalError(
                "The emulator ended before it was ready." if not started.alive else "The emulator does not answer.",
                why=last_lines(places.logs / f"{NAME}.log", 8),
                next_step=f"read {places.logs / 'emulator.log'}",
            )
        say(f"waiting for it to answer, {waited:.0f} s")
        time.sleep(0.05)


def is_ready(places: Places) -> bool:
    try:
        with urllib.request.urlopen(f"{places.endpoint}/_ministack/health", timeout=5) as answer:
            return bool(answer.status == 200 and json.load(answer))
    except (OSError, ValueError):
        return False


def load_balancers(places: Places) -> list[tuple[str, str]]:
    """(name, base URL) of each load balancer, asked of the emulator's own API; none while it does not answer."""
    request = urllib.request.Request(
        places.endpoint,
        data=b"Action=DescribeLoadBalancers&Version=2015-12-01",
        headers={
            "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20250101/{REGION}/elasticloadbalancing/aws4_request"
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return []
    pairs = zip(re.findall(r"<LoadBalancerName>(.*?)<", text), re.findall(r"<DNSName>(.*?)<", text), strict=False)
    return [(name, f"http://{host}/") for name, host in sorted(pairs)]


def everything(places: Places) -> list[int]:
    """The emulator, its load balancer, and every other process with this cloud's mark."""
    return processes.marked(MARK, places.cloud_id)


def stop(places: Places) -> int:
    """End the emulator and all that it started; how many processes there were."""
    pids = everything(places)
    started = running(places)
    first = [started.pid] if started else []
    processes.end(first, STOP_WITHIN)  # it may want to end its own load balancer in order
    processes.end(everything(places), STOP_WITHIN)
    processes.forget(places.run, NAME)
    return len(pids)
