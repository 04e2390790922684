"""skopeo as a child process: its arguments, how its failures are reported, and that an interrupt ends it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from provider_kit import Cancelled, Context
from release_lane.aws.registry import Registry
from release_lane.errors import CloudError, Refused, ReleaseError
from release_lane.gates.skopeo import skopeo
from release_lane.record.adoption import parse_reference

from tests.patience import PATIENCE

pytestmark = pytest.mark.provider

THEIRS = parse_reference("ghcr.io/acme/shop@sha256:" + "a" * 64)
OURS = parse_reference("000000000000.dkr.ecr.us-east-1.amazonaws.com/lane/app@sha256:" + "a" * 64)
REGISTRY = Registry(
    name="000000000000.dkr.ecr.us-east-1.amazonaws.com", host="127.0.0.1:4566", tls=False, login="QVdTOnBsYW50ZWQ="
)


class Stand:
    """A program that stands in for skopeo: it writes down its arguments and does what `script` says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cancelled = threading.Event()
        self.ctx = Context(config={}, cancelled=self.cancelled, log=lambda *_, **__: None)

    def does(self, script: str) -> None:
        program = self.folder / "skopeo"
        record = f'printf "%s\\n" "$@" > {self.folder}/arguments'
        keep = f'for each; do case $each in *authfile=*) cat "${{each#*=}}" > {self.folder}/logins;; esac; done'
        program.write_text(f"#!/bin/sh\n{record}\n{keep}\n{script}\n")
        program.chmod(0o755)

    @property
    def told(self) -> list[str]:
        return (self.folder / "arguments").read_text().splitlines()


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Stand(tmp_path)


def test_an_image_is_examined_for_the_platform_of_the_tasks(stand: Stand) -> None:
    config = {"os": "linux", "architecture": "amd64", "config": {"Labels": {"a": "b"}}}
    stand.does(f"echo '{json.dumps(config)}'")
    with skopeo(stand.ctx, REGISTRY) as run:
        found = run.examine(THEIRS)
    assert (found.os, found.architecture, found.labels) == ("linux", "amd64", {"a": "b"})
    assert stand.told[-1] == f"docker://{THEIRS}"
    assert {"--override-os=linux", "--override-arch=amd64"} <= set(stand.told)
    assert not [each for each in stand.told if "authfile" in each], "another registry's login is this machine's own"


def test_our_own_registry_is_spoken_to_where_it_answers_with_a_login_that_is_no_argument(stand: Stand) -> None:
    stand.does("")
    with skopeo(stand.ctx, REGISTRY) as run:
        run.copy(OURS, "lane/app", "v1")
    assert stand.told[-2:] == [f"docker://127.0.0.1:4566/lane/app@{OURS.digest}", "docker://127.0.0.1:4566/lane/app:v1"]
    assert {"--all", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"} <= set(stand.told)
    assert REGISTRY.login not in " ".join(stand.told)
    assert json.loads((stand.folder / "logins").read_text()) == {"auths": {"127.0.0.1:4566": {"auth": REGISTRY.login}}}
    files = [each.partition("=")[2] for each in stand.told if "authfile=" in each]
    assert not any(Path(file).exists() for file in files), "the login is gone afterwards"


def test_what_refers_to_an_image_is_found_by_its_tag(stand: Stand) -> None:
    mine = [f"sha256-{'a' * 64}{end}" for end in ("", ".sig", ".att", ".sbom")]
    tags = {"Tags": [*mine, f"sha256-{'b' * 64}.sig", "v1", "sha256-abc"]}
    stand.does(f"echo '{json.dumps(tags)}'")
    with skopeo(stand.ctx, REGISTRY) as run:
        assert run.referring(THEIRS, frozenset({THEIRS.digest})) == mine
    assert stand.told[-1] == "docker://ghcr.io/acme/shop"


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        ("reading manifest sha256:aa in ghcr.io/acme/shop: manifest unknown", Refused, "is not in that registry"),
        ("reading manifest: name unknown: The repository does not exist", Refused, "is not in that registry"),
        (
            'no image found in manifest list for architecture amd64, variant \\"\\", OS linux',
            Refused,
            "cannot run here",
        ),
        ("reading manifest: unauthorized: authentication required", CloudError, "`docker login ghcr.io`"),
        ("writing blob: initiating upload to 127.0.0.1:4566: denied: not authorized", CloudError, "on-aws.md"),
        ("reading manifest sha256:1401403 in ghcr.io/acme/shop: EOF", CloudError, "`skopeo inspect"),
        ("pinging container registry ghcr.io: dial tcp: no such host", CloudError, "no such host"),
    ],
)
def test_a_failure_is_reported_in_our_words_with_skopeos_own(
    stand: Stand, words: str, kind: type[ReleaseError], says: str
) -> None:
    stand.does(f'echo \'time="x" level=fatal msg="{words}"\' >&2\nexit 1')
    with skopeo(stand.ctx, REGISTRY) as run, pytest.raises(kind) as failed:
        run.examine(THEIRS)
    assert type(failed.value) is kind
    assert says in str(failed.value)


def test_without_skopeo_it_is_said_how_to_get_it(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(stand.folder))
    with skopeo(stand.ctx, REGISTRY) as run, pytest.raises(CloudError, match="not installed") as failed:
        run.examine(THEIRS)
    assert "apt-get install" in failed.value.next_step


def test_an_interrupt_ends_a_copy(stand: Stand) -> None:
    stand.does(f"touch {stand.folder}/began\nexec sleep {PATIENCE * 10}")

    def interrupt() -> None:
        while not (stand.folder / "began").exists():
            stand.cancelled.wait(0.01)
        stand.cancelled.set()

    threading.Thread(target=interrupt, daemon=True).start()
    with skopeo(stand.ctx, REGISTRY) as run, pytest.raises(Cancelled):
        run.copy(THEIRS, "lane/app", "v1")
