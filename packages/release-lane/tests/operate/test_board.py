"""What the board shows of environments, digests on their way, reviews that wait, and past releases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.engine.locks import Holder, Note
from release_lane.operate.board import Board, alerts, board_data, board_of, coming, waiting
from release_lane.operate.board_page import board_page
from release_lane.operate.metrics import Spread, measured
from release_lane.operate.page_html import html
from release_lane.operate.page_text import text
from release_lane.operate.situation import Situation
from release_lane.record.alarms import Alarm
from release_lane.record.evidence import Proof
from release_lane.record.halts import State, of_digest
from release_lane.record.ledger import EntryKind, Result
from release_lane.record.placement import all_on, shared
from release_lane.record.records import Observed, Side
from tests.command.words import BLUE, GREEN, A, B, C, digest, proof, recorded, release
from tests.operate.ledgers import DAY, HOUR, START, Chronicle
from tests.operate.test_situation import HOLDS_A, HOLDS_B

pytestmark = pytest.mark.pure

NOW = "2026-01-29T00:00:00+00:00"
STAGING = Situation(
    environment="staging",
    recorded=recorded(GREEN, A, B, C),
    since="2026-01-27T00:00:00+00:00",
    rollback="traffic-only",
    observed=None,
    unseen="no network",
)
PRODUCTION = Situation(
    environment="production",
    source="staging",
    recorded=recorded(GREEN, A, B),
    since="2026-01-20T00:00:00+00:00",
    rollback="traffic-only",
    proofs=(proof(A), proof(B), replace(proof(C), unchecked=("answers name no release",))),
    observed=Observed(weights=all_on(GREEN), journal=None, sides={GREEN: HOLDS_B, BLUE: HOLDS_A}),
    alarms=(),
    back=Spread(count=3, median=12.0, ninety=20.0),
    reviews=(),
)


def chronicle() -> Chronicle:
    """Two releases, one of them rolled back from, a refusal, and a review that waits."""
    ledger = Chronicle()
    ledger.released(DAY, "a", details={"hotfix": True}, reason="the till is down", approver="bob")
    ledger.released(8 * DAY, "b")
    ledger.back(8 * DAY + HOUR, "a")
    ledger.ended(ledger.began(9 * DAY, "c"), 9 * DAY + 60, Result.REFUSED, why="The rollout gate refused green.")
    ledger.add(EntryKind.REVIEW, 27 * DAY, digest=C.digest, who="ann", run="https://ci.example/review/7")
    return ledger


def board(ledger: Chronicle | None = None, **over: Any) -> Board:
    entries = (ledger or chronicle()).entries
    metrics = [
        measured(entries, each, since=START, until=START + 28 * DAY, committed={}) for each in ("staging", "production")
    ]
    production = replace(PRODUCTION, **over)
    return board_of("shop", NOW, [STAGING, production], entries, metrics)


def shown(**over: Any) -> str:
    return text(board_page(board(**over)))


def shown_of(ledger: Chronicle) -> str:
    return text(board_page(board(ledger)))


# ---- On their way


def test_an_image_is_on_its_way_if_it_was_proven_later_than_what_is_live_there() -> None:
    assert [each.proof.digest for each in coming(PRODUCTION)] == [C.digest]
    assert coming(replace(PRODUCTION, recorded=recorded(GREEN, A, C))) == ()


def test_before_the_first_release_all_that_was_proven_is_on_its_way_the_newest_first() -> None:
    assert [each.proof.digest for each in coming(replace(PRODUCTION, recorded=None))] == [C.digest, B.digest, A.digest]


def test_what_was_live_there_before_is_not_on_its_way() -> None:
    gone_back = replace(PRODUCTION, recorded=recorded(GREEN, C, B))
    assert coming(gone_back) == ()


def test_the_first_environment_of_the_route_waits_for_nothing() -> None:
    assert coming(STAGING) == ()


def test_only_the_newest_are_shown() -> None:
    many = tuple(Proof(digest=digest(each), commit="", release_id="", at="") for each in "0123456789")
    assert [each.proof.digest[-1] for each in coming(replace(PRODUCTION, recorded=None, proofs=many))] == list("987654")


# ---- Approvals that wait


def test_a_review_waits_until_its_image_is_released_refused_or_reviewed_again() -> None:
    ledger = Chronicle()
    first = ledger.add(EntryKind.REVIEW, 0, digest=A.digest)
    assert [each.entry for each in waiting(ledger.entries)] == [first]
    again = ledger.add(EntryKind.REVIEW, 10, digest=A.digest)
    assert [each.entry for each in waiting(ledger.entries)] == [again]
    ledger.began(20, "b")
    ledger.began(20, "a", environment="staging")
    assert [each.entry for each in waiting(ledger.entries)] == [again]
    ledger.began(30, "a")
    assert list(waiting(ledger.entries)) == []


def test_a_refusal_answers_a_review() -> None:
    ledger = Chronicle()
    ledger.add(EntryKind.REVIEW, 0, digest=A.digest)
    ledger.add(EntryKind.OUTCOME, 10, digest=A.digest, verb="promote", result=Result.REFUSED)
    assert list(waiting(ledger.entries)) == []


def test_a_review_that_has_expired_no_longer_waits() -> None:
    until = START + 27 * DAY
    assert [each.entry.digest for each in board(fresh=until).waiting] == [C.digest]
    assert board(fresh=until + 1).waiting == ()


def test_a_review_says_that_an_update_since_has_voided_its_seal() -> None:
    ledger = chronicle()
    assert "valid" in shown_of(ledger)
    ledger.began(28 * DAY, "b")
    assert "void: another update came since" in shown_of(ledger)
    assert board_data(board(ledger))["waiting"][0]["void"] is True
    ledger.began(28 * DAY, "b", environment="staging")
    assert [each.void for each in board(chronicle()).waiting] == [False]


def test_a_review_of_what_is_live_needs_no_approval_where_the_route_begins() -> None:
    ledger = chronicle()
    for environment, image in (("staging", C), ("production", B)):
        ledger.add(EntryKind.REVIEW, 27 * DAY, digest=image.digest, environment=environment)
    found = [(each.entry.environment, each.entry.digest) for each in board(ledger).waiting]
    assert ("production", B.digest) in found, "changed settings of the live image are approved there"
    assert ("staging", C.digest) not in found


# ---- What must not be missed


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"halted": ("the line is stopped",)}, "the line is stopped"),
        ({"pending": ("urn",)}, "a killed update left 1 of its operations unfinished: release recover production"),
        (
            {"observed": Observed(weights=shared(GREEN, 50), journal=None)},
            "drift: users are served blue 50%, green 50%, recorded is green",
        ),
        ({"alarms": (Alarm(name="a", firing=True, why="late"),)}, "the alarm a is firing (late)"),
        ({"alarms": (Alarm(name="a", firing=True, colour=BLUE),)}, ""),
        ({"observed": None}, ""),
    ],
)  # fmt: skip
def test_what_must_not_be_missed_is_said_first(over: dict[str, Any], said: str) -> None:
    found = list(alerts(replace(PRODUCTION, **over)))
    assert found == ([said] if said else [])


# ---- The page


def test_an_environment_says_what_is_live_where_users_are_and_what_a_rollback_costs() -> None:
    lines = shown().splitlines()
    at = lines.index("[production] from staging")
    assert [line.strip() for line in lines[at + 1 : at + 6]] == [
        "live: sha256:bbbbbbbbbbbb, commit bbbbbbbbbb",
        "on: green since 2026-01-20 00:00 UTC",
        "users: blue 0%, green 100%",
        "idle: blue runs sha256:aaaaaaaaaaaa, 2 of 2 healthy",
        "rollback: to sha256:aaaaaaaaaaaa: traffic only, 12 s so far (median of 3)",
    ]


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"back": None}, "rollback: to sha256:aaaaaaaaaaaa: traffic only; none timed here yet"),
        ({"rollback": "deploy"}, "rollback: to sha256:aaaaaaaaaaaa: a deployment, minutes"),
        ({"recorded": recorded(GREEN, B, A, B)}, "rollback: to sha256:aaaaaaaaaaaa: going forward again, no rollback"),
        ({"rollback": "settings"}, "rollback: same image: change the stack file"),
        ({"recorded": recorded(GREEN, A)}, "rollback: none: nothing was live before"),
        ({"observed": None, "unseen": "no network"}, "users: as recorded; AWS does not say (no network)"),
        ({"observed": Observed(weights=None, journal=None)}, "users: 503: there is no production rule"),
        ({"observed": Observed(weights=all_on(GREEN), journal=None, sides={BLUE: Side(), GREEN: HOLDS_B})},
         "idle: blue runs nothing"),
        ({"recorded": None}, "[production] no release yet"),
        ({"recorded": None, "exists": False}, "[production] no stack yet"),
    ],
)  # fmt: skip
def test_each_state_of_an_environment_has_its_words(over: dict[str, Any], said: str) -> None:
    assert said in shown(**over)


def test_a_release_in_quarantine_is_called_that_where_it_comes_from_and_where_it_goes_to() -> None:
    ledger = chronicle()
    mark = of_digest(C.digest, State.QUARANTINED)
    ledger.add(EntryKind.QUARANTINE, 28 * DAY, digest=C.digest, who="ann", reason="it lost orders", marks=(mark,))
    page = text(board_page(board(ledger, spoiled="it lost mails")))
    assert "in quarantine: it lost orders (ann, " in page
    assert "that release is in quarantine: it lost mails" in page


def test_an_update_under_way_leads_to_its_run() -> None:
    note = Note(host="h", pid=1, at="", doing="release promote production", who="ann", run="https://ci.example/9")
    holder = Holder(user="ci", host="h", pid=1, since="now", note=note)
    page = html(board_page(board(holders=(holder,))))
    assert '<a href="https://ci.example/9">ci@h (process 1) since now' in page


def test_reviews_that_wait_lead_to_the_review() -> None:
    assert '<a href="https://ci.example/review/7">the review</a>' in html(board_page(board()))


def test_the_last_releases_say_who_why_and_how_they_ended() -> None:
    rows = [line for line in html(board_page(board())).split("<tr>") if "rollback" in line or "hotfix" in line]
    assert any("✓ done" in row and "20 s" in row for row in rows)
    assert any("promote (hotfix)" in row and "approved by bob" in row and "the till is down" in row for row in rows)
    assert "✗ refused" in shown()
    assert "The rollout gate refused green." in shown()


def long_reason() -> Chronicle:
    ledger = chronicle()
    ledger.ended(ledger.began(10 * DAY, "c"), 10 * DAY + 60, Result.REFUSED, why="it has moved since; " * 20)
    return ledger


def test_a_long_reason_is_cut_between_two_words() -> None:
    (row,) = [line for line in shown_of(long_reason()).splitlines() if "it has moved since" in line]
    assert row.endswith(("it …", "has …", "moved …", "since; …"))
    assert row.count("it has") < 9


def test_without_a_ledger_the_board_says_what_is_not_known() -> None:
    page = text(board_page(board_of("shop", NOW, [STAGING, PRODUCTION], None, (), "no stack file names a ledger")))
    assert page.count("Not known: no stack file names a ledger.") == 2
    assert "METRICS" not in page


EVIL = "<img src=x onerror=alert(1)>[x](javascript:alert(1))[bank](https://evil.example/)`**|\x1b]0;\u202e"


def everything_evil() -> Board:
    """Each text that comes from outside is EVIL."""
    ledger = Chronicle()
    given = {"verb": "promote", "digest": EVIL, "commit": EVIL, "release": EVIL, "who": EVIL, "approver": EVIL}
    more = {"run": f"javascript:{EVIL}", "reason": EVIL}
    intent = ledger.add(EntryKind.INTENT, DAY, **given, **more)
    ledger.ended(intent, DAY + 60, why=EVIL)
    ledger.add(EntryKind.REVIEW, 2 * DAY, **{**given, **more})
    bad = release("c")
    note = Note(host=EVIL, pid=1, at=EVIL, doing=EVIL, who=EVIL, run=f"javascript:{EVIL}")
    at = replace(
        PRODUCTION,
        source=EVIL,
        since=EVIL,
        recorded=recorded(GREEN, A, replace(bad, commit=EVIL)),
        proofs=(Proof(digest=digest("d"), commit=EVIL, release_id=EVIL, at=EVIL, smoke=EVIL, unchecked=(EVIL,)),),
        halted=(EVIL,),
        alarms=(Alarm(name=EVIL, firing=True, why=EVIL),),
        holders=(Holder(user=EVIL, host=EVIL, pid=1, since=EVIL, note=note),),
        unseen=EVIL,
    )
    return board_of(EVIL, NOW, [replace(at, observed=None), at], ledger.entries, ())


def test_nothing_from_outside_becomes_a_tag_a_link_or_a_control_character() -> None:
    board = everything_evil()
    page, plain = html(board_page(board)), text(board_page(board))
    assert page.count("&lt;img src=x") > 10
    assert "<img" not in page
    assert 'href="javascript' not in page.lower()
    assert 'href="https://evil.example' not in page
    assert not {"\x1b", "\u202e"} & set(page + plain)


def test_the_data_is_the_same_in_plain_json() -> None:
    data = board_data(board())
    assert [each["environment"] for each in data["environments"]] == ["staging", "production"]
    assert data["environments"][1]["rollback"] == {"costs": "traffic-only", "seconds": 12.0}
    again = board_data(board(recorded=recorded(GREEN, B, A, B)))["environments"][1]["rollback"]
    assert again == {"costs": "traffic-only", "seconds": 12.0, "forwardAgain": True}
    assert [each["digest"] for each in data["onTheirWay"]] == [C.digest]
    assert [each["run"] for each in data["waiting"]] == ["https://ci.example/review/7"]
    assert [each["result"] for each in data["last"]] == ["refused", "done", "done", "done"]
