"""The order of environments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.errors import UsageError
from release_lane.operate.route import route_of

pytestmark = pytest.mark.pure


def test_each_environment_comes_after_its_source() -> None:
    route = route_of({"production": "staging", "dev": None, "staging": "dev"})
    assert route.environments == ("dev", "staging", "production")


def test_a_route_may_branch() -> None:
    route = route_of({"us": "staging", "eu": "staging", "staging": None})
    assert route.environments == ("staging", "eu", "us")


def test_only_an_environment_with_a_source_is_guarded() -> None:
    route = route_of({"staging": None, "production": "staging"})
    assert not route.guarded("staging")
    assert route.guarded("production")
    assert route.source_of("production") == "staging"


def test_an_unknown_source_names_the_file_to_correct() -> None:
    with pytest.raises(UsageError) as caught:
        route_of({"staging": None, "production": "stagin"})
    assert "'stagin'" in caught.value.what
    assert "staging" in caught.value.why
    assert "Pulumi.production.yaml" in caught.value.next_step


@pytest.mark.parametrize(
    ("sources", "circle"),
    [
        ({"a": "a"}, "a -> a"),
        ({"a": "b", "b": "a"}, "-> "),
        ({"first": None, "x": "z", "y": "x", "z": "y", "late": "x"}, " -> "),
    ],
)
def test_a_circle_is_refused(sources: dict[str, str | None], circle: str) -> None:
    with pytest.raises(UsageError, match="circle") as caught:
        route_of(sources)
    assert circle in caught.value.what


def test_a_name_that_is_no_environment_is_reported_with_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        route_of({"staging": None, "production": "staging"}).source_of("prod")
    assert "staging, production" in caught.value.why


@given(st.permutations(["a", "b", "c", "d", "e"]), st.data())
def test_any_acyclic_mapping_is_ordered(names: list[str], data: st.DataObject) -> None:
    sources = {
        name: data.draw(st.sampled_from([None, *names[:number]])) if number else None
        for number, name in enumerate(names)
    }
    ordered = route_of(dict(sorted(sources.items()))).environments
    assert sorted(ordered) == sorted(names)
    for name, source in sources.items():
        assert source is None or ordered.index(source) < ordered.index(name)
