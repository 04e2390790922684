"""Puts plugins where the engine looks for them: the stand-ins, or launchers of real plugins that lie elsewhere.

`python -m local_aws.standins.install PULUMI_HOME` puts all stand-ins there.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from local_aws.standins.versions import plugin_version

PLUGINS = {"aws": "pulumi_aws", "docker": "pulumi_docker"}
"""Plugin name -> the SDK package that asks for it."""

_LAUNCHER = """\
#!/bin/sh
# Written by local_aws.standins.install. The engine runs this file with its own address as the argument.
python={python}
exec "${{LOCAL_AWS_PYTHON:-$python}}" -m local_aws.standins.{name} "$@"
"""
_REAL = """\
#!/bin/sh
# Written by local_aws.standins.install. The engine runs this file with its own address as the argument.
exec {plugin} "$@"
"""


def install(
    pulumi_home: Path, plugins: Mapping[str, str] = PLUGINS, real: Mapping[str, Path] = MappingProxyType({})
) -> None:
    """Install plugins below `pulumi_home`/plugins, in the versions that the installed SDK packages ask for.

    `real`: plugin name -> the folder of the real one. All others are stand-ins. Writes only what is missing or
    different, so it may be called every time.
    """
    for name, package in plugins.items():
        if find_spec(package) is None:
            continue
        directory = pulumi_home / "plugins" / f"resource-{name}-v{plugin_version(package)}"
        _write(directory / f"pulumi-resource-{name}", _launcher(name, real.get(name)))


def _launcher(name: str, real: Path | None) -> str:
    if real is None:
        return _LAUNCHER.format(python=shlex.quote(sys.executable), name=name)
    return _REAL.format(plugin=shlex.quote(str(real / f"pulumi-resource-{name}")))


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text() == text and path.stat().st_mode & 0o111:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # renamed into place: an engine that starts the plugin meanwhile finds the old or the new one, whole
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.replace(path)


if __name__ == "__main__":
    install(Path(sys.argv[1]))
