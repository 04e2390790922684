"""Who gets a message of what, and what a message says: names and first sentences, never a secret."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.engine.locks import Origin
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, ReleaseError, UsageError, Users
from release_lane.operate.notices import LONGEST_SENTENCE, Notice, event_of
from release_lane.settings.notify import Event
from tests.decide.situations import B

pytestmark = pytest.mark.pure

HOOK = "https://hooks.example/T0/B0/token"


# ---- What happened


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (CheckFailed("The rollout gate refused green: it exits.", users=Users.UNTOUCHED), Event.REFUSED),
        (Refused("sha256:1 was never proven on staging."), Event.REFUSED),
        (CheckFailed("green had 10 % of the users for 42 s: smoke failed", users=Users.RESTORED), Event.BREACH),
        (Interrupted("The switch was interrupted: ann asked to abort.", users=Users.RESTORED), None),
        (Interrupted("The switch was interrupted: ann. blue is dead", users=Users.UNSURE), Event.BREACH),
        (CloudError("The rule cannot be written after a failed switch to green", users=Users.UNSURE), Event.BREACH),
        (CloudError("AWS did not do ModifyRule within 45 s", users=Users.UNTOUCHED), None),
        (CloudError("AWS did not do ecs:CreateService within 45 s"), None),
        (UsageError("The stack's settings are wrong"), None),
        (Interrupted("The update was stopped by SIGINT."), None),
    ],
)
def test_what_an_error_is_to_those_who_are_notified_follows_from_its_kind_and_its_users(
    error: ReleaseError, event: Event | None
) -> None:
    assert event_of(error) is event


# ---- The message


def notice(what: str = "The rollout gate refused green.", **over: Any) -> Notice:
    origin = Origin(who="ann", run="https://ci.example/7")
    given = {"event": Event.REFUSED, "project": "lane", "environment": "production", "what": what}
    return Notice(**{**given, "digest": B.digest, "origin": origin, **over})


def test_a_message_says_what_where_who_and_in_which_run() -> None:
    assert notice().as_dict("2026-01-02T03:04:05+00:00") == {
        "event": "refused",
        "project": "lane",
        "environment": "production",
        "digest": B.digest,
        "what": "The rollout gate refused green.",
        "who": "ann",
        "run": "https://ci.example/7",
        "at": "2026-01-02T03:04:05+00:00",
        "text": f"production: refused ({B.digest[:19]}). The rollout gate refused green. https://ci.example/7",
    }


def test_what_is_unknown_is_null() -> None:
    message = notice(origin=Origin(), digest="").as_dict("")
    assert (message["who"], message["run"], message["digest"]) == (None, None, None)
    assert message["text"] == "production: refused. The rollout gate refused green."


def test_log_lines_of_a_task_are_never_sent() -> None:
    message = notice("The rollout gate refused green: it exits.\n  last log lines:\n    password=hunter2").as_dict("")
    assert "hunter2" not in str(message)


def test_a_long_sentence_is_cut() -> None:
    assert len(notice("x" * 1000).sentence) == LONGEST_SENTENCE


def test_a_subject_is_what_sns_takes() -> None:
    assert notice().subject == "production: refused (lane)"
    odd = notice(environment="bücher" * 30).subject
    assert odd.isascii()
    assert len(odd) < 100
