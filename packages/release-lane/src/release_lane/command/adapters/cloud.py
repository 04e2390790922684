"""AWS behind a Protocol: what the command itself reads and writes there, outside of an update."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from release_lane.errors import CloudError, Refused
from release_lane.operate.aborting import ProductionRule
from release_lane.operate.drift import Call
from release_lane.operate.recovery import SERVICE, Existing
from release_lane.operate.scanning import NOT_FOUND, Scan
from release_lane.operate.watching import Look
from release_lane.record.adoption import Reference
from release_lane.record.alarms import Watched
from release_lane.record.contract import Labels
from release_lane.record.journal import Abort, Journal
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour
from release_lane.record.records import Observed

if TYPE_CHECKING:
    from release_lane.aws.cloud import Rule


class Cloud(Protocol):
    """What the command needs of AWS. Everything raises `CloudError` where AWS fails, `Refused` in a foreign account."""

    def observed(self, names: Names) -> Observed:
        """The environment as it is now."""

    def existing(self, names: Names, type_: str, inputs: Mapping[str, Any]) -> Existing | None:
        """What AWS has under the name that a resource was to get. KeyError for a type that is not looked up."""

    def delete_service(self, names: Names, colour: Colour) -> None:
        """Begin to delete the service of a colour; `Refused` if the colour gets any users at this moment."""

    def production_rule(self, names: Names) -> ProductionRule | None:
        """The production rule: weights, journal, abort request; None if it does not exist."""

    def ask_abort(self, names: Names, abort: Abort) -> None:
        """Leave the abort request on the production rule."""

    def look(self, names: Names, alarms: Watched, period: float, traffic: tuple[float, float] | None) -> Look:
        """What a watch sees now; `traffic` from one epoch second to another, in datapoints of `period` seconds."""

    def calls(self, names: Names, made: Sequence[str]) -> tuple[Call, ...]:
        """The last calls of these names to AWS that CloudTrail knows, newest first."""

    def scan(self, access: Access, repository: str, digest: str) -> Scan:
        """What the registry's scan of an image found, as far as it came."""

    def labels(self, access: Access, repository: str, digest: str) -> Labels:
        """What an image of this registry declares."""

    def labels_elsewhere(self, access: Access, reference: Reference) -> Labels:
        """What an image declares, as the registry says that its name names."""

    def make_ledger(self, access: Access, bucket: str, *, days: int, compliance: bool) -> list[str]:
        """Make the bucket of a ledger, or bring it to what it should be; what was done, in words."""


class RealCloud:
    """AWS, through `release_lane.aws` (which loads boto3, so it is imported only when needed)."""

    def observed(self, names: Names) -> Observed:
        """Weights, journal, and both colours."""
        from release_lane.aws.observe import account_checked_meanwhile, observed

        with _failing_as_cloud_error():
            return Observed.from_dict(account_checked_meanwhile(names, partial(observed, scaled=True)))

    def existing(self, names: Names, type_: str, inputs: Mapping[str, Any]) -> Existing | None:
        """By the API that creates it."""
        from release_lane.aws.existing import LOOKED_UP, existing
        from release_lane.aws.session import check_account

        if type_ not in LOOKED_UP:
            raise KeyError(type_)
        with _failing_as_cloud_error():
            check_account(names.access)
            return existing(names.access, type_, inputs)

    def delete_service(self, names: Names, colour: Colour) -> None:
        """With force: its tasks are stopped, and drained before that."""
        from release_lane.aws.cloud import Cloud as Door

        with _failing_as_cloud_error():
            door = Door(names)
            rule = door.balancer().rule
            if rule and rule.weights.get(colour, 0) > 0:
                raise Refused(
                    f"{colour} gets {rule.weights[colour]}% of the traffic of {names.cluster}; its service stays.",
                    next_step="run `release recover` again.",
                )
            door.ecs.delete_service(cluster=names.cluster, service=names.services[colour], force=True)

    def production_rule(self, names: Names) -> ProductionRule | None:
        """By its weights and tags."""
        from release_lane.aws.cloud import Cloud as Door

        with _failing_as_cloud_error():
            return _production_rule(Door(names).balancer().rule)

    def ask_abort(self, names: Names, abort: Abort) -> None:
        """One tag; the switch removes it."""
        from release_lane.aws.cloud import Cloud as Door

        with _failing_as_cloud_error():
            door = Door(names)
            rule = door.balancer().rule
            if rule is None:
                raise Refused(f"{names.cluster} has no production rule: no traffic is being moved.")
            door.tag_rule(rule.arn, abort.as_tags())

    def look(self, names: Names, alarms: Watched, period: float, traffic: tuple[float, float] | None) -> Look:
        """By the same calls as the switch."""
        from release_lane.aws import signals
        from release_lane.aws.cloud import Cloud as Door
        from release_lane.aws.cloud import submit

        with _failing_as_cloud_error():
            door = Door(names)
            groups = submit(door.target_groups)
            health = submit(lambda: door.health(groups.result()))
            heard = submit(lambda: signals.alarms(door, alarms))
            balancer = door.balancer(groups=groups.result)
            return Look(
                rule=_production_rule(balancer.rule),
                health=health.result(),
                alarms=heard.result(),
                traffic=signals.traffic(door, balancer, since=traffic[0], until=traffic[1], period=period)
                if traffic
                else None,
            )

    def calls(self, names: Names, made: Sequence[str]) -> tuple[Call, ...]:
        """By LookupEvents."""
        from release_lane.aws.trail import lookup

        with _failing_as_cloud_error():
            return tuple(map(Call.of, lookup(names.access, made)))

    def scan(self, access: Access, repository: str, digest: str) -> Scan:
        """By ECR, in whose account these credentials are."""
        from release_lane.aws.registry import scan_of

        with _failing_as_cloud_error():
            return scan_of(access, repository, digest)

    def labels(self, access: Access, repository: str, digest: str) -> Labels:
        """By ECR, in the account of the stack."""
        from release_lane.aws.cloud import Cloud as Door
        from release_lane.aws.labels import labels_of

        names = Names.of("", access=access, users_port=0, log_group="", repository=repository)
        with _failing_as_cloud_error():
            return labels_of(Door(names), digest)

    def labels_elsewhere(self, access: Access, reference: Reference) -> Labels:
        """By skopeo, which reads all registries; a failure of it is an error that says what to do."""
        from provider_kit import Context

        from release_lane.aws.registry import registry_of
        from release_lane.gates.skopeo import skopeo

        unwatched = Context(config={}, cancelled=threading.Event(), log=lambda *_, **__: None)
        with _failing_as_cloud_error(), skopeo(unwatched, registry_of(access)) as run:
            return Labels.of(run.examine(reference).labels)

    def make_ledger(self, access: Access, bucket: str, *, days: int, compliance: bool) -> list[str]:
        """By S3, in the account of the stack."""
        from release_lane.aws.session import check_account
        from release_lane.ledger.bucket import created

        with _failing_as_cloud_error():
            check_account(access)
            return list(created(access, bucket, days=days, compliance=compliance))


