"""`release drill`: back, forward and the result; what it says where it ends halfway."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine, Run
from release_lane.command.adapters.prober import FakeProber
from release_lane.engine.state import StackState
from release_lane.errors import CloudError
from release_lane.ledger.memory import Memory, in_memory
from release_lane.record.evidence import Proof
from release_lane.record.ledger import Entry, Result
from release_lane.record.placement import Colour, Release, Weights, all_on
from release_lane.record.records import Observed
from tests.command.words import (
    BLUE,
    GREEN,
    A,
    B,
    Stage,
    becomes,
    plan,
    proof,
    ran,
    refused_by_gate,
    release,
    said,
    state,
    states,
)
from tests.command.words import failed as failing

pytestmark = pytest.mark.cli

SAID_NO = failing(
    said("No drill while the alarm x is firing.\nNext: wait.\nKind: Refused", about=""),
    said("preview failed"),
    touched=False,
)


def proven(of: StackState, *proofs: Proof) -> StackState:
    return replace(of, outputs={**of.outputs, "evidence": [each.as_dict() for each in proofs]})


DRILLING = replace(proof(B), drilling="2026-01-02T03:04:05+00:00")
HALFWAY = proven(state(BLUE, A, B, A, idle=B), proof(A), DRILLING)
AROUND = proven(state(GREEN, A, B, A, B, idle=A), proof(A), DRILLING)


def users(weights: Weights) -> Observed:
    return Observed(weights=weights, journal=None)


class Moving:
    """Updates after which record and traffic are there."""

    def __init__(self, on: Stage, stack: str = "staging") -> None:
        self.on, self.stack = on, stack

    def to(self, colour: Colour, after: StackState, release: Release) -> Any:
        run = becomes(self.stack, after, ran(*plan("traffic-only", colour, release, target=colour)))

        def effect(engine: FakeEngine) -> Run:
            self.on.cloud.environments[f"release-lane-{self.stack}"] = users(all_on(colour))
            done: Run = run(engine)
            return done

        return effect


def stage(*runs: Any, stack: str = "staging", **over: Any) -> Stage:
    """Staging has B live on green, A before. `runs`: "back", "forward", "passed", or a run."""
    on = Stage(engine=FakeEngine(states=states(**over.pop("states", {}))), **over)
    on.cloud.environments[f"release-lane-{stack}"] = users(all_on(GREEN))
    moving = Moving(on, stack)
    known = {
        "back": moving.to(BLUE, HALFWAY, A),
        "forward": moving.to(GREEN, AROUND, B),
        "passed": ran(*plan("keep", GREEN, B, target=None)),
    }
    on.engine.runs = [known.get(run, run) if isinstance(run, str) else run for run in runs]
    return on


BACK = ("update", "staging", {"drill": "back", "imageDigest": A.digest, "rollbackFrom": B.digest})
FORWARD = ("update", "staging", {"drill": "forward", "imageDigest": B.digest, "rollbackFrom": A.digest})
PASSED = ("update", "staging", {"drill": "passed"})


def test_traffic_goes_back_and_forward_and_the_result_is_recorded() -> None:
    on = stage("back", "forward", "passed")
    assert on.run("drill", "staging", "--json") == 0
    assert on.engine.calls == [BACK, FORWARD, PASSED]
    assert on.data["drilled"]
    assert (on.data["digest"], on.data["previousDigest"], on.data["liveColour"]) == (B.digest, A.digest, "green")
    assert (on.data["requests"]["sent"], on.data["requests"]["failed"]) == (50, 0)
    assert on.data["backSeconds"] >= 0


def test_what_users_get_is_counted_from_before_the_first_move_until_after_the_last() -> None:
    on = stage("back", "forward", "passed")
    assert on.run("drill", "staging", "--rate", "20", "--timeout", "9") == 0
    assert on.prober.marks == ["back", "forward"]
    (asked,) = on.prober.counted
    assert (asked.url, asked.identify, asked.wait_ready) == ("http://127.0.10.1/api/v1/status", "status", True)
    assert (asked.rate, asked.timeout) == (20, 9)
    assert "back to sha256:aaaaaaaaaaaa in 0 s, forward again in 0 s; 20 requests: 20 ok" in on.out


def test_a_drill_in_which_a_request_failed_goes_forward_again_is_not_recorded_and_ends_with_1() -> None:
    on = stage("back", "forward", prober=FakeProber(failed=2))
    assert on.run("drill", "staging") == 1
    assert on.engine.calls == [BACK, FORWARD]
    assert "NOT drilled" in on.out
    assert "failed 2 times: status 500" in on.out
    assert "Users are on green, as before." in on.out


def test_where_no_answer_comes_nothing_is_moved() -> None:
    on = stage(prober=FakeProber(unready="refused"))
    assert on.run("drill", "staging") == 3
    assert on.engine.calls == []
    assert "Nothing was changed" in on.err
    assert "no move is left half done" in on.err


def test_what_the_program_refuses_moves_nothing_and_says_so() -> None:
    on = stage(SAID_NO)
    assert on.run("drill", "staging") == 4
    assert on.engine.calls == [BACK]
    assert (
        "Users are on green, sha256:bbbbbbbbbbbb, which the record says is live: no move is left half done." in on.err
    )


def test_a_drill_that_cannot_go_forward_says_on_which_colour_users_are_and_how_to_go_on() -> None:
    on = stage("back", refused_by_gate(), ran(*plan("keep", BLUE, A, target=None)))
    assert on.run("drill", "staging", "--json") == 1
    (note,) = [each for each in on.data["notes"] if "drill" in each]
    assert note.startswith(
        "Users are on blue, sha256:aaaaaaaaaaaa: the previous release, where the drill of sha256:bbbbbbbbbbbb led"
    )
    assert "`release drill staging` goes forward first" in note


@pytest.mark.parametrize(
    "weights", [all_on(GREEN), {BLUE: 50, GREEN: 50}, None], ids=["elsewhere", "divided", "no rule"]
)
def test_users_who_are_not_where_the_record_says_need_a_recovery(weights: Weights | None) -> None:
    def breaks(engine: FakeEngine) -> Run:
        del engine
        on.cloud.environments["release-lane-staging"] = users(weights)  # type: ignore[arg-type]
        return refused_by_gate()

    on = stage("back", breaks, ran(*plan("keep", BLUE, A, target=None)))
    assert on.run("drill", "staging") == 1
    assert "blue is recorded. Next: `release recover staging`." in on.err


def test_a_refusal_for_drift_is_followed_by_no_other_next_step() -> None:
    drift = "Drift: weights moved.\nNext: `release heal staging --on-drift restore`.\nKind: Refused"
    on = stage(failing(said(drift), said("preview failed"), touched=False))
    on.cloud.environments["release-lane-staging"] = users({BLUE: 50, GREEN: 50})
    assert on.run("drill", "staging") == 4
    assert "`release heal staging --on-drift restore`" in on.err
    assert "green is recorded." in on.err
    assert "release recover" not in on.err


def test_ctrl_c_between_the_moves_says_where_users_are() -> None:
    def stopped(engine: FakeEngine) -> Run:
        del engine
        raise KeyboardInterrupt

    on = stage("back", stopped)
    assert on.run("drill", "staging") == 130
    assert "The drill of staging was stopped." in on.err
    assert "Users are on blue" in on.err


def test_a_drill_that_ended_halfway_goes_forward_before_it_begins_anew() -> None:
    on = stage("forward", "back", "forward", "passed", states={"staging": HALFWAY})
    assert on.run("drill", "staging", "--json") == 0
    assert on.engine.calls == [FORWARD, BACK, FORWARD, PASSED]
    assert "ended halfway: going forward again first" in on.err
    assert on.data["digest"] == B.digest


def test_without_a_previous_image_there_is_nothing_to_drill() -> None:
    only = stage(states={"staging": state(BLUE, A)})
    assert only.run("drill", "staging") == 4
    assert "only one release" in only.err
    same = stage(states={"staging": state(GREEN, release("b", env={"X": "1"}), B, idle=None)})
    assert same.run("drill", "staging") == 4
    assert "same image" in same.err
    assert "drill after the next release" in only.err
    assert "drill after the next release" in same.err
    assert "instead" not in only.err
    assert only.engine.calls == same.engine.calls == []


def test_the_idle_colour_is_not_reduced_between_the_moves() -> None:
    on = stage("back", "forward", "passed", idle_tasks=2)
    assert on.run("drill", "staging") == 0
    assert on.engine.calls == [BACK, FORWARD, PASSED]


def test_a_guarded_environment_is_drilled_only_with_a_yes() -> None:
    on = stage(stack="production", states={"production": state(GREEN, A, B, idle=A)})
    assert on.run("drill", "production") == 2
    assert on.engine.calls == []
    assert "needs a confirmation" in on.err


@pytest.mark.parametrize(
    ("previous", "asked"),
    [
        (release("a", status_path="/version"), ("http://127.0.10.1/health", "")),
        (release("a", health_path="/healthz"), None),
    ],
    ids=["another status", "another health"],
)
def test_both_releases_are_asked_by_a_request_that_both_understand(
    previous: Release, asked: tuple[str, str] | None
) -> None:
    on = stage("back", "forward", "passed", states={"staging": state(GREEN, previous, B, idle=previous)})
    assert on.run("drill", "staging") == (0 if asked else 4)
    assert [(each.url, each.identify) for each in on.prober.counted] == ([asked] if asked else [])


def test_a_rate_that_cannot_be_meant_is_a_usage_error() -> None:
    on = stage()
    assert on.run("drill", "staging", "--rate", "0") == 2
    assert "Rate 0: should be above 0" in on.err


def test_a_drill_notifies_of_no_rollback() -> None:
    on = stage("back", "forward", "passed", notify={"topic": "arn:aws:sns:us-east-1:123456789012:releases"})
    assert on.run("drill", "staging") == 0
    assert on.notifier.sent == []


def test_weights_that_cannot_be_read_do_not_hide_why_it_failed() -> None:
    on = stage(refused_by_gate("The smoke gate refused blue: no."), cloud=FakeCloud())
    on.engine.runs.append(ran(*plan("keep", GREEN, B, target=None)))
    on.cloud.environments.clear()
    assert on.run("drill", "staging") == 1
    assert "The smoke gate refused blue" in on.err
    assert "Users get 503, and green is recorded. Next: `release recover staging`." in on.err


# ---- the ledger

IN_LEDGER: dict[str, Any] = {"ledger_url": "s3://shop-releases"}


def entry(on: Stage) -> Entry:
    (only,) = in_memory(on.ledger).entries()
    return only


def test_a_drill_is_one_entry_in_the_ledger_with_its_times_and_counts() -> None:
    on = stage("back", "forward", "passed", **IN_LEDGER)
    assert on.run("drill", "staging", "--reason", "nightly") == 0
    drill = entry(on)
    assert (drill.kind, drill.result, drill.environment, drill.verb) == ("drill", Result.DONE, "staging", "drill")
    assert (drill.digest, drill.release, drill.reason, drill.who) == (B.digest, B.id, "nightly", "me@here")
    assert (drill.details["drilled"], drill.details["requests"]["sent"]) == (True, 50)
    assert {"backSeconds", "forwardSeconds"} <= drill.details.keys()


def test_a_drill_that_users_noticed_is_a_failed_one() -> None:
    on = stage("back", "forward", prober=FakeProber(failed=2), **IN_LEDGER)
    assert on.run("drill", "staging") == 1
    assert (entry(on).result, entry(on).details["requests"]["failed"]) == (Result.FAILED, 2)


@pytest.mark.parametrize(("run", "code"), [(SAID_NO, 4), (refused_by_gate(), 1)], ids=["refused", "a gate said no"])
def test_a_drill_that_ended_halfway_is_in_the_ledger_with_where_users_are(run: Run, code: int) -> None:
    on = stage("back", run, ran(*plan("keep", BLUE, A, target=None)), **IN_LEDGER)
    assert on.run("drill", "staging") == code
    drill = entry(on)
    assert (drill.kind, drill.result, drill.digest) == ("drill", Result.FAILED, B.digest)
    assert drill.details["standing"].startswith("Users are on blue")
    assert drill.details["why"]


def test_a_drill_that_was_refused_at_once_is_a_refused_one() -> None:
    on = stage(SAID_NO, **IN_LEDGER)
    assert on.run("drill", "staging") == 4
    assert (entry(on).kind, entry(on).result) == ("drill", Result.REFUSED)


def test_a_ledger_that_is_away_in_the_end_is_a_warning() -> None:
    on = stage("back", "forward", "passed", ledger=Memory(away=True), **IN_LEDGER)
    assert on.run("drill", "staging") == 0
    assert "The ledger does not have this drill as a whole" in on.err


def test_a_drill_that_users_noticed_is_a_failed_one_although_its_own_entry_could_not_be_written() -> None:
    ledger = Memory()

    def away_once() -> None:
        ledger.meanwhile = lambda: None
        raise CloudError("The network is down.")

    ledger.meanwhile = away_once
    on = stage("back", "forward", prober=FakeProber(failed=2), ledger=ledger, **IN_LEDGER)
    assert on.run("drill", "staging") == 1
    assert (entry(on).kind, entry(on).result) == ("outcome", Result.FAILED)


def test_a_drill_without_the_ledger_has_to_say_why() -> None:
    on = stage("back", "forward", "passed", ledger=Memory(away=True), **IN_LEDGER)
    assert on.run("drill", "staging", "--without-ledger", "it is down") == 0
    assert {config["withoutLedger"] for _, _, config in on.engine.calls} == {"it is down"}
    assert "ledger" not in on.err


# ---- status


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (state(GREEN, A, B, idle=A), "none of this release"),
        (proven(state(GREEN, A, B, idle=A), proof(A), replace(proof(B), drilled="then")), "passed, then"),
        (AROUND, "without a result"),
        (HALFWAY, "ended halfway: users are on the previous release of sha256:bbbbbbbbbbbb; `release drill staging`"),
        (proven(state(GREEN, A, B), replace(proof(B), drilled="then", release_id="other")), "none of this release"),
    ],
    ids=["never", "passed", "no result", "halfway", "with other settings"],
)
def test_status_says_whether_the_way_back_was_tried(found: StackState, shown: str) -> None:
    on = stage(states={"staging": found})
    on.run("status", "staging")
    assert f"drill          {shown}" in on.out
    on.run("status", "--json")
    (staging,) = [each for each in on.data["environments"] if each["environment"] == "staging"]
    assert staging["drilled"] == ("then" if "passed" in shown else None)
    on.run("status")
    assert ("staging: a drill ended halfway" in on.out) == ("halfway" in shown)
