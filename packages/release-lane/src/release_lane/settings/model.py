"""A stack's settings: `parse(raw) -> Settings`, with every problem reported at once, each with its path.

`raw` is the stack's whole configuration as the engine hands it over: `<project>:<key>` to a string, JSON for
anything structured. Only this project's own keys are judged here, and those by which AWS is reached
(settings/credentials.py). Each section is in a file of its name next to this one, with what AWS takes of it. The
annotated example of all keys is docs/stack-settings.example.yaml (a test parses it).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from release_lane.decide.decision import OnAlarm, OnDrift
from release_lane.decide.shift import Shift
from release_lane.decide.stores import Kind, Store, Stores
from release_lane.errors import ReleaseError
from release_lane.record.container import OF_CACHE, OF_DATABASE
from release_lane.record.digest import Digest, parse_digest
from release_lane.record.evidence import Drill
from release_lane.record.hold import Winner
from release_lane.record.names import other_projects
from release_lane.record.placement import Service
from release_lane.settings import credentials, limits
from release_lane.settings.access_logs import AccessLogSettings
from release_lane.settings.alarms import AlarmSettings, alarm_problems
from release_lane.settings.approval import ApprovalSettings, seal_problem
from release_lane.settings.artifacts import ArtifactsSettings, artifacts_problems
from release_lane.settings.cache import CacheSettings, cache_problems
from release_lane.settings.database import DatabaseSettings, database_problems
from release_lane.settings.flags import FlagsSettings, flags_problems
from release_lane.settings.freeze import FreezeSettings, freeze_problems
from release_lane.settings.https import HttpsSettings, https_problems
from release_lane.settings.ledger import place, reason
from release_lane.settings.migration import MigrationSettings
from release_lane.settings.network import AddressRange, NetworkSettings, network_problems, test_access
from release_lane.settings.notify import NotifySettings
from release_lane.settings.parity import ParitySettings, parity_problems
from release_lane.settings.rollout import RolloutSettings, SmokeSettings, smoke_problems
from release_lane.settings.section import Stack, sound
from release_lane.settings.service import HealthCheckSettings, ServiceSettings, service_problems
from release_lane.settings.shift import IdleSettings, ShiftSettings, shift_problems
from release_lane.settings.variables import (
    SecretReference,
    Variable,
    VariableName,
    name_problems,
    size_problems,
)
from release_lane.settings.wording import encrypted, words, wrong


def _digest(text: str) -> str:
    try:
        return parse_digest(text)
    except ReleaseError as error:
        raise ValueError(f"{error.what} {error.why}. {error.next_step}") from error


DigestText = Annotated[str, AfterValidator(_digest)]
StackName = Annotated[str, sound(limits.stack_name)]


class EnvironmentSettings(Stack):
    """An environment: it serves users."""

    role: Literal["environment"] = "environment"
    image_digest: DigestText | None = None
    rollback_from: DigestText | None = None
    forward_from: DigestText | None = None
    redeploy_from: DigestText | None = None
    on_drift: OnDrift | None = None
    on_alarm: OnAlarm | None = None
    hold_end: Winner | None = None
    hold_of: DigestText | None = None
    allow_older: DigestText | None = None
    allow_replace: bool = False
    as_it_stands: bool = False
    drill: Drill | None = None
    through_freeze: Annotated[str, sound(reason)] = ""
    without_ledger: Annotated[str, sound(reason)] | None = None
    sealed: Annotated[str, sound(seal_problem)] = ""
    approval: ApprovalSettings = ApprovalSettings()
    promotes_from: StackName | None = None
    require_drill: bool = False
    parity: ParitySettings = ParitySettings()
    artifacts: StackName = "artifacts"
    service: ServiceSettings = ServiceSettings()
    env: dict[str, Variable] = Field(default={})
    secrets: dict[str, SecretReference] = Field(default={})
    given: list[VariableName] = Field(default=[])
    database: DatabaseSettings = DatabaseSettings()
    cache: CacheSettings = CacheSettings()
    health_check: HealthCheckSettings = HealthCheckSettings()
    smoke: SmokeSettings = SmokeSettings()
    rollout: RolloutSettings = RolloutSettings()
    migration: MigrationSettings = MigrationSettings()
    shift: ShiftSettings = ShiftSettings()
    alarms: AlarmSettings = AlarmSettings()
    idle: IdleSettings = IdleSettings()
    freeze: FreezeSettings = FreezeSettings()
    notify: NotifySettings = NotifySettings()
    https: HttpsSettings = HttpsSettings()
    insecure: bool = False
    access_logs: AccessLogSettings = AccessLogSettings()
    deletion_protection: bool | None = None
    ledger: Annotated[str, sound(place)] | None = None
    network: NetworkSettings = NetworkSettings()
    test_access: list[AddressRange] = Field(default=[])

    @property
    def keeps_balancer(self) -> bool:
        """Does AWS have to refuse to delete the load balancer? By default where digests are promoted to."""
        return self.promotes_from is not None if self.deletion_protection is None else self.deletion_protection

    @property
    def stores(self) -> Stores:
        """Database and cache, as far as they are asked for."""
        database, cache = self.database, self.cache
        both = {
            Kind.DATABASE: Store(
                size=database.instance_class, version=database.engine_version, storage=database.storage_gb
            ),
            Kind.CACHE: Store(size=cache.node_type, version=cache.engine_version),
        }
        return {kind: store for kind, store in both.items() if store.size}

    @property
    def keeps_database(self) -> bool:
        """Does AWS have to refuse to delete the database? By default as the load balancer."""
        own = self.database.deletion_protection
        return self.keeps_balancer if own is None else own

    @property
    def all_given(self) -> tuple[str, ...]:
        """Variables that the environment gives to every release: where its database, its cache, and what else the
        template has are."""
        of = {Kind.DATABASE: OF_DATABASE, Kind.CACHE: OF_CACHE}
        return tuple(sorted({*self.given, *(name for kind in self.stores for name in of[kind])}))

    def release_service(self) -> Service:
        """The part of a release that is configuration."""
        return Service(**self.service.model_dump(), identify=self.smoke.identify, env=self.env, secrets=self.secrets)

    @property
    def wanted_shift(self) -> Shift:
        """How the traffic moves. A drill goes back and forward again, and holds nothing."""
        hold = None if self.drill else self.shift.hold
        return Shift(steps=self.shift.steps, bake=self.shift.bake_seconds, hold=hold)

    @property
    def digest(self) -> Digest | None:
        """The digest asked for, None to keep what is live."""
        return Digest(self.image_digest) if self.image_digest else None


PER_RUN = (
    *("imageDigest", "rollbackFrom", "forwardFrom", "redeployFrom", "onDrift", "onAlarm", "holdEnd", "holdOf"),
    *("allowOlder", "allowReplace", "asItStands", "drill", "throughFreeze", "withoutLedger", "sealed"),
)
"""Keys of an environment that are given for one update, and never committed in a stack file."""

ALL_PER_RUN = (*PER_RUN, "flags", "undoFlags", "source", "adopt", "adoptCommit", "adoptSource")
"""The same of all stacks."""

Settings = EnvironmentSettings | ArtifactsSettings | FlagsSettings
Model = TypeVar("Model", bound=BaseModel)


def parse(raw: Mapping[str, str], project: str, stack: str, secret: Collection[str] = ()) -> Settings:
    """Read a stack's configuration. One `UsageError` names its file and every problem, with path and remedy.

    `secret` are the full keys that the engine decrypted: no setting can be one, and none of these is ever shown.
    """
    file = f"Pulumi.{stack}.yaml"
    region = raw.get("aws:region") or ""
    problems = [encrypted(key, project) for key in sorted(secret) if key.startswith((f"{project}:", *_HANDED))]
    problems += [f"aws:region: {problem}"] if (problem := limits.region(region) if region else "is missing") else []
    problems += credentials.problems(raw)
    own = _written({key.split(":", 1)[1]: value for key, value in raw.items() if key.startswith(f"{project}:")})
    hidden = {key.split(":", 1)[1] for key in secret if key in raw}
    values = {key: _plain(value) for key, value in own.items() if key not in hidden}
    settings: Settings | None
    settings = _validated(_ROLES.get(str(own.get("role")), EnvironmentSettings), values, problems)
    match settings:
        case EnvironmentSettings():
            problems += _across(settings, stack, region, https_asked="https" in own)
        case ArtifactsSettings():
            problems += artifacts_problems(settings, project)
        case FlagsSettings():
            problems += flags_problems(settings, stack)
            problems += freeze_problems(settings.freeze)
    problems = [each for each in problems if each.removesuffix(": is missing") not in hidden]
    if "account: is missing" in problems and (others := other_projects(raw, project)):
        problems.append(f"(all): keys have to begin with {project}: (Pulumi.yaml), not with {', '.join(others)}:")
    if problems or settings is None:
        raise wrong(problems, f"({file}, or given by -c); nothing was changed", file)
    return settings


_ROLES: Mapping[str, type[Settings]] = {"artifacts": ArtifactsSettings, "flags": FlagsSettings}
_HANDED = tuple(f"aws:{key}" for key in credentials.HANDED)


def part(values: Mapping[str, Any], key: str, file: str) -> Any:
    """One key of a stack, judged by itself: for the command, whose verbs need a few keys each.

    `values` are the keys of this project as the stack file has them. `UsageError` names the file and what is wrong.
    """
    given = _written({key: _as_handed(values[key])} if key in values else {})
    model, role = (EnvironmentSettings, "environment") if key in _FIELDS else (ArtifactsSettings, "artifacts")
    try:
        return getattr(model.model_validate({"account": "0" * 12, "role": role, **given}), (_FIELDS | _BUILT)[key])
    except ValidationError as error:
        problems = [words(each, model) for each in error.errors()]
        raise wrong(problems, f"({file})", file) from None  # pydantic's own words repeat every value


def environment_in(values: Mapping[str, Any], file: str) -> EnvironmentSettings:
    """All keys of an environment with their defaults, each judged by itself; `values` and errors as of `part`."""
    given = _written({key: _as_handed(value) for key, value in values.items()})
    try:
        return EnvironmentSettings.model_validate({**given, "account": "0" * 12})
    except ValidationError as error:
        raise wrong([words(each, EnvironmentSettings) for each in error.errors()], f"({file})", file) from None


_FIELDS, _BUILT = (
    {str(field.alias): name for name, field in model.model_fields.items()}
    for model in (EnvironmentSettings, ArtifactsSettings)
)


_STRUCTURED = frozenset(
    str(field.alias)
    for model in (EnvironmentSettings, ArtifactsSettings, FlagsSettings)
    for field in model.model_fields.values()
    if isinstance(field.default, BaseModel | dict | list)
)


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without the sections and lists under which nothing is written: their defaults hold."""
    return {key: value for key, value in values.items() if value != "" or key not in _STRUCTURED}


