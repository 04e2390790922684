"""Groovy: runs the stages of the Jenkinsfile on this machine, by jenkins.groovy, which says what it cannot show."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HARNESS = Path(__file__).with_name("jenkins.groovy")
LINT = Path(__file__).with_name("groovylint.json")
JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")


def command(checkout: Path, work: Path) -> list[str]:
    """The command line; `work` is an empty folder for the workspaces of agents."""
    from local_aws.toolchain import ensure_groovy
    from local_aws.toolchain.cache import cache_folder

    jar = ensure_groovy(cache_folder(), lambda text: print(text, file=sys.stderr))
    work.mkdir(parents=True)
    run = [*JAVA, "-cp", str(jar), "groovy.ui.GroovyMain", str(HARNESS)]
    return [*run, str(checkout / "Jenkinsfile"), str(checkout), str(work)]


def lint() -> list[str]:
    """The command line of npm-groovy-lint."""
    from local_aws.toolchain import ensure_node_tools
    from local_aws.toolchain.cache import cache_folder

    tools = ensure_node_tools(cache_folder(), lambda text: print(text, file=sys.stderr))
    strict = ("--noserver", "--failon", "info", "--config", str(LINT))
    return [str(tools / "npm-groovy-lint"), *strict, str(ROOT / "Jenkinsfile")]


def end_step(cookie: str) -> None:
    """As an aborted build ends a step's processes on Linux (hudson.util.ProcessTree of Jenkins 2.479, killAll): those
    with the cookie in their environment and all below them, leaves first, SIGTERM to each, five seconds for a tree."""
    processes = {int(each.name): each for each in Path("/proc").glob("[0-9]*")}
    parents = {pid: _parent(path) for pid, path in processes.items()}
    for pid, path in sorted(processes.items()):
        with suppress(OSError):
            if f"JENKINS_SERVER_COOKIE={cookie}".encode() in (path / "environ").read_bytes().split(b"\0"):
                _end_tree(pid, parents, time.monotonic() + 5)


def _end_tree(pid: int, parents: dict[int, int], deadline: float) -> None:
    for child in [each for each, parent in parents.items() if parent == pid]:
        _end_tree(child, parents, deadline)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}/status").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def _parent(process: Path) -> int:
    with suppress(OSError):
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    return 0
