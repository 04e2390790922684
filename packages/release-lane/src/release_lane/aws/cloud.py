"""One environment in AWS: typed reads, and the few writes of the production rule. The one door of gates and command.

Every call is tried again for a while (`release_lane.aws.patience`). All writes can be repeated: weights, tags and the
size of a service are absolute, a rule that is gone is deleted, and one that was created meanwhile is looked up.

Sources: AWS API references of ECS, Elastic Load Balancing v2, ECR and CloudWatch Logs. Nothing is cached between
calls except clients and the identity behind them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from release_lane.aws import patience
from release_lane.aws.session import check_account, client
from release_lane.errors import CloudError, Refused
from release_lane.record.container import release_in
from release_lane.record.names import Names
from release_lane.record.placement import Colour, Release
from release_lane.watch.judge import Health
from release_lane.watch.rollout import Deployment, Reading, Target, Task

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import TaskTypeDef
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_logs import CloudWatchLogsClient

LOGS_WITHIN = 5.0
"""Seconds for the last log lines of a task: they only help, and a refusal does not wait long for them."""

Result = TypeVar("Result")

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""Media types of manifests. Unless an index is asked for, the registry may answer with that of one platform."""


def submit(work: Callable[[], Result]) -> Future[Result]:
    """Begin it in a thread of its own, with the patience of this one.

    Not in a pool: work may begin other work and wait for it, and where all threads of a pool wait for work that is
    queued behind them, none of it ever ends.
    """
    future, run = Future[Result](), copy_context().run

    def do() -> None:
        try:
            future.set_result(run(work))
        except BaseException as error:
            future.set_exception(error)

    Thread(target=do, name="aws", daemon=True).start()
    return future


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image in the registry. `manifests`: its own digest and, for an index, those of its platforms."""

    digest: str
    tags: tuple[str, ...]
    manifests: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The production rule: weights in percent, and its tags."""

    arn: str
    weights: Mapping[Colour, int]
    tags: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Balancer:
    """The load balancer of an environment as far as it exists. `ports`: those of its listeners."""

    dns_name: str = ""
    listener: str = ""
    ports: frozenset[int] = frozenset()
    target_groups: Mapping[Colour, str] = field(default_factory=dict)
    rule: Rule | None = None


