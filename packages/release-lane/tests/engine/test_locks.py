"""Who holds a lock, from where, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from release_lane.engine.locks import SOMEBODY, Holder, Note, Origin, Owner, lock_holders, locked, read_lock

pytestmark = pytest.mark.pure

LOCKED = (
    "error: the stack is currently locked by 2 lock(s). Either wait for the other process(es) to end or delete the "
    "lock file with `pulumi cancel`.\n"
    "  file:///s/.pulumi/locks/a.json?no_tmp_dir=true: created by root@vm (pid 29561) at 2026-11-21T08:23:25Z\n"
    "  file:///s/.pulumi/locks/b.json: created by @ci-7 (pid 12) at 2026-11-21T08:23:26+01:00\n"
)


def test_lock_holders_are_read() -> None:
    assert [(each.user, each.host, each.pid, each.since) for each in lock_holders(LOCKED)] == [
        ("root", "vm", 29561, "2026-11-21T08:23:25Z"),
        ("", "ci-7", 12, "2026-11-21T08:23:26+01:00"),
    ]


def test_other_failures_are_no_locks() -> None:
    assert lock_holders("error: created by root@vm (pid 1) at now") == ()


def test_a_lock_in_other_words_still_is_one() -> None:
    (holder,) = lock_holders("error: the stack is currently locked by 1 lock(s). Look: https://…")
    assert holder.user == "somebody"


def test_a_lock_is_refused_with_the_way_out() -> None:
    assert "--lock-wait" in locked("staging", lock_holders(LOCKED)).next_step
    assert "that process is gone" in locked("staging", lock_holders(LOCKED), gone=True).why


def test_another_engine_process_in_the_cloud_backend_is_a_lock_too() -> None:
    (holder,) = lock_holders("error: [409] Conflict: Another update is currently in progress.")
    assert holder.pid == 0


CONTENT = {"pid": 42, "username": "ann", "hostname": "ci-7", "timestamp": "2026-01-02T03:04:05.123456789+01:00"}
ANN = Holder(user="ann", host="ci-7", pid=42, since="2026-01-02T03:04:05.123456789+01:00")


def test_the_engines_lock_object_is_read() -> None:
    assert read_lock(json.dumps(CONTENT)) == ANN


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json", json.dumps({**CONTENT, "pid": "many"})])
def test_a_damaged_lock_is_held_by_somebody(text: str) -> None:
    assert read_lock(text) == SOMEBODY


def test_people_do_not_read_fractions_of_seconds() -> None:
    assert "since 2026-01-02T03:04:05+01:00, " in str(ANN)


# ---- Notes --------------------------------------------------------------------------------------------------

NOTE = Note(
    host="ci-7", pid=42, at="2026-01-02T03:04:04Z", doing="release deploy staging", who="ann", run="https://r/7"
)


def test_a_note_survives_being_stored() -> None:
    assert Note.parse(NOTE.text()) == NOTE


@pytest.mark.parametrize(
    "text", ["", "{}", "null", '{"host": "x"}', '{"host": "x", "pid": "y", "at": "", "doing": ""}']
)
def test_a_damaged_note_is_none(text: str) -> None:
    assert Note.parse(text) is None


def test_a_later_versions_note_is_read_as_far_as_it_is_known() -> None:
    assert Note.parse(json.dumps({**json.loads(NOTE.text()), "more": 1})) == NOTE


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (replace(ANN, note=NOTE), "`release deploy staging` by ann in https://r/7"),
        (replace(ANN, note=replace(NOTE, who="", run="")), "`release deploy staging`, outside CI"),
        (ANN, "CI run unknown (not started by `release`)"),
    ],
)
def test_where_an_update_was_started_is_reported_as_far_as_it_is_known(holder: Holder, words: str) -> None:
    assert str(holder).endswith(words)


def test_what_is_unknown_is_null_in_json() -> None:
    assert ANN.as_dict()["run"] is None
    assert replace(ANN, note=replace(NOTE, run="")).as_dict()["run"] is None
    assert replace(ANN, note=NOTE).as_dict()["run"] == "https://r/7"


GITHUB = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"}


@pytest.mark.parametrize(
    ("environ", "origin"),
    [
        ({**GITHUB, "GITHUB_ACTOR": "ann"}, Origin(who="ann", run="https://github.com/a/b/actions/runs/7")),
        ({**GITHUB, "GITHUB_RUN_ID": ""}, Origin()),
        ({"CI_JOB_URL": "https://l/j/7", "GITLAB_USER_LOGIN": "bob"}, Origin(who="bob", run="https://l/j/7")),
        ({"PULUMI_CI_BUILD_URL": "https://x/7"}, Origin(run="https://x/7")),
        ({"BUILD_URL": "https://j/7/"}, Origin(run="https://j/7/")),
        ({"CI": "true"}, Origin()),
    ],
)
def test_the_run_is_read_from_what_ci_systems_say(environ: dict[str, str], origin: Origin) -> None:
    assert Origin.read(environ) == origin


@pytest.mark.parametrize(("owner", "dead"), [("runs", False), ("unknown", False), ("gone", True), ("replaced", True)])
def test_only_what_is_sure_counts_as_dead(owner: str, dead: bool) -> None:
    assert Owner(owner).dead is dead
