"""What one update does: each rule of `decide` as a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from release_lane.decide.choice import order_matters
from release_lane.decide.decision import (
    HISTORY,
    Decision,
    Deploy,
    Finish,
    Heal,
    Keep,
    OnDrift,
    Prepare,
    Refuse,
    Requested,
    TrafficOnly,
    Verdict,
    advance,
    decide,
)
from release_lane.decide.lineage import Order, Relation
from release_lane.errors import CheckFailed, CloudError, Refused, ReleaseError
from release_lane.record.adoption import COMMIT_UNKNOWN, Adopted
from release_lane.record.decisions import DecisionKind
from release_lane.record.evidence import Proof
from release_lane.record.journal import Phase
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Observed, Recorded
from tests.decide.situations import (
    BLUE,
    GREEN,
    OTHER_SERVICE,
    SCALED_TO_ZERO,
    SERVICE,
    SICK,
    STOPPED,
    A,
    B,
    C,
    D,
    journal,
    observed,
    proof,
    recorded,
    release,
    side,
)

pytestmark = pytest.mark.pure

DIVIDED = {BLUE: 50, GREEN: 50}
NOBODY = {BLUE: 0, GREEN: 0}
A_DEBUG = release("a", OTHER_SERVICE)


def ask(of: Release | None = None, **more: Any) -> Requested:
    """A request for this release, or (None) for nothing."""
    wanted = {"digest": of.digest, "service": of.service, "commit": of.commit} if of else {"service": SERVICE}
    return Requested(**{**wanted, **more})


def verdict(record: Recorded | None, cloud: Observed, request: Requested, proven: Iterable[Proof] = ()) -> Verdict:
    return decide(record, cloud, request, proven)


def decision(record: Recorded | None, cloud: Observed, request: Requested, proven: Iterable[Proof] = ()) -> Decision:
    return decide(record, cloud, request, proven).decision


def refusal(record: Recorded | None, cloud: Observed, request: Requested, proven: Iterable[Proof] = ()) -> ReleaseError:
    refused = decision(record, cloud, request, proven)
    assert isinstance(refused, Refuse), refused
    assert refused.error.next_step
    return refused.error


# ---- before the first release


EMPTY = observed(None, None, None)


def test_without_a_release_and_without_a_request_the_environment_is_prepared() -> None:
    assert isinstance(decision(None, EMPTY, ask()), Prepare)


def test_nothing_at_all_in_the_cloud_is_fine_before_the_first_release() -> None:
    assert isinstance(decision(None, replace(EMPTY, listener=False), ask()), Prepare)
    assert isinstance(decision(None, replace(EMPTY, listener=False), ask(A)), Deploy)


def test_the_first_release_goes_to_blue() -> None:
    first = decision(None, EMPTY, ask(A))
    assert isinstance(first, Deploy)
    assert (first.target, first.release, first.tasks, first.live) == (BLUE, A, 2, None)
    assert not first.rollback
    assert not first.retry_of


def test_a_first_release_that_failed_is_tried_again_as_a_new_deployment() -> None:
    cloud = observed(side(A, **STOPPED), None, None)
    again = decision(None, cloud, ask(A))
    assert isinstance(again, Deploy)
    assert (again.target, again.retry_of) == (BLUE, cloud.sides[BLUE].deployment)


# ---- a settled stack: keep, heal


SETTLED = observed(A, B, GREEN)
RECORD = recorded(GREEN, A, B)


@pytest.mark.parametrize("request_", [ask(), ask(B)], ids=["nothing", "what is live"])
def test_nothing_to_do_keeps_what_is_live(request_: Requested) -> None:
    kept = decision(RECORD, SETTLED, request_)
    assert kept == Keep(live=GREEN, reason="the recorded release stays")


def test_configuration_alone_waits_for_the_next_release_and_says_so() -> None:
    kept = decision(RECORD, SETTLED, ask(service=OTHER_SERVICE))
    assert isinstance(kept, Keep)
    assert "its configuration in the stack file differs (env.LOG_LEVEL) and waits for the next release" in kept.reason
    assert f"imageDigest={B.digest}" in kept.reason


@pytest.mark.parametrize(
    ("idle", "retry"),
    [
        (side(None), False),
        (side(C), False),
        (side(A, **SICK), True),
        (side(A, **STOPPED), True),
        (side(A, **SCALED_TO_ZERO), True),
        (side(A, wanted=1, running=1, healthy=1), True),
        (side(A, release=None), False),
        (side(A_DEBUG), False),
        (replace(side(None), exists=False), False),
    ],
    ids=["empty", "a bad build", "sick", "stopped", "to zero", "too few", "not ours", "other configuration", "gone"],
)
def test_the_idle_colour_is_healed_to_the_previous_release(idle: Any, retry: bool) -> None:
    healed = decision(RECORD, observed(idle, B, GREEN), ask())
    assert isinstance(healed, Heal)
    assert (healed.target, healed.release, healed.tasks) == (BLUE, A, 2)
    assert healed.retry_of == (idle.deployment if retry else "")


def test_healing_makes_room_for_all_that_the_live_colour_carries() -> None:
    live = side(B, wanted=7, running=7, healthy=7)
    healed = decision(RECORD, observed(None, live, GREEN), ask())
    assert isinstance(healed, Heal)
    assert healed.tasks == 7


def test_an_idle_colour_without_a_previous_release_is_emptied() -> None:
    healed = decision(recorded(BLUE, A), observed(A, C, BLUE), ask())
    assert healed == Heal(target=GREEN, release=None, tasks=0, reason="green should run nothing")
    assert isinstance(decision(recorded(BLUE, A), observed(A, None, BLUE), ask()), Keep)


# ---- a new image


def test_a_new_image_is_deployed_to_the_idle_colour() -> None:
    deployed = decision(RECORD, SETTLED, ask(C))
    assert isinstance(deployed, Deploy)
    assert (deployed.target, deployed.release, deployed.live, deployed.rollback) == (BLUE, C, GREEN, False)


def test_an_image_that_the_idle_colour_holds_already_only_needs_traffic_moved() -> None:
    """As after a smoke check that failed for a reason outside: gated again, but no new task."""
    moved = decision(RECORD, observed(C, B, GREEN), ask(C))
    assert isinstance(moved, TrafficOnly)
    assert (moved.target, moved.release, moved.rollback) == (BLUE, C, False)
    assert moved.kind is DecisionKind("flip") is DecisionKind("traffic-only"), "`flip` is what an earlier version wrote"
    assert decision(RECORD, SETTLED, ask(C)).kind is DecisionKind.DEPLOY


@pytest.mark.parametrize("broken", [SICK, STOPPED, SCALED_TO_ZERO], ids=["sick", "stopped", "to zero"])
def test_a_failed_deployment_is_retried_as_a_new_one(broken: dict[str, Any]) -> None:
    idle = side(C, **broken)
    retried = decision(RECORD, observed(idle, B, GREEN), ask(C))
    assert isinstance(retried, Deploy)
    assert retried.retry_of == idle.deployment


def test_the_idle_colour_gets_as_many_tasks_as_run_live() -> None:
    live = side(B, wanted=9, running=9, healthy=9)
    deployed = decision(RECORD, observed(A, live, GREEN), ask(C))
    assert isinstance(deployed, Deploy)
    assert deployed.tasks == 9


def test_the_commit_of_a_release_is_what_the_registry_says() -> None:
    deployed = decision(RECORD, SETTLED, ask(C, commit="c0ffee"))
    assert isinstance(deployed, Deploy)
    assert deployed.release.commit == "c0ffee"


def test_the_same_image_with_new_configuration_is_a_release_of_its_own() -> None:
    deployed = decision(RECORD, SETTLED, ask(B, service=OTHER_SERVICE))
    assert isinstance(deployed, Deploy)
    assert (deployed.target, deployed.release) == (BLUE, release("b", OTHER_SERVICE))
    assert not deployed.rollback


def test_a_release_may_be_sent_out_while_the_live_colour_is_sick() -> None:
    assert isinstance(decision(RECORD, observed(A, side(B, **STOPPED), GREEN), ask(C)), Deploy)


# ---- the order of commits


def after(of: Release, order: Order, live: Release = B, why: str = "", **more: Any) -> Requested:
    """A request for this release, whose commit stands like that to the live one."""
    return ask(of, relations={live.commit: Relation(order=order, why=why)}, **more)


@pytest.mark.parametrize("said", [None, A, C], ids=["nothing", "an earlier digest", "the older digest itself"])
def test_an_older_commit_does_not_replace_a_newer_one_unless_it_is_said_what_it_may_replace(
    said: Release | None,
) -> None:
    error = refusal(RECORD, SETTLED, after(C, Order.OLDER, allow_older=said.digest if said else None))
    assert isinstance(error, Refused)
    assert f"{B.commit[:12]} (live) contains {C.commit[:12]}" in error.what
    assert f"allowOlder={B.digest}" in error.next_step
    assert "--allow-older" in error.next_step


def test_an_older_commit_that_is_meant_is_released_and_named() -> None:
    request = after(C, Order.OLDER, allow_older=B.digest)
    older = verdict(RECORD, SETTLED, request)
    assert isinstance(older.decision, Deploy)
    assert "an older commit, as allowOlder says: live bbbbbbb contains it" in older.decision.reason
    assert older.unchecked == (f"an older commit than {B.commit[:12]}, which it replaces (allowOlder)",)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (Order.NEWER, "a new image"),
        (Order.APART, "a new image; its commit does not contain bbbbbbb, which is live"),
        (Order.UNKNOWN, "a new image"),
    ],
)
def test_any_other_order_is_released_and_named(order: Order, reason: str) -> None:
    newer = decision(RECORD, SETTLED, after(C, order))
    assert isinstance(newer, Deploy)
    assert newer.reason == reason


def test_another_build_of_the_live_commit_is_no_older_one() -> None:
    again = decision(RECORD, SETTLED, ask(replace(C, commit=B.commit)))
    assert isinstance(again, Deploy)
    assert again.reason == "a new image"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (after(C, Order.UNKNOWN, why="this checkout is shallow"), "not known: this checkout is shallow"),
        (ask(C), "not known: git was not asked"),
        (ask(replace(C, commit="")), COMMIT_UNKNOWN),
    ],
    ids=["git does not know", "git was not asked", "no commit"],
)
def test_what_no_gate_can_see_of_a_commit_is_said_before_the_gates_run(request_: Requested, said: str) -> None:
    (sentence,) = verdict(RECORD, SETTLED, request_).unchecked
    assert said in sentence


def test_an_older_commit_is_refused_even_where_the_idle_colour_holds_it() -> None:
    assert isinstance(refusal(RECORD, observed(C, B, GREEN), after(C, Order.OLDER)), Refused)


def test_an_older_commit_is_refused_even_after_an_interrupted_switch_to_a_newer_one() -> None:
    """The record still names A; users are on B already, and the record that this update starts from says so."""
    cloud = observed(A, B, GREEN, journal((BLUE, A), (GREEN, B), Phase.MOVED))
    assert isinstance(refusal(recorded(BLUE, A), cloud, after(C, Order.OLDER)), Refused)


def test_that_the_order_is_unknown_is_said_once() -> None:
    newer = verdict(RECORD, SETTLED, after(C, Order.UNKNOWN, why="this checkout is shallow"))
    assert isinstance(newer.decision, Deploy)
    said = " ".join([newer.decision.reason, *newer.notes, *newer.unchecked])
    assert said.count("order of commits") == 1


@pytest.mark.parametrize("order", [Order.OLDER, Order.UNKNOWN])
def test_finishing_an_interrupted_rollback_says_nothing_of_the_order_of_commits(order: Order) -> None:
    cloud = observed(A, B, BLUE, journal((GREEN, B), (BLUE, A), Phase.MOVED))
    finished = verdict(RECORD, cloud, after(A, order, rollback_from=B.digest))
    assert isinstance(finished.decision, Finish)
    assert finished.unchecked == ()


@pytest.mark.parametrize(
    ("record", "asked", "matters"),
    [
        (RECORD, C, True),
        (RECORD, A, False),
        (RECORD, B, False),
        (replace(RECORD, history=()), B, False),
        (None, C, True),
        (RECORD, None, False),
    ],
    ids=["new", "was live", "is live", "is live, by an old record", "first", "nothing asked for"],
)
def test_the_order_of_commits_matters_only_for_an_image_that_was_never_live_here(
    record: Recorded | None, asked: Release | None, matters: bool
) -> None:
    assert order_matters(record, asked.digest if asked else None) is matters


def test_a_rollback_asks_nothing_about_the_order_of_commits() -> None:
    back = verdict(RECORD, SETTLED, after(A, Order.OLDER, rollback_from=B.digest))
    assert isinstance(back.decision, TrafficOnly)
    assert back.unchecked == ()


def test_an_adopted_image_is_released_with_what_is_known_of_it_and_what_is_not() -> None:
    origin = Adopted(image=f"ghcr.io/acme/shop@{C.digest}", source="https://example.test/shop", commit_by="label")
    adopted = verdict(RECORD, SETTLED, after(C, Order.NEWER, adopted=origin))
    assert isinstance(adopted.decision, Deploy)
    assert adopted.decision.release.adopted == origin
    assert adopted.unchecked == (
        "it was built elsewhere, and adopted from ghcr.io/acme/shop (source: https://example.test/shop); "
        f"that it is commit {C.commit[:12]} is what its own label says",
    )


def test_what_could_not_be_seen_of_an_adopted_image_is_said_again_when_it_comes_back() -> None:
    past = replace(A, commit="", adopted=Adopted(image=f"ghcr.io/acme/shop@{A.digest}"))
    record, cloud = recorded(GREEN, past, B), observed(None, B, GREEN)
    back = verdict(record, cloud, ask(A, rollback_from=B.digest))
    assert back.unchecked == (
        COMMIT_UNKNOWN,
        "it was built elsewhere, and adopted from ghcr.io/acme/shop (where its source is, is unknown)",
    )


# ---- rollback


def test_going_back_moves_weights_only_while_the_idle_colour_holds_the_release() -> None:
    back = decision(RECORD, SETTLED, ask(A, rollback_from=B.digest))
    assert isinstance(back, TrafficOnly)
    assert (back.target, back.release, back.rollback) == (BLUE, A, True)


def test_going_back_to_what_the_idle_colour_no_longer_holds_deploys_it() -> None:
    back = decision(RECORD, observed(C, B, GREEN), ask(A, rollback_from=B.digest))
    assert isinstance(back, Deploy)
    assert (back.target, back.release, back.rollback) == (BLUE, A, True)


@pytest.mark.parametrize("tasks", [2, 8])
def test_going_back_to_an_idle_colour_that_could_not_take_all_users_makes_it_larger_first(tasks: int) -> None:
    cloud = observed(
        side(A, wanted=tasks, running=tasks, healthy=tasks), side(B, wanted=9, running=9, healthy=9), GREEN
    )
    back = decision(RECORD, cloud, ask(A, rollback_from=B.digest))
    assert isinstance(back, Deploy)
    assert (back.target, back.release, back.tasks, back.rollback) == (BLUE, A, 9, True)
    assert back.retry_of == cloud.sides[BLUE].deployment


def test_live_tasks_that_are_just_being_replaced_make_no_rollback_slower() -> None:
    cloud = observed(A, side(B, running=4, healthy=4), GREEN)
    assert isinstance(decision(RECORD, cloud, ask(A, rollback_from=B.digest)), TrafficOnly)


def test_going_back_restores_the_configuration_that_the_release_had() -> None:
    record = recorded(GREEN, A_DEBUG, B)
    back = decision(record, observed(None, B, GREEN), ask(A, rollback_from=B.digest))
    assert isinstance(back, Deploy)
    assert back.release == A_DEBUG


def test_going_far_back_is_a_rollback_too() -> None:
    back = decision(recorded(GREEN, A, B, C), observed(B, C, GREEN), ask(A, rollback_from=C.digest))
    assert isinstance(back, Deploy)
    assert back.rollback


@pytest.mark.parametrize("said", [None, A, C], ids=["nothing", "the target", "another digest"])
def test_a_rollback_must_be_asked_for_with_the_digest_that_is_live(said: Release | None) -> None:
    error = refusal(RECORD, SETTLED, ask(A, rollback_from=said.digest if said else None))
    assert isinstance(error, Refused)
    assert "is a rollback" in error.what
    assert f"rollbackFrom={B.digest}" in error.next_step


def test_a_rollback_job_that_runs_a_second_time_does_nothing() -> None:
    """It still says rollbackFrom, but what it leaves is no longer live."""
    after = recorded(BLUE, A, B, A)
    assert isinstance(decision(after, observed(A, B, BLUE), ask(A, rollback_from=B.digest)), Keep)


def test_what_was_live_before_the_history_begins_is_a_promotion_again() -> None:
    record: Recorded | None = None
    for number in range(HISTORY + 1):
        record = advance(record, BLUE, release(f"{number % 10}", replace(SERVICE, env={"N": str(number)})))
    assert record is not None
    assert len(record.history) == HISTORY
    assert record.history[-1] == record.live


# ---- the registry and evidence


def test_what_the_registry_does_not_have_is_refused() -> None:
    error = refusal(RECORD, SETTLED, ask(C, in_registry=False))
    assert isinstance(error, Refused)
    assert "is not in the registry" in error.what


@pytest.mark.parametrize(
    ("of", "more"),
    [(A, {"rollback_from": B.digest}), (B, {"service": OTHER_SERVICE})],
    ids=["a rollback", "new configuration"],
)
def test_what_cannot_be_pulled_is_refused_before_anything_changes(of: Release, more: dict[str, Any]) -> None:
    error = refusal(RECORD, observed(C, B, GREEN), ask(of, in_registry=False, **more))
    assert "is not in the registry" in error.what


def test_what_the_registry_lost_is_no_new_release_even_if_the_idle_colour_still_holds_it() -> None:
    error = refusal(RECORD, observed(C, B, GREEN), ask(C, in_registry=False))
    assert "is not in the registry" in error.what


def test_going_back_by_weights_alone_needs_no_registry() -> None:
    assert isinstance(decision(RECORD, SETTLED, ask(A, rollback_from=B.digest, in_registry=False)), TrafficOnly)


def test_an_image_that_the_environment_before_did_not_prove_is_refused() -> None:
    error = refusal(RECORD, SETTLED, ask(C, promotes_from="staging"), [proof(B)])
    assert isinstance(error, Refused)
    assert error.what == "sha256:cccccccccccc was never proven on staging."


def test_a_proven_image_is_taken() -> None:
    assert isinstance(decision(RECORD, SETTLED, ask(C, promotes_from="staging"), [proof(B), proof(C)]), Deploy)


def test_the_first_release_needs_proof_too() -> None:
    assert "never proven" in refusal(None, EMPTY, ask(A, promotes_from="staging")).what
    assert isinstance(decision(None, EMPTY, ask(A, promotes_from="staging"), [proof(A)]), Deploy)


def test_an_unproven_image_is_refused_even_if_the_idle_colour_holds_it() -> None:
    assert "never proven" in refusal(RECORD, observed(C, B, GREEN), ask(C, promotes_from="staging")).what


def test_a_rollback_needs_no_proof_but_its_intent() -> None:
    back = decision(RECORD, SETTLED, ask(A, rollback_from=B.digest, promotes_from="staging"), [])
    assert isinstance(back, TrafficOnly)
    assert "is a rollback" in refusal(RECORD, SETTLED, ask(A, promotes_from="staging"), [proof(A)]).what


def test_rollback_from_does_not_stand_in_for_proof() -> None:
    error = refusal(RECORD, SETTLED, ask(C, rollback_from=B.digest, promotes_from="staging"), [])
    assert "never proven" in error.what


# ---- nothing found, and drift


def test_nothing_found_while_a_release_is_recorded_is_an_error_and_no_first_update() -> None:
    cloud = observed(replace(side(None), exists=False), replace(side(None), exists=False), None, listener=False)
    for request_ in (ask(), ask(B), ask(C)):
        assert isinstance(refusal(RECORD, cloud, request_), CloudError)


def test_what_was_deleted_is_built_again_if_that_is_asked_for() -> None:
    cloud = observed(replace(side(None), exists=False), replace(side(None), exists=False), None, listener=False)
    again = decide(RECORD, cloud, ask(on_drift=OnDrift.RESTORE)).decision
    assert isinstance(again, Deploy)
    assert again.release == RECORD.live


def test_a_digest_that_only_the_evidence_remembers_is_a_rollback_that_must_be_said() -> None:
    old = replace(RECORD, evidence=(proof(C),))
    assert "is a rollback" in refusal(old, SETTLED, ask(C)).what
    assert isinstance(decide(old, SETTLED, ask(C, rollback_from=B.digest)).decision, Deploy)


def test_an_idle_colour_with_fewer_tasks_than_serve_is_healed_before_it_is_needed() -> None:
    blue = replace(SETTLED.sides[BLUE], wanted=2, running=2, healthy=2)
    green = replace(SETTLED.sides[GREEN], wanted=10, running=10, healthy=10)
    grown = decide(RECORD, replace(SETTLED, sides={BLUE: blue, GREEN: green}), ask()).decision
    assert isinstance(grown, Heal)
    assert (grown.target, grown.tasks) == (BLUE, 10)


DRIFTS = {
    "weights moved to the idle colour": observed(A, B, BLUE),
    "weights divided": observed(A, B, DIVIDED),
    "a little weight moved": observed(A, B, {BLUE: 1, GREEN: 99}),
    "no users": observed(A, B, NOBODY),
    "rule deleted": observed(A, B, None),
    "live runs another image": observed(A, C, GREEN),
    "live runs two images": observed(A, side(B, digest="several"), GREEN),
    "live runs another configuration": observed(A, release("b", OTHER_SERVICE), GREEN),
    "live runs a task definition that is not ours": observed(A, side(B, release=None), GREEN),
}


@pytest.mark.parametrize("cloud", DRIFTS.values(), ids=DRIFTS.keys())
@pytest.mark.parametrize("request_", [ask(), ask(A), ask(B), ask(C)], ids=["nothing", "idle", "live", "new"])
def test_unexplained_drift_is_refused_saying_the_two_ways_out(cloud: Observed, request_: Requested) -> None:
    error = refusal(RECORD, cloud, request_)
    assert isinstance(error, Refused)
    assert error.what.startswith("Drift: ")
    assert "onDrift=restore" in error.next_step
    assert "onDrift=adopt" in error.next_step
    assert "`release heal … --on-drift restore`" in error.next_step
    assert "`release heal … --on-drift adopt`" in error.next_step
    named = refusal(RECORD, cloud, replace(request_, environment="production")).next_step
    assert "`release heal production --on-drift restore`" in named
    assert "`release heal production --on-drift adopt`" in named
    assert "…" not in named


@pytest.mark.parametrize(
    ("cloud", "restored"),
    [
        ("weights moved to the idle colour", TrafficOnly),
        ("weights divided", TrafficOnly),
        ("a little weight moved", TrafficOnly),
        ("no users", TrafficOnly),
        ("rule deleted", TrafficOnly),
    ],
)
def test_restoring_moved_weights_starts_nothing(cloud: str, restored: type) -> None:
    back = decision(RECORD, DRIFTS[cloud], ask(on_drift=OnDrift.RESTORE))
    assert isinstance(back, restored)
    assert isinstance(back, TrafficOnly)
    assert (back.target, back.release) == (GREEN, B)


@pytest.mark.parametrize("cloud", [name for name in DRIFTS if name.startswith("live runs")])
def test_restoring_live_tasks_deploys_the_recorded_release_to_the_idle_colour(cloud: str) -> None:
    back = decision(RECORD, DRIFTS[cloud], ask(on_drift=OnDrift.RESTORE))
    assert isinstance(back, Deploy)
    assert (back.target, back.release, back.live) == (BLUE, B, GREEN)


def test_restoring_moves_traffic_only_where_the_idle_colour_holds_the_recorded_release() -> None:
    """As when an earlier restore was killed after its deployment."""
    back = decision(RECORD, observed(B, C, GREEN), ask(on_drift=OnDrift.RESTORE))
    assert isinstance(back, TrafficOnly)
    assert (back.target, back.release) == (BLUE, B)


@pytest.mark.parametrize(
    ("green", "users"),
    [(side(B, **STOPPED), BLUE), (side(C), BLUE), (side(None), BLUE), (side(B, **SCALED_TO_ZERO), NOBODY)],
    ids=["stopped", "holds something else", "empty", "no users"],
)
def test_restoring_weights_deploys_where_the_recorded_colour_lost_its_tasks(green: Any, users: Any) -> None:
    back = decision(RECORD, observed(A, green, users), ask(on_drift=OnDrift.RESTORE))
    assert isinstance(back, Deploy)
    assert (back.target, back.release) == (GREEN, B)


def test_a_colour_that_serves_is_no_target_even_of_a_restore() -> None:
    error = refusal(RECORD, observed(A, side(B, **STOPPED), DIVIDED), ask(on_drift=OnDrift.RESTORE))
    assert "cannot be deployed to: it serves users (blue 50%, green 50%)" in error.what
    assert "set the weight of blue to 0" in error.next_step
    after = decision(RECORD, observed(A, side(B, **STOPPED), GREEN), ask(on_drift=OnDrift.RESTORE))
    assert isinstance(after, Deploy)
    assert (after.target, after.release) == (BLUE, B)


@pytest.mark.parametrize("broken", [SICK, STOPPED, SCALED_TO_ZERO], ids=["sick", "stopped", "to zero"])
def test_a_broken_live_colour_is_no_drift_but_may_be_restored(broken: dict[str, Any]) -> None:
    """Kept by default: the switch then fails the update with what is wrong, since tasks may recover by themselves."""
    cloud = observed(A, side(B, **broken), GREEN)
    assert isinstance(decision(RECORD, cloud, ask()), Keep)
    for request_ in (ask(on_drift=OnDrift.RESTORE), ask(B, on_drift=OnDrift.RESTORE)):
        back = decision(RECORD, cloud, request_)
        assert isinstance(back, Deploy)
        assert (back.target, back.release, back.live) == (BLUE, B, GREEN)


def test_restore_with_nothing_to_restore_keeps() -> None:
    assert isinstance(decision(RECORD, SETTLED, ask(on_drift=OnDrift.RESTORE)), Keep)


@pytest.mark.parametrize(
    ("cloud", "target", "of"),
    [(observed(A, B, BLUE), BLUE, A), (observed(B, A, GREEN), GREEN, A)],
    ids=["moved weights", "replaced tasks"],
)
def test_adopting_records_what_is_without_moving_anybody(cloud: Observed, target: Colour, of: Release) -> None:
    adopted = decision(RECORD, cloud, ask(on_drift=OnDrift.ADOPT))
    assert isinstance(adopted, Finish)
    assert (adopted.target, adopted.release) == (target, of)


@pytest.mark.parametrize(
    "cloud",
    [
        observed(A, C, GREEN),
        observed(A, B, DIVIDED),
        observed(A, B, None),
        observed(side(A, **SICK), B, BLUE),
        observed(A, side(B, release=None), GREEN),
        observed(A, side(B, digest="several"), GREEN),
    ],
    ids=["never passed here", "divided", "no rule", "sick", "not ours", "two images"],
)
def test_only_a_fully_healthy_release_that_passed_here_can_be_adopted(cloud: Observed) -> None:
    assert isinstance(refusal(RECORD, cloud, ask(on_drift=OnDrift.ADOPT)), Refused)


@pytest.mark.parametrize("way", OnDrift)
def test_another_digest_must_wait_until_moved_weights_are_dealt_with(way: OnDrift) -> None:
    """Else the update would report success without what it was asked for."""
    error = refusal(RECORD, observed(A, B, BLUE), ask(C, on_drift=way))
    assert "without imageDigest" in error.next_step


def test_another_digest_may_go_straight_to_the_idle_colour_when_live_tasks_are_given_up() -> None:
    deployed = decision(RECORD, observed(A, C, GREEN), ask(D, on_drift=OnDrift.RESTORE))
    assert isinstance(deployed, Deploy)
    assert (deployed.target, deployed.release) == (BLUE, D)


def test_drift_before_the_first_release_is_refused_with_a_way_out_that_exists() -> None:
    error = refusal(None, observed(A, None, BLUE), ask())
    assert "no release was ever recorded" in error.what
    assert "onDrift=adopt" not in error.next_step
    out = decision(None, observed(A, None, BLUE), ask(C, on_drift=OnDrift.RESTORE))
    assert isinstance(out, Deploy)
    assert (out.target, out.release, out.live) == (GREEN, C, BLUE)


# ---- an interrupted switch, in each phase


TO_C = {phase: journal((GREEN, B), (BLUE, C), phase) for phase in Phase}


@pytest.mark.parametrize("phase", Phase)
def test_a_switch_that_moved_no_traffic_left_the_stack_as_it_was(phase: Phase) -> None:
    if phase is Phase.MOVED:
        return
    cloud = observed(C, B, GREEN, TO_C[phase])
    assert isinstance(decision(RECORD, cloud, ask()), Heal)
    assert isinstance(decision(RECORD, cloud, ask(C)), TrafficOnly)
    assert isinstance(decision(RECORD, cloud, ask(D)), Deploy)


@pytest.mark.parametrize("phase", [Phase.MOVING, Phase.MOVED])
@pytest.mark.parametrize("request_", [ask(), ask(C)], ids=["nothing", "the same again"])
def test_a_switch_that_moved_users_but_was_not_recorded_is_finished(phase: Phase, request_: Requested) -> None:
    found = verdict(RECORD, observed(C, B, BLUE, TO_C[phase]), request_)
    assert isinstance(found.decision, Finish)
    assert (found.decision.target, found.decision.release) == (BLUE, C)
    assert found.standing == RECORD
    assert found.notes == ("found an interrupted switch to blue (sha256:cccccccccccc): users are on blue",)


@pytest.mark.parametrize("phase", [Phase.MOVING, Phase.MOVED])
@pytest.mark.parametrize("request_", [ask(B), ask(on_drift=OnDrift.RESTORE)], ids=["recorded digest", "restore"])
def test_it_is_undone_on_request_by_weights_alone(phase: Phase, request_: Requested) -> None:
    found = verdict(RECORD, observed(C, B, BLUE, TO_C[phase]), request_)
    assert isinstance(found.decision, TrafficOnly)
    assert (found.decision.target, found.decision.release) == (GREEN, B)
    assert found.standing == RECORD


def test_it_is_undone_by_a_deployment_where_the_recorded_colour_lost_its_tasks() -> None:
    undone = decision(RECORD, observed(C, side(B, **STOPPED), BLUE, TO_C[Phase.MOVED]), ask(B))
    assert isinstance(undone, Deploy)
    assert (undone.target, undone.release, undone.live) == (GREEN, B, BLUE)


@pytest.mark.parametrize("phase", [Phase.MOVING, Phase.MOVED])
def test_another_image_counts_it_as_done_and_goes_on_from_there(phase: Phase) -> None:
    found = verdict(RECORD, observed(C, B, BLUE, TO_C[phase]), ask(D))
    assert isinstance(found.decision, Deploy)
    assert (found.decision.target, found.decision.release, found.decision.live) == (GREEN, D, BLUE)
    assert found.standing is not None
    assert (found.standing.live_colour, found.standing.live, found.standing.previous) == (BLUE, C, B)
    assert found.standing.history == (A, B, C)


def test_another_image_still_needs_its_proof_and_a_rollback_its_intent() -> None:
    cloud = observed(C, B, BLUE, TO_C[Phase.MOVED])
    assert "never proven" in refusal(RECORD, cloud, ask(D, promotes_from="staging")).what
    assert f"rollbackFrom={C.digest}" in refusal(RECORD, cloud, ask(A)).next_step
    assert isinstance(decision(RECORD, cloud, ask(A, rollback_from=C.digest)), Deploy)


@pytest.mark.parametrize("weights", [DIVIDED, NOBODY, {BLUE: 99, GREEN: 1}], ids=str)
def test_a_divided_switch_is_finished_or_undone(weights: dict[Colour, int]) -> None:
    cloud = observed(C, B, weights, TO_C[Phase.MOVING])
    for request_ in (ask(), ask(C)):
        finished = decision(RECORD, cloud, request_)
        assert isinstance(finished, TrafficOnly)
        assert (finished.target, finished.release) == (BLUE, C)
    for request_ in (ask(B), ask(on_drift=OnDrift.RESTORE)):
        undone = decision(RECORD, cloud, request_)
        assert isinstance(undone, TrafficOnly)
        assert (undone.target, undone.release) == (GREEN, B)


def test_a_divided_switch_leaves_no_room_for_a_third_release() -> None:
    error = refusal(RECORD, observed(C, B, DIVIDED, TO_C[Phase.MOVING]), ask(D))
    assert isinstance(error, Refused)
    assert "blue 50%, green 50%" in error.what
    assert f"imageDigest={B.digest} to undo it" in error.next_step


def test_a_divided_switch_to_a_broken_colour_cannot_be_finished_but_undone() -> None:
    cloud = observed(side(C, **SICK), B, DIVIDED, TO_C[Phase.MOVING])
    assert isinstance(refusal(RECORD, cloud, ask()), CheckFailed)
    assert isinstance(decision(RECORD, cloud, ask(B)), TrafficOnly)


def test_a_switch_whose_colour_was_changed_meanwhile_is_not_finished_but_undone() -> None:
    cloud = observed(D, B, BLUE, TO_C[Phase.MOVED])
    for request_ in (ask(), ask(C), ask(D)):
        assert "but runs sha256:dddddddddddd" in refusal(RECORD, cloud, request_).what
    assert isinstance(decision(RECORD, cloud, ask(B)), TrafficOnly)


def test_the_way_out_of_a_changed_colour_is_there_also_where_only_configuration_was_to_change() -> None:
    """The recorded digest would ask for the very switch again."""
    other = replace(B, service=OTHER_SERVICE)
    cloud = observed(D, B, BLUE, journal((GREEN, B), (BLUE, other), Phase.MOVED))
    again = ask(other, service=OTHER_SERVICE)
    for request_ in (ask(service=OTHER_SERVICE), again):
        assert "onDrift=restore" in refusal(RECORD, cloud, request_).next_step
    assert "but runs sha256:dddddddddddd" in refusal(RECORD, cloud, again).what
    assert isinstance(decision(RECORD, cloud, ask(service=OTHER_SERVICE, on_drift=OnDrift.RESTORE)), TrafficOnly)


@pytest.mark.parametrize(
    ("written", "users"),
    [
        (TO_C[Phase.RESTORED], DIVIDED),
        (journal((BLUE, A), (GREEN, B), Phase.MOVED), BLUE),
        (journal((BLUE, A), (GREEN, B), Phase.MOVED), DIVIDED),
        (journal((BLUE, A), (GREEN, B), Phase.RESTORED), DIVIDED),
    ],
    ids=["rolled back and divided", "finished and moved back", "finished and divided", "restored and divided"],
)
def test_a_switch_that_ended_does_not_explain_moved_weights(written: Any, users: Any) -> None:
    blue = C if written is TO_C[Phase.RESTORED] else A
    assert refusal(RECORD, observed(blue, B, users, written), ask()).what.startswith("Drift: ")


@pytest.mark.parametrize("phase", [Phase.MOVING, Phase.MOVED])
@pytest.mark.parametrize("record", [RECORD, None], ids=["later", "first"])
def test_a_finish_that_failed_is_finished_by_the_next_update(record: Recorded | None, phase: Phase) -> None:
    """It moved no traffic, and left the journal as it was."""
    written = TO_C[phase] if record else journal(None, (BLUE, C), phase)
    finished = decision(record, observed(C, B, BLUE, written), ask())
    assert isinstance(finished, Finish)
    assert (finished.target, finished.release) == (BLUE, C)


def test_a_switch_that_was_rolled_back_explains_traffic_only_where_it_was_rolled_back_to() -> None:
    written = TO_C[Phase.RESTORED]
    assert isinstance(decision(RECORD, observed(A, B, GREEN, written), ask()), Keep)
    for users in (BLUE, DIVIDED, NOBODY):
        assert refusal(RECORD, observed(C, B, users, written), ask()).what.startswith("Drift: ")


def test_a_failed_undo_that_left_users_where_they_are_recorded_is_over() -> None:
    """Its journal goes from the recorded release to the recorded release."""
    written = journal((GREEN, B), (GREEN, B), Phase.RESTORED)
    assert isinstance(decision(RECORD, observed(A, B, GREEN, written), ask()), Keep)
    assert refusal(RECORD, observed(C, B, BLUE, written), ask()).what.startswith("Drift: ")


def test_an_interrupted_first_switch_is_finished() -> None:
    for phase in (Phase.MOVING, Phase.MOVED):
        found = verdict(None, observed(A, None, BLUE, journal(None, (BLUE, A), phase)), ask())
        assert isinstance(found.decision, Finish)
        assert (found.decision.target, found.decision.release, found.standing) == (BLUE, A, None)


def test_after_an_interrupted_first_switch_another_image_goes_to_the_other_colour() -> None:
    found = verdict(None, observed(A, None, BLUE, journal(None, (BLUE, A), Phase.MOVED)), ask(B))
    assert isinstance(found.decision, Deploy)
    assert (found.decision.target, found.decision.live) == (GREEN, BLUE)
    assert found.standing == Recorded(live_colour=BLUE, live=A, history=(A,))


def test_an_interrupted_first_switch_whose_tasks_are_lost_is_restored_on_the_other_colour() -> None:
    cloud = observed(side(A, **SCALED_TO_ZERO), None, BLUE, journal(None, (BLUE, A), Phase.MOVED))
    found = decision(None, cloud, ask(on_drift=OnDrift.RESTORE))
    assert isinstance(found, Deploy)
    assert (found.target, found.release, found.live) == (GREEN, A, BLUE)


def test_an_interrupted_first_switch_whose_colour_was_changed_has_a_way_out() -> None:
    cloud = observed(D, None, BLUE, journal(None, (BLUE, A), Phase.MOVED))
    error = refusal(None, cloud, ask())
    assert "onDrift=restore" in error.next_step
    out = decision(None, cloud, ask(A, on_drift=OnDrift.RESTORE))
    assert isinstance(out, Deploy)
    assert (out.target, out.release, out.live) == (GREEN, A, BLUE)


@pytest.mark.parametrize("of", [A, D], ids=["the same", "another"])
def test_an_interrupted_first_switch_that_cannot_be_finished_is_begun_anew(of: Release) -> None:
    cloud = observed(side(A, **SCALED_TO_ZERO), None, NOBODY, journal(None, (BLUE, A), Phase.MOVING))
    for request_ in (ask(), ask(of)):
        assert "onDrift=restore" in refusal(None, cloud, request_).next_step
    out = decision(None, cloud, ask(of, on_drift=OnDrift.RESTORE))
    assert isinstance(out, Deploy)
    assert (out.target, out.release, out.live) == (BLUE, of, None)


def test_an_interrupted_change_of_configuration_is_finished_by_asking_for_it_again() -> None:
    """Image and recorded image are the same here: the configuration tells which release is meant."""
    debug = release("b", OTHER_SERVICE)
    cloud = observed(debug, B, BLUE, journal((GREEN, B), (BLUE, debug), Phase.MOVED))
    for request_ in (ask(), ask(debug)):
        finished = decision(RECORD, cloud, request_)
        assert isinstance(finished, Finish)
        assert finished.release == debug
    for request_ in (ask(B), ask(debug, on_drift=OnDrift.RESTORE)):
        undone = decision(RECORD, cloud, request_)
        assert isinstance(undone, TrafficOnly)
        assert undone.release == B


# ---- interrupted more than once


def test_an_interrupted_undo_is_explained_and_can_be_finished() -> None:
    """Its journal goes from the recorded release to the recorded release, and users are still elsewhere."""
    cloud = observed(C, B, BLUE, journal((GREEN, B), (GREEN, B), Phase.MOVING))
    for request_ in (ask(), ask(B), ask(on_drift=OnDrift.RESTORE)):
        finished = decision(RECORD, cloud, request_)
        assert isinstance(finished, TrafficOnly)
        assert (finished.target, finished.release) == (GREEN, B)


@pytest.mark.parametrize(
    "request_", [ask(), ask(B), ask(on_drift=OnDrift.RESTORE)], ids=["nothing", "again", "restore"]
)
def test_an_interrupted_undo_whose_colour_is_lost_deploys_it(request_: Requested) -> None:
    cloud = observed(C, side(B, **STOPPED), BLUE, journal((GREEN, B), (GREEN, B), Phase.MOVING))
    undone = decision(RECORD, cloud, request_)
    assert isinstance(undone, Deploy)
    assert (undone.target, undone.release) == (GREEN, B)


# recorded is B on green; then C went to blue and D to green, and neither was recorded
TWICE = {phase: journal((BLUE, C), (GREEN, D), phase) for phase in Phase}


def test_a_second_interrupted_switch_that_moved_is_finished() -> None:
    for phase in (Phase.MOVING, Phase.MOVED):
        found = verdict(RECORD, observed(C, D, GREEN, TWICE[phase]), ask())
        assert isinstance(found.decision, Finish)
        assert (found.decision.target, found.decision.release) == (GREEN, D)
        assert found.notes


@pytest.mark.parametrize("phase", [Phase.MOVING, Phase.RESTORED])
def test_a_second_interrupted_switch_that_moved_no_traffic_finishes_the_first(phase: Phase) -> None:
    cloud = observed(C, D, BLUE, TWICE[phase])
    finished = decision(RECORD, cloud, ask())
    assert isinstance(finished, Finish)
    assert (finished.target, finished.release) == (BLUE, C)
    moved = verdict(RECORD, cloud, ask(D))
    assert isinstance(moved.decision, TrafficOnly)
    assert moved.standing is not None
    assert moved.standing.history == (A, B, C)


def test_two_interrupted_switches_are_undone_where_there_is_no_traffic() -> None:
    before = decision(RECORD, observed(C, D, BLUE, TWICE[Phase.MOVING]), ask(B))
    assert isinstance(before, Deploy)
    assert (before.target, before.release, before.live) == (GREEN, B, BLUE)
    after = decision(RECORD, observed(C, D, GREEN, TWICE[Phase.MOVED]), ask(B))
    assert isinstance(after, Deploy)
    assert (after.target, after.release, after.live) == (BLUE, B, GREEN)


@pytest.mark.parametrize("phase", [Phase.MOVING, Phase.MOVED])
def test_an_interrupted_finish_of_two_switches_is_finished(phase: Phase) -> None:
    """Its journal goes from the recorded release to another one on the same colour."""
    cloud = observed(C, D, GREEN, journal((GREEN, B), (GREEN, D), phase))
    finished = decision(RECORD, cloud, ask())
    assert isinstance(finished, Finish)
    assert (finished.target, finished.release) == (GREEN, D)


def test_two_interrupted_switches_before_any_record_are_finished() -> None:
    cloud = observed(A, B, GREEN, journal((BLUE, A), (GREEN, B), Phase.MOVED))
    finished = decision(None, cloud, ask())
    assert isinstance(finished, Finish)
    assert (finished.target, finished.release) == (GREEN, B)


@pytest.mark.parametrize("record", [RECORD, None], ids=["later", "first"])
def test_a_second_switch_that_was_killed_between_two_steps_counts_the_first_as_done(record: Recorded | None) -> None:
    """C went to blue and was not recorded; then a part of the users went to D on green."""
    cloud = observed(C, D, {BLUE: 90, GREEN: 10}, TWICE[Phase.MOVING])
    for request_ in (ask(), ask(D)):
        found = verdict(record, cloud, request_)
        assert isinstance(found.decision, TrafficOnly)
        assert (found.decision.target, found.decision.release) == (GREEN, D)
        assert found.standing is not None
        assert (found.standing.live_colour, found.standing.live) == (BLUE, C)


@pytest.mark.parametrize("green", [D, side(D, **SICK)], ids=["well", "sick"])
def test_it_is_undone_by_asking_for_the_release_that_users_came_from(green: Any) -> None:
    """Although that was not recorded; the recorded one runs nowhere any more."""
    found = verdict(RECORD, observed(C, green, {BLUE: 90, GREEN: 10}, TWICE[Phase.MOVING]), ask(C))
    assert isinstance(found.decision, TrafficOnly)
    assert (found.decision.target, found.decision.release) == (BLUE, C)
    assert found.standing is not None
    assert found.standing.live == C


def test_where_users_came_from_is_no_way_back_once_it_is_broken_or_changed() -> None:
    for blue in (side(C, **SICK), side(A), side(C, release=None)):
        error = refusal(RECORD, observed(blue, D, {BLUE: 90, GREEN: 10}, TWICE[Phase.MOVING]), ask(C))
        assert "A switch to sha256:dddddddddddd was interrupted" in error.what
    sick = observed(C, side(D, **SICK), {BLUE: 90, GREEN: 10}, TWICE[Phase.MOVING])
    assert f"imageDigest={C.digest}" in refusal(RECORD, sick, ask()).next_step


# ---- the record after a move


def test_the_record_after_a_switch_names_what_was_live_before_as_previous() -> None:
    after = advance(RECORD, BLUE, C)
    assert (after.live_colour, after.live, after.previous) == (BLUE, C, B)
    assert after.history == (A, B, C)


def test_the_record_after_an_undone_switch_is_the_record() -> None:
    assert advance(RECORD, GREEN, B) == RECORD


def test_a_release_that_only_changed_its_colour_is_no_new_one() -> None:
    after = advance(RECORD, BLUE, B)
    assert (after.live_colour, after.live, after.previous, after.history) == (BLUE, B, A, (A, B))


def test_deciding_never_raises() -> None:
    for cloud in (*DRIFTS.values(), SETTLED, EMPTY):
        for record in (None, RECORD):
            for request_ in (ask(), ask(A), ask(C), ask(on_drift=OnDrift.ADOPT), ask(C, on_drift=OnDrift.RESTORE)):
                decide(record, cloud, request_)
