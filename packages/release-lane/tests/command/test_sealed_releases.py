"""`--seal`: one preview, and a refusal that lists what moved; nothing is updated then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from release_lane.command.adapters.approvals import FakeApprovals
from release_lane.command.adapters.backend import FakeBackend
from release_lane.command.adapters.engine import FakeEngine
from release_lane.command.adapters.git import FakeGit
from release_lane.command.adapters.machine import FakeMachine
from release_lane.ledger.memory import Memory, in_memory
from release_lane.operate.sealing import bound_by
from release_lane.record.approval import Approval, Person
from release_lane.record.ledger import Draft, Entry, EntryKind, Result
from tests.command.test_releasing import LOCKED
from tests.command.words import BLUE, GREEN, A, B, Stage, becomes, failed, plan, ran, said, state, states

pytestmark = pytest.mark.cli

DEPLOY = plan("deploy", GREEN, B, target=GREEN, starts=True)
PREVIEW = ran(*DEPLOY)
BACK = ran(*plan("traffic-only", BLUE, A, target=BLUE))
PROMOTED = becomes("production", state(GREEN, A, B, idle=A), PREVIEW)


def stage(*runs: object, **over: object) -> Stage:
    return Stage(engine=FakeEngine(states=states(), runs=list(runs)), **over)  # type: ignore[arg-type]


def seal_of(*argv: str, preview: Any = PREVIEW, **over: object) -> str:
    on = stage(preview, **over)
    assert on.run("review", *argv, "--format", "seal") == 0, on.err
    return on.out.strip()


def verbs(on: Stage) -> list[str]:
    return [verb for verb, _, _ in on.engine.calls]


def test_a_sealed_promotion_previews_once_and_binds_its_update() -> None:
    seal = seal_of("production")
    on = stage(PREVIEW, PROMOTED)
    assert on.run("promote", "production", "--yes", "--seal", seal) == 0, on.err
    assert verbs(on) == ["preview", "update"]
    assert on.engine.calls[1][2] == {"imageDigest": B.digest, "sealed": bound_by(PREVIEW.log)}


def test_the_review_itself_in_the_checkout_moves_nothing() -> None:
    seal = seal_of("production", git=FakeGit(untracked=("review.md", "review.seal")))
    assert stage(PREVIEW, PROMOTED).run("promote", "production", "--yes", "--seal", seal) == 0


def test_without_a_seal_there_is_no_preview() -> None:
    on = stage(PROMOTED)
    assert on.run("promote", "production", "--yes") == 0
    assert verbs(on) == ["update"]


@pytest.mark.parametrize("argv", [["deploy", "staging"], ["rollback", "staging"]])
def test_deploy_and_rollback_take_a_seal_as_well(argv: list[str]) -> None:
    verb, environment = argv
    preview = BACK if verb == "rollback" else ran(*plan("keep", GREEN, B, target=None))
    seal = seal_of(environment, *(["--rollback"] if verb == "rollback" else []), preview=preview)
    on = stage(preview, preview)
    assert on.run(verb, environment, "--seal", seal) == 0, on.err
    assert verbs(on) == ["preview", "update"]


def test_what_moved_since_the_review_is_listed_and_nothing_is_updated() -> None:
    seal = seal_of("production")
    moved = ran(*plan("deploy", GREEN, B, target=GREEN, starts=True, expected={"blue": 90, "green": 10}))
    on = stage(moved, git=FakeGit(commit="e" * 40))
    assert on.run("promote", "production", "--yes", "--seal", seal) == 4
    assert "production is no longer what was reviewed" in on.err
    assert f"  the commit of the program: now {'e' * 40}\n" in on.err
    assert '  the observed weights: now {"blue": 90, "green": 10}\n' in on.err
    assert "the plan" not in on.err
    assert "Next: `release review production`" in on.err
    assert verbs(on) == ["preview"]


def test_a_seal_of_another_environment_digest_or_day_costs_no_preview() -> None:
    seal = seal_of("production")
    other = stage()
    assert other.run("deploy", "staging", "--seal", seal) == 4
    assert "This seal is of production, and not of staging." in other.err
    digest = stage()
    assert digest.run("promote", "production", "--yes", "--digest", A.digest, "--seal", seal) == 4
    assert "This seal is of another digest." in digest.err
    late = stage(machine=FakeMachine(time=25 * 3600))
    assert late.run("promote", "production", "--yes", "--seal", seal) == 4
    assert "This seal has expired." in late.err
    assert verbs(other) == verbs(digest) == verbs(late) == []


@pytest.mark.parametrize("given", ["approved", ""], ids=["another word", "an output of a job that got lost"])
@pytest.mark.parametrize("argv", [["promote", "production"], ["deploy", "staging"], ["rollback", "staging"]])
def test_something_else_than_a_seal_is_a_mistake_of_the_call(argv: list[str], given: str) -> None:
    on = stage()
    assert on.run(*argv, "--yes", "--seal", given) == 2
    assert "is not a whole seal" in on.err
    assert verbs(on) == []


def test_a_digest_that_was_quarantined_since_is_refused_in_the_programs_words() -> None:
    seal = seal_of("production")
    on = stage(failed(said(f"{B.digest} is quarantined.\nNext: pardon it.\nKind: Refused"), touched=False))
    assert on.run("promote", "production", "--yes", "--seal", seal) == 4
    assert "is quarantined" in on.err
    assert verbs(on) == ["preview"]


def test_a_release_that_was_not_reviewed_with_a_firing_alarm_needs_another_review() -> None:
    seal = seal_of("production")
    on = stage(PREVIEW)
    assert on.run("promote", "production", "--yes", "--seal", seal, "--on-alarm", "proceed") == 4
    assert "the configuration: now" in on.err
    again = seal_of("production", "--on-alarm", "proceed")
    assert stage(PREVIEW, PROMOTED).run("promote", "production", "--yes", "--seal", again, "--on-alarm", "proceed") == 0


def test_of_two_promotions_at_once_the_second_is_void_once_the_first_is_done() -> None:
    """Both were approved. The second waits for the lock; then what it was approved for has moved."""
    seal = seal_of("production")
    after = ran(*plan("keep", GREEN, B, target=None))

    def locked(engine: FakeEngine) -> Any:
        first = state(GREEN, A, B, idle=A)
        engine.states["production"] = replace(first, exported={"deployment": {"resources": [{"urn": "by the first"}]}})
        return failed(stderr=LOCKED, touched=False)

    on = stage(PREVIEW, locked, after, backend=FakeBackend(readable=False), answer="y")
    assert on.run("promote", "production", "--yes", "--seal", seal, "--lock-wait", "60") == 4
    assert "the state of the stack: now" in on.err
    assert verbs(on) == ["preview", "update", "preview"]


def test_a_review_hands_out_its_seal_in_every_form(tmp_path: Path) -> None:
    on = stage(PREVIEW)
    files = [tmp_path / f"review.{suffix}" for suffix in ("md", "html", "json", "seal")]
    assert on.run("review", "production", *(part for file in files for part in ("--out", str(file)))) == 0
    seal = files[3].read_text().strip()
    assert seal == seal_of("production")
    assert all(seal in file.read_text() for file in files)


def test_a_refused_release_has_no_seal(tmp_path: Path) -> None:
    file = tmp_path / "review.seal"
    file.write_text("s1:old")
    on = stage(failed(said("It is refused.\nKind: Refused"), touched=False))
    assert on.run("review", "production", "--out", str(file)) == 4
    assert file.read_text() == ""


# ---- With a ledger --------------------------------------------------------------------------------------------


def with_ledger(*runs: object, **over: object) -> Stage:
    return stage(*runs, ledger_url="s3://ledger", **over)


def entries(on: Stage) -> tuple[Entry, ...]:
    return in_memory(on.ledger).entries()


def test_a_review_is_an_entry_with_its_seal_and_what_that_covers() -> None:
    on = with_ledger(PREVIEW)
    assert on.run("review", "production", "--format", "seal") == 0
    (entry,) = entries(on)
    assert (entry.kind, entry.environment, entry.digest) == (EntryKind.REVIEW, "production", B.digest)
    assert entry.details["seal"] == on.out.strip()
    assert entry.details["sealed"]["weights"] == {"blue": 100, "green": 0}
    assert entry.details["kind"] == "image only"


def test_a_review_says_that_there_is_no_ledger() -> None:
    on = stage(PREVIEW)
    on.run("review", "production")
    assert "No ledger is named" in on.out
    kept = with_ledger(PREVIEW)
    kept.run("review", "production")
    assert "No ledger is named" not in kept.out


def test_where_the_ledger_has_the_review_a_refusal_names_old_and_new() -> None:
    ledger = Memory()
    reviewed = with_ledger(PREVIEW, ledger=ledger)
    reviewed.run("review", "production", "--format", "seal")
    moved = ran(*plan("deploy", GREEN, B, target=GREEN, starts=True, expected={"blue": 90, "green": 10}))
    on = with_ledger(moved, ledger=ledger)
    assert on.run("promote", "production", "--yes", "--seal", reviewed.out.strip()) == 4
    assert "  the observed weights: blue: 100 -> 90; green: 0 -> 10\n" in on.err
    refused = entries(on)[-1]
    assert (refused.verb, refused.result) == ("promote", "refused")
    assert refused.details["seal"] == reviewed.out.strip()
    assert refused.details["voidSeal"] is True, "which says nothing of the release"


def test_a_review_that_was_refused_is_an_entry_as_well() -> None:
    on = with_ledger(failed(said("It is refused.\nKind: Refused"), touched=False))
    assert on.run("review", "production") == 4
    assert [(each.kind, each.result) for each in entries(on)] == [(EntryKind.OUTCOME, "refused")]


def test_a_ledger_that_is_away_stops_no_review_and_no_seal() -> None:
    on = with_ledger(PREVIEW, ledger=Memory(away=True))
    assert on.run("review", "production", "--format", "seal") == 0
    assert "The ledger does not have this review" in on.err
    moved = with_ledger(PREVIEW, ledger=Memory(away=True), git=FakeGit(commit="e" * 40))
    assert moved.run("promote", "production", "--yes", "--seal", on.out.strip()) == 4
    assert f"  the commit of the program: now {'e' * 40}\n" in moved.err


def test_an_update_hands_seal_and_approver_to_the_ledger() -> None:
    seal = seal_of("production", ledger_url="s3://ledger")
    approval = Approval(asked=(Person(login="ann"),), approvers=(Person(login="bo"),))
    on = with_ledger(PREVIEW, PROMOTED, approvals=FakeApprovals(approval))
    assert on.run("promote", "production", "--yes", "--seal", seal) == 0, on.err
    assert (on.engine.actors[-1].approver, on.engine.actors[-1].details["seal"]) == ("bo", seal)


def test_a_review_times_rollbacks_and_names_drills_by_the_ledger() -> None:
    ledger = in_memory(memory := Memory())
    began = Draft(
        id="1", kind=EntryKind.INTENT, at="2026-01-02T03:00:00+00:00", environment="production", verb="rollback",
        details={"decision": "traffic-only", "goesBack": True},
    )  # fmt: skip
    took = {"03:00:07": began, "03:10:00": replace(began, details={"decision": "traffic-only"})}
    for at, each in took.items():  # the second one goes forward again, and bakes
        intent = ledger.append(replace(each, id=f"began {at}"))
        ended = replace(each, id=f"ended {at}", kind=EntryKind.OUTCOME, at=f"2026-01-02T{at}+00:00", of=intent.sequence)
        ledger.append(replace(ended, result=Result.DONE))
    drill = Draft(
        id="3", kind=EntryKind.DRILL, at="2026-01-02T04:00:00+00:00", environment="staging", digest=B.digest,
        result=Result.DONE,
    )  # fmt: skip
    ledger.append(drill)
    on = with_ledger(PREVIEW, ledger=memory)
    assert on.run("review", "production") == 0
    assert "then only moves the traffic: 7 s the last time here." in on.out
    assert "staging drilled going back and forward with it on 2026-01-02T04:00:00+00:00: done." in on.out


def test_a_refused_review_leaves_no_seal_and_says_so(tmp_path: Path) -> None:
    on = stage(failed(said(f"{B.digest} is quarantined.\nNext: pardon it.\nKind: Refused"), touched=False))
    page, seal = tmp_path / "review.md", tmp_path / "review.seal"
    assert on.run("review", "production", "--out", str(page), "--out", str(seal)) == 4
    assert f"The review is in {page}." in on.err
    assert f"There is no seal, since the review is a refusal: {seal} is empty." in on.err
    assert seal.read_text() == ""


@pytest.mark.parametrize("argv", [["promote", "production", "--yes", "--seal", "SEAL"], ["review", "production"]])
def test_a_call_that_was_refused_has_the_image_that_it_took_by_itself_in_the_ledger(argv: list[str]) -> None:
    seal = seal_of("production", git=FakeGit(commit="e" * 40))
    refused = failed(said("It is quarantined.\nKind: Refused"), touched=False)
    on = stage(PREVIEW if "SEAL" in argv else refused, ledger_url="file://.local/ledger")
    assert on.run(*(seal if each == "SEAL" else each for each in argv)) == 4
    entry = in_memory(on.ledger).entries()[-1]
    assert (entry.result, entry.digest) == (Result.REFUSED, B.digest)
