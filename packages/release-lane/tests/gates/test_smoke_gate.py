"""The smoke gate: it runs the real checks at a colour's own test listener, and names what they could not see."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from provider_kit import Context, UserError
from release_lane.gates.passes import RUN, Pass
from release_lane.gates.smoke import SmokeGate
from release_lane.record.asking import Asked, Identify
from release_lane.record.digest import Digest
from release_lane.record.inputs import SmokeInputs
from release_lane.record.placement import Colour, Release, Service, all_on
from tests.gates.fake_cloud import FakeCloud, holding, names, site

pytestmark = pytest.mark.provider

GREEN = Colour.GREEN
A, B = (Release(digest=Digest("sha256:" + letter * 64), service=Service(), commit=letter * 40) for letter in "ab")


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """B answers on green, behind a real site."""
    made: list[FakeCloud] = []
    with site(lambda: made[-1]) as port:
        here = replace(names(port), test_ports=dict.fromkeys(Colour, port))
        made.append(FakeCloud(names=here, sides={GREEN: holding(B, "d")}, releases={GREEN: B}, weights=all_on(GREEN)))
        yield made[-1]


def run(cloud: FakeCloud, release: Release = B, **asked: Any) -> dict[str, Any]:
    passed = Pass(digest=release.digest, run=RUN, colour="green", unchecked=("the commit is unknown",))
    inputs = SmokeInputs(
        active=True,
        names=cloud.names,
        digest=release.digest,
        commit=release.commit,
        colour=GREEN,
        asked=Asked(**asked),
        deadline=0,
        pass_of_before=passed.as_dict(),
    )
    ctx = Context(config={}, cancelled=threading.Event(), log=lambda *_, **__: None, name="smoke")
    return SmokeGate(lambda _: cloud).create(ctx, inputs.as_dict())[1]  # type: ignore[arg-type,return-value]


def test_a_service_that_says_all_leaves_nothing_unchecked_of_its_own(cloud: FakeCloud) -> None:
    out = run(cloud)
    assert out["passedFor"]["unchecked"] == ["the commit is unknown"]
    assert "not checked" not in out["detail"]


def test_what_answers_do_not_say_is_named_next_to_the_number_of_checks(cloud: FakeCloud) -> None:
    foreign = Asked(status_path="", identify=Identify.NONE)
    out = run(cloud, status_path="", identify=Identify.NONE)
    assert out["passedFor"]["unchecked"] == ["the commit is unknown", *foreign.unchecked]
    assert out["detail"].endswith(f"; not checked: {'; '.join(foreign.unchecked)}")


def test_an_unknown_commit_is_a_check_that_was_left_out(cloud: FakeCloud) -> None:
    (sentence,) = run(cloud, replace(B, commit=""))["passedFor"]["unchecked"][1:]
    assert sentence.endswith("[commit]: no --expect-commit given")


def test_a_refusal_says_how_to_look_and_until_when(cloud: FakeCloud) -> None:
    """`release` heals the idle colour at once, and then no task answers there."""
    with pytest.raises(UserError) as refused:
        run(cloud, A)
    text = str(refused.value)
    assert text.endswith("\nKind: CheckFailed\nUsers: untouched")
    assert "The smoke gate refused sha256:aaaaaaaaaaaa on green" in text
    assert "Next: see for yourself while green still holds it; `release` heals it at once, unless `--no-heal`" in text
    assert f"pytest smoke --url http://127.0.0.1:{cloud.names.test_ports[GREEN]} --expect-digest {A.digest}" in text
