"""What counts as a difference of two environments, what a declared one covers, and which release is refused for one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.decide.decision import Deploy, Refuse, Requested, TrafficOnly, decide
from release_lane.decide.parity import HIDDEN, Difference, Expected, Parity, Place, apart, of_service, reason_for
from release_lane.record.evidence import Drill
from release_lane.record.placement import Service
from release_lane.settings.wording import NEVER_SHOWN
from tests.decide.situations import BLUE, GREEN, SERVICE, A, B, C, observed, proof, recorded

pytestmark = pytest.mark.pure

PLACES = Place.of("staging"), Place.of("production")


def parameter(name: str, account: str = "1", region: str = "us-east-1") -> str:
    return f"arn:aws:ssm:{region}:{account * 12}:parameter/{name}"


def secret(name: str, account: str = "1") -> str:
    return f"arn:aws:secretsmanager:us-east-1:{account * 12}:secret:{name}"


def differ(there: Any, here: Any) -> tuple[Difference, ...]:
    return apart({"env.X": there}, {"env.X": here}, PLACES)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("https://api.staging.example.com", "https://api.production.example.com"),
        ("production", "production"),
        (parameter("staging/db:3"), parameter("production/db:17", "2", "eu-west-1")),
        (secret("db-AbCdEf:password::"), secret("db-XyZ012:password::4f2b", "2")),
        (["staging-a", 1], ["production-a", 1]),
    ],
    ids=["name", "the same word", "parameter", "secret", "list"],
)
def test_what_an_environment_is_called_and_where_its_secrets_are_is_no_difference(there: Any, here: Any) -> None:
    assert differ(there, here) == ()


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("info", "debug"),
        ("stagings", "productions"),
        (secret("db-AbCdEf:password::"), secret("db-AbCdEf:user::")),
        (parameter("db"), parameter("cache")),
    ],
    ids=["value", "another word", "key", "parameter"],
)
def test_anything_else_is_one(there: Any, here: Any) -> None:
    assert differ(there, here) == (Difference(what="env.X", there="set", here="set to another value"),)


def test_a_value_that_may_be_a_secret_is_never_shown_and_a_size_is() -> None:
    found = apart(
        {"env.A": "hunter2", "notify.webhook": "https://hunter2", "service.cpu": 256, "shift.steps": [10, 100]},
        {
            "secrets.B": "arn:hunter2",
            "notify.webhook": "",
            "service.cpu": 512,
            "shift.steps": [100],
            "ledger": "x" * 99,
        },
        PLACES,
    )
    assert "hunter2" not in str(found)
    assert [each.words("staging", "production") for each in found] == [
        "env.A: staging set, production –",
        "ledger: staging –, production set",
        "notify.webhook: staging set, production set to another value",
        "secrets.B: staging –, production set",
        "service.cpu: staging 256, production 512",
        "shift.steps: staging [10, 100], production [100]",
    ]


def test_no_section_that_may_hold_a_secret_is_shown() -> None:
    assert {*HIDDEN} >= NEVER_SHOWN - {"app"}, "app belongs to the artifacts stack"


@pytest.mark.parametrize(
    ("what", "declared"),
    [("env.A", True), ("env.AB", False), ("env", False), ("env.A.x", True), ("env.A[0]", True), ("service.A", False)],
)
def test_a_declared_difference_covers_its_path_and_all_below(what: str, declared: bool) -> None:
    assert bool(reason_for(what, [Expected(what="env.A", why="so it is")])) is declared


def test_a_declared_type_covers_its_resources() -> None:
    assert Expected(what="aws:s3/bucket:Bucket", why="-").covers("aws:s3/bucket:Bucket environment-logs.acl")


def test_a_release_is_compared_by_the_paths_of_a_stack_file() -> None:
    paths = of_service(Service(env={"A": "1"}, secrets={"B": "arn"}))
    assert {*paths} == {
        *("service.cpu", "service.memory", "service.desiredCount", "service.port", "service.healthPath"),
        *("service.statusPath", "smoke.identify", "env.A", "secrets.B"),
    }


# ---- What a release is refused for

STANDING, SEEN = recorded(BLUE, A), observed(A, None, BLUE)
SMALL = Service(memory=512, env={"LOG_LEVEL": "debug"})
LARGE = Service(memory=1024, env={"LOG_LEVEL": "info"})
REQUIRED = Parity(there="staging", here="production", proven=SMALL)
ASKED = Requested(service=LARGE, digest=B.digest, commit=B.commit, promotes_from="staging", parity=REQUIRED)


def decided(asked: Requested, standing: Any = STANDING, seen: Any = SEEN) -> Any:
    return decide(standing, seen, asked, [proof(B), proof(A), proof(C)]).decision


def test_a_release_with_another_configuration_than_the_proven_one_is_refused_naming_each_difference() -> None:
    decision = decided(ASKED)
    assert isinstance(decision, Refuse)
    assert decision.error.what.splitlines() == [
        "production differs from staging, and its stack file does not say why. Nothing was changed.",
        "  env.LOG_LEVEL: staging set, production set to another value",
        "  service.memory: staging 512, production 1024",
    ]
    assert "parity.expect" in decision.error.next_step


def test_a_release_goes_where_all_of_it_is_declared() -> None:
    expected = [Expected(what="env", why="fewer lines"), Expected(what="service.memory", why="more users")]
    assert isinstance(decided(replace(ASKED, parity=replace(REQUIRED, expected=expected))), Deploy)
    left = decided(replace(ASKED, parity=replace(REQUIRED, expected=expected[1:])))
    assert isinstance(left, Refuse)
    assert "service.memory" not in left.error.what


def test_a_release_goes_where_it_is_alike_or_where_that_is_not_required() -> None:
    assert isinstance(decided(replace(ASKED, service=SMALL)), Deploy)
    assert isinstance(decided(replace(ASKED, parity=None)), Deploy)


def test_a_configuration_that_is_forgotten_counts_as_unproven() -> None:
    decision = decided(replace(ASKED, service=SMALL, parity=replace(REQUIRED, proven=None)))
    assert isinstance(decision, Refuse)
    assert "staging forgot with which configuration" in decision.error.what


def test_new_settings_with_the_live_image_are_held_to_it_as_well() -> None:
    assert isinstance(decided(replace(ASKED, digest=A.digest)), Refuse)


def test_a_way_back_is_not_held_to_it() -> None:
    back = replace(ASKED, service=SERVICE, digest=A.digest, rollback_from=B.digest)
    standing, seen = recorded(GREEN, A, B), observed(A, B, GREEN)
    assert isinstance(decided(back, standing, seen), TrafficOnly)
    assert isinstance(decided(replace(back, drill=Drill.BACK), standing, seen), TrafficOnly), "nor is a drill"
