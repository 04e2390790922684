"""Database and cache: as a state has them, and what becomes of settings that want something else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.decide.choice import Verdict
from release_lane.decide.decision import Keep, Prepare, Refuse, Requested, decide
from release_lane.decide.foundations import Foundations, Site
from release_lane.decide.stores import COMPONENT, Kind, Store, least_storage, stores_in
from release_lane.record.records import Observed, Recorded
from tests.decide.situations import GREEN, SERVICE, A, B, observed, recorded

pytestmark = pytest.mark.pure
DATABASE = Store(size="db.t4g.micro", version="17", storage=20)
CACHE = Store(size="cache.t4g.micro", version="8.0")
BOTH = {Kind.DATABASE: DATABASE, Kind.CACHE: CACHE}
SITE = Site(region="us-east-1", cidr="10.20.0.0/16", stores=BOTH)
BUILT = Foundations(
    region="us-east-1",
    cidr="10.20.0.0/16",
    zones=("us-east-1a", "us-east-1b"),
    vpc="vpc-1",
    load_balancer="arn:balancer",
    balancer_vpc="vpc-1",
    group_vpcs=frozenset({"vpc-1"}),
    stores=BOTH,
)
EMPTY = observed(None, None, None)


def decided(
    record: Recorded | None, seen: Observed, there: dict[Kind, Store], wanted: dict[Kind, Store], **asked: Any
) -> Verdict:
    site = replace(asked.pop("site", SITE), stores=wanted)
    requested = Requested(service=SERVICE, site=site, **asked)
    return decide(record, seen, requested, (), replace(BUILT, stores=there))


def live(there: dict[Kind, Store], wanted: dict[Kind, Store], **asked: Any) -> Verdict:
    return decided(recorded(GREEN, A, B), observed(A, B, GREEN), there, wanted, **asked)


def refused(verdict: Verdict) -> str:
    assert isinstance(verdict.decision, Refuse)
    return str(verdict.decision.error)


def test_a_state_says_which_there_are() -> None:
    at = f"urn:pulumi:staging::shop::{COMPONENT}$"
    kept = {
        "instanceClass": "db.t4g.micro",
        "engineVersion": "17.6",
        "allocatedStorage": 20.0,
        "deletionProtection": True,
    }
    cache = {"nodeType": "cache.t4g.micro", "engineVersion": "8.0.1"}
    found = {
        f"{at}{Kind.DATABASE.type}::shop-staging-database": {"type": Kind.DATABASE.type, "outputs": kept},
        f"{at}{Kind.CACHE.type}::shop-staging-cache": {"type": Kind.CACHE.type, "outputs": cache},
        # A team's own.
        f"urn:pulumi:staging::shop::{Kind.DATABASE.type}::reports": {"type": Kind.DATABASE.type, "outputs": {}},
    }
    assert stores_in(found) == {Kind.DATABASE: replace(DATABASE, kept=True), Kind.CACHE: CACHE}


def test_what_belongs_to_one_that_is_not_there_is_nothing_that_users_stand_on() -> None:
    """Also where the environment is called as one of them."""
    at = "urn:pulumi:cache::shop::"
    group, rule = "aws:ec2/securityGroup:SecurityGroup", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    names = {
        f"{at}{COMPONENT}${Kind.DATABASE.type}::shop-cache-database": Kind.DATABASE.type,
        f"{at}{COMPONENT}${group}::shop-cache-database": group,
        f"{at}{COMPONENT}${rule}::shop-cache-database-from-tasks": rule,
        f"{at}{COMPONENT}$aws:ec2/subnet:Subnet::shop-cache-stores-a": "aws:ec2/subnet:Subnet",
        f"{at}release-lane:infra:Network${rule}::shop-cache-from-balancer": rule,
        f"{at}release-lane:infra:Network$aws:ec2/vpc:Vpc::shop-cache": "aws:ec2/vpc:Vpc",
    }
    of_cache = {
        f"{at}{COMPONENT}${group}::shop-cache-cache": group,
        f"{at}{COMPONENT}${rule}::shop-cache-cache-from-tasks": rule,
    }
    state = {urn: {"type": type_, "outputs": {}} for urn, type_ in (names | of_cache).items()}
    held = Foundations.from_resources(state).held
    assert held == {f"{type_} {urn.rsplit('::', 1)[-1]}" for urn, type_ in names.items()}


@pytest.mark.parametrize("asked", [{}, {"digest": A.digest, "rollback_from": B.digest}], ids=["by itself", "rollback"])
@pytest.mark.parametrize("kind", Kind)
def test_a_section_that_is_gone_is_refused_while_there_are_users(kind: Kind, asked: dict[str, Any]) -> None:
    rest = {key: store for key, store in BOTH.items() if key is not kind}
    said = refused(live(BOTH, rest, **asked))
    assert f"would delete the {kind} of this environment" in said
    assert "docs/guides/database.md" in said


def test_without_users_one_may_go_unless_aws_keeps_it() -> None:
    assert isinstance(decided(None, EMPTY, BOTH, {}).decision, Prepare)
    kept = {Kind.DATABASE: replace(DATABASE, kept=True)}
    assert "AWS would refuse as well" in refused(decided(None, EMPTY, kept, {}))


@pytest.mark.parametrize("users", [True, False])
@pytest.mark.parametrize(
    ("site", "said"),
    [
        (replace(SITE, cidr="10.30.0.0/16"), "network.cidr from 10.20.0.0/16 to 10.30.0.0/16"),
        (replace(SITE, zones=("us-east-1a", "us-east-1c")), "network.zones"),
        (replace(SITE, vpc="vpc-2"), "network.existing"),
    ],
)
def test_another_network_would_delete_them_and_no_leave_to_replace_helps(site: Site, said: str, users: bool) -> None:
    record, seen = (recorded(GREEN, A, B), observed(A, B, GREEN)) if users else (None, EMPTY)
    for leave in (False, True):
        text = refused(decided(record, seen, BOTH, BOTH, site=site, allow_replace=leave))
        assert "would delete the database and cache" in text
        assert said in text


def test_a_third_zone_is_no_other_network() -> None:
    three = replace(SITE, zones=("us-east-1a", "us-east-1b", "us-east-1c"))
    assert isinstance(live(BOTH, BOTH, site=three).decision, Keep)


@pytest.mark.parametrize(
    ("kind", "there", "wanted", "said"),
    [
        (Kind.DATABASE, {"storage": 50}, {"storage": 20}, "database.storageGb from 50 to 20"),
        (Kind.DATABASE, {"version": "17"}, {"version": "16"}, "database.engineVersion from 17 to 16"),
        (Kind.CACHE, {"version": "8.1"}, {"version": "8.0"}, "cache.engineVersion from 8.1 to 8.0"),
        (Kind.CACHE, {"version": "10.0"}, {"version": "9.1"}, "cache.engineVersion from 10.0 to 9.1"),
    ],
)
def test_storage_and_versions_only_grow(kind: Kind, there: Any, wanted: Any, said: str) -> None:
    now, then = {kind: replace(BOTH[kind], **there)}, {kind: replace(BOTH[kind], **wanted)}
    assert said in refused(live(now, then))
    grown = live(then, now)
    assert isinstance(grown.decision, Keep)


@pytest.mark.parametrize(("has", "asked", "least"), [(20, 21, 22), (50, 54, 55), (101, 111, 112), (100, 109, 110)])
def test_storage_grows_by_a_tenth_at_least(has: int, asked: int, least: int) -> None:
    now = {Kind.DATABASE: replace(DATABASE, storage=has)}
    told = refused(live(now, {Kind.DATABASE: replace(DATABASE, storage=asked)}))
    assert f"database.storageGb from {has} to {asked}" in told
    assert f"set database.storageGb to {least} or more, or back to {has}" in told
    assert least_storage(has) == least
    assert isinstance(live(now, {Kind.DATABASE: replace(DATABASE, storage=least)}).decision, Keep)


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        (Kind.DATABASE, {"size": "db.m7g.large"}, "database.instanceClass from db.t4g.micro to db.m7g.large"),
        (Kind.DATABASE, {"version": "18"}, "database.engineVersion from 17 to 18"),
        (Kind.CACHE, {"size": "cache.m7g.large"}, "cache.nodeType from cache.t4g.micro to cache.m7g.large"),
        (Kind.DATABASE, {"storage": 100}, ""),
        (Kind.DATABASE, {}, ""),
    ],
)
def test_what_interrupts_one_is_said(kind: Kind, change: dict[str, Any], said: str) -> None:
    notes = live(BOTH, {**BOTH, kind: replace(BOTH[kind], **change)}).notes
    about = [note for note in notes if "connections to it break" in note]
    assert len(about) == bool(said)
    assert all(note.startswith(said) for note in about)


def test_a_new_one_next_to_live_users_is_nothing_to_refuse() -> None:
    assert isinstance(live({}, BOTH).decision, Keep)
    assert isinstance(decided(None, EMPTY, {}, BOTH).decision, Prepare)
