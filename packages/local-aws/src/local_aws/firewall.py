"""What a dockerd leaves in the kernel when it ends: its chains and rules, and the bridge docker0.

The rules are noted before we start a dockerd. After it was stopped, Docker's new rules are removed. Rules of other
programs stay, new ones among them.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

BRIDGE = "docker0"
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
FAMILIES = ("iptables", "ip6tables")


@dataclass(frozen=True)
class Before:
    """Rules per family, as `iptables-save` prints them; whether docker0 was there; the kernel's ip_forward."""

    rules: dict[str, str]
    bridge: bool
    forwarding: str


def look() -> Before:
    rules = {family: _run(f"{family}-save") for family in FAMILIES if _tool(f"{family}-save")}
    return Before(rules, _bridge_exists(), FORWARDING.read_text().strip())


def undo(before: str, after: str, *, forwarded: bool = True) -> list[list[str]]:
    """Arguments of the iptables calls that take Docker's own away again. Pure; both as `iptables-save` prints.

    `forwarded`: the kernel forwarded packets before. If it did not, dockerd turned that on, and made DROP the policy.
    """
    there = set(_rules(before))
    new = [rule for rule in _rules(after) if rule not in there]
    commands = []
    for table, line in new:
        words = shlex.split(line)
        if words[0] == "-A" and words[1] not in _dockers(new, table) and _is_dockers(words):
            commands.append(["-t", table, "-D", *words[1:]])
    for table in dict.fromkeys(table for table, _ in new):
        chains = _dockers(new, table)
        commands += [["-t", table, "-F", chain] for chain in chains]
        commands += [["-t", table, "-X", chain] for chain in chains]
    if not forwarded and ("filter", ":FORWARD DROP") in new:
        commands.append(["-t", "filter", "-P", "FORWARD", "ACCEPT"])
    return commands


def _rules(saved: str) -> Iterator[tuple[str, str]]:
    """(table, line) of each rule, chain and policy, without counters."""
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            yield table, line.partition(" [")[0]
        elif line.startswith("-A"):
            yield table, line


def _dockers(new: list[tuple[str, str]], table: str) -> list[str]:
    """Docker's own chains that are new in this table."""
    names = (line[1:].split()[0] for in_table, line in new if in_table == table and line.startswith(":DOCKER"))
    return list(names)


def _is_dockers(words: list[str]) -> bool:
    return any(re.fullmatch(r"docker0|DOCKER.*|br-[0-9a-f]{12}", word) for word in words)


def restore(before: Before) -> None:
    """Remove what a dockerd left that has ended. What cannot be removed stays; nothing is raised."""
    for family, rules in before.rules.items():
        for command in undo(rules, _run(f"{family}-save"), forwarded=before.forwarding != "0"):
            _run(family, "--wait", *command)
    if not before.bridge and _bridge_exists():
        _run("ip", "link", "delete", BRIDGE)
    if before.forwarding == "0":
        FORWARDING.write_text("0\n")


def note(before: Before, path: Path) -> None:
    path.write_text(json.dumps(asdict(before)))


def noted(path: Path) -> Before | None:
    try:
        return Before(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _bridge_exists() -> bool:
    return BRIDGE in {name for _, name in socket.if_nameindex()}


def _tool(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _run(name: str, *arguments: str) -> str:
    tool = _tool(name)
    if tool is None:
        return ""
    return subprocess.run([tool, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