class Cloud:
    """One environment in AWS. Every method reads (or writes) now."""

    def __init__(self, names: Names) -> None:
        """Refuses an account that is not the environment's."""
        self.names = names
        check_account(names.access)

    @property
    def ecs(self) -> ECSClient:
        """Client of Amazon ECS."""
        return client(self.names.access, "ecs")  # type: ignore[no-any-return]

    @property
    def elb(self) -> ElasticLoadBalancingv2Client:
        """Client of Elastic Load Balancing v2."""
        return client(self.names.access, "elbv2")  # type: ignore[no-any-return]

    @property
    def ecr(self) -> ECRClient:
        """Client of Amazon ECR."""
        return client(self.names.access, "ecr")  # type: ignore[no-any-return]

    @property
    def logs(self) -> CloudWatchLogsClient:
        """Client of CloudWatch Logs."""
        return client(self.names.access, "logs")  # type: ignore[no-any-return]

    # ---- the registry

    def image(self, *, digest: str = "", tag: str = "", repository: str = "") -> Image | None:
        """An image by digest or by tag; None if it or the repository does not exist, or no repository is known.

        It is looked for in the environment's own repository, unless `repository` names another one.
        """
        repository = repository or self.names.repository
        if not repository:  # the command knows none, unless a task definition names it
            return None
        wanted: Any = [{"imageDigest": digest} if digest else {"imageTag": tag}]
        try:
            found = self.ecr.describe_images(repositoryName=repository, imageIds=wanted)["imageDetails"]
        except self.ecr.exceptions.ClientError as error:
            if _code(error) in ("ImageNotFoundException", "RepositoryNotFoundException"):
                return None
            raise
        if not found:
            return None
        known = found[0]["imageDigest"]
        manifests = self._manifests(repository, known)
        return Image(digest=known, tags=tuple(found[0].get("imageTags") or ()), manifests=manifests)

    def has_repository(self) -> bool:
        """Is the environment's own repository there, with or without images?"""
        try:
            self.ecr.describe_images(repositoryName=self.names.repository, maxResults=1)
        except self.ecr.exceptions.RepositoryNotFoundException:
            return False
        return True

    def _manifests(self, repository: str, digest: str) -> frozenset[str]:
        ids: Any = [{"imageDigest": digest}]
        kinds = list(MANIFESTS)
        got = self.ecr.batch_get_image(repositoryName=repository, imageIds=ids, acceptedMediaTypes=kinds)["images"]
        document = json.loads(got[0]["imageManifest"]) if got else {}
        return frozenset({digest, *(str(part["digest"]) for part in document.get("manifests") or ())})

    # ---- the load balancer

    def balancer(self) -> Balancer:
        """What exists of load balancer, production listener, target groups and rule."""
        found = self._load_balancer()
        groups = self.target_groups()
        if not found:
            return Balancer(target_groups=groups)
        listeners = self.elb.describe_listeners(LoadBalancerArn=found["LoadBalancerArn"])["Listeners"]
        listener = next((at["ListenerArn"] for at in listeners if at["Port"] == self.names.users_port), "")
        rule = self.rule(listener, groups) if listener else None
        ports = frozenset(int(at["Port"]) for at in listeners)
        return Balancer(dns_name=found["DNSName"], listener=listener, ports=ports, target_groups=groups, rule=rule)

    def _load_balancer(self) -> Any:
        try:
            return self.elb.describe_load_balancers(Names=[self.names.load_balancer])["LoadBalancers"][0]
        except self.elb.exceptions.LoadBalancerNotFoundException:
            return None

    def target_groups(self) -> dict[Colour, str]:
        """ARNs of those target groups that exist."""
        by_name = {name: colour for colour, name in self.names.target_groups.items()}
        found = self._groups(list(by_name))
        return {by_name[group["TargetGroupName"]]: group["TargetGroupArn"] for group in found}

    def _groups(self, names: Sequence[str]) -> Sequence[Any]:
        """AWS refuses to describe any of several where one does not exist."""
        try:
            return self.elb.describe_target_groups(Names=names)["TargetGroups"]
        except self.elb.exceptions.TargetGroupNotFoundException:
            return [group for name in names for group in self._groups([name])] if len(names) > 1 else []

    def rule(self, listener: str, groups: Mapping[Colour, str]) -> Rule | None:
        """The production rule with its weights and tags as they are now, or None."""
        rules = [rule for rule in self.elb.describe_rules(ListenerArn=listener)["Rules"] if not rule["IsDefault"]]
        if not rules:
            return None
        if len(rules) > 1:
            raise Refused(
                f"The production listener has {len(rules)} rules; this program keeps exactly one.",
                why="somebody added a rule, so who serves which request is no longer decided by the switch alone",
                next_step="remove the added rule from the listener, then update again.",
            )
        arn = rules[0]["RuleArn"]
        conditions = rules[0].get("Conditions", [])
        if any((each.get("Field"), each.get("Values")) != ("path-pattern", ["/*"]) for each in conditions):
            raise Refused(
                f"The production rule no longer matches every request, but only {_conditions(conditions)}.",
                why="somebody changed it, so some users get the listener's 503",
                next_step="make the path /* its only condition again, then update.",
            )
        return Rule(arn=arn, weights=_shares(rules[0], groups), tags=self._tags(arn))

    def _tags(self, rule: str) -> dict[str, str]:
        tags = self.elb.describe_tags(ResourceArns=[rule])["TagDescriptions"][0]["Tags"]
        return {tag["Key"]: tag.get("Value", "") for tag in tags}

    def _weights(self, rule: str, groups: Mapping[Colour, str]) -> dict[Colour, int]:
        return _shares(self.elb.describe_rules(RuleArns=[rule])["Rules"][0], groups)

    def create_rule(
        self, listener: str, groups: Mapping[Colour, str], weights: Mapping[Colour, int], tags: Mapping[str, str]
    ) -> str:
        """Create the production rule (`/*`, priority 1) with weights and tags in one call; its ARN.

        After an answer that never came it may be there already: then it is looked up, and is ours by weights and tags.
        """
        try:
            made = self.elb.create_rule(
                ListenerArn=listener,
                Priority=1,
                Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
                Actions=self._forward(groups, weights),
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
        except (CloudError, self.elb.exceptions.PriorityInUseException) as error:
            if isinstance(error, CloudError) and not error.unclear:
                raise
            there = self.rule(listener, groups)
            if there is None or (there.weights, there.tags) != (weights, tags):
                raise
            return there.arn
        return str(made["Rules"][0]["RuleArn"])

    def set_weights(self, rule: str, groups: Mapping[Colour, str], weights: Mapping[Colour, int]) -> None:
        """Move users: one ModifyRule. Where it was never answered clearly, the rule itself says whether it was done."""
        with _unless(lambda: self._weights(rule, groups) == weights):
            self.elb.modify_rule(RuleArn=rule, Actions=self._forward(groups, weights))

    def _forward(self, groups: Mapping[Colour, str], weights: Mapping[Colour, int]) -> Any:
        """To both colours; to one alone where nobody is to be sent to a target group that is missing."""
        lost = [self.names.target_groups[colour] for colour in Colour if weights[colour] and colour not in groups]
        if lost:
            raise CloudError(
                f"The target group {lost[0]} does not exist, so nobody can be sent there. Users were not moved.",
                why="it was deleted, and not by this program",
                next_step="`pulumi refresh`, then update again, which makes it anew.",
            )
        shares = [
            {"TargetGroupArn": groups[colour], "Weight": weights[colour]} for colour in Colour if colour in groups
        ]
        return [{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}]

    def tag_rule(self, rule: str, tags: Mapping[str, str]) -> None:
        """Write all tags in one call. Where it was never answered clearly, the tags say whether it was done."""
        with _unless(lambda: tags.items() <= self._tags(rule).items()):
            self.elb.add_tags(ResourceArns=[rule], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])

    def untag_rule(self, rule: str, keys: Collection[str]) -> None:
        """Remove these tags in one call; those that are not there do not matter."""
        with _unless(lambda: not set(keys) & self._tags(rule).keys()):
            self.elb.remove_tags(ResourceArns=[rule], TagKeys=list(keys))

    def delete_rule(self, rule: str) -> None:
        """Delete the production rule: the listener answers 503 again. A rule that is gone already is fine."""
        try:
            self.elb.delete_rule(RuleArn=rule)
        except self.elb.exceptions.RuleNotFoundException:
            return

    # ---- a colour

    def read(self, colour: Colour, target_group: str | None) -> Reading:
        """What one colour's service runs now: deployments, tasks (recently stopped ones too), targets."""
        service = self._service(colour)
        if service is None:
            return Reading(exists=False)
        tasks = submit(lambda: self._tasks(colour))
        targets = submit(lambda: self._targets(target_group)) if target_group else None
        return Reading(
            exists=True,
            wanted=service["desiredCount"],
            task_definition=service["taskDefinition"],
            deployments=tuple(_deployment(each) for each in service["deployments"]),
            tasks=tuple(tasks.result()),
            targets=tuple(targets.result()) if targets else (),
            events=tuple(each["message"] for each in service.get("events") or ()),
        )

    def health(self, groups: Mapping[Colour, str]) -> dict[Colour, Health]:
        """How many tasks each colour's service wants, and how many targets are healthy: a quick look for a watch."""
        targets = {colour: submit(partial(self._targets, group)) for colour, group in groups.items()}
        names = {self.names.services[colour]: colour for colour in Colour}
        found = self.ecs.describe_services(cluster=self.names.cluster, services=list(names))["services"]
        wanted = {names[each["serviceName"]]: each["desiredCount"] for each in found if each["status"] == "ACTIVE"}
        return {
            colour: Health(
                wanted=wanted.get(colour, 0),
                healthy=sum(each.state == "healthy" for each in targets[colour].result()) if colour in targets else 0,
            )
            for colour in Colour
        }

    def set_service(self, colour: Colour, *, tasks: int, task_definition: str) -> None:
        """Set what the idle colour's service wants; never called for a colour that serves."""
        self.ecs.update_service(
            cluster=self.names.cluster,
            service=self.names.services[colour],
            desiredCount=tasks,
            taskDefinition=task_definition,
        )

    def _service(self, colour: Colour) -> Any:
        name = self.names.services[colour]
        try:
            found = self.ecs.describe_services(cluster=self.names.cluster, services=[name])["services"]
        except self.ecs.exceptions.ClusterNotFoundException:
            return None
        return next((service for service in found if service["status"] == "ACTIVE"), None)

    def _tasks(self, colour: Colour) -> list[Task]:
        arns: list[str] = []
        for status in ("RUNNING", "STOPPED"):
            paginator = self.ecs.get_paginator("list_tasks")
            pages = paginator.paginate(
                cluster=self.names.cluster,
                serviceName=self.names.services[colour],
                desiredStatus=status,
            )
            arns += [arn for page in pages for arn in page["taskArns"]]
        described = (
            self.ecs.describe_tasks(cluster=self.names.cluster, tasks=list(part))["tasks"] for part in _hundreds(arns)
        )
        return [_task(task, self.names.container) for tasks in described for task in tasks]

    def _targets(self, group: str) -> list[Target]:
        found = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [
            Target(
                ip=each["Target"]["Id"],
                state=each["TargetHealth"].get("State", ""),
                reason=each["TargetHealth"].get("Reason", ""),
                description=each["TargetHealth"].get("Description", ""),
            )
            for each in found
        ]

    def containers(self, task_definition: str) -> Sequence[Mapping[str, Any]]:
        """The container definitions of a task definition; none for no task definition."""
        if not task_definition:
            return ()
        found = self.ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
        return found["containerDefinitions"]

    def release_of(self, task_definition: str) -> Release | None:
        """The release a task definition was made for, by its own label; None if it is not one of ours."""
        return release_in(self.containers(task_definition), self.names.container)

    def log_lines(self, task: str, limit: int = 15) -> list[str]:
        """The last log lines of a task, oldest first; empty where there are none (or they cannot be read)."""
        stream = f"{self.names.container}/{self.names.container}/{task.rsplit('/', 1)[-1]}"
        try:
            with patience.at_most(LOGS_WITHIN):
                events = self.logs.get_log_events(
                    logGroupName=self.names.log_group, logStreamName=stream, limit=limit, startFromHead=False
                )["events"]
        except (self.logs.exceptions.ClientError, CloudError):
            return []
        return [str(event.get("message", "")).rstrip() for event in events]


