"""`release plan`: the route, the checklists, and what it does where something cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine
from release_lane.command.adapters.git import FakeGit
from release_lane.errors import CloudError
from release_lane.ledger.memory import Memory, in_memory
from release_lane.operate.watching import Look
from release_lane.record.commit import Commits, Logged
from release_lane.record.contract import PREFIX, Labels
from release_lane.record.halts import State, of_digest, of_line
from release_lane.record.ledger import Draft, EntryKind, Result
from release_lane.record.names import Names
from release_lane.record.records import Observed
from tests.command.words import A, B, C, Stage, built, project, states
from tests.operate.ledgers import DAY, Chronicle

pytestmark = pytest.mark.cli

SEEN = Look(rule=None, health={}, alarms=(), traffic=None)


def stage(**over: object) -> Stage:
    """Staging has B live, production A."""
    ledger = Chronicle()
    ledger.released(DAY, "a")
    why = f"The rollout gate refused green: {B.digest} exits. It said a lot"
    ledger.ended(ledger.began(2 * DAY, "b"), 2 * DAY + 9, Result.REFUSED, why=why)
    ledger.ended(ledger.began(2 * DAY, "c"), 2 * DAY + 9, Result.REFUSED, why=why.replace(B.digest, C.digest))
    given = {
        "engine": FakeEngine(states=states()),
        "cloud": FakeCloud(seen=[SEEN]),
        "ledger": ledger.objects,
        "ledger_url": "file://.local/ledger",
        "git": FakeGit(between=Commits(old=A.commit, new=B.commit, added=(Logged(sha=B.commit),))),
        "alarms": {"names": ["theirs"]},
    }
    return Stage(**{**given, **over})  # type: ignore[arg-type]


def test_what_the_image_declares_is_compared_with_the_stack_file_of_each_environment() -> None:
    declared = {f"release-lane/app@{B.digest}": Labels(found={f"{PREFIX}env.required": "UPSTREAM"})}
    on = stage(cloud=FakeCloud(seen=[SEEN], declared=declared))
    assert on.run("plan", "--json") == 0
    found = {check["text"]: check["level"] for check in on.data["environments"][1]["checklist"]}
    assert found["env.UPSTREAM: is required, and not given"] == "no"


def test_the_plan_is_of_what_was_built_last_and_goes_along_the_route() -> None:
    on = stage()
    assert on.run("plan", "--json") == 0
    assert (on.data["digest"], on.data["commit"]) == (B.digest, B.commit)
    staging, production = on.data["environments"]
    assert (staging["environment"], staging["checklist"][0]["about"]) == ("staging", "Live")
    assert staging["alarms"] == ["theirs"]
    levels = {check["about"]: check["level"] for check in production["checklist"]}
    assert levels["Evidence"] == "ok"
    assert levels["Order"] == "ok"
    assert production["people"] == ["confirms at the terminal, or the pipeline says --yes; approval.required is off"]
    assert on.engine.calls == []


def test_what_usually_breaks_is_counted_from_the_ledger_without_what_is_of_one_release() -> None:
    on = stage()
    assert on.run("plan", "--json") == 0
    _, production = on.data["environments"]
    assert production["soFar"] == {"refused": 2, "done": 1}
    assert production["usuallyBreaks"] == [{"why": "The rollout gate refused green: exits", "count": 2}]


def test_where_an_approval_is_required_a_person_has_to_give_it() -> None:
    on = stage(approval={"required": True, "validFor": "8h"})
    assert on.run("plan", "--json") == 0
    (said,) = on.data["environments"][1]["people"]
    assert said.startswith("somebody who neither asked nor wrote it approves the review")
    assert said.endswith("valid for 8h")
    assert [check["level"] for check in on.data["environments"][1]["checklist"] if check["about"] == "Approval"] == [
        "unknown"
    ]


@pytest.mark.parametrize(("environment", "level"), [("production", "open"), ("staging", "ok")])
def test_a_review_counts_until_its_environment_is_updated(environment: str, level: str) -> None:
    ledger = Chronicle()
    ledger.add(EntryKind.REVIEW, DAY, digest=B.digest)
    ledger.add(EntryKind.INTENT, DAY + 60, environment, verb="heal")
    on = stage(ledger=ledger.objects)
    assert on.run("plan", "--json") == 0
    (check,) = (each for each in on.data["environments"][1]["checklist"] if each["about"] == "Review")
    assert check["level"] == level, check


def test_quarantine_a_stopped_line_and_a_freeze_window_come_first() -> None:
    there = project(ledger="file://.local/ledger")
    window = {"windows": [{"from": "2026-01-01", "to": "2026-02-01"}]}
    production = there.stacks["production"]
    production = replace(production, config={**production.config, "release-lane:freeze": window})
    on = stage(project=replace(there, stacks={**there.stacks, "production": production}))
    ledger = in_memory(on.ledger)
    for kind, mark in (
        (EntryKind.QUARANTINE, of_digest(B.digest, State.QUARANTINED)),
        (EntryKind.STOPPED, of_line("production", State.STOPPED)),
    ):
        ledger.append(Draft(id=str(kind), kind=kind, at="2026-01-03", who="ann", reason=f"{kind}!", marks=(mark,)))
    assert on.run("plan", "--json") == 0
    halted = [check["text"] for check in on.data["environments"][1]["checklist"] if check["about"] == "Halted"]
    assert [text.split(" (")[0] for text in halted] == [
        "it is in quarantine: quarantine!",
        "the line is stopped: stopped!",
        "a freeze window holds until Mon 2026-02-02 00:00 UTC: 2026-01-01 to 2026-02-01 UTC",
    ]


def test_another_digest_can_be_planned() -> None:
    on = stage()
    assert on.run("plan", C.digest, "--json") == 0
    levels = {check["about"]: check["level"] for check in on.data["environments"][1]["checklist"]}
    assert levels["Evidence"] == "no"
    assert on.data["commit"] is None


def test_a_tag_is_refused() -> None:
    assert stage().run("plan", "latest") == 2


def test_the_text_has_a_diagram_steps_and_checklists() -> None:
    on = stage()
    assert on.run("plan") == 0
    assert "[image] machine\n" in on.out
    assert "    |\n    v\n[production]\n" in on.out
    assert "BEFORE PRODUCTION TAKES IT\n\n- ✓ ok: Evidence: staging proved it at" in on.out
    assert "    What usually breaks: errors, slow answers or an alarm under real traffic\n" in on.out


def test_it_leaves_a_page_and_the_data_for_a_pipeline(tmp_path: Path) -> None:
    on = stage()
    assert on.run("plan", "--out", str(tmp_path), "--json") == 0
    assert json.loads((tmp_path / "plan.json").read_text()) == on.data
    assert "<h2>Before production takes it</h2>" in (tmp_path / "plan.html").read_text()


def test_without_aws_without_a_ledger_and_without_git_it_says_so_and_goes_on() -> None:
    class Away(FakeCloud):
        def observed(self, names: Names) -> Observed:
            del names
            raise CloudError("AWS does not answer.")

    on = stage(cloud=Away(), ledger_url="", git=FakeGit())
    assert on.run("plan", "--json") == 0
    found = {check["about"]: check for check in on.data["environments"][1]["checklist"]}
    assert {about for about, check in found.items() if check["level"] == "unknown"} == {
        "Halted", "Contract", "Order", "Review", "Updates", "Placement", "Alarms"
    }  # fmt: skip
    assert "AWS does not answer." in found["Placement"]["text"]
    assert "Without the ledger: no stack file names a ledger." in on.err


def test_a_ledger_that_is_away_stops_no_plan() -> None:
    on = stage(ledger=Memory(away=True))
    assert on.run("plan") == 0
    assert "Without the ledger: " in on.err
    assert "The network is down." in on.err


def test_an_environment_without_a_stack_is_not_asked_about() -> None:
    on = stage()
    del on.engine.states["production"]
    assert on.run("plan", "--json") == 0
    found = {check["about"]: check["text"] for check in on.data["environments"][1]["checklist"]}
    assert found["Placement"] == "AWS was not asked: there is no stack yet"
    assert on.cloud.looks == 2  # of staging


def test_without_an_image_it_says_what_to_build() -> None:
    on = stage(engine=FakeEngine(states=states(artifacts=built("b"))))
    on.engine.states["artifacts"] = type(built("b"))()
    assert on.run("plan") == 2
    assert "No image was built or adopted yet" in on.err