def _production_rule(rule: Rule | None) -> ProductionRule | None:
    if rule is None:
        return None
    return ProductionRule(weights=rule.weights, journal=Journal.from_tags(rule.tags), abort=Abort.from_tags(rule.tags))


@contextmanager
def _failing_as_cloud_error() -> Iterator[None]:
    """AWS's own refusals as a `CloudError` (what could not be reached is one already)."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise CloudError(
            "AWS refused a request.", why=str(error), next_step="check the credentials and the role."
        ) from error


NOTHING_THERE = Observed(weights=None, journal=None, listener=False)


@dataclass
class FakeCloud:
    """`environments` by the name of their cluster; `there` is what exists, by type and name."""

    environments: dict[str, Observed] = field(default_factory=dict)
    there: dict[tuple[str, str], Existing] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    aborts: list[Abort] = field(default_factory=list)
    on_abort: Callable[[FakeCloud], object] = bool
    each: Callable[[FakeCloud], object] = bool
    looks: int = 0
    seen: list[Look] = field(default_factory=list)
    ledgers: list[tuple[str, str, int, bool]] = field(default_factory=list)
    """Account, bucket, days and compliance of each that was made."""
    listened: list[tuple[Watched, tuple[float, float] | None]] = field(default_factory=list)
    trail: tuple[Call, ...] | CloudError = ()
    asked_for: list[tuple[str, ...]] = field(default_factory=list)
    scans: list[Scan | CloudError] = field(default_factory=list)
    scanned: list[tuple[str, str]] = field(default_factory=list)
    """Repository and digest of each scan that was asked for."""
    declared: Mapping[str, Labels] = field(default_factory=dict)
    """What images declare: by repository@digest, and by their names elsewhere."""

    def observed(self, names: Names) -> Observed:
        """As given; `each` happens first."""
        self.looks += 1
        self.each(self)
        return self.environments.get(names.cluster, NOTHING_THERE)

    def existing(self, names: Names, type_: str, inputs: Mapping[str, Any]) -> Existing | None:
        """As given; only services are looked up."""
        del names
        if type_ != SERVICE:
            raise KeyError(type_)
        return self.there.get((type_, str(inputs["name"])))

    def delete_service(self, names: Names, colour: Colour) -> None:
        """Gone at once."""
        self.deleted.append(names.services[colour])
        self.there.pop((SERVICE, names.services[colour]), None)

    def production_rule(self, names: Names) -> ProductionRule | None:
        """As the environment says; `each` happens first."""
        seen = self.observed(names)
        return ProductionRule(weights=seen.weights, journal=seen.journal) if seen.weights is not None else None

    def ask_abort(self, names: Names, abort: Abort) -> None:
        """Remembered; then what the switch makes of it."""
        del names
        self.aborts.append(abort)
        self.on_abort(self)

    def look(self, names: Names, alarms: Watched, period: float, traffic: tuple[float, float] | None) -> Look:
        """The next of the `seen`; the last one stays."""
        del names, period
        self.looks += 1
        self.listened.append((alarms, traffic))
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]

    def calls(self, names: Names, made: Sequence[str]) -> tuple[Call, ...]:
        """As given; fails if `trail` is an error."""
        del names
        self.asked_for.append(tuple(made))
        if isinstance(self.trail, CloudError):
            raise self.trail
        return self.trail

    def scan(self, access: Access, repository: str, digest: str) -> Scan:
        """The next of the `scans`, which may be an error; the last one stays. Without any, none is known."""
        del access
        self.scanned.append((repository, digest))
        found = self.scans.pop(0) if len(self.scans) > 1 else next(iter(self.scans), Scan(status=NOT_FOUND))
        if isinstance(found, CloudError):
            raise found
        return found

    def labels(self, access: Access, repository: str, digest: str) -> Labels:
        """As given; of another image nothing can be read."""
        del access
        return self.declared.get(f"{repository}@{digest}", Labels(unread="there is no such image"))

    def labels_elsewhere(self, access: Access, reference: Reference) -> Labels:
        """As given."""
        del access
        return self.declared.get(str(reference), Labels(unread="there is no such image"))

    def make_ledger(self, access: Access, bucket: str, *, days: int, compliance: bool) -> list[str]:
        """Remembered."""
        self.ledgers.append((access.account, bucket, days, compliance))
        return [f"made the bucket {bucket}"]
