"""Where the real AWS provider comes from: installed, cache, download (a server on loopback), build."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import platform
import re
import tarfile
import threading
from collections.abc import Iterator, Set
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from local_aws.errors import LocalError
from local_aws.standins.aws.functions import FUNCTIONS
from local_aws.standins.aws.provider import TYPES
from local_aws.standins.install import install
from local_aws.standins.versions import plugin_version
from local_aws.toolchain import provider
from local_aws.toolchain.cache import Say
from local_aws.toolchain.provider import ensure_provider, ready, types
from local_aws.toolchain.provider.build import (
    CLIENTS,
    PACKAGES,
    PLUGIN,
    UPSTREAM_SUM,
    cut_down,
    identity,
    only_clients,
    only_services,
    recipe,
)

pytestmark = pytest.mark.provider

VERSION = plugin_version("pulumi_aws")
NOWHERE = "http://127.0.0.1:9/"
NOBODY: dict[str, str] = {"HOME": "/nonexistent"}


class Said(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def fake(path: Path) -> Path:
    """A plugin that is no script to the eye, and writes what the real one writes when it is asked for its schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(':\n[ "$1" = schema ] && cp types.json "$3/schema.json" && touch "$3/bridge-metadata.json"\n')
    path.chmod(0o755)
    return path


class Builder:
    """Counts what is built, and of what."""

    def __init__(self) -> None:
        self.built: list[Set[str]] = []

    def __call__(self, services: Set[str], work: Path, say: Say) -> Path:
        assert not list(work.iterdir())
        say("building")
        self.built.append(services)
        binary = work / PLUGIN
        binary.write_text('#!/bin/sh\ncp "${0%/*}/types.json" "$3/schema.json"; touch "$3/bridge-metadata.json"\n')
        binary.chmod(0o755)
        return binary


def no_build(services: Set[str], work: Path, say: Say) -> Path:
    raise AssertionError(f"nothing is to be built here: {services}, {work}, {say}")


# --- the official one


def test_the_plugin_that_the_owners_engine_has_is_taken(tmp_path: Path) -> None:
    plugin = fake(tmp_path / f".pulumi/plugins/resource-aws-v{VERSION}/{PLUGIN}")
    said = Said()
    found = ensure_provider(tmp_path / "cache", said, {"HOME": str(tmp_path)}, NOWHERE, no_build)
    assert (found.folder, found.version, found.source) == (plugin.parent, VERSION, "installed")
    assert said == [f"pulumi-aws {VERSION} (official, installed)"]


def test_a_stand_in_in_the_engines_home_is_not_taken_for_the_real_one(tmp_path: Path) -> None:
    install(tmp_path)
    assert ready(tmp_path / "cache", {"PULUMI_HOME": str(tmp_path), **NOBODY}) is None


