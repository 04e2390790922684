"""What AWS takes of a setting: each rule at its edge."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.record.placement import Service
from release_lane.settings import alarms, artifacts, cache, database, limits, network, service, variables
from release_lane.settings.limits import PROGRAM
from release_lane.settings.network import MOST_RANGES
from release_lane.settings.secrecy import looks_secret
from release_lane.settings.variables import ADDED, TASK_DEFINITION

pytestmark = pytest.mark.pure

CANARY = "hunter2-canary"
SSM = "arn:aws:ssm:eu-west-1:123456789012:parameter"
ASM = "arn:aws:secretsmanager:eu-west-1:123456789012:secret"


@pytest.mark.parametrize(
    "text",
    [
        f"{SSM}/db/password",
        f"{SSM}/db/password:3",
        f"{SSM}/db.x_y-z",
        f"{ASM}:db-AbCdEf",
        f"{ASM}:prod/db-AbCdEf:password::",
        f"{ASM}:db-AbCdEf:password:AWSCURRENT:",
        f"{ASM}:db-AbCdEf:::f0e1",
        "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/a",
        "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:a",
        "arn:aws-iso-b:ssm:us-isob-east-1:123456789012:parameter/a",
    ],
)
def test_arns_of_parameters_and_secrets_are_references(text: str) -> None:
    assert not variables.secret_reference(text)


@pytest.mark.parametrize(
    "value",
    [
        CANARY,
        f"/{CANARY}",
        "",
        f"arn:aws:s3:::{CANARY}",
        f"arn:aws:ssm:eu-west-1:123456789012:document/{CANARY}",
        f"{SSM}/{CANARY} ",
        f"{SSM}/{CANARY}\n",
        f"{SSM}/a:1:{CANARY}",
        f"{ASM}:db:{CANARY}",
        f"{ASM}:db:key:stage:id:{CANARY}",
        f"arn:aws:secretsmanager:eu-west-1::secret:{CANARY}",
        {"secure": CANARY},
        [CANARY],
        7,
        None,
    ],
    ids=repr,
)
def test_anything_else_is_none_and_is_not_repeated(value: Any) -> None:
    told = variables.secret_reference(value)
    assert "should be the ARN" in told
    assert CANARY not in told


def test_what_looks_like_a_secret_is_named_and_what_does_not_is_left_alone() -> None:
    secret = {
        "DB_PASSWORD": "x",
        "token": "x",
        "STRIPE_API_KEY": "x",
        "A": "AKIAABCDEFGHIJKLMNOP",
        "B": "-----BEGIN RSA PRIVATE KEY-----\n…",
        "C": "postgres://me:x@db/app",
    }
    plain = {
        "DB_PASSWORD_FILE": "/run/x",
        "TOKEN_TTL": "60",
        "PASSWORD": "",
        "URL": "https://example.test/a:b@c",
        "KEY": "AKIA",
        "DB": "postgres://db/app",
    }
    assert looks_secret({**secret, **plain}) == tuple(sorted(secret))


def test_a_task_definition_has_64_kib_less_what_aws_adds() -> None:
    empty = variables.definition_size(Service(env={"A": ""}))
    room = TASK_DEFINITION - ADDED - empty
    fits = Service(env={"A": "x" * (room - 200)})
    assert not variables.task_definition(fits)
    told = variables.task_definition(Service(env={"A": "x" * (room + 200), "B": "1"}))
    assert "The largest is A (" in told
    assert "ECS takes 61,440 (65,536 with what AWS adds)" in told


def test_its_size_is_in_bytes_and_once_for_each_variable() -> None:
    """The label of earlier versions repeated them all, quoted twice."""
    plain = variables.definition_size(Service())
    assert variables.definition_size(Service(env={"A": "ä" * 1000})) - plain < 2100
    assert variables.definition_size(Service(env={"A": "x" * 1000})) - plain < 1100
    assert variables.definition_size(Service(env={"A": '"' * 1000})) - plain < 2100


def test_the_secrets_of_a_role_have_10_240_characters_without_blanks() -> None:
    def naming(count: int) -> Service:
        return Service(secrets={f"S{number}": f"{SSM}/{number:0>50}" for number in range(count)})

    assert not variables.readable_secrets([naming(90)])
    assert "tasks read 120 secrets" in variables.readable_secrets([naming(120)])
    assert not variables.readable_secrets([naming(90), naming(60)]), "what several releases name counts once"
    assert variables.readable_secrets([]) == ""
    keys = {f"K{number}": f"{ASM}:db-AbCdEf:key{number}::" for number in range(200)}
    assert not variables.readable_secrets([Service(secrets=keys)]), "one secret with many keys"


@pytest.mark.parametrize("path", ["/", "/health", "/a?b=c&d=%20", "/" + "x" * 1023])
def test_paths_that_a_load_balancer_asks(path: str) -> None:
    assert not service.health_path(path)


@pytest.mark.parametrize("path", ["", "health", "/he alth", "/\t", "/ä", "/x\n", "/" + "x" * 1024, "http://x/"])
def test_paths_that_it_does_not(path: str) -> None:
    assert "should begin with /" in service.health_path(path)


@pytest.mark.parametrize("text", ["release-lane-staging", "a-b", "A1-b", "x" * 26])
def test_names_that_aws_takes(text: str) -> None:
    assert not limits.prefix(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x" * 27, "32 characters"),
        ("my_app-dev", "letters, digits and hyphens"),
        ("my.app-dev", "letters, digits and hyphens"),
        ("-a", "no hyphen first"),
        ("a-", "first or last"),
        ("internal-tools", "internal-"),
        ("sg-dev", "sg-"),
    ],
)
def test_names_that_it_does_not(text: str, said: str) -> None:
    assert said in limits.prefix(text)


@pytest.mark.parametrize("text", ["10.20.0.0/16", "172.31.0.0/16", "192.168.0.0/16", "100.64.0.0/16", "52.1.0.0/16"])
def test_ranges_that_a_vpc_can_have(text: str) -> None:
    assert not network.vpc_range(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("999.300.0.0/16", "IPv4 address range of the size /16"),
        ("10.20.0.0/24", "of the size /16"),
        ("10.20.1.0/16", "of the size /16"),
        ("10.20.0.0", "of the size /16"),
        ("10.20.0.0/255.255.0.0", "of the size /16"),
        ("10.20.0.0/016", "of the size /16"),
        ("fd00::/16", "IPv4"),
        ("127.0.0.0/16", "no range of addresses that hosts can have"),
        ("169.254.0.0/16", "no range"),
        ("0.0.0.0/16", "no range"),
        ("240.1.0.0/16", "no range"),
    ],
)
def test_ranges_that_it_cannot(text: str, said: str) -> None:
    assert said in network.vpc_range(text)


@pytest.mark.parametrize("text", ["192.0.2.0/24", "192.0.2.7/32", "0.0.0.0/0"])
def test_ranges_that_a_security_group_lets_in(text: str) -> None:
    assert not network.address_range(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("office", "should be an IPv4 address range"),
        ("192.0.2.0/33", "should be an IPv4 address range"),
        ("999.0.0.0/8", "should be an IPv4 address range"),
        ("192.0.2.7", "should be written as 192.0.2.7/32"),
        ("192.0.2.7/24", "should be written as 192.0.2.0/24"),
        ("192.0.2.0/255.255.255.0", "should be written as 192.0.2.0/24"),
        ("192.0.2.0/024", "should be written as 192.0.2.0/24"),
        ("2001:db8::/32", "is an IPv6 range"),
        ("::1", "is an IPv6 range"),
    ],
)
def test_ranges_that_it_does_not(text: str, said: str) -> None:
    assert said in network.address_range(text)


def test_all_ranges_together_fit_into_one_security_group() -> None:
    own = "10.20.0.0/16"
    ranges = [f"192.0.2.{number}/32" for number in range(MOST_RANGES)]
    assert not network.test_access([*ranges, ranges[0], own], own)
    assert 1 + 2 * (1 + MOST_RANGES) <= network.GROUP_RULES < 1 + 2 * (2 + MOST_RANGES)
    told = network.test_access([*ranges, "198.51.100.1/32"], own)
    assert told.startswith("has 29 ranges, and 28 fit")


def test_a_hundred_alarms_are_asked_about_at_once() -> None:
    assert not alarms.alarms_asked(6, 94)
    assert "with the stack's own 6 they are 101" in alarms.alarms_asked(6, 95)


@pytest.mark.parametrize(
    ("name", "ok"), [("x" * 255, True), ("ä b/c", True), ("", False), ("x" * 256, False), ("a\n", False)]
)
def test_names_of_alarms(name: str, ok: bool) -> None:
    assert bool(alarms.alarm_name(name)) is not ok


@pytest.mark.parametrize(
    ("period", "ok"), [(1, False), (5, False), (10, True), (20, True), (30, True), (40, False), (60, True), (90, False)]
)
def test_periods_of_alarms(period: int, ok: bool) -> None:
    assert bool(alarms.alarm_period(period)) is not ok


@pytest.mark.parametrize(
    ("period", "datapoints", "ok"),
    [(60, 60, True), (1440, 60, True), (1500, 60, False), (3540, 24, True), (3540, 25, False), (3600, 60, True)],
)
def test_alarms_look_back_a_day_or_a_week_for_periods_of_an_hour(period: int, datapoints: int, ok: bool) -> None:
    assert bool(alarms.alarm_length(period, datapoints)) is not ok


@pytest.mark.parametrize(
    ("arn", "ok"),
    [
        ("arn:aws:sns:eu-west-1:123456789012:on-call", True),
        ("arn:aws:sns:us-east-1:123456789012:on-call", False),
        ("arn:aws:ssm:eu-west-1:123456789012:opsitem:1", True),
        ("arn:aws:automate:eu-west-1:ec2:stop", True),
        ("on-call", False),
        ("arn:aws:sns:eu-west-1:123456789012:" + "x" * 1024, False),
    ],
)
def test_actions_are_arns_and_topics_are_in_the_alarms_region(arn: str, ok: bool) -> None:
    assert bool(alarms.alarm_action(arn, "eu-west-1")) is not ok


@pytest.mark.parametrize(
    ("name", "ok"),
    [("release-lane/app", True), ("a", False), ("ab", True), ("My/app", False), ("a//b", False), ("-a", False),
     ("x" * 128, True), ("x" * 129, False)],
)  # fmt: skip
def test_names_of_repositories(name: str, ok: bool) -> None:
    assert bool(artifacts.repository(name)) is not ok


@pytest.mark.parametrize(
    ("version", "ok"), [("14", False), ("15", True), ("19", True), ("24", True), ("25", False), ("71", False)]
)
def test_versions_of_a_database_reach_some_years_ahead_and_no_further(version: str, ok: bool) -> None:
    assert bool(database.version_problem(version)) is not ok


@pytest.mark.parametrize(
    ("version", "ok"),
    [("7.1", False), ("7.2", True), ("8.0", True), ("9.1", True), ("14.9", True), ("15.0", False), ("08.1", False)],
)
def test_so_do_those_of_a_cache(version: str, ok: bool) -> None:
    assert bool(cache.version_problem(version)) is not ok


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("db.t4g.micro", ""),
        ("db.m9x-flex.24xlarge", ""),
        ("db.t2.micro", "of a generation that takes no PostgreSQL"),
        ("db.r4.large", "of a generation that takes no PostgreSQL"),
        ("db.r5.large.tpc1.mem2x", "should be a class of RDS instances"),
        ("db.serverless", "should be a class of RDS instances"),
    ],
)
def test_classes_of_databases(text: str, said: str) -> None:
    told = database.class_problem(text)
    assert said in told
    assert bool(told) is bool(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cache.t4g.micro", ""),
        ("cache.c9x-flex.large", ""),
        ("cache.t2.micro", "makes no new nodes"),
        ("cache.r6gd.xlarge", "needs data tiering"),
        ("cache.t4g", "should be a type of ElastiCache nodes"),
    ],
)
def test_types_of_cache_nodes(text: str, said: str) -> None:
    told = cache.type_problem(text)
    assert said in told
    assert bool(told) is bool(said)


@pytest.mark.parametrize(
    ("text", "ok"),
    [("shop-staging", True), ("1shop-staging", False), ("shop--staging", False), ("shop-staging-", False)],
)
def test_names_of_databases_and_caches(text: str, ok: bool) -> None:
    assert bool(limits.store(text)) is not ok


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("us-east-1", True),
        ("us-gov-west-1", True),
        ("ap-southeast-4", True),
        ("eusc-de-east-1", True),
        ("us east 1", False),
        ("USEast", False),
    ],
)
def test_regions(text: str, ok: bool) -> None:
    assert bool(limits.region(text)) is not ok


@pytest.mark.parametrize(
    ("text", "ok"), [("staging", True), ("eu.prod_1", True), ("other/staging", False), ("", False)]
)
def test_names_of_stacks(text: str, ok: bool) -> None:
    assert bool(limits.stack_name(text)) is not ok


def test_a_variable_holds_no_nul() -> None:
    assert not variables.variable("two\nlines")
    assert "NUL" in variables.variable("a\0b")


def test_a_configuration_fits_into_one_variable_of_the_program() -> None:
    assert not limits.configuration({"p:env": {"A": "x" * (PROGRAM - 200)}})
    told = limits.configuration({"p:env": {"A": "x" * PROGRAM}, "p:account": "1"})
    assert "p:env alone has" in told
    assert "x" * 20 not in told
    assert limits.configuration({"p:env": "x" * (PROGRAM - 200)}, ["p:a=" + "y" * 400])
