"""Where a project's local cloud lives, and what the shell needs to use it."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from local_aws.project import PASSPHRASE, REGION, find_root
from local_aws.toolchain.cache import cache_folder
from local_aws.trust import trusting

HERE = Path(__file__).resolve().parent
NAME = "local-aws"
BIN = Path(sys.prefix) / "bin"
"""Of the Python environment that this runs in: it has the SDK, the stand-ins and the project's own command."""
FIRST_PORT, FIRST_BLOCK = 4566, 10  # of slot 0; see local_aws/slots.py
SLOTS = 64
ONE_FILE = "metadata=skip"
"""For file:// backends. Otherwise the engine writes another file next to each state. Killed while it does, it leaves
that one empty: "failed to load checkpoint: EOF" from then on, though the state itself is complete."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders, addresses and names of one local cloud. `slot` says which addresses (local_aws/slots.py).

    `shared` is where the clouds of one machine tell each other what they hold, `daemon` where a dockerd that one of
    them started is noted and logs.
    """

    root: Path
    runtime: Path
    cache: Path
    slot: int = 0
    shared: Path = Path("/var/tmp") / NAME
    daemon: Path = Path("/run") / NAME

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ, start: Path | None = None) -> Places:
        """Those of the project around `start` (the working directory), in the slot that it holds.

        Another folder in LOCAL_RUNTIME is another cloud. Raises LocalError outside of any project.
        """
        root = find_root((start or Path.cwd()).resolve())
        runtime = Path(environ.get("LOCAL_RUNTIME", root / ".local")).absolute()
        return cls(root=root, runtime=runtime, cache=cache_folder(environ)).held()

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
        """8 hex that mark everything this cloud starts; the same for as long as the project stays where it is."""
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
        return f"{NAME}-{self.cloud_id}"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def run(self) -> Path:
        return self.runtime / "run"

    @property
    def lock(self) -> Path:
        """Held by the one command that starts, uses or removes the cloud."""
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
    def emulator_path(self) -> Path:
        """Python path of the emulator, which has an environment of its own: this package, and nothing next to it."""
        return self.runtime / "path"

    @property
    def edge(self) -> Path:
        return self.runtime / "edge"

    @property
    def authority(self) -> Path:
        """The certificate of the authority that signs what emulated ACM issues; the emulator makes it."""
        return self.emulator / "authority/ca.pem"

    @property
    def ca_bundle(self) -> Path:
        """All that clients of this cloud trust; see local_aws/trust.py."""
        return self.emulator / "authority/bundle.pem"

    @property
    def stacks(self) -> Path:
        """The overlays of the project's stack files; see local_aws/project.py."""
        return self.runtime / "stacks"

    @property
    def provider(self) -> Path:
        """Which provider of AWS serves; see local_aws/provider.py."""
        return self.runtime / "provider"

    @property
    def generated(self) -> Path:
        return self.runtime / "env"


def exports(places: Places, build_args: str = "", more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a shell or a child process needs, but for the PATH. `more`: the project's own variables."""
    return {
        "LOCAL_AWS_HOME": str(places.root),
        "LOCAL_AWS_PYTHON": sys.executable,
        "LOCAL_AWS_TOOLCHAIN": str(HERE / "toolchain"),
        "LOCAL_AWS_BUILD_ARGS": build_args,
        "PULUMI_HOME": str(places.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{places.state}?{ONE_FILE}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "AWS_ENDPOINT_URL": places.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **trusting(places.ca_bundle),
        **(more or {}),
    }


def search_path(engine: Path, inherited: str) -> str:
    """The PATH with this Python environment and the engine first, each once."""
    first = [str(BIN), str(engine)]
    rest = [entry for entry in inherited.split(os.pathsep) if entry and entry not in first]
    return os.pathsep.join([*first, *rest])


def environment(exported: Mapping[str, str], engine: Path, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A complete environment for child processes that use this cloud (a real account's settings removed)."""
    misleading = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_PROFILE", "PULUMI_ACCESS_TOKEN")
    kept = {name: value for name, value in inherited.items() if name not in misleading}
    return {**kept, **exported, "PATH": search_path(engine, inherited.get("PATH", os.defpath))}


def render_generated(exported: Mapping[str, str], engine: Path) -> str:
    """The text of `.local/env`, to be read into a shell (POSIX sh): variables, and the PATH, each entry once."""
    first = shlex.quote(f"{BIN}:{engine}")
    lines = [
        "# Written by `local-aws up`. In each shell:  . .local/env",
        f"local_aws_engine={shlex.quote(str(engine))}",
    ]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in exported.items()]
    lines.append("unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN PULUMI_ACCESS_TOKEN")
    lines += [f"local_aws_path={first}", 'case $PATH in "$local_aws_path":*) ;; *) PATH=$local_aws_path:$PATH ;; esac']
    lines += ["export PATH", "unset local_aws_engine local_aws_path"]
    return "\n".join(lines) + "\n"


def read_generated(text: str) -> tuple[dict[str, str], Path]:
    """The variables and the engine's folder that `render_generated` wrote."""
    values = {}
    for line in text.splitlines():
        name, equals, value = line.removeprefix("export ").partition("=")
        if equals and name.isidentifier():
            values[name] = "".join(shlex.split(value))
    engine = Path(values.pop("local_aws_engine"))
    values.pop("local_aws_path")
    return values, engine
