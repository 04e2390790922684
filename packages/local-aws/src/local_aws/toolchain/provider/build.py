"""Builds the provider from published Go modules: Terraform's AWS provider, cut down to some services, behind a bridge.

Whole, it takes 55 minutes of processor time; with the services in use, 8. Two generated files of Terraform's provider
list every service, and everything else follows from their imports. So its sources are copied next to our main.go, those
two files lose the lines of other services, and `go build` compiles what is left.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator, Set
from pathlib import Path

from local_aws.errors import LocalError
from local_aws.toolchain import go
from local_aws.toolchain.cache import Say

HERE = Path(__file__).resolve().parent
PLUGIN = "pulumi-resource-aws"
TERRAFORMS = "github.com/hashicorp/terraform-provider-aws"
UPSTREAM = "github.com/upbound/terraform-provider-aws"
UPSTREAM_VERSION = "v0.0.0-20260305123303-f7691456b787"
"""Terraform's AWS provider 6.34 with a package that exports what it is made of. Published as a module by Upbound."""
UPSTREAM_MOD = f"""\
module local-aws/upstream

require {TERRAFORMS} v0.0.0-00010101000000-000000000000

replace {TERRAFORMS} => {UPSTREAM} {UPSTREAM_VERSION}
"""
UPSTREAM_SUM = f"""\
{UPSTREAM} {UPSTREAM_VERSION} h1:dJlp2eNgY/iVKTPINdguYlHbHc9CtXBZKmQmqYq0REs=
{UPSTREAM} {UPSTREAM_VERSION}/go.mod h1:WOPLTXSK2ZhAuuLIh2EVZ9zWib65hkmw1XLc227hsuQ=
"""
"""As in the go.sum of crossplane-contrib/provider-upjet-aws: the checksum database may not know this module."""
COPIED = ("go.mod", "internal", "names", "version", "xpprovider")
SERVICES = f"{TERRAFORMS}/internal/service/"
SDK = "github.com/aws/aws-sdk-go-v2/service/"
PACKAGES = Path("internal/provider/sdkv2/service_packages_gen.go")
CLIENTS = Path("internal/conns/awsclient_gen.go")
TOOLS = frozenset({"acctest", "generate", "service", "sweep"})
"""Folders of `internal` that the provider itself does not import, and the services."""


def recipe() -> go.Recipe:
    return go.Recipe(
        package=".",
        go_mod=(HERE / "go.mod.txt").read_text(),
        go_sum=(HERE / "provider.sum").read_text(),
        binary=PLUGIN,
    )


def identity(services: Set[str]) -> str:
    """12 hex: of all that the binary is made from. Another one is another build."""
    made_of = recipe()
    parts = (made_of.go_mod, made_of.go_sum, (HERE / "main.go").read_text(), UPSTREAM_VERSION, *sorted(services))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def build(services: Set[str], work: Path, say: Say) -> Path:
    """The binary, built in `work`, which is empty. Raises LocalError."""
    sources = work / "aws"
    _copy(go.download(TERRAFORMS, UPSTREAM_MOD, UPSTREAM_SUM, work, say), sources)
    cut_down(sources, services)
    shutil.copy(HERE / "main.go", work)
    return go.build(recipe(), work, say)


def _copy(module: Path, into: Path) -> None:
    """The module's code without its tests and documents. The module cache is read-only, the copy is not."""
    into.mkdir()
    for name in COPIED:
        if (module / name).is_dir():
            shutil.copytree(
                module / name, into / name, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("*_test.go")
            )
        else:
            shutil.copyfile(module / name, into / name)
    for folder in (into, *filter(Path.is_dir, into.rglob("*"))):
        folder.chmod(0o755)


def cut_down(sources: Path, services: Set[str]) -> None:
    """Edit the two generated files in `sources`. Raises LocalError for a service that is not there."""
    if missing := sorted(name for name in services if not (sources / "internal/service" / name).is_dir()):
        raise LocalError(
            f"terraform-provider-aws has no service {', '.join(missing)}.",
            why="the built provider holds the services of the stand-ins' tables (`source` of each type)",
            next_step="correct the source in local_aws/standins/aws",
        )
    needed = _clients(sources, services)
    packages, clients = sources / PACKAGES, sources / CLIENTS
    packages.write_text(only_services(packages.read_text(), services))
    clients.write_text(only_clients(clients.read_text(), needed))


def only_services(text: str, services: Set[str]) -> str:
    """service_packages_gen.go without the lines of other services: imports, and entries of the list."""
    line = re.compile(rf'\s*(?:(\w+)\.ServicePackage\(ctx\),|"{re.escape(SERVICES)}(\w+)")\s*')

    def stays(of: str) -> bool:
        found = line.fullmatch(of)
        return not found or (found[1] or found[2]) in services

    return "".join(filter(stays, text.splitlines(keepends=True)))


def only_clients(text: str, clients: Set[str]) -> str:
    """awsclient_gen.go without the imports and functions of other clients. `clients`: packages of AWS's SDK."""
    head, *functions = re.split(r"(?m)^(?=func \(c \*AWSClient\) )", text)
    imported = re.compile(rf'(?m)^\t(?:(\w+) )?"{re.escape(SDK)}([^"]+)"\n')
    dropped = {alias or path.rpartition("/")[2] for alias, path in imported.findall(head) if path not in clients}
    head = imported.sub(lambda found: found[0] if found[2] in clients else "", head)
    return head + "".join(each for each in functions if _client_of(each) not in dropped)


def _client_of(function: str) -> str:
    found = re.search(r"\) \*(\w+)\.Client \{", function)
    return found[1] if found else ""


def _clients(sources: Path, services: Set[str]) -> set[str]:
    """Packages of AWS's SDK that the services, those that they import in turn, and the provider's core use."""
    internal = sources / "internal"
    core = {folder for folder in internal.iterdir() if folder.is_dir() and folder.name not in TOOLS}
    used = {path for folder in core for path in _imports(folder, but=CLIENTS.name)}
    to_read, read = set(services), set[str]()
    while to_read:
        service = to_read.pop()
        read.add(service)
        imports = set(_imports(internal / "service" / service))
        used |= imports
        to_read |= {path.removeprefix(SERVICES).split("/")[0] for path in imports if path.startswith(SERVICES)} - read
    return {path.removeprefix(SDK) for path in used if path.startswith(SDK)}


def _imports(folder: Path, but: str = "") -> Iterator[str]:
    for path in folder.rglob("*.go"):
        if path.name != but:
            yield from re.findall(r'(?m)^(?:import )?\s*(?:\w+ )?"(github\.com/[^"]+)"$', path.read_text())