@contextmanager
def _unless(done: Callable[[], bool]) -> Iterator[None]:
    """Let a write that was never answered clearly count as done where reading says that it was."""
    try:
        yield
    except CloudError as error:
        if not (error.unclear and done()):
            raise


def _shares(rule: Any, groups: Mapping[Colour, str]) -> dict[Colour, int]:
    """The weights of a rule in percent; a colour whose target group is missing gets nobody."""
    forward = rule["Actions"][0].get("ForwardConfig", {}).get("TargetGroups", [])
    raw = {part["TargetGroupArn"]: part.get("Weight", 1) for part in forward}
    return {colour: _percent(raw.get(groups.get(colour, ""), 0), sum(raw.values())) for colour in Colour}


def _conditions(found: Iterable[Mapping[str, Any]]) -> str:
    """In words: `host-header a.example and path-pattern /a or /b`. Newer kinds keep their values elsewhere."""
    parts = [(str(each.get("Field")), each.get("Values")) for each in found]
    return " and ".join(f"{field} {' or '.join(map(str, values or ('of its own',)))}" for field, values in parts)


def _percent(weight: int, total: int) -> int:
    """A share in percent; 0 and 100 only where it is exactly nobody or everybody."""
    if weight in (0, total):
        return 100 if weight else 0
    return min(99, max(1, round(100 * weight / total)))


def _deployment(value: Any) -> Deployment:
    return Deployment(
        id=value["id"],
        primary=value["status"] == "PRIMARY",
        task_definition=value["taskDefinition"],
        state=value.get("rolloutState", ""),
        reason=value.get("rolloutStateReason", ""),
    )


def _task(value: TaskTypeDef, container: str) -> Task:
    main = next((each for each in value.get("containers", []) if each.get("name") == container), None) or {}
    interfaces = main.get("networkInterfaces") or []
    code = main.get("exitCode")
    reasons = [value.get("stoppedReason", ""), main.get("reason", ""), f"exit code {code}" if code is not None else ""]
    return Task(
        arn=value["taskArn"],
        deployment=value.get("startedBy", ""),
        status=value.get("lastStatus", ""),
        digest=main.get("imageDigest", ""),
        ip=interfaces[0].get("privateIpv4Address", "") if interfaces else "",
        stop_code=value.get("stopCode", ""),
        stopped_reason="; ".join(dict.fromkeys(filter(None, reasons))),
    )


def _hundreds(items: Sequence[str]) -> Iterable[Sequence[str]]:
    """DescribeTasks takes at most 100 tasks a call."""
    return (items[start : start + 100] for start in range(0, len(items), 100))


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
