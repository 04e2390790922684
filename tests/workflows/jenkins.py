"""Groovy: runs the stages of the Jenkinsfile on this machine, by jenkins.groovy, which says what it cannot show."""

from __future__ import annotations

import sys
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
