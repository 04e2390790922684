"""Colours, releases, weights."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.record.digest import Digest
from release_lane.record.placement import Colour, Release, Service, all_on, whole

pytestmark = pytest.mark.pure

DIGEST = Digest("sha256:" + "a" * 64)
names = st.text(min_size=1, max_size=8)
services = st.builds(
    Service,
    cpu=st.sampled_from([256, 512]),
    memory=st.integers(1, 4096),
    desired_count=st.integers(1, 200),
    port=st.integers(1, 65535),
    health_path=st.text(max_size=10).map(lambda path: f"/{path}"),
    env=st.dictionaries(names, names, max_size=4),
    secrets=st.dictionaries(names, names, max_size=4),
)


@pytest.mark.parametrize("colour", Colour)
def test_switching_twice_is_where_one_began(colour: Colour) -> None:
    assert colour.other is not colour
    assert colour.other.other is colour


@given(services)
def test_a_service_survives_being_recorded(service: Service) -> None:
    assert Service.from_dict(json.loads(json.dumps(service.as_dict()))) == service


def test_a_service_is_read_back_from_the_engines_floats() -> None:
    service = Service(desired_count=3)
    floats = {key: float(value) if isinstance(value, int) else value for key, value in service.as_dict().items()}
    assert Service.from_dict(floats) == service


@given(services, st.text(max_size=10))
def test_a_release_survives_being_recorded_with_its_id(service: Service, commit: str) -> None:
    release = Release(digest=DIGEST, service=service, commit=commit)
    back = Release.from_dict(json.loads(json.dumps(release.as_dict())))
    assert back == release
    assert back.id == release.id == release.as_dict()["id"]


def test_the_id_does_not_depend_on_the_order_in_which_variables_are_written() -> None:
    one = Service(env={"A": "1", "B": "2"}, secrets={"C": "3", "D": "4"})
    two = Service(env={"B": "2", "A": "1"}, secrets={"D": "4", "C": "3"})
    assert Release(digest=DIGEST, service=one).id == Release(digest=DIGEST, service=two).id


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": 512},
        {"memory": 1024},
        {"desired_count": 3},
        {"port": 9000},
        {"health_path": "/ready"},
        {"env": {"LOG_LEVEL": "debug"}},
        {"secrets": {"TOKEN": "arn:aws:ssm:x:y:parameter/z"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_the_configuration_makes_another_release(change: dict[str, object]) -> None:
    plain = Release(digest=DIGEST, service=Service())
    assert Release(digest=DIGEST, service=replace(Service(), **change)).id != plain.id


def test_the_image_is_part_of_the_id_and_the_commit_is_not() -> None:
    plain = Release(digest=DIGEST, service=Service())
    assert replace(plain, digest=Digest("sha256:" + "b" * 64)).id != plain.id
    assert replace(plain, commit="c" * 40).id == plain.id


@pytest.mark.parametrize(
    ("blue", "green", "served"),
    [(100, 0, Colour.BLUE), (0, 100, Colour.GREEN), (50, 0, None), (99, 1, None), (50, 50, None), (0, 0, None)],
)
def test_one_colour_serves_only_if_it_gets_everybody(blue: int, green: int, served: Colour | None) -> None:
    assert whole({Colour.BLUE: blue, Colour.GREEN: green}) is served


@pytest.mark.parametrize("colour", Colour)
def test_all_on_one_colour_is_undivided(colour: Colour) -> None:
    assert all_on(colour) == {colour: 100, colour.other: 0}
    assert whole(all_on(colour)) is colour
