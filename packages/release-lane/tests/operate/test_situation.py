"""The checklist before a release: what is said for each state of each thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.engine.locks import SOMEBODY
from release_lane.operate.metrics import Spread
from release_lane.operate.situation import Check, Level, Situation, Wanted, checklist, halts_of
from release_lane.record.alarms import Alarm
from release_lane.record.commit import Commits, Logged
from release_lane.record.contract import PREFIX, Labels
from release_lane.record.halts import Halts, State, of_digest, of_line
from release_lane.record.ledger import EntryKind
from release_lane.record.placement import Colour, Service, all_on, shared
from release_lane.record.records import Observed, Side
from tests.command.words import BLUE, GREEN, A, B, C, proof, recorded
from tests.operate.ledgers import START, Chronicle

pytestmark = pytest.mark.pure

HOLDS_A, HOLDS_B = (
    Side(
        exists=True, digest=each.digest, release=each, wanted=2, running=2, healthy=2,
        task_definition="arn", deployment="1", tasks={"1": each.digest, "2": each.digest},
    )
    for each in (A, B)
)  # fmt: skip
WELL = Observed(weights=all_on(GREEN), journal=None, sides={GREEN: HOLDS_B, BLUE: HOLDS_A})
LOGGED = tuple(Logged(sha=letter * 40) for letter in "xy")
NEWER = Commits(old=B.commit, new=C.commit, added=LOGGED, remote="https://github.com/a/b")
READY = Situation(
    environment="production",
    source="staging",
    recorded=recorded(GREEN, A, B),
    proofs=(proof(C),),
    observed=WELL,
    alarms=(Alarm(name="green-errors", firing=False, colour=GREEN),),
    reviews=(),
    back=Spread(count=3, median=12.0, ninety=20.0),
)
C_WANTED = Wanted(digest=C.digest, commit=C.commit, commits=NEWER)


def about(what: str, at: Situation = READY, wanted: Wanted = C_WANTED) -> list[Check]:
    return [check for check in checklist(at, wanted) if check.about == what]


def only(what: str, at: Situation = READY, wanted: Wanted = C_WANTED) -> tuple[Level, str]:
    (check,) = about(what, at, wanted)
    return check.level, check.text


def test_where_all_is_well_only_the_review_is_open() -> None:
    assert [check.about for check in checklist(READY, C_WANTED) if check.level is not Level.OK] == ["Review"]


def test_an_image_that_is_live_needs_no_checklist() -> None:
    (check,) = checklist(replace(READY, since="today"), Wanted(digest=B.digest))
    assert (check.level, check.text) == (Level.OK, "production has it live since today")


def test_without_proof_of_the_environment_before_it_says_what_to_do() -> None:
    (check,) = about("Evidence", replace(READY, proofs=(proof(A),)))
    assert check.level is Level.NO
    assert check.text == "staging has no proof of it; release it there first"
    assert check.do == f"release deploy staging --digest {C.digest}"


NEEDS, FITS = Labels(found={f"{PREFIX}env.required": "UPSTREAM"}), Labels(found={f"{PREFIX}port": "8080"})


@pytest.mark.parametrize(
    ("labels", "service", "level", "said"),
    [
        (NEEDS, Service(), Level.NO, "env.UPSTREAM: is required, and not given"),
        (FITS, Service(), Level.OPEN, "the image does not declare its variables"),
        (Labels(found={f"{PREFIX}port": "x"}), Service(), Level.NO, "cannot be read"),
        (Labels(unread="AccessDenied"), Service(), Level.UNKNOWN, "could not be read: AccessDenied"),
        (NEEDS, None, Level.UNKNOWN, "the stack file is wrong"),
    ],
    ids=["lacking", "partly declared", "broken", "unread", "a wrong stack file"],
)
def test_what_the_image_declares_is_on_the_list(
    labels: Labels, service: Service | None, level: Level, said: str
) -> None:
    first, *_ = about("Contract", wanted=replace(C_WANTED, labels=labels, service=service))
    assert first.level is level
    assert said in first.text


def test_an_image_that_gets_all_it_declares_is_well() -> None:
    names = ("env.optional", "secrets.optional", "status-path")
    whole = {f"{PREFIX}{name}": "" for name in names} | {f"{PREFIX}health-path": "/health"}
    given = replace(C_WANTED, labels=Labels(found={**whole, **FITS.found}), service=Service(status_path=""))
    assert only("Contract", wanted=given) == (Level.OK, "the stack file gives the image what it declares")


def test_the_first_environment_of_the_route_needs_no_proof() -> None:
    assert only("Evidence", replace(READY, source=None))[0] is Level.OK


@pytest.mark.parametrize(
    ("drilled", "required", "levels"),
    [("2026-01-02T03:04:05+00:00", True, [Level.OK]), ("", True, [Level.NO]), ("", False, [])],
)
def test_a_drill_counts_where_it_is_required(drilled: str, required: bool, levels: list[Level]) -> None:
    at = replace(READY, proofs=(replace(proof(C), drilled=drilled),), requires_drill=required)
    assert [check.level for check in about("Drill", at)] == levels


def test_what_no_gate_could_check_there_is_for_a_person() -> None:
    at = replace(READY, proofs=(replace(proof(C), unchecked=("answers name no release",)),))
    assert only("Not checked", at) == (Level.OPEN, "answers name no release")


@pytest.mark.parametrize(
    ("commits", "level", "words"),
    [
        (NEWER, Level.OK, "2 commits newer than the live release"),
        (replace(NEWER, added=(), removed=LOGGED), Level.NO, "2 commits would be taken back (--allow-older)"),
        (replace(NEWER, removed=LOGGED[:1]), Level.OPEN, "lacks 1 commit that the live release has, and adds 2"),
        (Commits(old="b", new="c", unknown="it is shallow"), Level.UNKNOWN, "it is shallow"),
        (None, Level.UNKNOWN, "a commit is not known"),
    ],
)
def test_the_order_of_the_commits(commits: Commits | None, level: Level, words: str) -> None:
    found = only("Order", wanted=replace(C_WANTED, commits=commits))
    assert found[0] is level
    assert words in found[1]


def test_the_same_commit_has_no_order() -> None:
    assert about("Order", wanted=Wanted(digest=C.digest, commit=B.commit)) == []


def test_an_image_that_was_live_here_before_is_a_rollback() -> None:
    first, _ = about("Order", wanted=Wanted(digest=A.digest, commit=A.commit, commits=NEWER))
    assert (first.level, first.do) == (Level.OPEN, f"release rollback production --to {A.digest}")


def test_an_image_that_was_live_before_is_offered_as_a_rollback_and_never_refused_for_its_age() -> None:
    older = replace(NEWER, added=(), removed=LOGGED)
    found = about("Order", wanted=Wanted(digest=A.digest, commit=A.commit, commits=older))
    assert [each.level for each in found] == [Level.OPEN, Level.OPEN]
    assert "2 commits would be taken back by that" in found[1].text
    assert "--allow-older" not in " ".join(each.text for each in found)


def test_an_image_that_users_were_rolled_back_from_goes_forward_again() -> None:
    at = replace(READY, recorded=recorded(GREEN, A, C, A))
    first, _ = about("Order", at)
    assert (first.level, "going forward again" in first.text) == (Level.OPEN, True)


def test_the_newest_word_of_the_ledger_about_an_image_and_a_line_counts() -> None:
    ledger = Chronicle()
    bad = ledger.add(EntryKind.QUARANTINE, 0, digest=A.digest, marks=(of_digest(A.digest, State.QUARANTINED),))
    stopped = ledger.add(EntryKind.STOPPED, 1, marks=(of_line("production", State.STOPPED),))
    ledger.add(EntryKind.STOPPED, 1, "staging", marks=(of_line("staging", State.STOPPED),))
    assert halts_of(ledger.entries, "production", A.digest) == Halts(quarantined=bad, stopped=stopped)
    assert halts_of(ledger.entries, "production", B.digest).quarantined is None
    ledger.add(EntryKind.PARDON, 2, digest=A.digest, marks=(of_digest(A.digest, State.PARDONED),))
    ledger.add(EntryKind.RESUMED, 2, marks=(of_line("production", State.RESUMED),))
    assert halts_of(ledger.entries, "production", A.digest) == Halts()
    assert halts_of(ledger.entries, "staging", "").stopped is not None


def test_a_review_of_this_image_is_found_with_its_run() -> None:
    ledger = Chronicle()
    ledger.add(EntryKind.REVIEW, 0, digest=C.digest, who="ann", run="https://ci/1")
    (check,) = about("Review", replace(READY, reviews=ledger.entries))
    assert (check.level, check.link) == (Level.OK, "https://ci/1")
    expired = only("Review", replace(READY, reviews=ledger.entries, fresh=START + 1))
    assert expired == (Level.OPEN, "the review of 2026-01-01 00:00 UTC has expired (approval.validFor)")
    assert only("Review", replace(READY, reviews=ledger.entries), Wanted(digest=A.digest))[0] is Level.OPEN


@pytest.mark.parametrize("verb", ["promote", "heal", "rollback"])
def test_an_update_after_the_review_voids_its_seal(verb: str) -> None:
    ledger = Chronicle()
    before = ledger.began(0, verb=verb)
    ledger.add(EntryKind.REVIEW, 60, digest=C.digest)
    reviewed = replace(READY, reviews=tuple(each for each in ledger.entries if each.kind is EntryKind.REVIEW))
    assert only("Review", replace(reviewed, updated=before))[0] is Level.OK
    (check,) = about("Review", replace(reviewed, updated=ledger.began(120, verb=verb)))
    assert (check.level, check.do) == (Level.OPEN, "release review production")
    assert check.text == (
        "the seal of the review of 2026-01-01 00:01 UTC is void: "
        f"an update came after it ({verb}, 2026-01-01 00:02 UTC)"
    )


def test_whether_a_required_approval_was_given_is_unknown_to_the_ledger() -> None:
    level, text = only("Approval", replace(READY, needs_approval=True))
    assert level is Level.UNKNOWN
    assert text == "the ledger does not know whether somebody approved it; the promotion asks (approval.required)"
    assert about("Approval") == []


def test_without_a_ledger_reviews_quarantine_and_stopped_lines_are_unknown() -> None:
    assert only("Review", replace(READY, reviews=None))[0] is Level.UNKNOWN
    assert only("Halted", replace(READY, reviews=None))[0] is Level.UNKNOWN


@pytest.mark.parametrize(
    ("over", "level"),
    [
        ({"holders": ()}, Level.OK),
        ({"holders": (SOMEBODY,)}, Level.NO),
        ({"holders": None}, Level.UNKNOWN),
        ({"pending": ("urn",)}, Level.NO),
    ],
)
def test_an_update_under_way_or_unfinished_stands_in_the_way(over: dict[str, Any], level: Level) -> None:
    assert only("Updates", replace(READY, **over))[0] is level


@pytest.mark.parametrize(
    ("observed", "level", "words"),
    [
        (WELL, Level.OK, "users are on green, as recorded; 2 of 2 tasks are healthy"),
        (replace(WELL, sides={GREEN: replace(HOLDS_B, healthy=1), BLUE: HOLDS_A}), Level.NO, "1 of 2 tasks"),
        (replace(WELL, weights=shared(GREEN, 50)), Level.NO, "drift: users are served blue 50%, green 50%"),
        (replace(WELL, weights=None), Level.NO, "drift: the production rule is gone"),
        (None, Level.UNKNOWN, "AWS was not asked: no network"),
    ],
)
def test_the_placement_is_compared_with_the_record(observed: Observed | None, level: Level, words: str) -> None:
    found = only("Placement", replace(READY, observed=observed, unseen="no network"))
    assert found[0] is level
    assert words in found[1]


def test_an_idle_colour_that_is_no_standby_is_named_but_stands_not_in_the_way() -> None:
    level, text = only("Idle colour", replace(READY, observed=replace(WELL, sides={GREEN: HOLDS_B, BLUE: Side()})))
    assert level is Level.OPEN
    assert "blue is not fully healthy" in text


def test_an_idle_colour_that_lacks_a_part_stands_in_the_way() -> None:
    sides = {GREEN: HOLDS_B, BLUE: replace(HOLDS_A, missing=("the target group x",))}
    assert only("Idle colour", replace(READY, observed=replace(WELL, sides=sides))) == (
        Level.NO,
        "blue lacks the target group x",
    )


def alarm(colour: Colour | None, **more: Any) -> Alarm:
    return Alarm(**{"name": "a", "firing": False, "colour": colour, **more})


@pytest.mark.parametrize(
    ("alarms", "levels"),
    [
        ((alarm(GREEN),), [Level.OK]),
        ((alarm(GREEN, firing=True),), [Level.NO]),
        ((alarm(None, firing=True),), [Level.NO]),
        ((alarm(BLUE, firing=True),), [Level.OK]),
        ((alarm(GREEN, no_data=True),), [Level.OPEN]),
        ((alarm(BLUE, no_data=True),), [Level.OK]),
        ((), [Level.OPEN]),
        (None, [Level.UNKNOWN]),
    ],
    ids=["ok", "firing", "theirs-firing", "idle-firing", "no-data", "idle-no-data", "none", "not-asked"],
)
def test_an_alarm_counts_if_it_is_about_what_users_get(alarms: tuple[Alarm, ...] | None, levels: list[Level]) -> None:
    assert [check.level for check in about("Alarms", replace(READY, alarms=alarms))] == levels


def test_what_halts_a_release_comes_first() -> None:
    at = replace(READY, halted=("the line is stopped",))
    first, second, *_ = checklist(at, replace(C_WANTED, halted=("it is in quarantine",)))
    assert [(each.level, each.text) for each in (first, second)] == [
        (Level.NO, "it is in quarantine"),
        (Level.NO, "the line is stopped"),
    ]


@pytest.mark.parametrize(
    ("over", "level", "words"),
    [
        ({}, Level.OK, "the traffic alone moves back to sha256:bbbbbbbbbbbb; rollbacks here took 12 s (median of 3)"),
        ({"idle_tasks": 1}, Level.OPEN, "the idle colour keeps 1 task: a rollback is a deployment then"),
        ({"recorded": None, "observed": replace(WELL, weights=None)}, Level.OPEN, "nothing was live here before"),
    ],
)
def test_the_way_back_and_what_it_costs(over: dict[str, Any], level: Level, words: str) -> None:
    found = only("Way back", replace(READY, **over))
    assert found[0] is level
    assert words in found[1]


def test_a_first_release_has_no_order_and_nothing_to_drift_from() -> None:
    at = replace(READY, recorded=None, observed=replace(WELL, weights=None))
    assert about("Order", at) == []
    assert only("Placement", at) == (Level.OK, "nothing is live yet")
