"""What a stack recorded (its own outputs) and what is observed in the cloud, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from release_lane.record.alarms import Alarm
from release_lane.record.evidence import Proof, proof_of
from release_lane.record.hold import Hold
from release_lane.record.journal import Journal
from release_lane.record.placement import Colour, Release, Weights, all_on
from release_lane.record.schema import schema_of

SCHEMA = 2
"""The layout of the record. A stack output is what other stacks read, so the first one carries no number. 2 is written
only while a hold stands: to a reader of 1 the divided traffic would be drift."""

SCHEMA_KEY = "recordSchema"
"""Not `schema`: the engine keeps the switch's outputs together with its inputs, which have one of their own."""

OUTPUTS = (
    "url",
    "liveColour",
    "imageDigest",
    "commit",
    "releaseId",
    "liveRelease",
    "previousDigest",
    "previousRelease",
    "liveHistory",
    "evidence",
)
"""What the traffic switch records, and the stack hands out under the same names."""

OF_HOLD = ("hold", SCHEMA_KEY)
"""Those that are there only while a hold stands."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A stack's previous outputs. `history` is oldest first and ends with what is live. While a `hold` stands, `live`
    is the release from before it: the one that users go back to."""

    live_colour: Colour
    live: Release
    previous: Release | None = None
    history: tuple[Release, ...] = ()
    evidence: tuple[Proof, ...] = ()
    hold: Hold | None = None

    @property
    def weights(self) -> Weights:
        """Those that the production rule has, if it is as recorded."""
        return self.hold.weights if self.hold else all_on(self.live_colour)

    @property
    def serves(self) -> Mapping[Colour, Release]:
        """What users are on, the live release first: two releases while a hold stands."""
        held = {self.hold.colour: self.hold.release} if self.hold else {}
        return {self.live_colour: self.live, **held}

    @property
    def newest(self) -> Release:
        """The release that the last switch moved users to."""
        return self.hold.release if self.hold else self.live

    @property
    def newest_colour(self) -> Colour:
        """Where that runs."""
        return self.hold.colour if self.hold else self.live_colour

    def are(self, weights: Weights) -> bool:
        """Are these the recorded weights?"""
        return all(weights.get(colour, 0) == share for colour, share in self.weights.items())

    @property
    def proof(self) -> Proof | None:
        """That of the live release."""
        return self._proof_of(self.live)

    @property
    def left_by_drill(self) -> Proof | None:
        """The proof of the previous release, if a drill led traffic back from it and not forward again yet."""
        proof = self._proof_of(self.previous) if self.previous else None
        return proof if proof and proof.drilling else None

    def _proof_of(self, release: Release) -> Proof | None:
        proof = proof_of(release.digest, self.evidence)
        return proof if proof and proof.release_id == release.id else None

    def was_live(self, digest: str) -> Release | None:
        """The latest release with this digest that was live here, or None."""
        return next((past for past in reversed(self.history) if past.digest == digest), None)

    def served(self, digest: str) -> Release | None:
        """The latest release with this digest that users got here, or None: what is held, or what was live."""
        held = self.hold.release if self.hold else None
        return held if held and held.digest == digest else self.was_live(digest)

    @property
    def forward_again(self) -> bool:
        """Would going to the previous release be going forward again, since users were rolled back from it?"""
        return self.previous is not None and self.left_by_rollback(self.previous.digest)

    @property
    def earlier(self) -> tuple[Release, ...]:
        """What a rollback can go to, newest first, each digest once: not what users came back from."""
        past = {each.digest: each for each in self.history if each.digest != self.live.digest}
        order = dict.fromkeys(each.digest for each in reversed(self.history) if each.digest in past)
        return tuple(past[digest] for digest in order if not self.left_by_rollback(digest))

    def left_by_rollback(self, digest: str) -> bool:
        """Did users come back from it to what is live? By the history: what is live was live before it, and is again.

        Releasing it is going forward again, not a rollback. What the history forgot is not known.
        """
        order = [str(past.digest) for past in self.history]
        return {digest, self.live.digest} <= {*order} and order.index(digest) > order.index(self.live.digest)

    def as_outputs(self) -> dict[str, Any]:
        """The outputs of the switch and its stack, all but `url`; `from_outputs` is the inverse."""
        return {
            **self.as_dict(),
            "imageDigest": self.live.digest,
            "commit": self.live.commit,
            "releaseId": self.live.id,
            "previousDigest": self.previous.digest if self.previous else "",
            "previousRelease": self.previous.as_dict() if self.previous else {},
        }

    def as_dict(self) -> dict[str, Any]:
        """The same without what is there twice: plain JSON value, which `from_outputs` reads as well."""
        return {
            "liveColour": str(self.live_colour),
            "liveRelease": self.live.as_dict(),
            "previousRelease": self.previous.as_dict() if self.previous else None,
            "liveHistory": [past.as_dict() for past in self.history],
            "evidence": [proof.as_dict() for proof in self.evidence],
            **({"hold": self.hold.as_dict(), SCHEMA_KEY: SCHEMA} if self.hold else {}),
        }

    @staticmethod
    def from_outputs(outputs: Mapping[str, Any]) -> Recorded | None:
        """Read stack outputs; None before the first successful update of an environment."""
        if not outputs.get("liveColour"):
            return None
        schema_of(outputs, SCHEMA, "The record of this environment", SCHEMA_KEY)
        live = Release.from_dict(outputs["liveRelease"])
        previous = outputs.get("previousRelease") or None
        return Recorded(
            live_colour=Colour(outputs["liveColour"]),
            live=live,
            previous=Release.from_dict(previous) if previous else None,
            history=tuple(Release.from_dict(past) for past in outputs.get("liveHistory") or ()),
            evidence=tuple(Proof.from_dict(proof) for proof in outputs.get("evidence") or ()),
            hold=Hold.from_dict(outputs.get("hold")),
        )


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """A service's scalable target (Application Auto Scaling): between how many tasks it is kept."""

    least: int
    most: int


