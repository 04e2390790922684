"""The smoke gate: it runs the real checks at a colour's own test listener, and names what they could not see."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
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


SAID: list[Any] = []
"""What the gate showed while it ran."""

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """B answers on green, behind a real site."""
    made: list[FakeCloud] = []
    with site(lambda: made[-1]) as port:
        here = replace(names(port), test_ports=dict.fromkeys(Colour, port))
        made.append(FakeCloud(names=here, sides={GREEN: holding(B, "d")}, releases={GREEN: B}, weights=all_on(GREEN)))
        yield made[-1]


def run(
    cloud: FakeCloud, release: Release = B, compared: Mapping[str, Any] | None = None, **asked: Any
) -> dict[str, Any]:
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
        **(compared or {}),
    )
    ctx = Context(config={}, cancelled=threading.Event(), log=lambda *said, **__: SAID.append(said), name="smoke")
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


# ---- compared with the live release

LIVE = {"compares": True, "live": Colour.BLUE}
STATUS = {"requests": [{"name": "status", "path": "/api/v1/status"}]}
IDENTITY = {"ignored": ["digest", "colour", "commit"]}
PATIENCE = 4.0
"""Seconds; shorter than an answer may take."""


@pytest.fixture
def both(cloud: FakeCloud) -> Iterator[FakeCloud]:
    """A is live on blue, behind a site of its own."""
    blue = replace(cloud, releases={Colour.BLUE: A}, weights=all_on(Colour.BLUE))
    with site(lambda: blue) as port:
        cloud.names = replace(cloud.names, test_ports={**cloud.names.test_ports, Colour.BLUE: port})
        yield cloud


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the smoke checks of the template, and no recorded requests yet."""
    (tmp_path / "smoke").mkdir()
    for name in ("conftest.py", "test_release.py"):
        shutil.copy(ROOT / "smoke" / name, tmp_path / "smoke" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "smoke/recorded.json"


def compared(cloud: FakeCloud, **more: Any) -> dict[str, Any]:
    """What the gate left, or the text of its refusal as `refused`."""
    SAID.clear()
    try:
        return run(cloud, compared={**LIVE, **more})
    except UserError as refused:
        return {"refused": str(refused)}


def test_the_samples_answers_are_compared_with_the_live_ones(both: FakeCloud) -> None:
    """`smoke/recorded.json` of this repository."""
    (table,) = compared(both)["passedFor"]["tables"]
    assert [row[0] for row in table["rows"]] == [
        "sha256 of abc",
        "sha3-256 of abc",
        "latency, median",
        "share of answers with the expected checksum",
    ]
    assert {row[3] for row in table["rows"][:2]} == {"same"}
    assert table["rows"][3][1:] == ["1", "1", "held: baseline 1, tolerance 0, higher is better"]
    assert any("Recorded requests, answered by the live release" in str(said) for said in SAID)


def test_an_answer_that_differs_refuses_the_release_and_the_table_is_shown(both: FakeCloud, project: Path) -> None:
    project.write_text(json.dumps(STATUS))
    text = compared(both)["refused"]
    assert (
        "recorded requests: Failed: not answered as by the live release: status: commit differs and has no tolerance"
        in text
    )
    assert "what    live" in text
    assert "-p release_lane.smoke.comparing --against http://127.0.0.1" in text
    assert text.endswith("\nKind: CheckFailed\nUsers: untouched")


def test_a_difference_that_is_allowed_passes(both: FakeCloud, project: Path) -> None:
    project.write_text(json.dumps({**STATUS, **IDENTITY}))
    out = compared(both)
    assert out["passedFor"]["tables"][0]["rows"] == [["status", "200", "200", "within tolerances (3 fields differ)"]]
    assert out["passedFor"]["unchecked"] == ["the commit is unknown"]


def test_both_are_asked_at_the_same_moment(both: FakeCloud, project: Path) -> None:
    """Of a distant service each answer takes a while, and what slows one slows both."""
    (project.parent / "test_release.py").unlink()  # no other check asks
    project.write_text(json.dumps({**STATUS, **IDENTITY}))
    together = threading.Barrier(2)

    def met(cloud: FakeCloud) -> FakeCloud:
        together.wait(PATIENCE)
        return cloud

    blue = replace(both, releases={Colour.BLUE: A}, weights=all_on(Colour.BLUE))
    with site(lambda: met(both)) as new, site(lambda: met(blue)) as live:
        both.names = replace(both.names, test_ports={GREEN: new, Colour.BLUE: live})
        (table,) = compared(both)["passedFor"]["tables"]
    assert table["rows"] == [["status", "200", "200", "within tolerances (3 fields differ)"]]


def test_without_a_live_release_it_is_said_that_nothing_was_compared(cloud: FakeCloud) -> None:
    passed = compared(cloud, live=None)["passedFor"]
    assert passed["unchecked"][1:] == ["recorded requests: nothing is live that they could be compared with"]
    assert "tables" not in passed


@pytest.mark.parametrize("text", ["", '{"requests": []}'])
def test_without_recorded_requests_it_is_said_that_nothing_was_compared(
    both: FakeCloud, project: Path, text: str
) -> None:
    if text:
        project.write_text(text)
    assert compared(both)["passedFor"]["unchecked"][1:] == [
        "recorded requests: smoke/recorded.json has none, so no answer was compared with the live release's"
    ]


def test_a_live_release_that_answers_nothing_holds_no_fix_back(cloud: FakeCloud, project: Path) -> None:
    """Its test listener is closed."""
    project.write_text(json.dumps({**STATUS, **IDENTITY}))
    cloud.names = replace(cloud.names, test_ports={**cloud.names.test_ports, Colour.BLUE: 1})
    passed = compared(cloud)["passedFor"]
    assert passed["unchecked"][1:] == ["recorded requests: the live release answered none of 1"]
    assert passed["tables"][0]["rows"][0][3] == "not compared: the live release did not answer it"


def test_a_file_that_cannot_be_read_refuses_and_names_its_problems(both: FakeCloud, project: Path) -> None:
    project.write_text('{"request": []}')
    assert "recorded requests: Failed: smoke/recorded.json: request: is not known" in compared(both)["refused"]


def test_where_users_go_back_nothing_is_compared(both: FakeCloud, project: Path) -> None:
    project.write_text(json.dumps(STATUS))
    assert compared(both, compares=False, live=None)["passedFor"]["unchecked"] == ["the commit is unknown"]


def test_a_check_of_the_teams_own_reports_a_table_as_well(cloud: FakeCloud, project: Path) -> None:
    (project.parent / "test_ranking.py").write_text(
        "import json\n"
        "def test_ranking(record_property):\n"
        "    table = {'title': 'NDCG', 'head': ['set', 'new'], 'rows': [['first page', 0.91]]}\n"
        "    record_property('release-lane:table', json.dumps(table))\n"
        "def test_none(record_property):\n"
        "    record_property('release-lane:table', '[]')\n"
    )
    passed = run(cloud)["passedFor"]
    assert passed["tables"] == [{"title": "NDCG", "head": ["set", "new"], "rows": [["first page", "0.91"]]}]
    assert any(each.startswith("test_none: its table cannot be read") for each in passed["unchecked"])
