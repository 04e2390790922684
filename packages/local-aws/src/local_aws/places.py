"""Where the local cloud of this checkout lives, and what the shell needs to speak to it."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from local_aws.toolchain.cache import cache_folder

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
PROJECT = "release-lane"
STACKS = ("artifacts", "staging", "production")
ACCOUNT = "000000000000"
REGION = "us-east-1"
FIRST_PORT, FIRST_BLOCK = 4566, 10  # of slot 0; see local_aws/slots.py
SLOTS = 64
ONE_FILE = "metadata=skip"
"""For file:// backends. Otherwise the engine writes another file beside each state, and an engine killed while it does
leaves it empty: "failed to load checkpoint: EOF" from then on, though the state itself is whole."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders, addresses and names of one local cloud. `slot` says which addresses (local_aws/slots.py).

    `shared` is where the clouds of one machine tell each other what they hold, `daemon` where a dockerd that one of
    them started is noted and logs.
    """

    root: Path = ROOT
    runtime: Path = ROOT / ".local"
    cache: Path
    slot: int = 0
    shared: Path = Path("/var/tmp") / PROJECT
    daemon: Path = Path("/run") / PROJECT

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Places:
        """The checkout's own, in the slot that it holds. Another folder in LOCAL_RUNTIME is another cloud."""
        runtime = Path(environ.get("LOCAL_RUNTIME", ROOT / ".local")).absolute()
        return cls(runtime=runtime, cache=cache_folder(environ)).held()

    def held(self) -> Places:
        """The same, in the slot that is noted in its folder; slot 0 while none is."""
        try:
            return replace(self, slot=int(self.slot_file.read_text()))
        except (OSError, ValueError):
            return replace(self, slot=0)

    @property
    def slot_file(self) -> Path:
        return self.runtime / "slot"

    @property
    def cloud_id(self) -> str:
        """8 hex that mark whatever this cloud starts; the same for as long as the checkout stays where it is."""
        return hashlib.sha256(str(self.runtime).encode()).hexdigest()[:8]

    @property
    def port(self) -> int:
        """The emulator's."""
        return FIRST_PORT + self.slot

    @property
    def balancers(self) -> str:
        """The first three numbers of all load balancers' addresses."""
        return f"127.0.{FIRST_BLOCK + self.slot}"

    @property
    def network(self) -> str:
        """The containers' network in Docker. Named after the cloud: a slot may have another holder tomorrow."""
        return f"{PROJECT}-{self.cloud_id}"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def run(self) -> Path:
        return self.runtime / "run"

    @property
    def lock(self) -> Path:
        """Held by whoever starts, uses or removes the cloud as a whole."""
        return self.run / "cloud.lock"

    @property
    def logs(self) -> Path:
        return self.runtime / "logs"

    @property
    def state(self) -> Path:
        return self.runtime / "state"

    @property
    def pulumi_home(self) -> Path:
        return self.runtime / "pulumi-home"

    @property
    def emulator(self) -> Path:
        return self.runtime / "emulator"

    @property
    def edge(self) -> Path:
        return self.runtime / "edge"

    @property
    def generated(self) -> Path:
        return self.runtime / "env"


def exports(places: Places, build_args: str = "") -> dict[str, str]:
    """What a shell or a child process needs, but for the PATH."""
    return {
        "RELEASE_LANE_LOCAL": "1",
        "RELEASE_LANE_HOME": str(places.root),
        "RELEASE_LANE_BUILD_ARGS": build_args,
        "PULUMI_HOME": str(places.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{places.state}?{ONE_FILE}",
        "PULUMI_CONFIG_PASSPHRASE": "local-cloud",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "AWS_ENDPOINT_URL": places.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def search_path(places: Places, engine: Path, inherited: str) -> str:
    """The PATH with the project's interpreter and the engine first, each once."""
    first = [str(places.root / ".venv/bin"), str(engine)]
    rest = [entry for entry in inherited.split(os.pathsep) if entry and entry not in first]
    return os.pathsep.join([*first, *rest])


def environment(
    places: Places, engine: Path, build_args: str = "", inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """A whole environment for child processes that speak to this cloud (a real account's settings removed)."""
    misleading = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_PROFILE", "PULUMI_ACCESS_TOKEN")
    kept = {name: value for name, value in inherited.items() if name not in misleading}
    path = search_path(places, engine, inherited.get("PATH", os.defpath))
    return {**kept, **exports(places, build_args), "PATH": path}


def render_generated(places: Places, engine: Path, build_args: str) -> str:
    """The text of `.local/env`, to be read into a shell (POSIX sh): variables, and the PATH, each entry once."""
    first = shlex.quote(f"{places.root / '.venv/bin'}:{engine}")
    lines = [
        "# Written by `local-aws up`. In each shell:  . .local/env",
        f"local_aws_engine={shlex.quote(str(engine))}",
    ]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in exports(places, build_args).items()]
    lines.append("unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN PULUMI_ACCESS_TOKEN")
    lines += [f"local_aws_path={first}", 'case $PATH in "$local_aws_path":*) ;; *) PATH=$local_aws_path:$PATH ;; esac']
    lines += ["export PATH", "unset local_aws_engine local_aws_path"]
    return "\n".join(lines) + "\n"


def read_generated(text: str) -> dict[str, str]:
    """The variables that `render_generated` wrote; `local_aws_engine` among them."""
    values = {}
    for line in text.splitlines():
        name, equals, value = line.removeprefix("export ").partition("=")
        if equals and name.isidentifier():
            values[name] = "".join(shlex.split(value))
    return values
