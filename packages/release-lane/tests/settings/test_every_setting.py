"""Every setting is either held to what AWS takes, or has a reason why nothing can be wrong with it; no secret is shown.

A new setting needs a row in SETTINGS.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from release_lane.errors import UsageError
from release_lane.settings.artifacts import ArtifactsSettings
from release_lane.settings.credentials import VARIABLES
from release_lane.settings.flags import FlagsSettings
from release_lane.settings.model import EnvironmentSettings, environment_in, parse, part

pytestmark = pytest.mark.pure

CANARY = "hunter2-canary"
SSM = "arn:aws:ssm:us-east-1:000000000000:parameter"
ENUM, OURS = "one of a few words", "time or order of our own, no limit of AWS"

SETTINGS: dict[str, list[Any] | str] = {
    "account": ["12345", "٠" * 12, "arn:aws:iam::000000000000"],
    "role": ENUM,
    "imageDigest": ["latest", "sha256:1"],
    "rollbackFrom": ["latest", "sha256:1"],
    "forwardFrom": ["latest", "sha256:1"],
    "redeployFrom": ["latest", "sha256:1"],
    "onDrift": ENUM,
    "onAlarm": ENUM,
    "holdEnd": ENUM,
    "holdOf": ["latest", "sha256:1"],
    "allowOlder": ["latest"],
    "allowReplace": ENUM,
    "asItStands": ENUM,
    "drill": ENUM,
    "requireDrill": ENUM,
    "parity.required": ENUM,
    "parity.expect": [
        [{"what": "service.cpu"}],
        [{"what": "", "why": "small"}],
        [{"what": "a\nb", "why": "small"}],
        [{"what": "x" * 301, "why": "small"}],
        [{"what": "service.cpu", "why": " "}],
        [{"what": "service.cpu", "why": "x" * 301}],
        [{"what": "service.cpu", "why": "small"}] * 2,
        [{"what": str(number), "why": "small"} for number in range(201)],
    ],
    "throughFreeze": ["", " ", "a\nb", "x" * 301],
    "sealed": ["x", "ABCDEF0123"],
    "approval.validFor": ["", "0m", "24", "1d", "90s", "1m1h"],
    "approval.distinct": ENUM,
    "approval.required": ENUM,
    "promotesFrom": ["staging", "artifacts", "other/project/dev", ""],
    "artifacts": ["staging", "a b"],
    "service.cpu": [300, 8192],
    "service.memory": [513, 4096],
    "service.desiredCount": [0, 201],
    "service.port": [0, 65536],
    "service.healthPath": ["health", "/he alth", "/" + "x" * 1024, "/ä"],
    "service.statusPath": ["status", "/sta tus", "/ä"],
    "env": [{"A-B": "1"}, {"A": 1}, {"PORT": "1"}, {"A": "\0"}, {"A": "x" * 62_000}],
    "secrets": [
        {"A": CANARY},
        {"A": "arn:aws:s3:::bucket"},
        {"A-B": f"{SSM}/a"},
        {f"S{number}": f"{SSM}/{number:0>50}" for number in range(120)},
    ],
    "given": [["A-B"], [""], ["PORT"], "ORDERS_TOPIC"],
    "database.instanceClass": ["", "micro", "cache.t4g.micro", "db.T4g.micro", "db.t2.micro", "db.r5.large.tpc1"],
    "database.storageGb": [19, 65_537],
    "database.engineVersion": ["14", "17.2", "latest", 17, "25", "99"],
    "database.backupDays": [0, 36],
    "database.multiZone": ENUM,
    "database.deletionProtection": ENUM,
    "cache.nodeType": ["", "micro", "db.t4g.micro", "cache.t2.micro", "cache.r6gd.xlarge"],
    "cache.engineVersion": ["7.1", "7.3", "8", "8.0.1", 8.0, "15.0", "99.9"],
    "cache.multiZone": ENUM,
    "healthCheck.intervalSeconds": [4, 301],
    "healthCheck.timeoutSeconds": [1, 121, 5],
    "healthCheck.healthyThreshold": [1, 11],
    "healthCheck.unhealthyThreshold": [1, 11],
    "healthCheck.drainSeconds": [-1, 3601],
    "smoke.deadlineSeconds": OURS,
    "smoke.identify": ENUM,
    "rollout.graceSeconds": [-1, 3601],
    "rollout.deadlineSeconds": OURS,
    "migration.command": [["alembic", ""], ["a\0b"], ["x" * 4097], "alembic upgrade head"],
    "migration.deadlineSeconds": OURS,
    "shift.steps": [[0, 100], [10, 10, 100], [50], [101]],
    "shift.bakeSeconds": OURS,
    "shift.hold": [0, 100],
    "alarms.errorPercent": [0, 101],
    "alarms.latencySeconds": [0, 3601],
    "alarms.unhealthyTargets": [0, 1001],
    "alarms.periodSeconds": [0, 5, 45, 3660],
    "alarms.datapoints": [0, 61],
    "alarms.lateSeconds": OURS,
    "alarms.names": [[""], ["x" * 256], ["a\n"], ["a", "a"], [f"a{number}" for number in range(101)]],
    "alarms.actions": [["x"], ["arn:aws:sns:eu-west-1:000000000000:a"], ["arn:aws:sns:us-east-1:000000000000:a"] * 6],
    "idle.afterWatch": [-1, 201],
    "freeze.timeZone": ["Mars/Olympus", "/etc/localtime", "../UTC", "America", ""],
    "freeze.windows": [
        [{"from": "Fri"}],
        [{"from": "Friday", "to": "Mon"}],
        [{"from": "Fri 24:00", "to": "Mon"}],
        [{"from": "Fri", "to": "2026-12-24"}],
        [{"from": "2026-02-30", "to": "2026-03-01"}],
        [{"from": "2026-12-24", "to": "2026-12-23"}],
        [{"from": "2026-12-24", "to": "9999-12-31"}],
        [{"from": "2026-12-24 16:00", "to": "2026-12-24 16:00"}],
        [{"from": 960, "to": "Mon"}],
        [{"from": "Fri 16:00", "to": "Fri 16:00"}],
        [{"from": "Mon", "to": "Sun"}],
        [{"from": "Mon", "to": "Wed"}, {"from": "Thu", "to": "Sun"}],
        [{"from": "Fri", "to": "Mon", "reason": "a\nb"}],
        [{"from": "Fri", "to": "Mon"}] * 101,
    ],
    "notify.topic": ["releases", f"{SSM}/a"],
    "notify.webhook": ["http://example.test/x", f"https://{CANARY}@example.test"],
    "notify.events": ENUM,
    "https.domain": [
        "https://shop.example.com",
        "*.example.com",
        "Shop.example.com",
        "shop",
        "FILL-IN",
        "a" * 64 + ".com",
    ],
    "https.certificateArn": [f"{SSM}/a", "arn:aws:acm:eu-west-1:000000000000:certificate/a", "FILL-IN"],
    "https.hostedZone": ["example.com", "FILL-IN", "Z" * 33],
    "https.hstsSeconds": [-1, 63_072_001],
    "insecure": ENUM,
    "accessLogs.bucket": ["My_logs", "ab", "a..b"],
    "accessLogs.prefix": ["/a", "a/", "AWSLogs"],
    "accessLogs.enabled": ENUM,
    "deletionProtection": ENUM,
    "ledger": [
        "s3://",
        "s3://My_bucket",
        "s3://FILL-IN",
        "releases",
        "https://b",
        "s3://abc/a/",
        "s3://abc/ä",
        "file://",
    ],
    "withoutLedger": ["", "a\nb", "x" * 301],
    "network.cidr": ["999.300.0.0/16", "10.0.0.0/8", "127.0.0.0/16", "fd00::/16"],
    "network.zones": [["us-east-1a"], ["us-east-1a"] * 2, ["eu-west-1a", "eu-west-1b"], 1, 4],
    "network.egress": ENUM,
    "network.existing.vpcId": ["main", "vpc-1"],
    "network.existing.publicSubnets": [["a", "b"], ["subnet-0123456789abcdef0"]],
    "network.existing.privateSubnets": [["a", "b"], ["subnet-0123456789abcdef0"] * 2],
    "testAccess": [
        ["office"],
        ["2001:db8::/32"],
        ["192.0.2.1"],
        [f"192.0.2.{number}/32" for number in range(29)],
    ],
    "adopt": ["shop:latest", "shop@sha256:1"],
    "adoptCommit": ["main", "abc"],
    "adoptSource": ["x" * 301, f"https://u:{CANARY}@h/x", f"https://{CANARY}@h/x", f"u:{CANARY}@h/x"],
    "app.folder": ["", "/srv", "a\nb"],
    "app.dockerfile": ["", "/srv/Dockerfile", "../Dockerfile"],
    "app.buildArgs": [{"A-B": "1"}, {"A": 1}, {"COMMIT": "1"}, {"A": "\0"}],
    "flags": [{"new checkout": "on"}, {"": "on"}, {"a": "yes"}, {"a": 25}, {"a": "101%"}, {"x" * 65: "on"}, "a=on"],
    "undoFlags": ENUM,
    "source": "a folder of this machine, looked at by git",
    "repository": ["My/app", "a", "x" * 129],
}
"""By its path: values that AWS (or Fargate, or the machine) would refuse, or why there is none."""


def leaves(model: type[BaseModel], at: str = "") -> Iterator[str]:
    """Paths of all keys that hold a value."""
    for name, field in model.model_fields.items():
        path, inner = f"{at}{field.alias or name}", field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from leaves(inner, f"{path}.")
        else:
            yield path


ALL = sorted({*leaves(EnvironmentSettings), *leaves(ArtifactsSettings), *leaves(FlagsSettings)})


OF_ARTIFACTS, OF_FLAGS = (
    {path.split(".")[0] for path in {*leaves(model)} - {*leaves(EnvironmentSettings)}}
    for model in (ArtifactsSettings, FlagsSettings)
)


def config(path: str, value: Any) -> dict[str, str]:
    """A stack's configuration with one value."""
    key, *inner = path.split(".")
    given = value
    for name in reversed(inner):
        given = {name: given}
    if path.startswith("network.existing.") and inner[-1] != "vpcId":
        given["existing"]["vpcId"] = "vpc-0123456789abcdef0"
    text = given if isinstance(given, str) else json.dumps(given)
    role = {"p:role": "artifacts"} if key in OF_ARTIFACTS else {"p:role": "flags"} if key in OF_FLAGS else {}
    return {"aws:region": "us-east-1", "p:account": "000000000000", **role, f"p:{key}": text}


