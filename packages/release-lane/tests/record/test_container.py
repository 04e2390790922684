"""A release as a container definition, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.record.adoption import Adopted
from release_lane.record.container import LABEL, OF_CACHE, OF_DATABASE, OWN, container_definition, release_in, unpinned
from release_lane.record.digest import Digest
from release_lane.record.placement import Colour, Release, Service

pytestmark = pytest.mark.pure

DIGEST = Digest("sha256:" + "a" * 64)
NAMES = st.from_regex(r"\A[A-Z][A-Z0-9_]{0,8}\Z").filter(lambda name: name not in OWN)
SERVICES = st.builds(
    Service,
    port=st.integers(1, 65535),
    health_path=st.just("/ready"),
    desired_count=st.integers(1, 200),
    env=st.dictionaries(NAMES, st.text(max_size=8), max_size=4),
    secrets=st.dictionaries(NAMES, st.just("arn:aws:ssm:us-east-1:000000000000:parameter/a:1"), max_size=3),
)


def definition(release: Release, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return container_definition(
        release,
        Colour.BLUE,
        repository="r.test/app",
        container="app",
        log_group="/p/s",
        region="us-east-1",
        given=given or {},
    )


@given(SERVICES, st.booleans())
def test_a_release_is_read_back_from_what_runs(service: Service, drops_empty: bool) -> None:
    """AWS has been seen to drop variables without a value."""
    adopted = Adopted(image=f"ghcr.io/acme/shop@{DIGEST}", source="https://example.test/shop", commit_by="label")
    release = Release(digest=DIGEST, service=service, commit="c" * 40, adopted=adopted if drops_empty else None)
    written = definition(release)
    if drops_empty:
        written["environment"] = [each for each in written["environment"] if each["value"]]
    assert release_in([{"name": "beside"}, written], "app") == release


@given(SERVICES)
def test_a_label_of_an_earlier_version_is_read_the_same(service: Service) -> None:
    release = Release(digest=DIGEST, service=service, commit="c" * 40)
    written = definition(release)
    written["dockerLabels"] = {LABEL: json.dumps({"commit": release.commit, "service": service.as_dict()})}
    assert release_in([written], "app") == release


@given(SERVICES, st.dictionaries(NAMES, st.text(min_size=1, max_size=8), max_size=4))
def test_variables_of_the_environment_are_no_part_of_the_release_that_is_read_back(
    service: Service, others: dict[str, str]
) -> None:
    release = Release(digest=DIGEST, service=service, commit="c" * 40)
    written = definition(release, others)
    assert release_in([written], "app") == release
    variables = {each["name"]: each["value"] for each in written["environment"]}
    own = {*service.env, *service.secrets}
    assert variables.items() >= {name: value for name, value in others.items() if name not in own}.items()
    assert variables.items() >= service.env.items(), "a release that brings such a name itself keeps its own"
    assert not ({*service.secrets} - {*service.env}) & variables.keys()


def test_a_release_with_a_database_or_cache_of_its_own_gets_nothing_of_another_one() -> None:
    """A rollback to a release of before: TLS for a cache that speaks none would break it."""
    service = Service(env={"CACHE_HOST": "old-redis", "DATABASE_HOST": "old-db"})
    given = dict.fromkeys((*OF_DATABASE, *OF_CACHE, "QUEUE"), "new")
    written = definition(Release(digest=DIGEST, service=service), given)
    found = {each["name"]: each["value"] for each in written["environment"]}
    assert {*found} & {*given} == {"CACHE_HOST", "DATABASE_HOST", "QUEUE"}
    assert (found["CACHE_HOST"], found["DATABASE_HOST"], found["QUEUE"]) == ("old-redis", "old-db", "new")


def test_a_container_without_any_has_the_label_that_it_always_had() -> None:
    """Another one would be another task definition: each colour would be written anew by an upgrade."""
    release = Release(digest=DIGEST, service=Service())
    assert {"given", "schema"} & json.loads(definition(release)["dockerLabels"][LABEL]).keys() == set()
    assert {"given": ["A"], "schema": 2}.items() <= json.loads(
        definition(release, {"A": "1"})["dockerLabels"][LABEL]
    ).items()


def test_the_label_repeats_no_variable() -> None:
    service = Service(env={"BIG": "x" * 30_000}, secrets={"TOKEN": "arn:aws:ssm:us-east-1:000000000000:parameter/t"})
    label = definition(Release(digest=DIGEST, service=service))["dockerLabels"][LABEL]
    assert len(label) < 300
    assert "TOKEN" not in label


@pytest.mark.parametrize(
    ("reference", "pinned"),
    [
        ("arn:aws:ssm:us-east-1:1:parameter/shop/key:3", True),
        ("arn:aws:ssm:us-east-1:1:parameter/shop/key", False),
        ("arn:aws:ssm:us-east-1:1:parameter/shop/key:release", False),
        ("arn:aws:secretsmanager:us-east-1:1:secret:shop-AbCdEf:password::4f2b", True),
        ("arn:aws:secretsmanager:us-east-1:1:secret:shop-AbCdEf:::4f2b", True),
        ("arn:aws:secretsmanager:us-east-1:1:secret:shop-AbCdEf", False),
        ("arn:aws:secretsmanager:us-east-1:1:secret:shop-AbCdEf:password::", False),
        ("arn:aws:secretsmanager:us-east-1:1:secret:shop-AbCdEf:password:AWSCURRENT:", False),
    ],
)
def test_a_secret_is_pinned_by_a_version_and_by_nothing_that_can_be_moved(reference: str, pinned: bool) -> None:
    assert unpinned(Service(secrets={"KEY": reference})) == (() if pinned else ("KEY",))