def test_another_version_is_passed_over(tmp_path: Path) -> None:
    fake(tmp_path / f".pulumi/plugins/resource-aws-v7.0.0/{PLUGIN}")
    assert ready(tmp_path / "cache", {"HOME": str(tmp_path)}) is None


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served, and its address."""
    folder = tmp_path / "releases"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def publish(folder: Path, name: str) -> None:
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    with tarfile.open(folder / f"{PLUGIN}-v{VERSION}-linux-{arch}.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size, member.mode = 6, 0o755
        tar.addfile(member, io.BytesIO(b"binary"))


def test_it_is_downloaded_once_and_then_cached(tmp_path: Path, releases: tuple[Path, str]) -> None:
    folder, base = releases
    publish(folder, PLUGIN)
    found = ensure_provider(tmp_path / "cache", Said(), NOBODY, base, no_build)
    assert found.source == "downloaded"
    assert (found.folder / PLUGIN).read_bytes() == b"binary"
    assert os.access(found.folder / PLUGIN, os.X_OK)
    assert ensure_provider(tmp_path / "cache", Said(), NOBODY, NOWHERE, no_build) == found


@pytest.mark.parametrize("published", [None, "pulumi-resource-other"])
def test_a_download_that_cannot_be_had_is_a_build_with_its_reason(
    tmp_path: Path, releases: tuple[Path, str], published: str | None
) -> None:
    folder, base = releases
    if published:
        publish(folder, published)
    said = Said()
    found = ensure_provider(tmp_path / "cache", said, NOBODY, base if published else NOWHERE, Builder())
    assert found.source == "built"
    reason = f"holds no {PLUGIN}" if published else "refused"
    assert any(line.startswith("no download (") and reason in line for line in said), said
    assert not list((tmp_path / "cache/provider").glob("official-*"))


# --- the one that is built


def test_it_is_built_once_of_the_services_in_use_and_left_without_its_sources(tmp_path: Path) -> None:
    builder = Builder()
    first = ensure_provider(tmp_path, Said(), NOBODY, NOWHERE, builder)
    assert ensure_provider(tmp_path, Said(), NOBODY, NOWHERE, builder) == first == ready(tmp_path, NOBODY)
    assert builder.built == [types.services()]
    assert first.folder.parent.name == identity(types.services())
    assert sorted(path.name for path in first.folder.iterdir()) == [
        "bridge-metadata.json", PLUGIN, "schema.json", "types.json",
    ]  # fmt: skip
    assert json.loads((first.folder / "schema.json").read_text())["version"] == VERSION
    assert sorted(path.name for path in first.folder.parent.iterdir()) == sorted([first.folder.name, PLUGIN])


def test_a_new_type_of_a_service_needs_no_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder()
    before = ensure_provider(tmp_path, Said(), NOBODY, NOWHERE, builder)
    serving = json.loads(types.served())
    serving["resources"]["aws_ecs_capacity_provider"] = "aws:ecs/capacityProvider:CapacityProvider"
    monkeypatch.setattr(provider, "served", lambda: json.dumps(serving))
    assert ready(tmp_path, NOBODY) is None
    after = ensure_provider(tmp_path, Said(), NOBODY, NOWHERE, builder)
    assert after.folder != before.folder
    assert "aws_ecs_capacity_provider" in (after.folder / "schema.json").read_text()
    assert len(builder.built) == 1


def test_another_service_is_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder()
    ensure_provider(tmp_path, Said(), NOBODY, NOWHERE, builder)
    monkeypatch.setattr(provider, "services", lambda: types.services() | {"sqs"})
    ensure_provider(tmp_path, Said(), NOBODY, NOWHERE, builder)
    assert builder.built[1] - builder.built[0] == {"sqs"}


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken(services: Set[str], work: Path, say: Say) -> Path:
        del services, say
        (work / "half").write_text("")
        raise LocalError("the compiler stopped")

    with pytest.raises(LocalError, match="the compiler stopped"):
        ensure_provider(tmp_path, Said(), NOBODY, NOWHERE, broken)
    assert [path.name for path in (tmp_path / "provider").iterdir()] == ["lock"]


def test_a_binary_that_cannot_write_its_schema_is_refused_with_its_last_words(tmp_path: Path) -> None:
    def mute(services: Set[str], work: Path, say: Say) -> Path:
        del services, say
        binary = work / PLUGIN
        binary.write_text("#!/bin/sh\necho no compiled service has the resource aws_x >&2\nexit 1\n")
        binary.chmod(0o755)
        return binary

    with pytest.raises(LocalError, match="no compiled service has the resource aws_x"):
        ensure_provider(tmp_path, Said(), NOBODY, NOWHERE, mute)
    assert ready(tmp_path, NOBODY) is None


# --- what it is built from


def test_the_recipe_pins_every_module_and_takes_terraforms_provider_from_the_copy() -> None:
    made_of = recipe()
    assert "github.com/hashicorp/terraform-provider-aws => ./aws" in made_of.go_mod
    pinned = {tuple(line.split()[:2]) for line in made_of.go_sum.splitlines()}
    for module in ("github.com/pulumi/pulumi-terraform-bridge/v3", "github.com/aws/aws-sdk-go-v2/service/ecs"):
        version = next(line.split()[1] for line in made_of.go_mod.splitlines() if line.strip().startswith(module + " "))
        assert (module, version) in pinned
    assert all(line.split()[2].startswith("h1:") for line in UPSTREAM_SUM.splitlines())


def test_the_identity_is_that_of_recipe_and_services() -> None:
    assert identity({"ec2", "ecs"}) == identity({"ecs", "ec2"}) != identity({"ec2"})


SERVICE_PACKAGES = """\
package sdkv2

import (
	"context"

	"github.com/hashicorp/terraform-provider-aws/internal/conns"
	"github.com/hashicorp/terraform-provider-aws/internal/service/ecr"
	"github.com/hashicorp/terraform-provider-aws/internal/service/ecrpublic"
)

