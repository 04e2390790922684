"""skopeo, which reads images and copies them between registries without changing a byte: digests stay what they are.

It uses this machine's logins (`docker login`, `skopeo login`). That of the account's own registry is handed to it in a
file, since everybody can read a process's arguments.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provider_kit import Cancelled, Context

from release_lane.aws.registry import Registry
from release_lane.errors import CloudError, Refused, ReleaseError
from release_lane.record.adoption import PLATFORM, Examined, Reference, wrong_platform

READS_WITHIN = "--command-timeout=60s"
"""For one answer of a registry. A copy takes as long as it takes, and can be interrupted."""

REFERS = re.compile(r"sha256-([0-9a-f]{64})(\..+)?")
"""Tags of what refers to a manifest: cosign's signatures and attestations, and OCI's referrers tag."""


@dataclass(frozen=True)
class Skopeo:
    """For one operation of the engine; its interrupt ends what runs. `logins` is the file for our own registry."""

    ctx: Context
    registry: Registry
    logins: Path

    def examine(self, reference: Reference) -> Examined:
        """The platform and the labels of the image that tasks would run."""
        system, architecture = PLATFORM
        options = ["--config", f"--override-os={system}", f"--override-arch={architecture}"]
        found = json.loads(self._asked(["inspect", *options], reference, str(reference)))
        labels = (found.get("config") or {}).get("Labels") or {}
        return Examined(
            os=str(found.get("os") or ""),
            architecture=str(found.get("architecture") or ""),
            labels={str(key): str(value) for key, value in labels.items()},
        )

    def referring(self, reference: Reference, manifests: frozenset[str]) -> list[str]:
        """Tags next to it that refer to one of its manifests."""
        tags = json.loads(self._asked(["list-tags"], reference, reference.name)).get("Tags") or ()
        about = {tag: match[1] for tag in map(str, tags) if (match := REFERS.fullmatch(tag))}
        return [tag for tag, digits in about.items() if f"sha256:{digits}" in manifests]

    def copy(self, reference: Reference, to: str, tag: str, *, other: str = "") -> None:
        """All platforms of it, and all else that its index names; or what an `other` tag next to it stands for.

        `to` is a repository of our own registry.
        """
        image = f"{reference.name}:{other}" if other else str(reference)
        there = f"docker://{self.registry.host}/{to}:{tag}"
        options = ["--quiet", "--all", "--preserve-digests", *self._access("src-", reference.host)]
        options += self._access("dest-", self.registry.host)
        self._run(["copy", *options, self._address(reference, image), there], reference)

    def _asked(self, arguments: Sequence[str], reference: Reference, image: str) -> str:
        verb, *options = arguments
        command = [READS_WITHIN, verb, *options, *self._access("", reference.host), self._address(reference, image)]
        return self._run(command, reference)

    def _address(self, reference: Reference, image: str) -> str:
        mine = self.registry.answers_for(reference.host)
        return f"docker://{self.registry.host if mine else reference.host}{image.removeprefix(reference.host)}"

    def _access(self, side: str, host: str) -> list[str]:
        if not self.registry.answers_for(host):
            return []
        return [f"--{side}authfile={self.logins}", f"--{side}tls-verify={'true' if self.registry.tls else 'false'}"]

    def _run(self, arguments: Sequence[str], reference: Reference) -> str:
        try:
            process = subprocess.Popen(
                ["skopeo", *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise CloudError(
                "skopeo is not installed; it reads and copies the images that are adopted.",
                next_step="`sudo apt-get install -y skopeo` (./bootstrap as root does it, GitHub's runners have it).",
            ) from None
        with process:
            out, err = self._ended(process)
        if process.returncode:
            raise _failure(reference, err, self.registry)
        return out

    def _ended(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        while True:
            try:
                return process.communicate(timeout=0.3)
            except subprocess.TimeoutExpired:
                if self.ctx.cancelled.is_set():
                    process.terminate()
                    raise Cancelled("The copy was interrupted; `release adopt` again does the rest.") from None


@contextmanager
def skopeo(ctx: Context, registry: Registry) -> Iterator[Skopeo]:
    """With a login for our own registry while it lasts."""
    with tempfile.TemporaryDirectory(prefix="release-lane-login-") as folder:
        logins = Path(folder, "auth.json")
        logins.touch(mode=0o600)
        logins.write_text(json.dumps({"auths": {registry.host: {"auth": registry.login}}}))
        yield Skopeo(ctx, registry, logins)


DENIED = re.compile(r"unauthorized|denied|authentication required|\b40[13]\b")


def _failure(reference: Reference, stderr: str, registry: Registry) -> ReleaseError:
    """skopeo's last words, in ours where they have one meaning."""
    said = re.findall(r'level=fatal msg="(.*)"$', stderr, re.MULTILINE)
    words = (said[-1] if said else stderr.strip() or "it said nothing").replace('\\"', '"')
    if "no image found in" in words:
        return wrong_platform(str(reference), "other platforms only")
    if any(sign in words for sign in ("manifest unknown", "name unknown", "repository name not known")):
        return Refused(
            f"{reference} is not in that registry.",
            why=words,
            next_step="take name and digest as the build that pushed it printed them.",
        )
    return CloudError(
        f"skopeo could not read or copy {reference.name}.", why=words, next_step=_advice(reference, words, registry)
    )


def _advice(reference: Reference, words: str, registry: Registry) -> str:
    if not DENIED.search(words):
        return f"try again; if it stays so: `skopeo inspect docker://{reference}`."
    if registry.host in words or registry.answers_for(reference.host):
        return "give the role what the build role needs (docs/guides/on-aws.md)."
    return f"log in: `skopeo login {reference.host}` or `docker login {reference.host}`."