INSECURE = {"p:insecure": "true"}


def refusal(raw: dict[str, str], secret: tuple[str, ...] = ()) -> str:
    with pytest.raises(UsageError) as refused:
        parse(raw, "p", "staging", secret)
    return str(refused.value)


def test_every_setting_has_a_row() -> None:
    assert not set(ALL) - set(SETTINGS)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (path, value)
        for path, values in SETTINGS.items()
        if not isinstance(values, str) and path in ALL
        for value in values
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_aws_would_refuse_is_refused_with_its_path_and_in_few_words(path: str, value: Any) -> None:
    told = refusal(config(path, value))
    assert f"\n  {path}" in told or f"\n  env.{next(iter(value))}" in told
    assert len(told) < 900
    assert CANARY not in told


# ---- secrets


@pytest.mark.parametrize("path", ALL)
def test_no_setting_can_be_a_secret_and_none_is_shown(path: str) -> None:
    """The engine hands over the decrypted value, and says of which key it is one."""
    key = path.split(".")[0]
    for value in (CANARY, [CANARY], {"A": CANARY}, {CANARY: "x"}):
        told = refusal(config(path, value), (f"p:{key}",))
        assert f"  {key}: is given as a secret (pulumi config set --secret)" in told
        assert CANARY not in told


def test_a_secret_in_env_names_the_way() -> None:
    told = refusal(config("env", {"API_TOKEN": CANARY}), ("p:env",))
    assert "its ARN under `secrets`" in told


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            (section, value)
            for section in ("env", "secrets", "notify")
            for value in (CANARY, [CANARY], {"A": [CANARY]})
        ),
        ("env", {f"A={CANARY}": "x"}),
        ("env", {"A": {"B": CANARY}}),
        ("secrets", {f"A={CANARY}": "x"}),
        ("secrets", {"DB_PASSWORD": CANARY}),
        ("notify", {"webhook": CANARY}),
        ("notify", {"webhook": [f"https://example.test/{CANARY}"]}),
        ("notify", {"topic": CANARY}),
        ("environment", {"A": CANARY}),
        *(("app", {"buildArgs": value}) for value in (CANARY, [CANARY], {f"A={CANARY}": "x"}, {"A": {"B": CANARY}})),
    ],
    ids=str,
)
def test_a_refusal_repeats_nothing_that_may_be_one(key: str, value: Any) -> None:
    assert CANARY not in refusal(config(key, value))


