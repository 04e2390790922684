"""One environment in AWS: typed reads, and the few writes of the production rule. Gates and command use no other way.

Every call is retried for a while (`release_lane.aws.patience`). All writes are idempotent: weights, tags and the size
of a service are absolute; deleting a rule that is gone succeeds; a rule that exists already is looked up.

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
from release_lane.aws.values import as_before, as_deployment, as_target, as_task, in_words, shares
from release_lane.errors import CloudError, Refused
from release_lane.record.container import release_in
from release_lane.record.journal import OPENING
from release_lane.record.names import HTTP_PORT, Access, Names
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Known, Located
from release_lane.watch.judge import Health
from release_lane.watch.rollout import Reading, Target, Task

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_logs import CloudWatchLogsClient

LOGS_WITHIN = 5.0
"""Seconds for the last log lines of a task: they are only a help, so a refusal does not wait long for them."""

Result = TypeVar("Result")

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""Media types of manifests. If an index is not accepted, the registry may answer with one platform's manifest."""


def submit(work: Callable[[], Result]) -> Future[Result]:
    """Begin it in a thread of its own, with the patience of this one.

    A pool could deadlock: work may submit other work and wait for it, while that is queued behind the waiting threads.
    """
    future, run = Future[Result](), copy_context().run

    def do() -> None:
        try:
            future.set_result(run(work))
        except BaseException as error:
            future.set_exception(error)

    Thread(target=do, name="aws", daemon=True).start()
    return future


def ahead(look: Callable[[], Result]) -> Callable[[], Result]:
    """The same look, of which the first begins now, next to all calls in between."""
    return starting_with(submit(look), look)


def starting_with(begun: Future[Result], look: Callable[[], Result]) -> Callable[[], Result]:
    """The same look, of which the first has begun already."""
    first = [begun]
    return lambda: first.pop().result() if first else look()


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
    """The load balancer of an environment, as far as it exists. `ports`: those of its listeners.

    `listener` is the production listener. `plain` is a production rule on port 80 of an environment whose users are to
    come by HTTPS: the switch opens HTTPS first (`gates.https`), and until then `rule` may be that one.
    """

    dns_name: str = ""
    listener: str = ""
    ports: frozenset[int] = frozenset()
    target_groups: Mapping[Colour, str] = field(default_factory=dict)
    rule: Rule | None = None
    plain: Rule | None = None

    @property
    def secured(self) -> bool:
        """Do users come by the production listener, whatever else they come by?"""
        return self.rule is not None and self.rule != self.plain

    @property
    def located(self) -> Located:
        """What of it cannot change within an update. Nothing, while HTTPS has yet to be opened."""
        if self.plain is not None or (self.rule is not None and OPENING in self.rule.tags):
            return Located()
        return Located(
            dns_name=self.dns_name,
            listener=self.listener,
            rule=self.rule.arn if self.rule else "",
            target_groups=self.target_groups,
        )