@dataclass(frozen=True, kw_only=True)
class Located:
    """Where an environment is in AWS: DNS name of its load balancer, ARNs of production listener, rule, target groups.

    None of it changes within an update, so it is looked up once and handed on. Empty where it did not exist then.
    """

    dns_name: str = ""
    listener: str = ""
    rule: str = ""
    target_groups: Mapping[Colour, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Is there all that users are served by? The rule comes with the first release."""
        return bool(self.dns_name and self.listener and all(self.target_groups.get(colour) for colour in Colour))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value; `from_dict` is the inverse."""
        groups = {str(colour): arn for colour, arn in self.target_groups.items()}
        return {"dnsName": self.dns_name, "listener": self.listener, "rule": self.rule, "targetGroups": groups}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Located:
        """Read what `as_dict` wrote; {} is what earlier versions handed on."""
        texts = {name: str(value.get(key) or "") for name, key in _LOCATED.items()}
        groups = {Colour(colour): str(arn) for colour, arn in (value.get("targetGroups") or {}).items()}
        return Located(**texts, target_groups=groups)


_LOCATED = {"dns_name": "dnsName", "listener": "listener", "rule": "rule"}


@dataclass(frozen=True, kw_only=True)
class GroupCheck:
    """The health check of a target group. `interval` and `timeout` in seconds; `healthy` and `unhealthy`: how many in a
    row make a target so."""

    path: str
    interval: int
    timeout: int
    healthy: int
    unhealthy: int

    def __str__(self) -> str:
        return (
            f"{self.path} every {self.interval} s, an answer within {self.timeout} s, healthy after {self.healthy}, "
            f"unhealthy after {self.unhealthy}"
        )

    @staticmethod
    def read(value: Mapping[str, Any], keys: tuple[str, str, str, str, str]) -> GroupCheck | None:
        """From a mapping that has these fields under these keys; None unless it has all."""
        path, *numbers = (value.get(key) for key in keys)
        if not path or not all(numbers):
            return None
        interval, timeout, healthy, unhealthy = (int(each or 0) for each in numbers)
        return GroupCheck(path=str(path), interval=interval, timeout=timeout, healthy=healthy, unhealthy=unhealthy)


CHECK_KEYS = ("path", "interval", "timeout", "healthy", "unhealthy")


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a colour was seen to run, fully healthy: image, release id, task definition, ECS deployment, and the tasks.

    `tasks`: the address of each, and by ECS's own word the digest that it runs. A later look asks about the tasks only
    if service or targets say that they changed.
    """

    image: str
    release: str
    task_definition: str
    deployment: str
    tasks: Mapping[str, str]

    @property
    def manifests(self) -> frozenset[str]:
        """Digests that were seen to be the image's: its own, and those of its platforms that run."""
        return frozenset({self.image, *self.tasks.values()})

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value; `from_dict` is the inverse."""
        return {
            "image": self.image,
            "release": self.release,
            "taskDefinition": self.task_definition,
            "deployment": self.deployment,
            "tasks": dict(self.tasks),
        }

    @staticmethod
    def from_dict(value: Mapping[str, Any] | None) -> Known | None:
        """Read what `as_dict` wrote; None is what earlier versions handed on."""
        if not value:
            return None
        return Known(
            image=str(value["image"]),
            release=str(value["release"]),
            task_definition=str(value["taskDefinition"]),
            deployment=str(value["deployment"]),
            tasks={str(ip): str(digest) for ip, digest in value["tasks"].items()},
        )


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one colour really runs, read from ECS and the load balancer.

    `wanted`, `running` and `healthy` are numbers of tasks; `healthy` counts targets that the load balancer
    calls healthy. `digest` is the one that all running tasks have in common by ECS's own `imageDigest`
    ("" if none runs or they differ); `tasks` are their addresses, with that digest of each. `release` is what its task
    definition says of itself, None for a task definition that this program did not write. `deployment` is the
    service's primary deployment. `scaling` is None where the service is not scaled (or where it did not matter and was
    not asked). `missing`: what it consists of and does not exist (target group, test listener, service), by name.
    """

    exists: bool = False
    digest: str = ""
    release: Release | None = None
    wanted: int = 0
    running: int = 0
    healthy: int = 0
    deployment: str = ""
    deployment_state: str = ""
    task_definition: str = ""
    tasks: Mapping[str, str] = field(default_factory=dict)
    scaling: Scaling | None = None
    missing: tuple[str, ...] = ()

    @property
    def release_id(self) -> str:
        """The id of the release that the task definition describes ("" if unknown)."""
        return self.release.id if self.release else ""

    @property
    def empty(self) -> bool:
        """No task runs and none is wanted."""
        return self.wanted == 0 and self.running == 0

    @property
    def known(self) -> Known | None:
        """What later looks of this update may start from; None unless it is fully healthy, and all of one image."""
        if not (self.running == self.healthy == self.wanted == len(self.tasks) > 0 and self.release):
            return None
        if self.digest != self.release.digest:
            return None
        return Known(
            image=self.digest,
            release=self.release.id,
            task_definition=self.task_definition,
            deployment=self.deployment,
            tasks=self.tasks,
        )

    def holds(self, release: Release) -> bool:
        """Runs this release and is fully healthy, on at least as many tasks as it is configured for."""
        return self.runs(release) and self.wanted >= release.service.desired_count

    def runs(self, release: Release) -> bool:
        """Runs this release on some tasks, all that are wanted and all healthy."""
        return (
            self.running == self.healthy == self.wanted > 0
            and self.release_id == release.id
            and self.digest == release.digest
        )

    def tried(self, release: Release) -> str:
        """The ECS deployment that already tried this very release ("" if none): a retry must start a new one."""
        return self.deployment if self.release_id == release.id else ""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The cloud as it is now. `weights` is None while the production rule does not exist.

    `alarms` are those that were asked about and exist, `missing_alarms` the adopter's that do not. `load_balancer` is
    its DNS name ("" if there is none). `secured`: users come by HTTPS. `certificate_names`: what the certificate
    of the settings is for, and `certificate_problem`: why it is not fit for the name that users come by ("" if it is).
    `located` is handed on to the gates. `checks`: the health checks of the target groups that exist.
    """

    weights: Weights | None
    journal: Journal | None
    sides: Mapping[Colour, Side] = field(default_factory=lambda: {c: Side() for c in Colour})
    listener: bool = True
    load_balancer: str = ""
    secured: bool = False
    certificate_names: tuple[str, ...] = ()
    certificate_problem: str = ""
    alarms: tuple[Alarm, ...] = ()
    missing_alarms: tuple[str, ...] = ()
    located: Located = field(default_factory=Located)
    checks: Mapping[Colour, GroupCheck] = field(default_factory=dict)

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Observed:
        """Read what the provider's `observe` function returned."""
        rule = value.get("rule") or None
        return Observed(
            listener=bool(value.get("listenerArn")),
            load_balancer=str(value.get("loadBalancer") or ""),
            secured=bool(value.get("secured")),
            certificate_names=tuple(str(name) for name in value.get("certificateNames") or ()),
            certificate_problem=str(value.get("certificateProblem") or ""),
            weights={Colour(c): int(w) for c, w in rule["weights"].items()} if rule else None,
            journal=Journal.from_tags(rule["tags"]) if rule else None,
            sides={Colour(c): _side(side) for c, side in value["colours"].items()},
            alarms=tuple(Alarm.from_dict(alarm) for alarm in value.get("alarms") or ()),
            missing_alarms=tuple(str(name) for name in value.get("missingAlarms") or ()),
            located=Located.from_dict(value.get("located") or {}),
            checks={
                Colour(colour): check
                for colour, each in (value.get("checks") or {}).items()
                if (check := GroupCheck.read(each, CHECK_KEYS))
            },
        )


def _side(value: Mapping[str, Any]) -> Side:
    scaling = value.get("scaling")
    return Side(
        exists=bool(value.get("exists")),
        digest=str(value.get("digest") or ""),
        release=Release.from_dict(release) if (release := value.get("release")) else None,
        wanted=int(value.get("wanted") or 0),
        running=int(value.get("running") or 0),
        healthy=int(value.get("healthy") or 0),
        deployment=str(value.get("deployment") or ""),
        deployment_state=str(value.get("deploymentState") or ""),
        task_definition=str(value.get("taskDefinition") or ""),
        tasks={str(ip): str(digest) for ip, digest in (value.get("tasks") or {}).items()},
        missing=tuple(str(part) for part in value.get("missing") or ()),
        scaling=Scaling(least=int(scaling["least"]), most=int(scaling["most"])) if scaling else None,
    )