LONG = "z" * 60
ADDRESSES = (
    f"postgres://shop:{CANARY}@db.internal/shop",
    f"redis://:{CANARY}@cache.internal",
    f"https://{CANARY}@git.example.test/shop",
    f"postgres://shop:{CANARY}{LONG}@db.internal/shop",
    f"migrate --password={CANARY}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}",
)
STRUCTURED = sorted({path.split(".")[0] for path in ALL if "." in path})


def said(raw: dict[str, str]) -> str:
    """The refusal; "" where the value is taken."""
    try:
        parse(raw, "p", "staging")
    except UsageError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("path", sorted({*ALL, *STRUCTURED}))
def test_no_refusal_repeats_what_looks_like_a_secret(path: str) -> None:
    first = ADDRESSES[0]
    inside = ([[first]], {"A": first}, {first: "x"}, {"A": [first]}, [{"what": first}])
    for value in (*ADDRESSES, *([each] for each in ADDRESSES), *inside):
        assert CANARY not in said(config(path, value))


@pytest.mark.parametrize("key", STRUCTURED)
def test_text_in_place_of_a_section_is_not_repeated(key: str) -> None:
    assert CANARY not in refusal(config(key, CANARY))
    assert CANARY not in refusal(config(key, [CANARY]))


@pytest.mark.parametrize("read", [lambda given: part(given, "database", "f"), lambda given: environment_in(given, "f")])
def test_nor_does_a_traceback_of_the_command(read: Callable[[dict[str, Any]], object]) -> None:
    """`--debug` shows one."""
    with pytest.raises(UsageError) as refused:
        read({"database": ADDRESSES[0]})
    assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_a_refusal_without_the_value_still_says_what_is_wrong() -> None:
    told = refusal(config("env", {f"API_TOKEN={CANARY}": "x"}))
    assert "env.API_TOKEN=…: " in told
    assert "is not a name of an environment variable" in told


