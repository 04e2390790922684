"""Is this the expected release, and is it healthy? Keep these; checks of what a service does not say are left out."""

from typing import Any

import pytest


def test_health_answers(site: Any, health_path: str) -> None:
    answer = site.get(health_path)
    assert answer.status_code == 200, f"GET {answer.url}: got status {answer.status_code}, expected 200"


@pytest.mark.asks(status=True)
def test_status_says_ok(samples: Any) -> None:
    for sample in samples:
        got, problems = sample.body.get("status"), sample.body.get("problems", "no problems named")
        assert got == "ok", f"status of {sample.where}: got {got!r} ({problems}), expected 'ok'"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("digest", marks=pytest.mark.asks(identify=("status", "header"))),
        pytest.param("colour", marks=pytest.mark.asks(identify=("status", "header"))),
        pytest.param("commit", marks=pytest.mark.asks(identify=("status",))),
    ],
)
def test_every_answer_comes_from_the_release_that_was_meant(samples: Any, expected: Any, name: str) -> None:
    """Or completely from the second release (--beside-…); the colour says which of the two."""
    if not any(name in each for each in expected):
        pytest.skip(f"no --expect-{name} given")
    for sample in samples:
        same_colour = (each for each in expected if each.get("colour") == sample.says("colour"))
        meant = next(same_colour, expected[0])
        if name in meant:
            got = sample.says(name)
            assert got == meant[name], f"{sample.where_said(name)}: got {got!r}, expected {meant[name]!r}"


@pytest.mark.asks(identify=("status", "header"))
@pytest.mark.parametrize("name", ["digest", "colour"])
def test_every_answer_names_a_release(samples: Any, name: str) -> None:
    for sample in samples:
        got = sample.says(name)
        assert got, f"{sample.where_said(name)}: got {got!r}, expected some {name}"


@pytest.mark.asks(identify=("status",))
@pytest.mark.parametrize("name", ["digest", "colour"])
def test_headers_and_body_name_the_same_release(samples: Any, name: str) -> None:
    """A cache in between must not combine one release's headers with the other one's body."""
    if not any(f"x-release-{name}" in sample.headers for sample in samples):
        pytest.skip(f"no answer carries X-Release-{name.title()}: an answer mixed from two releases goes unnoticed")
    for sample in samples:
        header, body = sample.headers.get(f"x-release-{name}", ""), sample.body.get(name)
        assert header == body, f"X-Release-{name.title()} of {sample.where}: got {header!r}, expected {body!r}"
