"""Is this machine fit for the local cloud? Looks, changes nothing, and names the command that fixes each problem."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local_aws import base_image, docker_fit, dockercli, dockerd, emulator_process, slots
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.toolchain.engine import installed_sdk, on_path

MEMORY_NEEDED = 2 * 2**30  # bytes
TRIED = ("debian", "ubuntu")
NEEDS = "Docker Engine 20.10 or newer, HAProxy 2.6 or newer, iptables, setpriv (util-linux), Python 3.11 or newer"


@dataclass(frozen=True)
class Finding:
    """`ok` with a `next_step`: it works, and could be better."""

    what: str
    ok: bool
    found: str
    next_step: str = ""


Answer = str | tuple[str, str]
"""What was found; or that, and what would be better."""


def examine(places: Places) -> list[Finding]:
    return [_finding(name, check, places) for name, check in CHECKS.items()]


def _finding(name: str, check: Callable[[Places], Answer], places: Places) -> Finding:
    try:
        answer = check(places)
    except LocalError as error:
        why = f" ({error.why})" if error.why else ""
        return Finding(name, False, error.what.rstrip(".") + why, error.next_step)
    found, better = answer if isinstance(answer, tuple) else (answer, "")
    return Finding(name, True, found, better)


def describe(finding: Finding) -> list[str]:
    """Lines for a person; the first word says how it is."""
    sign = ("careful" if finding.next_step else "ok") if finding.ok else "NO"
    lines = [f"{sign:<8}{finding.what}: {finding.found}"]
    return lines + ([f"{'':<8}next: {finding.next_step}"] if finding.next_step else [])


def _system(_: Places) -> Answer:
    if platform.system() != "Linux":
        raise LocalError(
            f"This is {platform.system()}.",
            why="containers are reached at their own addresses, and processes are read from /proc",
            next_step="use Linux, or a Linux VM",
        )
    release = _os_release()
    name = f"{release.get('PRETTY_NAME', 'an unnamed Linux')}, {platform.machine()}"
    if not {release.get("ID", ""), *release.get("ID_LIKE", "").split()}.intersection(TRIED):
        return name, f"it has not been tried here; what it needs: {NEEDS}"
    return name


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _memory(_: Places) -> Answer:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if total < MEMORY_NEEDED:
        raise LocalError(f"{total / 2**30:.1f} GB.", next_step="a machine with 2 GB or more")
    return f"{total / 2**30:.0f} GB"


def _disk(places: Places) -> Answer:
    folders = [str(places.runtime), str(places.cache), dockerd.ROOT]
    for folder in folders:
        dockerd.need_disk(folder)
    return f"{min(map(dockerd.free_bytes, folders)) / 2**30:.0f} GB free"


def _commands(_: Places) -> Answer:
    """iptables is needed only for a dockerd that we start."""
    wanted = {"docker": "docker.io", "setpriv": "util-linux"}
    if os.geteuid() == 0 and not dockercli.answers():
        wanted |= {"dockerd": "docker.io", "iptables": "iptables"}
    missing = [name for name in wanted if not (shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin"))]
    if missing:
        packages = " ".join(sorted({wanted[name] for name in missing}))
        raise LocalError(
            f"Missing: {', '.join(missing)}.",
            next_step=f"sudo apt-get install -y --no-install-recommends {packages}",
        )
    return "all there"


def _haproxy(_: Places) -> Answer:
    return emulator_process.need_haproxy()


def _docker(places: Places) -> Answer:
    try:
        docker = dockercli.look()
    except LocalError as error:
        if dockerd.may_start(error) and shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
            return "not running; `local-aws up` starts it"
        raise dockerd.unreachable(error) from error
    docker_fit.refuse_unfit(docker)
    dockerd.need_disk(docker.root)
    by = "started by a local cloud" if dockerd.ours_runs(places) else "not started by us"
    about = f"{docker.version}, {docker.driver}, cgroups v{docker.cgroup_version} ({docker.cgroup_driver}), {by}"
    return about, "; ".join(docker_fit.cautions(docker))


def _addresses(places: Places) -> Answer:
    if emulator_process.running(places):
        return f"slot {places.held().slot}, in use by the local cloud itself"
    slot = slots.prospect(places, emulator_process.need_ports)
    return f"slot {slot.slot} is free: {slot.endpoint}, {slot.balancers}.x"


def _engine(places: Places) -> Answer:
    pinned = installed_sdk()
    home = places.cache / "engine" / str(pinned)
    if found := on_path(pinned, home, os.environ):
        return f"{found.version} in {found.bin}"
    if (home / "bin/pulumi").exists():
        return f"{pinned}, cached"
    go = shutil.which("go")
    return f"{pinned} will be downloaded" + (", or built" if go else "; no Go to build it with")


def _base(places: Places) -> Answer:
    """The image that BASE_IMAGE names in builds."""
    recipe = base_image.this_machine()
    if base_image.chosen():
        return f"{base_image.chosen()}, as LOCAL_AWS_BASE_IMAGE says"
    if dockercli.answers():
        images = base_image.DockerCli()
        if found := next((name for name in (base_image.OFFICIAL, recipe.reference) if images.has(name)), None):
            return found
    if base_image.tar_of(recipe, places.cache).exists():
        return f"{recipe.reference}, cached"
    will = f"{base_image.OFFICIAL} will be pulled"
    if missing := base_image.lacking():
        return will, f"where no registry can be reached: sudo apt-get install {' '.join(missing)}"
    return f"{will}, or one made from Debian packages"


def _copying(_: Places) -> Answer:
    """skopeo; nothing of the local cloud itself needs it."""
    if shutil.which("skopeo"):
        return "skopeo is there"
    return (
        "no skopeo, needed only for copying images between registries",
        "sudo apt-get install -y --no-install-recommends skopeo",
    )


def _leftovers(_: Places) -> Answer:
    """What clouds left whose folder was removed without `local-aws down`."""
    if not dockercli.answers():
        return "none"
    left = [each for each in dockercli.networks_by_folder() if not Path(each[2]).exists()]
    if not left:
        return "none"
    commands = [
        f"docker rm -f -v $(docker ps -aq --filter label={dockercli.CLOUD}={cloud}); docker network rm {network}; "
        f"docker volume ls -q --filter label={dockercli.CLOUD}={cloud} | xargs -r docker volume rm"
        for network, cloud, _ in left
    ]
    whose = ", ".join(f"{folder} (network {network})" for network, _, folder in left)
    return f"{len(left)} of projects that were removed without `local-aws down`: {whose}", " && ".join(commands)


CHECKS: dict[str, Callable[[Places], Answer]] = {
    "system": _system,
    "memory": _memory,
    "disk": _disk,
    "commands": _commands,
    "haproxy": _haproxy,
    "docker": _docker,
    "addresses": _addresses,
    "engine": _engine,
    "base image": _base,
    "copying images": _copying,
    "leftovers": _leftovers,
}
