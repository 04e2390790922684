"""An environment as it is now: the production rule with its tags, and what each colour runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, TypeVar

from release_lane.aws import patience
from release_lane.aws.certificate import certificate_in
from release_lane.aws.cloud import Balancer, Cloud, Image, submit
from release_lane.aws.labels import LABELS_WITHIN, labels_of
from release_lane.aws.scaling import scaling
from release_lane.aws.session import check_account
from release_lane.aws.signals import alarms
from release_lane.decide import foundations as parts
from release_lane.errors import CloudError
from release_lane.record.alarms import Watched
from release_lane.record.container import release_in, repository_in
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour
from release_lane.record.records import GroupCheck, Scaling
from release_lane.watch.rollout import Reading

NOTHING_WATCHED = Watched()
AS_AWS_NAMES_THEM = (
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
)

Seen = TypeVar("Seen")


@dataclass
class Spared:
    """Looks that users do not have to wait for: what could not be seen is said, and taken as it should be."""

    back: bool
    unseen: list[str] = field(default_factory=list)

    def submit(self, what: str, look: Callable[[], Seen], instead: Seen) -> Future[Seen]:
        """Begin to look; on a way back `instead` is what is seen where AWS does not answer soon, or refuses."""
        return submit(partial(self._look, what, look, instead) if self.back else look)

    def _look(self, what: str, look: Callable[[], Seen], instead: Seen) -> Seen:
        from botocore.exceptions import ClientError

        try:
            with patience.at_most(patience.SPARED_WITHIN):
                return look()
        except (CloudError, ClientError) as away:
            self.unseen.append(f"{what} ({away.what if isinstance(away, CloudError) else away})")
            return instead


NOT_SPARED = Spared(back=False)


def observed(
    cloud: Cloud,
    digest: str = "",
    watched: Watched = NOTHING_WATCHED,
    certificate: str = "",
    *,
    scaled: bool = False,
    back: bool = False,
) -> dict[str, Any]:
    """Look now; `release_lane.record.records.Observed.from_dict` reads the answer.

    Keys: listenerArn, loadBalancer, secured, rule {weights, tags} or None, colours {blue, green}, image {digest, tags,
    labels (`Labels.as_dict`)} of `digest` or None, alarms (those of `watched` that exist), missingAlarms, located
    (`Located.as_dict`), checks (each target group's health check, by colour), and of the
    `certificate` (an ARN) certificateNames, the names it is for, and certificateProblem: why it is not fit for the name
    that users come by. Scalable targets are read where a `digest` is given, where they are asked for (`scaled`), and
    where the colours differ in size. `back`: users are to go back, so registry, alarms, scalable targets and the
    certificate need not answer; `unseen` says which of them did not.
    """
    spared = Spared(back)
    fit = partial(certificate_in, cloud.names.access, certificate)
    described_certificate = spared.submit("the certificate", fit, None) if certificate else None
    there: Image | None = Image(digest=digest, tags=(), manifests=frozenset({digest}))
    in_registry = partial(cloud.image, digest=digest, whole=False)
    image = spared.submit("the image in the registry", in_registry, there) if digest else None
    within = patience.SPARED_WITHIN if back else LABELS_WITHIN
    declared = submit(partial(labels_of, cloud, digest, within)) if digest else None
    described = submit(cloud.described_groups)

    def groups() -> Mapping[Colour, str]:
        return {colour: group["TargetGroupArn"] for colour, group in described.result().items()}

    readings = submit(partial(_sides, cloud, groups, spared))
    heard = spared.submit("the alarms", partial(alarms, cloud, watched), None) if watched.names else None
    scales, unscaled = partial(scaling, cloud), dict[Colour, Scaling]()
    targets = spared.submit("what scales the services", scales, unscaled) if digest or scaled or back else None
    balancer = cloud.balancer(groups=groups)
    sides = readings.result()
    found = image.result() if image else None
    labels = declared.result().as_dict() if declared and found else None
    known = heard.result() if heard else ()
    missing = () if known is None else watched.missing(known)
    given = described_certificate.result() if described_certificate else None
    _add_scaling(cloud, sides, targets.result() if targets else None)
    for colour in Colour:
        sides[colour]["missing"] = _missing(cloud, balancer, colour, exists=sides[colour]["exists"])
    return {
        # Before HTTPS is opened, the production rule is on the listener of port 80.
        "listenerArn": balancer.listener or (balancer.plain.arn if balancer.plain else ""),
        "loadBalancer": balancer.dns_name,
        "secured": bool(cloud.names.domain) and balancer.secured,
        "rule": {
            "weights": {str(colour): weight for colour, weight in balancer.rule.weights.items()},
            "tags": dict(balancer.rule.tags),
        }
        if balancer.rule
        else None,
        "colours": sides,
        "image": {"digest": found.digest, "tags": list(found.tags), "labels": labels} if found else None,
        "alarms": [alarm.as_dict() for alarm in known or ()],
        "missingAlarms": list(missing),
        "certificateNames": list(given.names) if given else [],
        "certificateProblem": given.problem(cloud.names.domain, time.time()) if given else "",
        "located": balancer.located.as_dict(),
        "unseen": spared.unseen,
        "checks": {str(colour): _check(group) for colour, group in described.result().items()},
    }


def _check(group: Mapping[str, Any]) -> dict[str, Any]:
    found = GroupCheck.read(group, AS_AWS_NAMES_THEM)
    return asdict(found) if found else {}


def account_checked_meanwhile(
    names: Names, look: Callable[[Cloud], Seen], check: Callable[[Access], object] = check_account
) -> Seen:
    """What the look saw; nothing of it if the credentials are of another account, which is asked at the same time.

    For looks that only read. The account's answer is waited for first: it says sooner than others that AWS is away.
    """
    account = submit(partial(check, names.access))
    seen = submit(lambda: look(Cloud(names, check=lambda _: None)))
    account.result()
    return seen.result()


def _missing(cloud: Cloud, balancer: Balancer, colour: Colour, *, exists: bool) -> list[str]:
    """The parts of a colour that do not exist."""
    names = cloud.names
    there = {
        parts.group(names.target_groups[colour]): colour in balancer.target_groups,
        parts.listener(names.test_ports[colour]): names.test_ports[colour] in balancer.ports,
        parts.service(names.services[colour]): exists,
    }
    return [part for part, found in there.items() if not found]


def _add_scaling(cloud: Cloud, sides: dict[str, Any], known: dict[Colour, Scaling] | None) -> None:
    """Scalable targets matter where users may be moved, and where the colours differ in size.

    An update with nothing to do does not ask for them.
    """
    if known is None and len({side["wanted"] for side in sides.values()}) > 1:
        known = scaling(cloud)
    for colour, found in (known or {}).items():
        sides[colour]["scaling"] = {"least": found.least, "most": found.most}


def _sides(cloud: Cloud, groups: Callable[[], Mapping[Colour, str]], spared: Spared) -> dict[str, Any]:
    readings = cloud.read_both(groups)
    pending = {colour: submit(partial(_side, cloud, reading, spared)) for colour, reading in readings.items()}
    return {str(colour): future.result() for colour, future in pending.items()}


def _side(cloud: Cloud, reading: Reading, spared: Spared) -> dict[str, Any]:
    definitions = cloud.containers(reading.task_definition)
    release = release_in(definitions, cloud.names.container)
    repository = repository_in(definitions, cloud.names.container)
    primary = reading.primary
    return {
        "exists": reading.exists,
        "digest": common_digest(cloud, reading, release.digest if release else "", repository, spared),
        "release": release.as_dict() if release else None,
        "wanted": reading.wanted,
        "running": len(reading.running),
        "healthy": reading.healthy,
        "deployment": primary.id if primary else "",
        "deploymentState": primary.state if primary else "",
        "taskDefinition": reading.task_definition,
        "tasks": {task.ip: task.digest for task in reading.running},
    }


def common_digest(cloud: Cloud, reading: Reading, named: str, repository: str, spared: Spared = NOT_SPARED) -> str:
    """The digest that all running tasks have in common; `named` if they run the manifest of one of its platforms.

    `repository` is the one in their task definition: the command knows no other. On a way back, where the registry
    does not say which manifests an image has, tasks that all run one are taken to run the one that is named.
    """
    digests = {task.digest for task in reading.running}
    if not digests or digests == {named}:
        return named if digests else ""
    alike = frozenset({named, *digests} if len(digests) == 1 else {named})
    look = partial(cloud.manifests, named, repository)
    if named and digests <= spared.submit("the platforms of the image", look, alike).result():
        return named
    return digests.pop() if len(digests) == 1 else "several"