def _as_handed(value: Any) -> Any:
    """A value of settings/reading.py as the program gets it from the engine, which turns scalars into text, and nothing
    into an empty one."""
    match value:
        case Mapping() | list():
            return value
        case str():
            return _plain(value)
        case None:
            return ""
    return json.dumps(value)


def _validated(model: type[Model], values: dict[str, Any], problems: list[str]) -> Model | None:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems += [words(each, model) for each in error.errors()]
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


def _across(settings: EnvironmentSettings, stack: str, region: str, *, https_asked: bool) -> list[str]:
    """Problems of several keys together."""
    problems = service_problems(settings.service, settings.health_check)
    problems += smoke_problems(settings.smoke, settings.service)
    problems += shift_problems(settings.shift)
    problems += freeze_problems(settings.freeze)
    problems += parity_problems(settings.parity, settings.promotes_from)
    problems += alarm_problems(settings.alarms, settings.account, region)
    problems += _other_stacks(settings, stack)
    if "access_logs" in settings.model_fields_set and not settings.access_logs.bucket:
        problems.append("accessLogs.bucket: is missing")
    if problem := test_access(settings.test_access, settings.network.cidr):
        problems.append(f"testAccess: {problem}")
    problems += size_problems(settings.release_service(), settings.all_given)
    problems += database_problems(settings.database, asked="database" in settings.model_fields_set)
    problems += cache_problems(settings.cache, asked="cache" in settings.model_fields_set)
    if settings.rollback_from and not settings.image_digest:
        problems.append("rollbackFrom: says what is left, but imageDigest does not say where to go")
    if settings.drill in (Drill.BACK, Drill.FORWARD) and not settings.rollback_from:
        problems.append(f"drill: {settings.drill} moves traffic; give imageDigest and rollbackFrom as well")
    if settings.as_it_stands and (settings.image_digest or settings.hold_end or settings.drill):
        problems.append("asItStands: is for what follows on a way back; leave out imageDigest, holdEnd and drill")
    if settings.require_drill and not settings.promotes_from:
        problems.append("requireDrill: asks for a drill in the environment before, but promotesFrom names none")
    if settings.redeploy_from and not settings.image_digest:
        problems.append("redeployFrom: says what is left, but imageDigest does not say where to go")
    if settings.redeploy_from and (settings.rollback_from or settings.forward_from):
        problems.append(
            "redeployFrom: takes an earlier image with today's configuration, rollbackFrom and forwardFrom a complete "
            "release; give one of them"
        )
    if settings.hold_end and (settings.image_digest or settings.drill or settings.on_drift):
        problems.append("holdEnd: ends the hold and does nothing else; leave out imageDigest, drill and onDrift")
    if settings.hold_end is Winner.NEW and not settings.hold_of:
        problems.append("holdOf: is missing; holdEnd=new gives all users to the held release: name its digest")
    if settings.hold_of and not settings.hold_end:
        problems.append("holdOf: says which release is held, but holdEnd does not say who wins")
    if settings.forward_from and not settings.image_digest:
        problems.append("forwardFrom: says what is left, but imageDigest does not say where to go")
    problems += name_problems(settings.env, settings.secrets, settings.all_given)
    https = settings.https if "https" in settings.model_fields_set else None
    problems += https_problems(https, region, asked=https_asked, insecure=settings.insecure)
    return problems + network_problems(settings.network, region)


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
