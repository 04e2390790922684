"""A stack's settings: `parse(raw) -> Settings`, with every problem reported at once, each with its path.

`raw` is the stack's whole configuration as the engine hands it over: `<project>:<key>` to a string, JSON for
anything structured. Only this project's own keys are judged here, and those by which AWS is reached
(settings/credentials.py); what AWS takes is in settings/limits.py. The annotated example of all keys is
docs/stack-settings.example.yaml (a test parses it).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic.alias_generators import to_camel

from release_lane.decide.decision import OnAlarm, OnDrift
from release_lane.decide.existing_network import ExistingNetwork
from release_lane.decide.foundations import Egress
from release_lane.decide.shift import Shift
from release_lane.errors import ReleaseError, UsageError
from release_lane.record.adoption import LONGEST_SOURCE, parse_reference
from release_lane.record.alarms import Kind, Watched, memory
from release_lane.record.app import App
from release_lane.record.asking import HEALTH_PATH, STATUS_PATH, Identify
from release_lane.record.container import OWN
from release_lane.record.digest import Digest, parse_digest
from release_lane.record.names import Names, other_projects
from release_lane.record.placement import Colour, Service
from release_lane.settings import credentials, limits
from release_lane.settings.notify import Event, topic_problem, webhook_problem

FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
}
"""CPU units to MiB that Fargate accepts (AWS: Amazon ECS task definition parameters for Fargate, task size)."""


def _digest(text: str) -> str:
    try:
        return parse_digest(text)
    except ReleaseError as error:
        raise ValueError(f"{error.what} {error.why}. {error.next_step}") from error


DigestText = Annotated[str, AfterValidator(_digest)]


def _sound(problem_of: Callable[[Any], str]) -> AfterValidator:
    def check(text: str) -> str:
        if problem := problem_of(text):
            raise ValueError(problem)
        return text

    return AfterValidator(check)


def _secret_reference(value: Any) -> str:
    """Of any type, so that no message of the library repeats it."""
    if problem := limits.secret_reference(value):
        raise ValueError(problem)
    return str(value)


SecretReference = Annotated[str, PlainValidator(_secret_reference)]
StackName = Annotated[str, _sound(limits.stack_name)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class _Section(_Strict):
    """A structured key: it comes as JSON, so a number is a number, and `true` is none."""

    model_config = ConfigDict(strict=True)


class ServiceSettings(_Section):
    """`service`: how the container runs. `statusPath` is empty where it has none."""

    cpu: Literal[256, 512, 1024, 2048, 4096] = 256
    memory: int = 512
    desired_count: int = Field(default=2, ge=1, le=200)
    port: int = Field(default=8080, ge=1, le=65535)
    health_path: Annotated[str, _sound(limits.health_path)] = HEALTH_PATH
    status_path: Annotated[str, _sound(limits.status_path)] = STATUS_PATH


class HealthCheckSettings(_Section):
    """`healthCheck`: when the load balancer calls a target healthy (AWS: 5 to 300 s, timeout below interval)."""

    interval_seconds: int = Field(default=5, ge=5, le=300)
    timeout_seconds: int = Field(default=2, ge=2, le=120)
    healthy_threshold: int = Field(default=2, ge=2, le=10)
    unhealthy_threshold: int = Field(default=2, ge=2, le=10)
    drain_seconds: int = Field(default=30, ge=0, le=3600)


class SmokeSettings(_Section):
    """`smoke`: for how long the checks may be repeated before they count as failed.

    `identify`: how answers say which release they are. It belongs to a release, as `service` does.
    """

    deadline_seconds: int = Field(default=20, ge=1, le=900)
    identify: Annotated[Identify, Field(strict=False)] = Identify.STATUS


class RolloutSettings(_Section):
    """`rollout`: for how long tasks may take to start without a terminal failure.

    `graceSeconds`: failing health checks of a task younger than that do not count (ECS health check grace period).
    """

    grace_seconds: int = Field(default=30, ge=0, le=3600)
    deadline_seconds: int = Field(default=300, ge=10, le=3600)


class ShiftSettings(_Section):
    """`shift`: the steps in which traffic moves (percent of the new release), and how long each is watched."""

    steps: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(default=(100,), min_length=1, strict=False)
    bake_seconds: int = Field(default=0, ge=0, le=86400)


class AlarmSettings(_Section):
    """`alarms`: CloudWatch alarms of each colour (those with a threshold), and others that count as well.

    `lateSeconds`: how late datapoints may arrive; a bake without traffic waits that much longer.
    """

    error_percent: float | None = Field(default=None, gt=0, le=100)
    latency_seconds: float | None = Field(default=None, gt=0, le=3600)
    unhealthy_targets: int | None = Field(default=None, ge=1, le=1000)
    period_seconds: int = Field(default=60, ge=1, le=3600)
    datapoints: int = Field(default=1, ge=1, le=60)
    late_seconds: int = Field(default=120, ge=0, le=3600)
    names: tuple[Annotated[str, _sound(limits.alarm_name)], ...] = Field(default=(), strict=False)
    actions: tuple[str, ...] = Field(default=(), max_length=5, strict=False)

    def thresholds(self) -> dict[Kind, float]:
        """Of the kinds that were asked for."""
        given = {
            Kind.ERRORS: self.error_percent,
            Kind.LATENCY: self.latency_seconds,
            Kind.UNHEALTHY: self.unhealthy_targets,
        }
        return {kind: float(limit) for kind, limit in given.items() if limit is not None}

    @property
    def memory(self) -> float:
        """For at most so many seconds an alarm fires about something that is over."""
        return memory(self.period_seconds, self.datapoints, self.late_seconds)

    def watched(self, names: Names) -> Watched:
        """All alarms that count in a switch of this environment."""
        return Watched.of(names, self.thresholds(), self.names)


KEEP = "keep"


def _keep_or_tasks(value: Any) -> str | int:
    """One message for both forms."""
    if value == KEEP or (type(value) is int and 0 <= value <= 200):
        return value  # type: ignore[no-any-return]
    raise ValueError(f"should be {KEEP} or 0 to 200 tasks, not {value!r}")


class IdleSettings(_Section):
    """`idle`: how many tasks of the previous release the idle colour keeps after the watch."""

    after_watch: Annotated[str | int, PlainValidator(_keep_or_tasks)] = KEEP

    @property
    def tasks(self) -> int | None:
        """None: as many as the live colour has."""
        return self.after_watch if isinstance(self.after_watch, int) else None


class NotifySettings(_Section):
    """`notify`: where the `release` command sends which events. A plain `pulumi up` sends none."""

    topic: Annotated[str, _sound(topic_problem)] = ""
    webhook: Annotated[str, _sound(webhook_problem)] = ""
    events: tuple[Annotated[Event, Field(strict=False)], ...] = Field(default=tuple(Event), strict=False)

    def wants(self, event: Event) -> bool:
        """Is there an address to send it to?"""
        return event in self.events and bool(self.topic or self.webhook)


class HttpsSettings(_Section):
    """`https`: the name that users come by ("": they come by plain HTTP), and its certificate: one of ACM's that exists
    (`certificateArn`), or one that is requested and validated by a record in `hostedZone`.

    `hstsSeconds`: for how long browsers remember to come by HTTPS only; with 0 they forget.
    """

    domain: Annotated[str, _sound(limits.domain)] = ""
    certificate_arn: Annotated[str, _sound(limits.certificate)] = ""
    hosted_zone: Annotated[str, _sound(limits.hosted_zone)] = ""
    hsts_seconds: int = Field(default=0, ge=0, le=limits.MOST_HSTS)


class AccessLogSettings(_Section):
    """`accessLogs`: the S3 bucket to which the load balancer writes a line for each request; "" for none.

    `enabled` false ends them: a section that is left out changes nothing of a load balancer.
    """

    bucket: Annotated[str, _sound(limits.bucket)] = ""
    prefix: Annotated[str, _sound(limits.log_prefix)] = ""
    enabled: bool = True


def _number_or_names(value: Any) -> int | tuple[str, ...]:
    """One message for both forms."""
    if problem := limits.zones(value):
        raise ValueError(problem)
    return value if isinstance(value, int) else tuple(value)


SubnetIds = tuple[Annotated[str, _sound(limits.subnet)], ...]


class ExistingNetworkSettings(_Section):
    """`network.existing`: a network that the team has. Nothing of it is created or changed."""

    vpc_id: Annotated[str, _sound(limits.vpc)] = ""
    public_subnets: SubnetIds = Field(default=(), strict=False)
    private_subnets: SubnetIds = Field(default=(), strict=False)

    @property
    def network(self) -> ExistingNetwork | None:
        """None where the environment has a network of its own."""
        if not self.vpc_id:
            return None
        return ExistingNetwork(vpc=self.vpc_id, public=self.public_subnets, private=self.private_subnets)


class NetworkSettings(_Strict):
    """`network`: the VPC's address range (subnets are cut from it), the zones of these, by name or how many, and how
    tasks get out; or a network that exists already."""

    cidr: Annotated[str, _sound(limits.vpc_range)] = "10.20.0.0/16"
    zones: Annotated[int | tuple[str, ...], PlainValidator(_number_or_names)] = ()
    egress: Egress = Egress.NAT
    existing: ExistingNetworkSettings = ExistingNetworkSettings()

    @property
    def named(self) -> tuple[str, ...]:
        """Zones by name."""
        return self.zones if isinstance(self.zones, tuple) else ()

    @property
    def count(self) -> int:
        """How many zones, 0 where that is not said."""
        return self.zones if isinstance(self.zones, int) else len(self.zones)


class _Stack(_Strict):
    account: Annotated[str, _sound(limits.account)]


class EnvironmentSettings(_Stack):
    """An environment: it serves users."""

    role: Literal["environment"] = "environment"
    image_digest: DigestText | None = None
    rollback_from: DigestText | None = None
    on_drift: OnDrift | None = None
    on_alarm: OnAlarm | None = None
    allow_older: DigestText | None = None
    allow_replace: bool = False
    promotes_from: StackName | None = None
    artifacts: StackName = "artifacts"
    service: ServiceSettings = ServiceSettings()
    env: dict[str, Annotated[str, _sound(limits.variable)]] = {}
    secrets: dict[str, SecretReference] = {}
    health_check: HealthCheckSettings = HealthCheckSettings()
    smoke: SmokeSettings = SmokeSettings()
    rollout: RolloutSettings = RolloutSettings()
    shift: ShiftSettings = ShiftSettings()
    alarms: AlarmSettings = AlarmSettings()
    idle: IdleSettings = IdleSettings()
    notify: NotifySettings = NotifySettings()
    https: HttpsSettings = HttpsSettings()
    insecure: bool = False
    access_logs: AccessLogSettings = AccessLogSettings()
    deletion_protection: bool | None = None
    network: NetworkSettings = NetworkSettings()
    test_access: list[Annotated[str, _sound(limits.address_range)]] = []

    @property
    def keeps_balancer(self) -> bool:
        """Does AWS have to refuse to delete the load balancer? By default where digests are promoted to."""
        return self.promotes_from is not None if self.deletion_protection is None else self.deletion_protection

    def release_service(self) -> Service:
        """The part of a release that is configuration."""
        return Service(**self.service.model_dump(), identify=self.smoke.identify, env=self.env, secrets=self.secrets)

    @property
    def wanted_shift(self) -> Shift:
        """How the traffic moves."""
        return Shift(steps=self.shift.steps, bake=self.shift.bake_seconds)

    @property
    def digest(self) -> Digest | None:
        """The digest asked for, None to keep what is live."""
        return Digest(self.image_digest) if self.image_digest else None


def _reference(text: str) -> str:
    try:
        parse_reference(text)
    except ReleaseError as error:
        raise ValueError(f"{error.what} {error.why}. {error.next_step}") from error
    return text


class AppSettings(_Section):
    """`app`: which folder of the checkout is built, and how."""

    folder: Annotated[str, _sound(limits.relative_folder)] = App().folder
    dockerfile: Annotated[str, _sound(limits.path_below)] = App().dockerfile
    build_args: dict[str, Annotated[str, _sound(limits.variable)]] = {}

    def what(self) -> App:
        """As it is handed on."""
        return App(folder=self.folder, dockerfile=self.dockerfile, build_args=self.build_args)


class ArtifactsSettings(_Stack):
    """The artifacts stack: the registry and the image of one commit, or one that was built elsewhere (`adopt`)."""

    role: Literal["artifacts"]
    app: AppSettings = AppSettings()
    source: str = ""
    adopt: Annotated[str, AfterValidator(_reference)] = ""
    adopt_commit: str = Field(default="", pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$")
    adopt_source: str = Field(default="", max_length=LONGEST_SOURCE)
    repository: Annotated[str, _sound(lambda name: limits.repository(name) if name else "")] = ""


Settings = EnvironmentSettings | ArtifactsSettings
Model = TypeVar("Model", bound=BaseModel)


def parse(raw: Mapping[str, str], project: str, stack: str, secret: Collection[str] = ()) -> Settings:
    """Read a stack's configuration. One `UsageError` names its file and every problem, with path and remedy.

    `secret` are the full keys that the engine decrypted: no setting can be one, and none of these is ever shown.
    """
    file = f"Pulumi.{stack}.yaml"
    region = raw.get("aws:region") or ""
    problems = [_encrypted(key, project) for key in sorted(secret) if key.startswith((f"{project}:", *_HANDED))]
    problems += [f"aws:region: {problem}"] if (problem := limits.region(region) if region else "is missing") else []
    problems += credentials.problems(raw)
    own = {key.split(":", 1)[1]: value for key, value in raw.items() if key.startswith(f"{project}:")}
    hidden = {key.split(":", 1)[1] for key in secret if key in raw}
    values = {key: _plain(value) for key, value in own.items() if key not in hidden}
    settings: Settings | None
    if own.get("role") == "artifacts":
        settings = _validated(ArtifactsSettings, values, problems)
    else:
        settings = _validated(EnvironmentSettings, values, problems)
    if isinstance(settings, EnvironmentSettings):
        problems += _across(settings, stack, region)
        problems += _door(settings, region, asked="https" in own)
        problems += _elsewhere(settings.network.named, region)
        problems += _existing(settings.network.existing)
    elif isinstance(settings, ArtifactsSettings):
        problems += _of_artifacts(settings, project)
    problems = [each for each in problems if each.removesuffix(": is missing") not in hidden]
    if "account: is missing" in problems and (others := other_projects(raw, project)):
        problems.append(f"(all): keys have to begin with {project}: (Pulumi.yaml), not with {', '.join(others)}:")
    if problems or settings is None:
        raise _wrong(problems, f"({file}, or given by -c); nothing was changed", file)
    return settings


def _of_artifacts(settings: ArtifactsSettings, project: str) -> list[str]:
    """What only names, or several keys together, can get wrong."""
    default = f"{project}/app"
    problem = limits.repository(default) if not settings.repository else ""
    given = sorted(settings.app.build_args)
    wrong = [f"app.buildArgs.{_name(name)}: {bad}" for name in given if (bad := _bad_argument(name))]
    return [*wrong, *([f"repository: {default} {problem}"] if problem else [])]


def _bad_argument(name: str) -> str:
    if name == "COMMIT":
        return "is given by the program itself"
    return "" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else "is not a name of a build argument"


_HANDED = tuple(f"aws:{key}" for key in credentials.HANDED)


def part(values: Mapping[str, Any], key: str, file: str) -> Any:
    """One key of a stack, judged by itself: for the command, whose verbs need a few keys each.

    `values` are the keys of this project as the stack file has them. `UsageError` names the file and what is wrong.
    """
    given = {key: _as_handed(values[key])} if values.get(key) is not None else {}
    model, role = (EnvironmentSettings, "environment") if key in _FIELDS else (ArtifactsSettings, "artifacts")
    try:
        return getattr(model.model_validate({"account": "0" * 12, "role": role, **given}), (_FIELDS | _BUILT)[key])
    except ValidationError as error:
        problems = [_words(each, model) for each in error.errors()]
        raise _wrong(problems, f"({file})", file) from error


_FIELDS, _BUILT = (
    {str(field.alias): name for name, field in model.model_fields.items()}
    for model in (EnvironmentSettings, ArtifactsSettings)
)


def _as_handed(value: Any) -> Any:
    """A value of YAML as the program gets it from the engine, which turns scalars into text."""
    if isinstance(value, Mapping | list):
        return value
    return _plain(str(value).lower() if isinstance(value, bool) else str(value))


def _wrong(problems: Sequence[str], where: str, file: str) -> UsageError:
    return UsageError(
        f"The stack's settings are wrong {where}:\n" + "\n".join(f"  {line}" for line in problems),
        next_step=f"correct {file} (all keys: `release settings`).",
    )


def _encrypted(key: str, project: str) -> str:
    """Of a key that was set with --secret."""
    way = {
        f"{project}:env": ": put the value into Secrets Manager or an SSM parameter, and its ARN under `secrets`",
        f"{project}:app": ": a build argument stays in the image; give the container the value by `secrets`",
        f"{project}:secrets": ": what belongs there are ARNs, which are none",
        f"{project}:notify": ": give the ARN of the secret that holds the webhook",
    }
    words = "is given as a secret (pulumi config set --secret), but settings stand in the state and in outputs in clear"
    return f"{key.removeprefix(f'{project}:')}: {words}{way.get(key, '')}"


def _validated(model: type[Model], values: dict[str, Any], problems: list[str]) -> Model | None:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems += [_words(each, model) for each in error.errors()]
        return _without(model, values, {str(each["loc"][0]) for each in error.errors()})


def _without(model: type[Model], values: dict[str, Any], bad: set[str]) -> Model | None:
    """The keys that are right by themselves, so that problems of several keys are reported at the same time."""
    rest = {key: value for key, value in values.items() if key not in bad}
    try:
        return model.model_validate({"account": "0" * 12, **rest})
    except ValidationError:
        return None


def _plain(value: str) -> Any:
    """Structured values and numbers come as JSON; digits of an account id and the like stay text."""
    if value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


NEVER_SHOWN = frozenset({"env", "secrets", "notify", "app"})
"""Sections that may hold a secret by mistake. No message repeats their values, only names."""

SHOWN = (["notify", "events"], ["app", "folder"], ["app", "dockerfile"])
"""Keys of these sections that hold none."""

LONGEST_SHOWN = 60


def _words(problem: Any, model: type[BaseModel]) -> str:
    path = ".".join(_name(str(part)) for part in problem["loc"]) or "(all)"
    match problem["type"]:
        case "extra_forbidden":
            return f"{path}: is not a known key{_meant(problem['loc'], model)}"
        case "missing":
            return f"{path}: is missing"
        case "literal_error":
            return f"{path}: should be one of {problem['ctx']['expected']}{_shown(problem)}"
        case "value_error":
            return f"{path}: {problem['ctx']['error']}"
        case "model_type":
            return f"{path}: should be a mapping of settings{_shown(problem)}"
    message = problem["msg"].replace("tuple", "list").replace("Tuple", "List")
    return f"{path}: {message}{_shown(problem)}"


def _name(text: str) -> str:
    """A key as it may be shown: a whole `NAME=value` may stand there."""
    return text if "=" not in text else text.split("=", 1)[0] + "=…"


def _shown(problem: Any) -> str:
    """What stands there instead, where it can be no secret."""
    path = [*map(str, problem["loc"])]
    if NEVER_SHOWN & {*path[:1]} and path[:2] not in SHOWN:
        return ""
    text = repr(problem["input"])
    return f", not {text}" if len(text) <= LONGEST_SHOWN else f", not {text[: LONGEST_SHOWN - 1]}…"


def _meant(path: Sequence[Any], model: type[BaseModel]) -> str:
    """The known key that is nearly the same, as a question; "" if none is."""
    import difflib  # here, since only a mistake needs it

    known = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    key, *inner = map(str, path)
    section = known.get(key)
    if inner and isinstance(section, type) and issubclass(section, BaseModel):
        return _meant(inner, section)
    near = {name.lower(): name for name in known}
    found = difflib.get_close_matches(key.replace("_", "").replace("-", "").lower(), near, n=1, cutoff=0.75)
    return f"; did you mean `{near[found[0]]}`?" if found else ""


def _across(settings: EnvironmentSettings, stack: str, region: str) -> list[str]:
    """Problems of several keys together."""
    problems = []
    memory = FARGATE_MEMORY[settings.service.cpu]
    if settings.service.memory not in memory:
        allowed = ", ".join(map(str, memory))
        problems.append(f"service.memory: with cpu {settings.service.cpu} Fargate takes one of {allowed}")
    if settings.health_check.timeout_seconds >= settings.health_check.interval_seconds:
        problems.append("healthCheck.timeoutSeconds: must be less than healthCheck.intervalSeconds")
    if settings.smoke.identify is Identify.STATUS and not settings.service.status_path:
        problems.append("smoke.identify: status needs a service.statusPath; without one give header or none")
    problems += _moving(settings, region)
    problems += _other_stacks(settings, stack)
    if "access_logs" in settings.model_fields_set and not settings.access_logs.bucket:
        problems.append("accessLogs.bucket: is missing")
    if problem := limits.test_access(settings.test_access, settings.network.cidr):
        problems.append(f"testAccess: {problem}")
    service = settings.release_service()
    problems += [f"env: {problem}"] if (problem := limits.task_definition(service)) else []
    problems += [f"secrets: {problem}"] if (problem := limits.readable_secrets([service])) else []
    if settings.rollback_from and not settings.image_digest:
        problems.append("rollbackFrom: says what is left, but imageDigest does not say where to go")
    for name in sorted(settings.env.keys() & settings.secrets.keys()):
        problems.append(f"secrets.{name}: is in env as well; a variable comes from one place")
    for name in sorted({*settings.env, *settings.secrets}):
        problems += _bad_name(name)
    return problems


def _door(settings: EnvironmentSettings, region: str, *, asked: bool) -> list[str]:
    """How users come in has to be said, and plain HTTP by name. `asked`: there is `https`, right or wrong by itself."""
    https, problems = settings.https, []
    if not asked:
        missing = "https: is missing: the name that users come by (domain); for plain HTTP write insecure: true"
        return [] if settings.insecure else [missing]
    if settings.insecure:
        problems.append("insecure: there is https as well; leave one of them out")
    if "https" not in settings.model_fields_set:
        return problems
    if not https.domain:
        problems.append("https.domain: is missing: the name that users come by")
    if not https.certificate_arn and not https.hosted_zone:
        way = "the Route 53 zone in which a certificate of the domain is validated; or give certificateArn"
        problems.append(f"https.hostedZone: is missing: {way}")
    elif https.certificate_arn and https.hosted_zone:
        problems.append("https.hostedZone: is for a certificate that is requested, but certificateArn names one")
    if problem := limits.certificate_region(https.certificate_arn, region):
        problems.append(f"https.certificateArn: {problem}")
    return problems


def _elsewhere(zones: Sequence[str], region: str) -> list[str]:
    """What is wrong with the zones that were named."""
    foreign = [zone for zone in zones if region and not zone.startswith(region)]
    problems = [f"network.zones: {zone} is not in {region}" for zone in foreign]
    return problems + (["network.zones: two different ones are needed"] if len(set(zones)) != len(zones) else [])


def _existing(given: ExistingNetworkSettings) -> list[str]:
    """What a network that exists has to name."""
    lists = {"publicSubnets": given.public_subnets, "privateSubnets": given.private_subnets}
    if not given.vpc_id:
        return ["network.existing.vpcId: is missing"] if any(lists.values()) else []
    problems = {key: limits.subnets(ids) for key, ids in lists.items()}
    problems = {key: problem for key, problem in problems.items() if problem}
    both = sorted({*given.public_subnets} & {*given.private_subnets})
    return [
        *(f"network.existing.{key}: {problem}" for key, problem in problems.items()),
        *(f"network.existing.privateSubnets: {id} is in publicSubnets as well" for id in both),
    ]


LOCAL_ACCOUNT = "000000000000"


def _other_stacks(settings: EnvironmentSettings, stack: str) -> list[str]:
    """An environment needs other stacks for proof and image; the command finds circles (operate/route.py)."""
    problems = []
    if settings.promotes_from == stack:
        problems.append("promotesFrom: is this stack itself; leave it out in the first environment of the route")
    elif settings.promotes_from == settings.artifacts:
        problems.append("promotesFrom: is the stack of `artifacts`, which proves nothing; leave it out")
    if settings.artifacts == stack:
        problems.append("artifacts: is this stack itself; it should be the stack with role: artifacts")
    return problems


def _moving(settings: EnvironmentSettings, region: str) -> list[str]:
    """What is wrong with steps and alarms."""
    problems = []
    steps, period = settings.shift.steps, settings.alarms.period_seconds
    if any(low >= high for low, high in itertools.pairwise(steps)) or steps[-1] != 100:
        problems.append(f"shift.steps: must rise strictly and end with 100, not {list(steps)}")
    if problem := limits.alarm_period(period):
        problems.append(f"alarms.periodSeconds: {problem}")
    elif period < 60 and settings.account != LOCAL_ACCOUNT:
        problems.append("alarms.periodSeconds: on AWS a load balancer's metrics come by the minute; not less than 60")
    elif problem := limits.alarm_length(period, settings.alarms.datapoints):
        problems.append(f"alarms.datapoints: {problem}")
    own = len(settings.alarms.thresholds()) * len(Colour)
    problems += (
        [f"alarms.names: {problem}"] if (problem := limits.alarms_asked(own, len(settings.alarms.names))) else []
    )
    for number, arn in enumerate(settings.alarms.actions):
        problems += [f"alarms.actions.{number}: {problem}"] if (problem := limits.alarm_action(arn, region)) else []
    doubled = sorted({name for name in settings.alarms.names if settings.alarms.names.count(name) > 1})
    problems += [f"alarms.names: {name} is named twice" for name in doubled]
    return problems


RESERVED = OWN
"""Variables that the program itself sets in the container."""


def _bad_name(name: str) -> list[str]:
    if name in RESERVED:
        return [f"env.{name}: is set by the program itself"]
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return [f"env.{_name(name)}: is not a name of an environment variable"]
    return []
