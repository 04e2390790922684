"""The smoke gate: it runs the real checks at a colour's own test listener, and names what they could not see."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gates import warm
from gates.kit import Context, UserError
from gates.passes import RUN, Pass
from gates.smoke import SmokeGate, run_checks
from release.asking import Asked, Identify
from release.digest import Digest
from release.errors import CloudError
from release.placement import Colour, Release, Service, all_on
from release.smoking import Expected
from tests.gates.fake_cloud import FakeCloud, holding, names, site

pytestmark = pytest.mark.provider

GREEN = Colour.GREEN
A, B = (Release(digest=Digest("sha256:" + letter * 64), service=Service(), commit=letter * 40) for letter in "ab")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloud]:
    """B answers on green, behind a real site."""
    made: list[FakeCloud] = []
    with site(lambda: made[-1]) as port:
        here = replace(names(port), test_ports=dict.fromkeys(Colour, port))
        made.append(FakeCloud(names=here, sides={GREEN: holding(B, "d")}, releases={GREEN: B}, weights=all_on(GREEN)))
        monkeypatch.setattr("gates.smoke.cloud_of", lambda _: made[-1])
        yield made[-1]


def run(release: Release = B, **asked: Any) -> dict[str, Any]:
    passed = Pass(digest=release.digest, run=RUN, colour="green", unchecked=("the commit is unknown",))
    inputs = {
        "active": True,
        "digest": release.digest,
        "commit": release.commit,
        "colour": "green",
        "asked": Asked(**asked).as_dict(),
        "deadlineSeconds": 0,
        "passOfBefore": passed.as_dict(),
    }
    ctx = Context(config={}, cancelled=threading.Event(), log=lambda *_, **__: None, name="smoke")
    return SmokeGate().create(ctx, inputs)[1]


@pytest.mark.usefixtures("cloud")
def test_a_service_that_says_all_leaves_nothing_unchecked_of_its_own() -> None:
    out = run()
    assert out["passedFor"]["unchecked"] == ["the commit is unknown"]
    assert "not checked" not in out["detail"]


@pytest.mark.usefixtures("cloud")
def test_what_answers_do_not_say_is_named_beside_the_number_of_checks() -> None:
    foreign = Asked(status_path="", identify=Identify.NONE)
    out = run(status_path="", identify=Identify.NONE)
    assert out["passedFor"]["unchecked"] == ["the commit is unknown", *foreign.unchecked]
    assert out["detail"].endswith(f"; not checked: {'; '.join(foreign.unchecked)}")


@pytest.mark.usefixtures("cloud")
def test_a_commit_that_nobody_knows_is_a_check_that_was_left_out() -> None:
    (sentence,) = run(replace(B, commit=""))["passedFor"]["unchecked"][1:]
    assert sentence.endswith("[commit]: no --expect-commit given")


def test_a_refusal_says_how_to_look_and_until_when(cloud: FakeCloud) -> None:
    """`release` heals the idle colour at once, and then nobody answers there."""
    with pytest.raises(UserError) as refused:
        run(A)
    text = str(refused.value)
    assert "The smoke gate refused sha256:aaaaaaaaaaaa on green" in text
    assert "Next: see for yourself while green still holds it; `release` heals it at once, unless `--no-heal`" in text
    assert f"pytest smoke --url http://127.0.0.1:{cloud.names.test_ports[GREEN]} --expect-digest {A.digest}" in text


def test_checks_that_end_badly_although_none_failed_have_not_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook of the adopter's checks said no."""
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "test_it.py").write_text("def test_it(): pass\n")
    (tmp_path / "smoke" / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--url')\n"
        "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n"
    )
    monkeypatch.setattr(warm, "ROOT", tmp_path)

    def log(*_: Any, **__: Any) -> None:
        """Quiet."""

    context = Context(config={}, cancelled=threading.Event(), log=log, name="smoke")
    with pytest.raises(CloudError, match="could not be run"):
        run_checks(context, "http://x", Expected(), limit=60)
