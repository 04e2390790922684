"""Taking over an image that was built elsewhere: looked at before anything changes, copied, and asked for after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from provider_kit import UNKNOWN, Change, Context, Props, Resource, State

from release_lane.aws.cloud import Cloud, Image
from release_lane.aws.registry import Registry, registry_of
from release_lane.aws.session import check_account
from release_lane.errors import CloudError, ReleaseError
from release_lane.gates.gate import reported
from release_lane.gates.skopeo import skopeo
from release_lane.record.adoption import Adoption, Examined, Reference, adoption_of, parse_reference
from release_lane.record.names import Access, Names


class Copier(Protocol):
    """What reads images of any registry, and copies them into ours."""

    @property
    def registry(self) -> Registry:
        """Ours."""

    def examine(self, reference: Reference) -> Examined:
        """The platform and the labels of the image that tasks would run."""

    def referring(self, reference: Reference, manifests: frozenset[str]) -> list[str]:
        """Tags next to it that refer to one of its manifests."""

    def copy(self, reference: Reference, to: str, tag: str, *, other: str = "") -> None:
        """Into the repository `to`; or what an `other` tag next to it stands for."""


def _copier(ctx: Context, access: Access) -> AbstractContextManager[Copier]:
    return skopeo(ctx, registry_of(access))


def examine_image(ctx: Context, args: Props, check: Callable[[Access], object] = check_account) -> Props:
    """`release:index:examineImage`: args of `Access.as_dict`; repository, image, commit, source. Changes nothing.

    Returns what `Adoption.from_dict` reads. Fails where the image cannot be adopted.
    """

    def look() -> Props:
        cloud = _cloud(args, check)
        given = parse_reference(str(args["image"]))
        with _copier(ctx, cloud.names.access) as run:
            found = run.examine(_nearest(cloud, run.registry, given))
        words = {key: str(args.get(key) or "") for key in ("commit", "source")}
        return adoption_of(given, found, **words).as_dict()

    return reported(look)


class AdoptedImage(Resource):
    """Inputs: those of `Access.as_dict`; repository, adoption (`Adoption.as_dict`). Outputs: digest, tags, notes.

    Whenever it is registered the registry is asked, and what it lacks is copied. Deleting it leaves the image there.
    """

    token = "release:index:AdoptedImage"
    computed = frozenset({"digest", "tags", "notes"})

    def __init__(self, check: Callable[[Access], object] = check_account) -> None:
        """`check` refuses credentials of another account."""
        self.check_account = check

    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        """Always a change: a digest is handed out only after the registry was asked now."""
        return super().diff(ctx, old, inputs, ignore) or [Change("adoption")]

    def preview(self, ctx: Context, inputs: Props, old: State | None) -> Props:
        """Nothing of it is known before the update."""
        del ctx, old
        return inputs | dict.fromkeys(self.computed, UNKNOWN)

    def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
        """Copy it, unless it is there."""
        return ctx.name, self._adopted(ctx, inputs)

    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        """Copy what is missing."""
        del old
        return self._adopted(ctx, inputs)

    def _adopted(self, ctx: Context, inputs: Props) -> Props:
        return reported(lambda: adopt(ctx, _cloud(inputs, self.check_account), Adoption.from_dict(inputs["adoption"])))


def adopt(
    ctx: Context,
    cloud: Cloud,
    adoption: Adoption,
    copier: Callable[[Context, Access], AbstractContextManager[Copier]] = _copier,
) -> Props:
    """The image is in our registry, under a tag that keeps it there; the registry itself says so."""
    given = parse_reference(adoption.origin.image)
    with copier(ctx, cloud.names.access) as run:
        tag = adoption.tag(taken=_taken(cloud, adoption))
        image = cloud.image(digest=adoption.digest)
        if image is None or tag not in image.tags:
            ctx.say(f"copying {given}" if image is None else f"tagging {given.digest} as {tag}")
            run.copy(_nearest(cloud, run.registry, given), cloud.names.repository, tag)
        image = _confirmed(cloud, adoption)
        notes = _with_what_refers_to_it(ctx, cloud, run, given, image)
    if adoption.commit and tag != adoption.commit:
        notes.append(f"another image has the tag {adoption.commit[:12]} already; this one is kept as {tag}")
    for note in notes:
        ctx.warn(note)
    return {"digest": image.digest, "tags": list(image.tags), "notes": notes}


def _cloud(args: Props, check: Callable[[Access], object]) -> Cloud:
    access = Access.from_dict(args)
    check(access)
    return Cloud(Names.of("", access=access, users_port=0, log_group="", repository=str(args["repository"])))


def _nearest(cloud: Cloud, registry: Registry, given: Reference) -> Reference:
    """Our own registry's copy, if it has one: the digest says that it is the same."""
    if cloud.image(digest=given.digest) is None:
        return given
    return Reference(host=registry.host, repository=cloud.names.repository, digest=given.digest)


def _taken(cloud: Cloud, adoption: Adoption) -> bool:
    """Does the tag of its commit stand for another image? Tags cannot be moved."""
    found = cloud.image(tag=adoption.commit) if adoption.commit else None
    return found is not None and found.digest != adoption.digest


def _confirmed(cloud: Cloud, adoption: Adoption) -> Image:
    image = cloud.image(digest=adoption.digest)
    if image is None:
        raise CloudError(
            f"{adoption.digest} was copied, but the registry {cloud.names.repository} does not have it.",
            next_step="run `release adopt` again; if it stays so, look at the repository.",
        )
    return image


def _with_what_refers_to_it(ctx: Context, cloud: Cloud, run: Copier, given: Reference, image: Image) -> list[str]:
    """Copy signatures and attestations that are tags next to it; what could not be copied, in words."""
    if run.registry.answers_for(given.host) and given.repository == cloud.names.repository:
        return []
    try:
        missing = [tag for tag in run.referring(given, image.manifests) if cloud.image(tag=tag) is None]
        for tag in missing:
            ctx.say(f"copying {tag}")
            run.copy(given, cloud.names.repository, tag, other=tag)
    except ReleaseError as error:
        return [f"signatures and attestations of {given.name} were not all copied: {error.what} {error.why}".strip()]
    return []