def test_text_in_place_of_a_list_is_not_repeated() -> None:
    assert CANARY not in refusal(config("migration.command", f"migrate {CANARY}"))


def test_a_value_that_looks_like_no_secret_is_shown() -> None:
    assert "not 'many'" in refusal(config("service.cpu", "many"))
    assert "not 201" in refusal(config("service.desiredCount", 201))


@pytest.mark.parametrize(
    "command",
    [
        ["migrate", f"postgres://shop:{CANARY}@db.internal/shop"],
        ["alembic", "-x", f"url=postgresql+psycopg://shop:{CANARY}@db.internal/shop", "upgrade", "head"],
        ["migrate", f"--password={CANARY}"],
        ["migrate", "--db-password", CANARY],
        ["migrate", f"--api-key='{CANARY}'"],
        ["sh", "-c", f"PGPASSWORD={CANARY} psql -f up.sql"],
        ["env", f"APP_TOKEN={CANARY}", "migrate"],
        ["env", f"AWS_SECRET_ACCESS_KEY={CANARY}", "migrate"],
        ["migrate", "--client-secret", CANARY],
        ["migrate", f"AKIA{'A' * 16}", CANARY],
    ],
    ids=str,
)
def test_a_command_that_holds_a_secret_is_refused_and_the_way_is_named(command: list[str]) -> None:
    told = refusal(config("migration.command", command))
    assert "migration.command: looks as if it held a secret" in told
    assert "`secrets`" in told
    assert CANARY not in told


@pytest.mark.parametrize(
    "command",
    [
        ["alembic", "upgrade", "head"],
        ["sh", "-c", "PGPASSWORD=$DB_PASSWORD psql -f up.sql"],
        ["sh", "-c", 'migrate --password "$DB_PASSWORD" --token=${TOKEN}'],
        ["sh", "-c", "migrate postgres://shop:$DB_PASSWORD@$DATABASE_HOST/shop"],
        ["migrate", "postgres://shop@db.internal/shop", "--secret", "shop-database"],
        ["migrate", "--password-file", "/run/password", "--token", f"{SSM}/token"],
        ["psql", "--no-password", "shop"],
        ["liquibase", "--password", "env:DB_PASSWORD", "update"],
        ["sh", "-c", "PASSWORD=/run/secrets/x migrate"],
        ["sh", "-c", "DB_PASSWORD=\\$X migrate"],
        ["sqitch", "deploy", "--set", "password=:x"],
        ["migrate", "--token=false", "--reset-password", "true", "--idempotency-token", "release"],
    ],
    ids=str,
)
def test_a_command_that_only_names_where_a_secret_is_is_taken(command: list[str]) -> None:
    parse(INSECURE | config("migration.command", command), "p", "staging")


@pytest.mark.parametrize("key", sorted(VARIABLES))
@pytest.mark.parametrize("as_secret", [True, False])
def test_ways_of_naming_credentials_that_gates_cannot_follow_are_refused(key: str, as_secret: bool) -> None:
    raw = {"aws:region": "us-east-1", "p:account": "000000000000", f"aws:{key}": CANARY}
    told = refusal(raw, (f"aws:{key}",) if as_secret else ())
    assert f"  aws:{key}: is followed by the AWS provider alone" in told
    assert VARIABLES[key] in told
    assert CANARY not in told


def test_another_projects_keys_are_named_where_the_project_was_renamed() -> None:
    told = refusal({"aws:region": "us-east-1", "release-lane:account": "000000000000"})
    assert "keys have to begin with p: (Pulumi.yaml), not with release-lane:" in told
