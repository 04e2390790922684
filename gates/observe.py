"""The provider's functions: what an environment is now, and whether the registry has an image."""

from __future__ import annotations

from gates import warm
from gates.gate import told
from gates.kit import Context, Props
from release.alarms import Watched
from release.aws.cloud import Cloud
from release.aws.observe import observed
from release.aws.session import check_account
from release.names import Access, Names


def ready(ctx: Context, args: Props) -> Props:
    """`release:index:ready`: no args, no results. For whoever wants this provider to be started early."""
    del ctx, args
    return {}


def observe(ctx: Context, args: Props) -> Props:
    """`release:index:observe`: args `environment`, `digest` or "", and `alarms` (`Watched.as_dict`).

    Returns what `release.aws.observe.observed` does; `release.records.Observed.from_dict` reads it.
    """
    del ctx
    digest = str(args.get("digest") or "")

    def look() -> Props:
        cloud = Cloud(Names.from_dict(args["environment"]))
        return observed(cloud, digest, Watched.from_dict(args.get("alarms") or {}))

    seen = told(look)
    if digest:
        warm.prepare()  # a digest that was asked for will most likely be smoked
    return seen


def find_image(ctx: Context, args: Props) -> Props:
    """`release:index:findImage`: args region, account, role, repository, tag.

    Returns `digest` ("" if there is none), and `tags`: all names of that image.
    """
    del ctx

    def find() -> Props:
        access = Access(region=args["region"], account=args["account"], role=str(args.get("role") or ""))
        check_account(access)
        names = Names.of("", access=access, users_port=0, log_group="", repository=str(args["repository"]))
        image = Cloud(names).image(tag=str(args["tag"]))
        return {"digest": image.digest if image else "", "tags": sorted(image.tags) if image else []}

    return told(find)
