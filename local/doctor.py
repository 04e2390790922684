"""Is this machine fit for the local cloud? Looks, changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from local import dockerd, emulator_process
from local.errors import LocalError
from local.places import ROOT, Places
from local.toolchain.engine import on_path
from local.toolchain.pins import pinned_engine

MEMORY_NEEDED = 2 * 2**30  # bytes


@dataclass(frozen=True)
class Finding:
    what: str
    ok: bool
    found: str
    next_step: str = ""


def examine(places: Places) -> list[Finding]:
    return [check(places) for check in CHECKS]


def _system(_: Places) -> Finding:
    system = platform.system()
    return Finding("system", system == "Linux", f"{system} {platform.machine()}", "use Linux, or a Linux VM")


def _commands(_: Places) -> Finding:
    wanted = ("docker", "haproxy", "iptables")
    missing = [name for name in wanted if not (shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin"))]
    return Finding("commands", not missing, f"missing {', '.join(missing)}" if missing else "all there", "./bootstrap")


def _docker(_: Places) -> Finding:
    if version := dockerd.answers():
        return Finding("docker", True, f"{version}, running")
    can_start = os.geteuid() == 0 and bool(shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin"))
    found = "not running; `make up` starts it" if can_start else "not running"
    return Finding("docker", can_start, found, "start Docker, or run as root")


def _ports(places: Places) -> Finding:
    if emulator_process.running(places):
        return Finding("ports", True, "in use by the local cloud itself")
    try:
        emulator_process.need_ports(places)
    except LocalError as error:
        return Finding("ports", False, error.what, error.next_step)
    return Finding("ports", True, "free")


def _disk(places: Places) -> Finding:
    folder = places.root
    free = shutil.disk_usage(folder).free
    return Finding("disk", free >= dockerd.DISK_NEEDED, f"{free / 2**30:.0f} GB free", "free some space")


def _memory(_: Places) -> Finding:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Finding("memory", total >= MEMORY_NEEDED, f"{total / 2**30:.0f} GB", "2 GB or more")


def _engine(places: Places) -> Finding:
    pinned = pinned_engine((ROOT / "pyproject.toml").read_text())
    home = places.cache / "engine" / str(pinned)
    if found := on_path(pinned, home, os.environ):
        return Finding("engine", True, f"{found.version} in {found.bin}")
    if (home / "bin/pulumi").exists():
        return Finding("engine", True, f"{pinned}, cached")
    go = shutil.which("go")
    return Finding(
        "engine", True, f"{pinned} will be downloaded" + (", or built" if go else "; no Go to build it with")
    )


CHECKS: tuple[Callable[[Places], Finding], ...] = (_system, _memory, _disk, _commands, _docker, _ports, _engine)