func servicePackages(ctx context.Context) []conns.ServicePackage {
	v := []conns.ServicePackage{
		ecr.ServicePackage(ctx),
		ecrpublic.ServicePackage(ctx),
	}
}
"""


def test_other_services_are_neither_imported_nor_listed() -> None:
    kept = only_services(SERVICE_PACKAGES, {"ecr"})
    assert kept == "".join(line for line in SERVICE_PACKAGES.splitlines(keepends=True) if "ecrpublic" not in line)


AWS_CLIENT = """\
package conns

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	elasticloadbalancing "github.com/aws/aws-sdk-go-v2/service/elb"
	"github.com/hashicorp/terraform-provider-aws/names"
)

func (c *AWSClient) ECRClient(ctx context.Context) *ecr.Client {
	return errs.Must(client[*ecr.Client](ctx, c, names.ECR, make(map[string]any)))
}

func (c *AWSClient) ELBClient(ctx context.Context) *elasticloadbalancing.Client {
	return errs.Must(client[*elasticloadbalancing.Client](ctx, c, names.ELB, make(map[string]any)))
}
"""


def test_clients_that_no_kept_service_uses_are_left_out_under_their_own_or_another_name() -> None:
    kept = only_clients(AWS_CLIENT, {"ecr"})
    assert "elasticloadbalancing" not in kept
    assert "func (c *AWSClient) ECRClient(" in kept
    assert '"github.com/hashicorp/terraform-provider-aws/names"' in kept
    assert only_clients(AWS_CLIENT, {"ecr", "elb"}) == AWS_CLIENT


def go(path: Path, *imports: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = "".join(f'\t"{each}"\n' for each in imports)
    path.write_text(f"package {path.parent.name}\n\nimport (\n{listed})\n")


def upstream(root: Path) -> None:
    ours, sdk = "github.com/hashicorp/terraform-provider-aws/internal/", "github.com/aws/aws-sdk-go-v2/service/"
    go(root / "internal/service/ecr/repository.go", f"{ours}service/iam", f"{sdk}ecr")
    go(root / "internal/service/iam/role.go", f"{sdk}iam")
    go(root / "internal/service/other/other.go", f"{sdk}other")
    go(root / "internal/tags/read.go", f"{sdk}tagging")
    (root / PACKAGES).parent.mkdir(parents=True)
    (root / PACKAGES).write_text(SERVICE_PACKAGES)
    clients = ("ecr", "iam", "other", "tagging")
    functions = (f"\nfunc (c *AWSClient) {each}(ctx context.Context) *{each}.Client {{\n}}\n" for each in clients)
    go(root / CLIENTS, *(f"{sdk}{each}" for each in clients))
    (root / CLIENTS).write_text((root / CLIENTS).read_text() + "".join(functions))


def test_a_service_keeps_the_clients_of_those_that_it_imports_and_of_the_core(tmp_path: Path) -> None:
    upstream(tmp_path)
    cut_down(tmp_path, {"ecr"})
    kept = (tmp_path / CLIENTS).read_text()
    assert [name for name in ("ecr", "iam", "other", "tagging") if f"*{name}.Client" in kept] == [
        "ecr",
        "iam",
        "tagging",
    ]
    assert "ecrpublic" not in (tmp_path / PACKAGES).read_text()


def test_a_service_that_does_not_exist_is_refused_by_name(tmp_path: Path) -> None:
    upstream(tmp_path)
    with pytest.raises(LocalError, match="no service nosuch"):
        cut_down(tmp_path, {"ecr", "nosuch"})


# --- which types it serves


def test_every_type_and_function_of_the_stand_ins_is_served() -> None:
    served = json.loads(types.served())
    assert {type_.token for type_ in TYPES} <= set(served["resources"].values())
    assert set(FUNCTIONS) <= set(served["functions"].values())


def test_every_token_is_one_of_the_installed_package() -> None:
    spec = importlib.util.find_spec("pulumi_aws")
    assert spec is not None
    assert spec.origin is not None
    root, served = Path(spec.origin).parent, json.loads(types.served())
    for token in (*served["resources"].values(), *served["functions"].values()):
        module, name = token.split(":")[1].split("/")
        file = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
        path = root / ("" if module == "index" else module) / f"{file}.py"
        assert path.exists(), f"{token}: there is no {path}"
        assert token in path.read_text()
