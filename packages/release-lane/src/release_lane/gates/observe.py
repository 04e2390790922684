"""The provider's functions: what an environment is now, and whether the registry has an image."""

from __future__ import annotations

from provider_kit import Context, Props

from release_lane.aws.cloud import Cloud
from release_lane.aws.labels import labels_of
from release_lane.aws.network import describe
from release_lane.aws.observe import account_checked_meanwhile, observed
from release_lane.aws.session import check_account
from release_lane.gates.gate import reported
from release_lane.record.alarms import Watched
from release_lane.record.names import Access, Names


def observe(ctx: Context, args: Props) -> Props:
    """`release:index:observe`: args `environment`, `digest` or "", `alarms` (`Watched.as_dict`), the ARN of a
    `certificate` or "", and whether users are to go `back`.

    Returns what `release_lane.aws.observe.observed` does; `Observed.from_dict` (record.records) reads it.
    """
    del ctx
    digest = str(args.get("digest") or "")

    def look() -> Props:
        names = Names.from_dict(args["environment"])
        watched, certificate = Watched.from_dict(args.get("alarms") or {}), str(args.get("certificate") or "")
        back = bool(args.get("back"))
        return account_checked_meanwhile(names, lambda cloud: observed(cloud, digest, watched, certificate, back=back))

    return reported(look)


def find_image(ctx: Context, args: Props) -> Props:
    """`release:index:findImage`: args of `Access.as_dict`, repository, tag.

    Returns `digest` ("" if there is none), `tags`: all names of that image, and whether the `repository` is there.
    """
    del ctx

    def find() -> Props:
        access = Access.from_dict(args)
        check_account(access)
        names = Names.of("", access=access, users_port=0, log_group="", repository=str(args["repository"]))
        cloud = Cloud(names)
        image = cloud.image(tag=str(args["tag"]))
        if image is None:
            return {"digest": "", "tags": [], "repository": cloud.has_repository()}
        return {"digest": image.digest, "tags": sorted(image.tags), "repository": True}

    return reported(find)


def read_labels(ctx: Context, args: Props) -> Props:
    """`release:index:readLabels`: args of `Access.as_dict`, repository, digest; returns `Labels.as_dict`."""
    del ctx

    def look() -> Props:
        access = Access.from_dict(args)
        check_account(access)
        names = Names.of("", access=access, users_port=0, log_group="", repository=str(args["repository"]))
        return labels_of(Cloud(names), str(args["digest"])).as_dict()

    return reported(look)


def describe_network(ctx: Context, args: Props) -> Props:
    """`release:index:describeNetwork`: args of `Access.as_dict`, `vpc`, `subnets` (ids).

    Returns what `release_lane.aws.network.describe` does; `FoundNetwork.from_dict` (decide.existing_network) reads it.
    """
    del ctx

    def look() -> Props:
        access = Access.from_dict(args)
        check_account(access)
        return describe(access, str(args["vpc"]), list(args["subnets"]))

    return reported(look)
