"""The facts of a review: its kind, what a rollback costs afterwards, placement, commits and evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.decide.shift import Course
from release_lane.operate.page_markdown import markdown
from release_lane.operate.review import Kind, Program, Review, Subject, Way, as_dict, review
from release_lane.operate.review_evidence import SHOWN
from release_lane.operate.review_page import page
from release_lane.operate.spoiled import said_of_pardon
from release_lane.record.commit import Commits, Logged
from release_lane.record.halts import State, of_digest
from release_lane.record.ledger import Draft, Entry, EntryKind
from release_lane.record.placement import Release
from release_lane.record.table import Table
from release_lane.record.times import epoch
from tests.command.words import BLUE, GREEN, A, B, C, log, plan, pre, proof, recorded, release
from tests.decide.situations import observed, side

pytestmark = pytest.mark.pure

SUBJECT = Subject(environment="production", recorded=recorded(BLUE, A), source="staging", evidence=(proof(B),))
SUBNET, SERVICE = "aws:ec2/subnet:Subnet", "aws:ecs/service:Service"


def reviewed(subject: Subject = SUBJECT, of: Release = B, *more: Any, **over: Any) -> Review:
    return review(subject, log(*plan("deploy", GREEN, of, target=GREEN, starts=True, **over), *more))


def text(found: Review) -> str:
    return markdown(page(found))


# ---- Its kind -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "more", "kind"),
    [
        (B, [], Kind.IMAGE),
        (release("b", memory=1024), [], Kind.CONFIGURATION),
        (release("b", memory=1024), [pre("update", SUBNET, "x")], Kind.INFRASTRUCTURE),
        (B, [pre("create", SUBNET, "x")], Kind.INFRASTRUCTURE),
        (B, [pre("create", SUBNET, "x"), pre("replace", SUBNET, "y")], Kind.DESTRUCTIVE),
        (B, [pre("delete", SUBNET, "y")], Kind.DESTRUCTIVE),
    ],
)
def test_the_gravest_kind_of_change_counts(of: Release, more: list[Any], kind: Kind) -> None:
    found = reviewed(SUBJECT, of, *more)
    assert found.kind is kind
    assert text(found).splitlines()[2].startswith(f"**{str(kind).capitalize()}.** Deploy: ")


def test_an_update_that_moves_no_traffic_and_changes_nothing_else_is_called_so() -> None:
    assert review(SUBJECT, log(*plan("keep", BLUE, A, target=None))).kind is Kind.NOTHING


# ---- First creations, and what changes of a resource ----------------------------------------------------------


def test_first_creations_are_folded_into_one_line() -> None:
    made = [pre("create", SUBNET, f"s{number}") for number in range(4)]
    first = log(*plan("deploy", BLUE, A, target=BLUE, starts=True, expected=None), *made)
    said = text(review(Subject(environment="staging"), first))
    assert "**Creates 4 resources:** 4 Subnet." in said
    assert "s2" not in said


def test_what_is_created_in_an_environment_with_users_is_listed() -> None:
    assert "| create | `aws:ec2/subnet:Subnet` | `s1` |" in text(reviewed(SUBJECT, B, pre("create", SUBNET, "s1")))


def test_a_changed_property_is_shown_with_both_values() -> None:
    step = pre("update", SERVICE, "release-lane-production-blue", paths=["desiredCount"], desiredCount=4)
    step["resourcePreEvent"]["metadata"]["old"]["inputs"] = {"desiredCount": 2}
    assert "| desiredCount: 2 -> 4 |" in text(reviewed(SUBJECT, B, step))


# ---- Placement, drift, and the way back -----------------------------------------------------------------------


def test_what_both_colours_run_now_is_shown_as_observed() -> None:
    seen = observed(side(A), side(B, healthy=1), BLUE)
    said = text(reviewed(replace(SUBJECT, observed=seen)))
    assert f"- Observed now: blue runs `{A.digest[:19]}`, 2 of 2 tasks healthy." in said
    assert f"- Observed now: green runs `{B.digest[:19]}`, 1 of 2 tasks healthy." in said
    assert "Drift" not in said


def test_drift_comes_before_everything_else() -> None:
    seen = observed(side(A), None, {BLUE: 90, GREEN: 10})
    found = reviewed(replace(SUBJECT, observed=seen))
    assert found.drift.startswith("users are served blue 90%")
    assert text(found).index("> **Drift:**") < text(found).index("| Digest |")


def test_a_review_says_what_it_could_not_observe() -> None:
    assert "**What the colours run now is unknown:** no credentials" in text(
        reviewed(replace(SUBJECT, unseen="no credentials"))
    )


@pytest.mark.parametrize(
    ("subject", "of", "over", "way"),
    [
        (SUBJECT, B, {}, Way.TRAFFIC_ONLY),
        (SUBJECT, B, {"idleTasks": 2}, Way.TRAFFIC_ONLY),
        (SUBJECT, B, {"idleTasks": 1}, Way.THEN_DEPLOY),
        (SUBJECT, B, {"expected": None}, Way.DEPLOY),
        (SUBJECT, release("a", memory=1024), {}, Way.SETTINGS),
        (SUBJECT, A, {}, Way.NONE),
        (Subject(environment="staging"), B, {}, Way.NONE),
    ],
)
def test_what_a_rollback_costs_afterwards_follows_from_what_the_idle_colour_keeps(
    subject: Subject, of: Release, over: dict[str, Any], way: Way
) -> None:
    assert reviewed(subject, of, **over).way_back is way


def test_the_cost_of_a_rollback_comes_from_the_environments_own_history() -> None:
    assert "seconds (none has been timed here yet)" in text(reviewed())
    said = text(reviewed(replace(SUBJECT, rollbacks=(9.0, 6.0, 7.0, 8.0))))
    assert "then only moves the traffic: 6 s, 7 s, 8 s the last 3 times here." in said


def test_after_a_rollback_the_way_back_is_called_going_forward() -> None:
    back = replace(SUBJECT, recorded=recorded(GREEN, A, B), rollback=True)
    said = text(review(back, log(*plan("traffic-only", BLUE, A, target=BLUE))))
    assert f"Going forward again to `{B.digest[:19]}` then only moves the traffic" in said
    assert "A rollback to" not in said


def test_after_going_forward_again_the_way_back_is_a_rollback() -> None:
    again = replace(SUBJECT, recorded=recorded(BLUE, A, B, A), rollback=True)
    said = text(review(again, log(*plan("traffic-only", GREEN, B, target=GREEN))))
    assert f"A rollback to `{A.digest[:19]}` then only moves the traffic" in said


def test_steps_and_alarms_are_in_the_picture_of_the_traffic() -> None:
    course = Course(steps=(10, 50, 100), bake=60, home=BLUE).as_dict()
    watch = {"alarms": {"own": {"lane-green-errors": "green"}, "theirs": ["queue"]}}
    said = text(reviewed(SUBJECT, B, course=course, watch=watch))
    assert "step 1  BBBBBBBBBBBBBBBBBBGG  blue 90 %, green 10 %" in said
    assert "Any of these alarms rolls it back: `lane-green-errors`, `queue`." in said


# ---- Commits and evidence -------------------------------------------------------------------------------------

COMMITS = Commits(
    old=A.commit,
    new=B.commit,
    added=(Logged(sha="1" * 40, author="Ann", subject="Fix <it>"), Logged(sha="2" * 40, author="Bo", subject="More")),
    remote="git@github.com:o/r.git",
)


def test_commits_in_between_are_listed_with_links() -> None:
    said = text(reviewed(replace(SUBJECT, commits=COMMITS)))
    assert f"- [`1111111`](https://github.com/o/r/commit/{'1' * 40}) Fix \\<it> (Ann)" in said
    assert f"[Compare both](https://github.com/o/r/compare/{A.commit}...{B.commit})" in said
    assert f"| Commit | [`{A.commit}`](https://github.com/o/r/commit/{A.commit}) |" in said


def test_commits_that_are_taken_back_are_a_warning() -> None:
    said = text(reviewed(replace(SUBJECT, commits=replace(COMMITS, removed=COMMITS.added[:1], remote=""))))
    assert "> **1 commit of the live release is taken back:**\n\n- `1111111` Fix" in said


def test_of_many_commits_the_newest_are_listed() -> None:
    many = tuple(Logged(sha=f"{number:040}") for number in range(SHOWN + 3))
    assert "- and 3 more" in text(reviewed(replace(SUBJECT, commits=replace(COMMITS, added=many))))


def test_a_history_that_git_does_not_have_is_said_to_be_unknown() -> None:
    unknown = Commits(old=A.commit, new=B.commit, unknown="fatal: bad object")
    assert "**The commits in between are unknown:** fatal: bad object" in text(
        reviewed(replace(SUBJECT, commits=unknown))
    )


def test_checks_are_named_and_how_long_it_has_been_live_there() -> None:
    seen = replace(proof(B), checks=("test_status", "test_health"), drilled="2026-01-02")
    at = (epoch(seen.at) or 0.0) + 7200
    subject = replace(SUBJECT, evidence=(seen,), live_there=B, at=at)
    said = text(reviewed(subject))
    assert "- Checks that passed there: `test_status`, `test_health`." in said
    assert "- Drilled there on 2026-01-02: users went back from it and forward again, and no request failed." in said
    assert "- It has been live in staging for 2 h." in said
    assert "**It is no longer live in staging**" in text(reviewed(replace(subject, live_there=C)))


@pytest.mark.parametrize(
    ("subject", "verb"),
    [(SUBJECT, "promote production"), (replace(SUBJECT, rollback=True), "rollback production"),
     (Subject(environment="staging"), "deploy staging")],
)  # fmt: skip
def test_the_seal_comes_with_the_verb_that_takes_it(subject: Subject, verb: str) -> None:
    assert f"`release {verb} --seal …` refuses" in text(replace(reviewed(subject), seal=SEALED))


def test_who_asks_and_where_is_said() -> None:
    said = text(reviewed(replace(SUBJECT, asked="ann", run="https://ci.test/7")))
    assert "Asked by ann in [this CI run](https://ci.test/7)." in said
    assert "Asked by ann, outside CI." in text(reviewed(replace(SUBJECT, asked="ann")))


def test_what_the_smoke_checks_reported_there_is_a_table_of_the_evidence() -> None:
    table = Table(title="Recorded requests", head=("what", "live", "new"), rows=(("a|b", "0.5", "0.6"),))
    said = text(reviewed(replace(SUBJECT, evidence=(replace(proof(B), tables=(table,)),))))
    assert "**Recorded requests**, in staging:" in said
    assert "| what | live | new |" in said
    assert "| a\\|b | 0.5 | 0.6 |" in said


# ---- As data --------------------------------------------------------------------------------------------------


def test_data_has_the_same_facts() -> None:
    found = as_dict(reviewed(replace(SUBJECT, commits=COMMITS, rollbacks=(6.0,)), B, pre("delete", SUBNET, "x")))
    assert found["kind"] == "destructive"
    assert found["new"]["digest"] == B.digest
    assert found["commits"]["added"] == ["1" * 40, "2" * 40]
    assert found["rollback"] == {"costs": "traffic-only", "seconds": [6.0]}
    assert found["changes"] == [{"operation": "delete", "type": SUBNET, "name": "x", "properties": []}]
    assert found["evidence"]["from"] == "staging"
    assert found["weights"] == {"now": {"blue": 100, "green": 0}, "after": {"green": 100, "blue": 0}}


# ---- Samples, as a browser shows them (command/test_pages_in_a_browser.py) ------------------------------------

STEPS = Course(steps=(10, 50, 100), bake=300, home=BLUE).as_dict()
WATCH = {"alarms": {"own": {"shop-production-green-errors": "green"}, "theirs": ["orders-queue-age"]}}
SEALED = "s1:production:1767334405:0a1b2c3d4e-1a2b3c4d5e-2a2b3c4d5e-3a2b3c4d5e-4a2b3c4d5e-5a2b3c4d5e:aabbccddee"


def sample() -> Review:
    """A promotion with everything that a review may have."""
    seen = replace(proof(B), checks=("test_health", "test_every_task_answers"), unchecked=("the commit is unknown",))
    subject = replace(
        SUBJECT, commits=COMMITS, evidence=(seen,), live_there=B, at=(epoch(seen.at) or 0.0) + 21600, asked="ann",
        run="https://github.com/o/r/actions/runs/7", observed=observed(side(A), side(None), BLUE),
        rollbacks=(6.0, 8.0, 7.0), drills=("staging drilled going back and forward with it on 2026-01-02: done.",),
        program=Program(commit="d" * 40),
    )  # fmt: skip
    return replace(reviewed(subject, B, course=STEPS, watch=WATCH), seal=SEALED)


def destructive_sample() -> Review:
    """Everything that an approver must not miss, and names that are no friends of a page."""
    seen = observed(side(A), side(None), {BLUE: 90, GREEN: 10})
    subject = replace(SUBJECT, evidence=(), observed=seen, asked="<script>alert(1)</script>")
    evil = "x" * 90 + "<img src=x onerror=alert(1)>"
    more = [pre("delete", SUBNET, evil), pre("replace", "aws:lb/loadBalancer:LoadBalancer", "lb", paths=["subnets"])]
    return reviewed(subject, release("b", memory=1024), *more, course=STEPS, expected={"blue": 90, "green": 10})


def test_samples_show_what_they_are_meant_to() -> None:
    assert sample().kind is Kind.IMAGE
    assert destructive_sample().kind is Kind.DESTRUCTIVE
    assert "Drift" in text(destructive_sample())


# ---- What must not be missed ----------------------------------------------------------------------------------


def entry(kind: EntryKind, of: Release, state: State, number: int, reason: str) -> Entry:
    draft = Draft(id=str(number), kind=kind, at="2026-01-03T00:00:00Z", digest=of.digest, who="ann", reason=reason)
    return replace(draft, marks=(of_digest(of.digest, state),)).after(None, "")


SICK = entry(EntryKind.QUARANTINE, A, State.QUARANTINED, 1, "it charges twice")


def test_a_release_that_leaves_one_in_quarantine_promises_no_rollback_to_it_and_names_where_one_leads() -> None:
    subject = replace(SUBJECT, recorded=recorded(BLUE, C, A), spoiled={A.digest: SICK})
    found = reviewed(subject)
    said = text(found)
    first = said.splitlines()[4]
    assert first.startswith(f"> **No way back to `{A.digest[:19]}`:** it is in quarantine: it charges twice (ann, ")
    assert f"`release rollback production --to {C.digest}`: a deployment, which takes minutes" in first
    assert "only moves the traffic" not in said
    assert "Going forward again" not in said, "it is said once, and first"
    data = as_dict(found)["rollback"]
    assert (data["inQuarantine"][:16], data["instead"]) == ("it charges twice", [C.digest])


def test_no_release_in_quarantine_is_offered_to_go_back_to() -> None:
    sick = entry(EntryKind.QUARANTINE, C, State.QUARANTINED, 2, "it hangs")
    subject = replace(SUBJECT, recorded=recorded(BLUE, C, A), spoiled={A.digest: SICK, C.digest: sick})
    said = text(reviewed(subject))
    assert "No other release of the history is left for `--to`" in said
    assert C.digest not in said


def test_a_rollback_from_a_release_in_quarantine_says_that_going_forward_again_needs_a_pardon() -> None:
    sick = entry(EntryKind.QUARANTINE, B, State.QUARANTINED, 2, "it hangs")
    back = replace(SUBJECT, recorded=recorded(GREEN, A, B), rollback=True, spoiled={B.digest: sick})
    said = text(review(back, log(*plan("traffic-only", BLUE, A, target=BLUE))))
    assert "needs `release pardon` first: it hangs (ann, " in said
    assert "No way back" not in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"throughFreeze": "a fix"},
            "Through the freeze (--through-freeze):** a fix. ",
        ),
        ({"forwardFrom": A.digest}, "Forward again (--again)** to a release that users were rolled back from."),
        ({"allowOlder": A.digest}, "Commits may be taken back (--allow-older):** "),
        ({"onAlarm": "proceed"}, "Alarms that are firing do not stop it (--on-alarm proceed):** "),
        ({"allowReplace": "true"}, "What users stand on may be built anew (--allow-replace),** with an outage."),
    ],
)
def test_what_overrides_a_rule_stands_before_the_kind_of_change(given: dict[str, str], words: str) -> None:
    found = reviewed(replace(SUBJECT, given={"imageDigest": B.digest, **given}))
    said = text(found)
    assert said.splitlines()[2].startswith(f"> **{words}")
    assert said.index(words) < said.index("**Image only.**")
    assert as_dict(found)["overrides"] == given


def test_a_freeze_window_that_holds_is_named_first() -> None:
    given = {"throughFreeze": "a fix"}
    frozen = "a freeze window holds until Mon 08:00 UTC: Fri to Mon"
    said = text(reviewed(replace(SUBJECT, given=given, frozen=frozen)))
    assert f"** a fix. A{frozen[1:]}." in said.splitlines()[2]


def test_going_forward_again_after_a_pardon_names_the_quarantine_and_the_pardon() -> None:
    fault = entry(EntryKind.QUARANTINE, B, State.QUARANTINED, 1, "it charges twice")
    pardon = entry(EntryKind.PARDON, B, State.PARDONED, 2, "the provider was down")
    assert said_of_pardon(B.digest, [fault]) == said_of_pardon(A.digest, [fault, pardon]) == ""
    words = said_of_pardon(B.digest, [fault, pardon])
    first = text(reviewed(replace(SUBJECT, given={"forwardFrom": A.digest}, pardoned=words))).splitlines()[2]
    assert "it was in quarantine: it charges twice (ann, " in first
    assert "; pardoned: the provider was down (ann, " in first
