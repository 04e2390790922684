"""The provider's functions: what an environment is now, and whether the registry has an image."""

from __future__ import annotations

from typing import Any

from gates.aws import POOL, Cloud, check_account
from gates.gate import told
from gates.kit import Context, Props
from release.names import Access, Names
from release.placement import Colour
from release.rollout import Reading


def observe(ctx: Context, args: Props) -> Props:
    """`release:index:observe`: args `environment`, and `digest` or "".

    Returns listenerArn, rule {weights, tags} or nothing, colours {blue, green}, image {digest, commit} or nothing.
    The shape is read by `release.records.Observed.from_dict`.
    """
    del ctx
    return told(lambda: _observe(Cloud(Names.from_dict(args["environment"])), str(args.get("digest") or "")))


def _observe(cloud: Cloud, digest: str) -> Props:
    image = POOL.submit(cloud.image, digest=digest) if digest else None
    readings = POOL.submit(_sides_if_cluster, cloud)
    balancer = cloud.balancer()
    sides = readings.result()
    found = image.result() if image else None
    return {
        "listenerArn": balancer.listener,
        "rule": {
            "weights": {str(colour): weight for colour, weight in balancer.rule.weights.items()},
            "tags": dict(balancer.rule.tags),
        }
        if balancer.rule
        else None,
        "colours": sides,
        "image": {"digest": found.digest, "tags": list(found.tags)} if found else None,
    }


def _sides_if_cluster(cloud: Cloud) -> dict[str, Any]:
    groups = cloud.target_groups()
    pending = {colour: POOL.submit(_side, cloud, colour, groups.get(colour)) for colour in Colour}
    return {str(colour): future.result() for colour, future in pending.items()}


def _side(cloud: Cloud, colour: Colour, group: str | None) -> Props:
    reading = cloud.read(colour, group)
    release = cloud.release_of(reading.task_definition)
    primary = reading.primary
    return {
        "exists": reading.exists,
        "digest": common_digest(cloud, reading, release.digest if release else ""),
        "release": release.as_dict() if release else None,
        "wanted": reading.wanted,
        "running": len(reading.running),
        "healthy": reading.healthy,
        "deployment": primary.id if primary else "",
        "deploymentState": primary.state if primary else "",
        "taskDefinition": reading.task_definition,
    }


def common_digest(cloud: Cloud, reading: Reading, named: str) -> str:
    """The digest that all running tasks have in common; `named` where they run one of its platform's manifests."""
    digests = {task.digest for task in reading.running}
    if not digests or digests == {named}:
        return named if digests else ""
    image = cloud.image(digest=named) if named else None
    if image and digests <= image.manifests:
        return named
    return digests.pop() if len(digests) == 1 else "several"


def find_image(ctx: Context, args: Props) -> Props:
    """`release:index:findImage`: args region, account, role, repository, tag. Returns digest ("" if there is none)."""
    del ctx

    def find() -> Props:
        access = Access(region=args["region"], account=args["account"], role=str(args.get("role") or ""))
        check_account(access)
        names = Names.of("", access=access, users_port=0, log_group="", repository=str(args["repository"]))
        image = Cloud(names).image(tag=str(args["tag"]))
        return {"digest": image.digest if image else ""}

    return told(find)
