"""An image that was built elsewhere: its name, whether it can be adopted, and what cannot be checked here. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from release_lane.errors import Refused, ReleaseError, UsageError
from release_lane.record.commit import is_commit
from release_lane.record.digest import Digest, parse_digest, short

REVISION, SOURCE = "org.opencontainers.image.revision", "org.opencontainers.image.source"
"""Labels of an image (OCI image specification, annotations)."""

PLATFORM = ("linux", "amd64")
"""What the tasks run on: Fargate's default, and what `release build` builds for."""

LONGEST_SOURCE = 300
"""Characters that are kept of where an image's code is."""

KEPT = 50
"""How many adopted images the artifacts stack remembers; the oldest are forgotten first."""

DOCKER_HUB = "docker.io"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An image by its digest, in a repository of a registry."""

    host: str
    repository: str
    digest: Digest

    def __str__(self) -> str:
        """As registries and tools take it."""
        return f"{self.name}@{self.digest}"

    @property
    def name(self) -> str:
        """Without the digest."""
        return f"{self.host}/{self.repository}"


def parse_reference(text: str) -> Reference:
    """Read `[HOST/]NAME[:TAG]@sha256:…` (without a host: Docker Hub); `UsageError` for all else, tags above all."""
    if (public := _without_user(text)) != text:
        raise UsageError(
            f"{public!r} is not the name of an image.",
            why="a user or a password stands before its host (not shown): it would be kept in state and history",
            next_step="leave it out; `skopeo login` logs in to a registry.",
        )
    name, at, digest = text.partition("@")
    if not at:
        raise UsageError(
            f"{text!r} names no digest.",
            why="a tag can stand for another image tomorrow: what was it when the tests ran? A digest cannot",
            next_step="give IMAGE@sha256:… as your build printed it; what a tag stands for now is said by "
            "`skopeo inspect --format '{{.Digest}}' docker://IMAGE:TAG`.",
        )
    try:
        found = parse_digest(digest)
    except UsageError as error:
        how = "give IMAGE@sha256:… as your build printed it."
        raise UsageError(f"{text!r} names no digest: {error.what}", why=error.why, next_step=how) from None
    first, slash, rest = name.partition("/")
    hosted = slash and ({".", ":"} & set(first) or first == "localhost")
    host, path = (first, rest) if hosted else (DOCKER_HUB, name if slash else f"library/{name}")
    repository, colon, tag = path.partition(":")
    if not (_HOST.fullmatch(host) and _NAME.fullmatch(repository) and (not colon or _TAG.fullmatch(tag))):
        raise UsageError(
            f"{text!r} is not the name of an image.",
            why="it should be HOST/NAME@sha256:…, in lower case, without https://",
            next_step="give it as `docker pull` takes it.",
        )
    return Reference(host=host, repository=repository, digest=found)


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """Where an adopted image comes from.

    `image` is the reference that it was adopted by, `source` where its code is ("" if unknown). `commit_by` says who
    named its commit: `label`, `person`, or "" where it has none.
    """

    image: str
    source: str = ""
    commit_by: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain JSON value; the inverse is `from_dict`."""
        return {"image": self.image, "source": self.source, "commitBy": self.commit_by}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Adopted:
        """Read what `as_dict` wrote."""
        return Adopted(
            image=str(value.get("image") or ""),
            source=str(value.get("source") or ""),
            commit_by=str(value.get("commitBy") or ""),
        )


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """One adopted image, as the artifacts stack records it. `commit` is "" where it is unknown."""

    digest: str
    commit: str
    origin: Adopted

    def as_dict(self) -> dict[str, str]:
        """Plain JSON value; the inverse is `from_dict`."""
        return {"digest": self.digest, "commit": self.commit, **self.origin.as_dict()}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Adoption:
        """Read what `as_dict` wrote."""
        return Adoption(
            digest=str(value["digest"]), commit=str(value.get("commit") or ""), origin=Adopted.from_dict(value)
        )

    def tag(self, *, taken: bool) -> str:
        """The tag that keeps it in the registry: its commit, unless that is unknown or `taken` by another image."""
        return self.commit if self.commit and not taken else f"adopted-{self.digest.removeprefix('sha256:')[:12]}"


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What the registry says of an image: the platform it runs on, and its labels."""

    os: str
    architecture: str
    labels: Mapping[str, str] = field(default_factory=dict)


def adoption_of(reference: Reference, found: Examined, *, commit: str = "", source: str = "") -> Adoption:
    """What is known of the image, by a person's word and its labels; `Refused` where these contradict each other."""
    if (found.os, found.architecture) != PLATFORM:
        raise wrong_platform(str(reference), f"{found.os or '?'}/{found.architecture or '?'}")
    label = found.labels.get(REVISION, "").strip().lower()
    if commit and re.fullmatch(r"[0-9a-f]{7,64}", label) and not commit.startswith(label):
        raise Refused(
            f"{short(reference.digest)} is labelled as commit {label[:12]}, not {commit[:12]}.",
            why=f"its label {REVISION} was written by its build, and --commit (adoptCommit) says something else",
            next_step="leave the commit out, or take the image of that commit.",
        )
    by_label = label if is_commit(label) else ""
    by = "label" if by_label else "person" if commit else ""
    where = public_address(source or found.labels.get(SOURCE, ""))
    origin = Adopted(image=str(reference), source=where, commit_by=by)
    return Adoption(digest=reference.digest, commit=by_label or commit, origin=origin)


def public_address(address: str) -> str:
    """An address on one line, without credentials: it is kept and shown."""
    return _without_user(" ".join(address.split()))[:LONGEST_SOURCE]


def _without_user(address: str) -> str:
    """Without what stands before the host. That of `git@host:path` is no secret, and stays."""
    return _USER.sub("", address)


_USER = re.compile(r"(?<=//)[^/\s]*@(?!sha256:)|^[^/\s@:]*:[^/\s]*@(?!sha256:)")


def wrong_platform(image: str, found: str) -> ReleaseError:
    """It cannot run on the tasks."""
    return Refused(
        f"{image} cannot run here: it is for {found}, and the tasks are {'/'.join(PLATFORM)}.",
        next_step=f"build it for {'/'.join(PLATFORM)} (`docker buildx build --platform`), then adopt that digest.",
    )


COMMIT_UNKNOWN = "the commit is unknown: what is in the image cannot be checked"


def unseen(commit: str, adopted: Adopted | None) -> tuple[str, ...]:
    """What no gate can see of an image: what it was built from, unless it was built here."""
    sentences = [] if commit else [COMMIT_UNKNOWN]
    if adopted:
        said = {"label": "its own label", "person": "the person who adopted it"}.get(adopted.commit_by)
        word = f"; that it is commit {commit[:12]} is what {said} says" if commit and said else ""
        source = f"source: {adopted.source}" if adopted.source else "where its source is, is unknown"
        sentences.append(f"it was built elsewhere, and adopted from {adopted.image.split('@')[0]} ({source}){word}")
    return tuple(sentences)


def adoption_in(recorded: Iterable[Mapping[str, Any]], digest: str) -> Adoption | None:
    """What the artifacts stack recorded of this digest, if it was adopted."""
    return next((Adoption.from_dict(each) for each in recorded if each.get("digest") == digest), None)


def with_adoption(recorded: Iterable[Mapping[str, Any]], adoption: Adoption) -> list[dict[str, Any]]:
    """The record with one more: one entry a digest, oldest first, at most `KEPT`."""
    others = [dict(each) for each in recorded if each.get("digest") != adoption.digest]
    return [*others, adoption.as_dict()][-KEPT:]