class Cloud:
    """One environment in AWS. Every method asks AWS now; nothing is remembered.

    Where a look takes several calls, those that need nothing of each other are made side by side. What an earlier look
    found is handed in (`Located`, `Known`): the rest is then one step in sequence.
    """

    def __init__(self, names: Names, check: Callable[[Access], object] = check_account) -> None:
        """`check` refuses credentials of another account than the environment's."""
        self.names = names
        check(names.access)

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

    def image(self, *, digest: str = "", tag: str = "", whole: bool = True) -> Image | None:
        """An image of the environment's own repository, by digest or by tag. Not `whole`: without its platforms.

        None if the image or the repository does not exist, or no repository is known.
        """
        repository = self.names.repository
        if not repository:  # the command knows only one that a task definition names
            return None
        wanted: Any = [{"imageDigest": digest} if digest else {"imageTag": tag}]
        platforms = submit(partial(self._platforms, repository, wanted)) if whole else None
        try:
            found = self.ecr.describe_images(repositoryName=repository, imageIds=wanted)["imageDetails"]
        except self.ecr.exceptions.ClientError as error:
            if _code(error) in ("ImageNotFoundException", "RepositoryNotFoundException"):
                return None
            raise
        if not found:
            return None
        known = str(found[0]["imageDigest"])
        manifests = frozenset({known, *(platforms.result() if platforms else ())})
        return Image(digest=known, tags=tuple(found[0].get("imageTags") or ()), manifests=manifests)

    def manifests(self, digest: str, repository: str = "") -> frozenset[str]:
        """Digests that ECS may report for an image: its own and, for an index, those of its platforms.

        From the environment's own repository or the one that `repository` names; only its own where none has it.
        """
        repository = repository or self.names.repository
        wanted: Any = [{"imageDigest": digest}]
        try:
            return frozenset({digest, *(self._platforms(repository, wanted) if repository else ())})
        except self.ecr.exceptions.RepositoryNotFoundException:
            return frozenset({digest})

    def has_repository(self) -> bool:
        """Does the environment's own repository exist, with or without images?"""
        try:
            self.ecr.describe_images(repositoryName=self.names.repository, maxResults=1)
        except self.ecr.exceptions.RepositoryNotFoundException:
            return False
        return True

    def _platforms(self, repository: str, wanted: Any) -> list[str]:
        kinds = list(MANIFESTS)
        got = self.ecr.batch_get_image(repositoryName=repository, imageIds=wanted, acceptedMediaTypes=kinds)["images"]
        document = json.loads(got[0]["imageManifest"]) if got else {}
        return [str(part["digest"]) for part in document.get("manifests") or ()]

    # ---- the load balancer

    def balancer(
        self,
        located: Located | None = None,
        *,
        groups: Callable[[], Mapping[Colour, str]] | None = None,
        tagged: bool = True,
    ) -> Balancer:
        """The load balancer, production listener, target groups and rule, as far as they exist.

        Of what is `located` only the rule is looked at, unless its listener is gone after all. `groups` answers for the
        target groups, if they are asked for already; not `tagged`: without the rule's tags.
        """
        if located and located.complete:
            try:
                rule = self.rule(located.listener, located.target_groups, located.rule, tagged=tagged)
            except self.elb.exceptions.ListenerNotFoundException:
                return self.balancer()
            at, by_colour = located.dns_name, located.target_groups
            return Balancer(dns_name=at, listener=located.listener, target_groups=by_colour, rule=rule)
        groups = groups or submit(self.target_groups).result
        found = self._load_balancer()
        if not found:
            return Balancer(target_groups=groups())
        listeners = self.elb.describe_listeners(LoadBalancerArn=found["LoadBalancerArn"])["Listeners"]
        by_port = {int(at["Port"]): at["ListenerArn"] for at in listeners}
        listener = by_port.get(self.names.users_port, "")
        # With HTTPS to be opened, a tag of the rule says how far that came.
        tagged = tagged or bool(self.names.domain)
        rule = self.rule(listener, groups(), tagged=tagged) if listener else None
        plain = self._plain_rule(by_port.get(HTTP_PORT, ""), rule, groups())
        return Balancer(
            dns_name=found["DNSName"],
            listener=listener,
            ports=frozenset(by_port),
            target_groups=groups(),
            rule=rule or plain,
            plain=plain,
        )

    def _plain_rule(self, listener: str, rule: Rule | None, groups: Mapping[Colour, str]) -> Rule | None:
        """The rule on port 80, where HTTPS was not opened yet. Not asked about once it is."""
        if not (self.names.domain and listener) or (rule and OPENING not in rule.tags):
            return None
        return self.rule(listener, groups)

    def keeps_balancer(self) -> bool:
        """Does AWS refuse to delete the load balancer (deletion protection)?"""
        found = self._load_balancer()
        if not found:
            return False
        arn = found["LoadBalancerArn"]
        attributes = self.elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        return any((each["Key"], each["Value"]) == ("deletion_protection.enabled", "true") for each in attributes)

    def _load_balancer(self) -> Any:
        try:
            return self.elb.describe_load_balancers(Names=[self.names.load_balancer])["LoadBalancers"][0]
        except self.elb.exceptions.LoadBalancerNotFoundException:
            return None

    def target_groups(self) -> dict[Colour, str]:
        """ARNs of the target groups that exist."""
        return {colour: str(group["TargetGroupArn"]) for colour, group in self.described_groups().items()}

    def described_groups(self) -> dict[Colour, Any]:
        """The target groups that exist, as AWS describes them."""
        by_name = {name: colour for colour, name in self.names.target_groups.items()}
        return {by_name[group["TargetGroupName"]]: group for group in self._groups(list(by_name))}

    def _groups(self, names: Sequence[str]) -> Sequence[Any]:
        """Where one of several does not exist, AWS describes none: then each is asked about by itself."""
        try:
            return self.elb.describe_target_groups(Names=names)["TargetGroups"]
        except self.elb.exceptions.TargetGroupNotFoundException:
            return [group for name in names for group in self._groups([name])] if len(names) > 1 else []

    def rule(self, listener: str, groups: Mapping[Colour, str], arn: str = "", *, tagged: bool = True) -> Rule | None:
        """The production rule with its weights and tags as they are now, or None.

        `arn` is the rule's if that is known: then its tags are asked for at the same time.
        """
        tags = submit(partial(self._tags, arn)) if arn and tagged else None
        found = self._only_rule(listener)
        if found is None:
            return None
        if not tagged:
            return Rule(arn=found["RuleArn"], weights=shares(found, groups), tags={})
        same = tags is not None and found["RuleArn"] == arn
        now = tags.result() if tags and same else self._tags(found["RuleArn"])
        return Rule(arn=found["RuleArn"], weights=shares(found, groups), tags=now)

    def _only_rule(self, listener: str) -> Any:
        rules = [rule for rule in self.elb.describe_rules(ListenerArn=listener)["Rules"] if not rule["IsDefault"]]
        if not rules:
            return None
        if len(rules) > 1:
            raise Refused(
                f"The production listener has {len(rules)} rules; this program needs exactly one.",
                why="a rule was added by hand, so the switch alone no longer decides which colour serves a request",
                next_step="remove the added rule from the listener, then run the update again.",
            )
        conditions = rules[0].get("Conditions", [])
        if any((each.get("Field"), each.get("Values")) != ("path-pattern", ["/*"]) for each in conditions):
            raise Refused(
                f"The production rule no longer matches every request, but only {in_words(conditions)}.",
                why="its conditions were changed, so some users get the listener's 503",
                next_step="make the path /* its only condition again, then run the update again.",
            )
        return rules[0]

    def _tags(self, rule: str) -> dict[str, str]:
        tags = self.elb.describe_tags(ResourceArns=[rule])["TagDescriptions"][0]["Tags"]
        return {tag["Key"]: tag.get("Value", "") for tag in tags}

    def _weights(self, rule: str, groups: Mapping[Colour, str]) -> dict[Colour, int]:
        return shares(self.elb.describe_rules(RuleArns=[rule])["Rules"][0], groups)

    def create_rule(
        self, listener: str, groups: Mapping[Colour, str], weights: Mapping[Colour, int], tags: Mapping[str, str]
    ) -> str:
        """Create the production rule (`/*`, priority 1) with weights and tags in one call; its ARN.

        If the answer to an earlier try was lost, the rule may exist: it is recognised by its weights and tags.
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
        """Move traffic: one ModifyRule. If its answer was lost, reading the rule shows whether it took effect."""
        with _unless(lambda: self._weights(rule, groups) == weights):
            self.elb.modify_rule(RuleArn=rule, Actions=self._forward(groups, weights))

    def _forward(self, groups: Mapping[Colour, str], weights: Mapping[Colour, int]) -> Any:
        """Forward to both colours; a colour with weight 0 may be left out if its target group does not exist."""
        lost = [self.names.target_groups[colour] for colour in Colour if weights[colour] and colour not in groups]
        if lost:
            raise CloudError(
                f"The target group {lost[0]} does not exist, so no traffic can be sent to it. Users were not moved.",
                why="it was deleted outside of this program",
                next_step="`pulumi refresh`, then run the update again, which creates it.",
            )
        shares = [
            {"TargetGroupArn": groups[colour], "Weight": weights[colour]} for colour in Colour if colour in groups
        ]
        return [{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}]

    def tag_rule(self, rule: str, tags: Mapping[str, str]) -> None:
        """Write all tags in one call. If its answer was lost, reading the tags shows whether it took effect."""
        with _unless(lambda: tags.items() <= self._tags(rule).items()):
            self.elb.add_tags(ResourceArns=[rule], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])

    def untag_rule(self, rule: str, keys: Collection[str]) -> None:
        """Remove these tags in one call; tags that do not exist are ignored."""
        with _unless(lambda: not set(keys) & self._tags(rule).keys()):
            self.elb.remove_tags(ResourceArns=[rule], TagKeys=list(keys))

    def delete_rule(self, rule: str) -> None:
        """Delete the production rule: the listener answers 503 again. Does nothing if the rule is gone."""
        try:
            self.elb.delete_rule(RuleArn=rule)
        except self.elb.exceptions.RuleNotFoundException:
            return

    # ---- a colour

    def read(self, colour: Colour, target_group: str | None, known: Known | None = None) -> Reading:
        """What one colour's service runs now: deployments, tasks (with recently stopped ones), targets.

        What is `known` of its tasks is taken where service and targets say that these still run, and no others.
        """
        targets = submit(partial(self._targets, target_group)) if target_group else None
        tasks = None if known else submit(partial(self._tasks, colour))
        service = self._services([colour]).get(colour)
        if service is None:
            return Reading(exists=False)
        found = targets.result() if targets else []
        if known and (same := as_before(known, service, found)):
            return _reading(service, same, found)
        return _reading(service, tasks.result() if tasks else self._tasks(colour), found)

    def read_both(self, groups: Callable[[], Mapping[Colour, str]]) -> dict[Colour, Reading]:
        """What both colours run now, without the tasks that stopped; in as few calls as it takes.

        `groups` answers for the target groups; it may wait.
        """
        targets = submit(lambda: self._targets_of(groups()))
        tasks = submit(self._running_tasks)
        services = self._services(list(Colour))
        return {
            colour: _reading(services[colour], tasks.result()[colour], targets.result().get(colour, []))
            if colour in services
            else Reading(exists=False)
            for colour in Colour
        }

    def health(self, groups: Mapping[Colour, str]) -> dict[Colour, Health]:
        """How many tasks each colour's service wants, and how many targets are healthy: a cheap look for a watch."""
        targets = submit(partial(self._targets_of, groups))
        services = self._services(list(Colour))
        return {
            colour: Health(
                wanted=services[colour]["desiredCount"] if colour in services else 0,
                healthy=sum(each.state == "healthy" for each in targets.result().get(colour, [])),
            )
            for colour in Colour
        }

    def set_to(self, colour: Colour) -> tuple[int, str] | None:
        """Number of tasks and task definition that a colour's service is set to; None without a service."""
        service = self._services([colour]).get(colour)
        return (service["desiredCount"], service["taskDefinition"]) if service else None

    def set_service(self, colour: Colour, *, tasks: int, task_definition: str) -> None:
        """Set task count and task definition of the idle colour's service; never of a colour that gets traffic."""
        self.ecs.update_service(
            cluster=self.names.cluster,
            service=self.names.services[colour],
            desiredCount=tasks,
            taskDefinition=task_definition,
        )

    def _services(self, colours: Sequence[Colour]) -> dict[Colour, Any]:
        """Those of these colours that exist, in one call."""
        names = {self.names.services[colour]: colour for colour in colours}
        try:
            found = self.ecs.describe_services(cluster=self.names.cluster, services=list(names))["services"]
        except self.ecs.exceptions.ClusterNotFoundException:
            return {}
        return {names[service["serviceName"]]: service for service in found if service["status"] == "ACTIVE"}

    def _tasks(self, colour: Colour) -> list[Task]:
        stopped = submit(lambda: self._arns(serviceName=self.names.services[colour], desiredStatus="STOPPED"))
        running = self._arns(serviceName=self.names.services[colour], desiredStatus="RUNNING")
        return [as_task(task, self.names.container) for task in self._described([*running, *stopped.result()])]

    def _running_tasks(self) -> dict[Colour, list[Task]]:
        """Those of both colours: the cluster is asked once. A task's group names its service."""
        try:
            found = self._described(self._arns(desiredStatus="RUNNING"))
        except self.ecs.exceptions.ClusterNotFoundException:
            found = []
        return {
            colour: [as_task(task, self.names.container) for task in found if task.get("group") == f"service:{name}"]
            for colour, name in self.names.services.items()
        }

    def _arns(self, **which: Any) -> list[str]:
        pages = self.ecs.get_paginator("list_tasks").paginate(cluster=self.names.cluster, **which)
        return [arn for page in pages for arn in page["taskArns"]]

    def _described(self, arns: Sequence[str]) -> list[Any]:
        parts = (
            self.ecs.describe_tasks(cluster=self.names.cluster, tasks=list(part))["tasks"] for part in _hundreds(arns)
        )
        return [task for tasks in parts for task in tasks]

    def _targets_of(self, groups: Mapping[Colour, str]) -> dict[Colour, list[Target]]:
        asked = {colour: submit(partial(self._targets, group)) for colour, group in groups.items()}
        return {colour: targets.result() for colour, targets in asked.items()}

    def _targets(self, group: str) -> list[Target]:
        found = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [as_target(each) for each in found]

    def containers(self, task_definition: str) -> Sequence[Mapping[str, Any]]:
        """The container definitions of a task definition; empty for ""."""
        if not task_definition:
            return ()
        found = self.ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
        return found["containerDefinitions"]

    def release_of(self, task_definition: str) -> Release | None:
        """The release of a task definition, by its own label; None if this program did not write it."""
        return release_in(self.containers(task_definition), self.names.container)

    def log_lines(self, task: str, limit: int = 15) -> list[str]:
        """The last log lines of a task, oldest first; empty if there are none or they cannot be read."""
        stream = f"{self.names.container}/{self.names.container}/{task.rsplit('/', 1)[-1]}"
        try:
            with patience.at_most(LOGS_WITHIN):
                events = self.logs.get_log_events(
                    logGroupName=self.names.log_group, logStreamName=stream, limit=limit, startFromHead=False
                )["events"]
        except (self.logs.exceptions.ClientError, CloudError):
            return []
        return [str(event.get("message", "")).rstrip() for event in events]


def _reading(service: Any, tasks: Iterable[Task], targets: Iterable[Target]) -> Reading:
    return Reading(
        exists=True,
        wanted=service["desiredCount"],
        task_definition=service["taskDefinition"],
        deployments=tuple(as_deployment(each) for each in service["deployments"]),
        tasks=tuple(tasks),
        targets=tuple(targets),
        events=tuple(each["message"] for each in service.get("events") or ()),
    )


@contextmanager
def _unless(done: Callable[[], bool]) -> Iterator[None]:
    """A write whose answer was lost counts as done if reading shows that it took effect."""
    try:
        yield
    except CloudError as error:
        if not (error.unclear and done()):
            raise


def _hundreds(items: Sequence[str]) -> Iterable[Sequence[str]]:
    """DescribeTasks takes at most 100 tasks a call."""
    return (items[start : start + 100] for start in range(0, len(items), 100))


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
