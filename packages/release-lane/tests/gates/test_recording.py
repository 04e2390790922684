"""The provider's entries in the ledger: one intent and one outcome for each update, whatever comes of it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from provider_kit import Cancelled, Context, UserError
from provider_kit.server import Ending
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, Users
from release_lane.gates import gate, recording
from release_lane.gates.recording import Recording
from release_lane.ledger.halts import halts_in
from release_lane.ledger.memory import Memory, in_memory
from release_lane.ledger.place import ledger_at
from release_lane.record.chain import MOVED, PROVEN, verify
from release_lane.record.digest import Digest
from release_lane.record.evidence import Proof
from release_lane.record.halts import Halts, State, of_line, why
from release_lane.record.intended import Intended, Standing
from release_lane.record.ledger import ACTOR_VARIABLE, COMMAND, Actor, Draft, Entry, EntryKind, Result
from release_lane.record.names import Access
from release_lane.record.placement import Colour, Release, Service
from release_lane.record.records import Recorded

pytestmark = pytest.mark.provider

NOW = "2026-01-02T03:04:05+00:00"
A = Release(digest=Digest("sha256:" + "a" * 64), service=Service(), commit="c" * 40)
INTENDED = Intended(
    ledger="memory", access=Access(region="eu-west-1", account="000000000000"), environment="production", release=A,
    standing=Standing(live="old", proven="2026-01-01"), details={"decision": "deploy", "to": {"colour": "green"}},
)  # fmt: skip
LIVE = Recorded(
    live_colour=Colour.GREEN, live=A,
    evidence=(Proof(digest=A.digest, commit=A.commit, release_id=A.id, at=NOW, smoke="7 checks passed"),),
)  # fmt: skip


class Update:
    """One update's process, with its ledger."""

    def __init__(self, objects: Memory, **environ: str) -> None:
        self.objects, self.said = objects, list[str]()
        self.recording = Recording(store_of=lambda _: in_memory(objects), environ=environ)
        self.ctx = Context(config={}, cancelled=threading.Event(), log=self._log)

    def _log(self, text: str, urn: str, *, severity: str, ephemeral: bool) -> None:
        del urn, severity, ephemeral
        self.said.append(text)

    def begin(self, intended: Intended = INTENDED) -> Entry:
        return self.recording.begin(self.ctx, intended)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return in_memory(self.objects).entries()


@pytest.fixture
def update() -> Update:
    return Update(Memory())


def test_the_intent_says_who_does_what_and_why() -> None:
    actor = Actor(
        id="call-1",
        verb="promote",
        who="ann",
        approver="bob",
        run="https://ci/1",
        reason="a fix",
        details={"seal": "s"},
    )
    update = Update(Memory(), **{ACTOR_VARIABLE: actor.as_text()})
    entry = update.begin()
    assert (entry.kind, entry.environment, entry.verb) == (EntryKind.INTENT, "production", "promote")
    assert (entry.who, entry.approver, entry.run, entry.reason) == ("ann", "bob", "https://ci/1", "a fix")
    assert (entry.digest, entry.commit, entry.release) == (A.digest, A.commit, A.id)
    assert entry.details["decision"] == "deploy"
    assert (entry.details["seal"], entry.details[COMMAND]) == ("s", "call-1")


def test_a_plain_update_in_ci_names_its_actor_and_run() -> None:
    entry = Update(Memory(), GITLAB_USER_LOGIN="ann", CI_JOB_URL="https://gitlab/7").begin()
    assert (entry.verb, entry.who, entry.run) == ("update", "ann", "https://gitlab/7")


def test_a_plain_update_of_a_person_names_user_and_machine(update: Update) -> None:
    assert update.begin().who.count("@") == 1


def test_a_success_says_what_is_live_since_when_and_what_was_checked(update: Update) -> None:
    intent = update.begin()
    update.recording.note(timeline=["03:04:05  blue 0%, green 100%"])
    update.recording.done(LIVE)
    outcome = update.entries[-1]
    assert (outcome.kind, outcome.of, outcome.result) == (EntryKind.OUTCOME, intent.sequence, Result.DONE)
    assert (outcome.digest, outcome.release, outcome.who) == (A.digest, A.id, intent.who)
    assert (outcome.details[MOVED], outcome.details[PROVEN]) == (True, NOW)
    assert (outcome.details["checks"], outcome.details["unchecked"]) == ("7 checks passed", [])
    assert outcome.details["timeline"] == ["03:04:05  blue 0%, green 100%"]
    assert verify(in_memory(update.objects).contents(), {"production": LIVE}) == ()


def test_an_update_that_moves_no_users_does_not_say_that_anything_is_live(update: Update) -> None:
    update.begin()
    update.recording.done()
    assert MOVED not in update.entries[-1].details


def test_an_outcome_is_written_once(update: Update) -> None:
    update.begin()
    update.recording.failed(CheckFailed("The rollout gate refused green.", users=Users.UNTOUCHED))
    update.recording.failed(CloudError("another gate, interrupted by that"))
    update.recording.done(LIVE)
    update.recording.abandoned(Ending.CLOSED)
    assert [entry.result for entry in update.entries] == [Result.NONE, Result.REFUSED]
    assert update.entries[-1].details["why"] == "The rollout gate refused green."


def test_a_release_that_users_were_rolled_back_from_for_a_fault_is_in_quarantine_with_the_outcome(
    update: Update,
) -> None:
    update.begin()
    update.recording.fault("errors of green: 7 % of 400 requests")
    update.recording.failed(CheckFailed("green had 10 % of the users; … timeline", users=Users.RESTORED))
    found = halts_in(in_memory(update.objects), "staging", A.digest).quarantined
    assert found == update.entries[-1]
    assert (found.result, found.environment) == (Result.ROLLED_BACK, "production")
    assert why(found).startswith("errors of green: 7 % of 400 requests (")
    assert verify(in_memory(update.objects).contents(), {}) == ()


def test_an_abort_puts_nothing_into_quarantine(update: Update) -> None:
    update.begin()
    update.recording.fault("")
    update.recording.failed(Interrupted("ann asked to abort this switch", users=Users.RESTORED))
    assert halts_in(in_memory(update.objects), "staging", A.digest) == Halts()


def test_without_an_intent_nothing_is_written(update: Update) -> None:
    """A preview, an update with nothing to do, one without a ledger."""
    update.recording.fault("x")
    update.recording.done(LIVE)
    update.recording.failed(CheckFailed("x"))
    update.recording.abandoned(Ending.ORPHANED)
    assert update.objects.objects == {}


@pytest.mark.parametrize(
    ("ending", "result"),
    [
        (Ending.ORPHANED, Result.INTERRUPTED),
        (Ending.CANCELLED, Result.INTERRUPTED),
        (Ending.CLOSED, Result.FAILED),
    ],
)
def test_a_process_that_ends_without_an_outcome_says_so(update: Update, ending: Ending, result: Result) -> None:
    """The engine was killed, the update was interrupted, or something failed that is no gate."""
    update.begin()
    update.recording.abandoned(ending)
    assert (update.entries[-1].result, update.entries[-1].of) == (result, 1)


# ---- what gates and program fail with


@pytest.fixture
def own(update: Update) -> Update:
    update.begin()
    return update


def fails(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "raised", "result"),
    [
        (CheckFailed("it exits"), UserError, Result.REFUSED),
        (CheckFailed("it exits", users=Users.RESTORED), UserError, Result.ROLLED_BACK),
        (Cancelled("the wait was cancelled"), Cancelled, Result.INTERRUPTED),
        (Cancelled(str(Interrupted("stopped", users=Users.RESTORED))), Cancelled, Result.ROLLED_BACK),
        (RuntimeError("a bug"), RuntimeError, Result.UNKNOWN),
        (RuntimeError(str(CloudError("a bug", users=Users.RESTORED))), RuntimeError, Result.ROLLED_BACK),
    ],
    ids=["a no", "a breach", "Ctrl-C", "Ctrl-C in a switch", "a bug", "a bug in a switch"],
)
def test_whatever_a_gate_ends_with_is_the_outcome(
    own: Update, error: Exception, raised: type[Exception], result: Result
) -> None:
    with pytest.raises(raised):
        gate.reported(lambda: fails(error), own.recording)
    assert own.entries[-1].result is result
    assert own.entries[-1].of == 1


def test_a_program_that_ends_after_the_intent_is_its_outcome(own: Update) -> None:
    deletes = str(Refused("Protected things would be deleted."))
    recording.refuse(own.ctx, {**INTENDED.as_dict(), "error": deletes}, own.recording)
    assert [entry.result for entry in own.entries] == [Result.NONE, Result.REFUSED]
    assert own.entries[-1].of == 1


def test_a_decision_that_refuses_is_an_entry_by_itself(update: Update) -> None:
    refused = replace(INTENDED, release=None, digest=A.digest, details={})
    recording.refuse(update.ctx, {**refused.as_dict(), "error": str(Refused("It was never proven."))}, update.recording)
    (entry,) = update.entries
    assert (entry.kind, entry.of, entry.result) == (EntryKind.OUTCOME, 0, Result.REFUSED)
    assert (entry.digest, entry.details["why"]) == (A.digest, "It was never proven.")
    assert entry.open == {}


def test_what_is_said_against_a_release_is_read_from_the_ledger_that_the_program_names(
    update: Update, tmp_path: Path
) -> None:
    url, access = f"file://{tmp_path}/ledger", INTENDED.access
    stopped = Draft(id="1", kind=EntryKind.STOPPED, at=NOW, marks=(of_line("production", State.STOPPED),))
    entry = ledger_at(url, access, tmp_path).append(stopped)
    asked = {"ledger": url, "access": access.as_dict(), "environment": "production", "digest": A.digest}
    assert Halts.from_dict(recording.read_halts(update.ctx, asked)) == Halts(stopped=entry)
    assert Halts.from_dict(recording.read_halts(update.ctx, {**asked, "environment": "staging"})) == Halts()
    next((tmp_path / "ledger/marks/line/production").iterdir()).rename(tmp_path / "ledger/marks/line/production/x.json")
    with pytest.raises(UserError, match="cannot be read"):
        recording.read_halts(update.ctx, asked)


# ---- an update that died, and a ledger that is away


def test_the_next_update_closes_an_intent_that_was_left_open() -> None:
    objects = Memory()
    Update(objects).begin()  # its process was killed
    following = Update(objects)
    following.begin()
    first, closed, intent = following.entries
    assert (closed.of, closed.result) == (first.sequence, Result.INTERRUPTED)
    assert intent.open == {"production": 3}
    assert verify(in_memory(objects).contents()) == ()


def test_another_environments_open_intent_is_left_alone() -> None:
    objects = Memory()
    Update(objects).begin()
    assert Update(objects).begin(replace(INTENDED, environment="staging")).open == {"production": 1, "staging": 2}


def test_a_ledger_that_is_away_in_the_middle_is_completed_by_the_next_update() -> None:
    objects = Memory()
    update = Update(objects)
    update.begin()
    objects.away = True
    update.recording.done(LIVE)
    assert "The ledger does not say how this update ended (done)" in update.said[-1]
    objects.away = False
    following = Update(objects)
    following.begin(replace(INTENDED, standing=Standing(live=A.id, proven=NOW)))
    completed = following.entries[1]
    assert (completed.of, completed.result) == (1, Result.DONE)
    assert completed.details["why"].startswith("completed by the next update")
    assert verify(in_memory(objects).contents(), {"production": LIVE}) == ()


def written_by_a_later_version(objects: Memory) -> None:
    newest = in_memory(objects).append(Draft(id="later", kind=EntryKind.REVIEW, at=NOW))
    objects.objects[newest.name] = newest.as_bytes().replace(b'"schema":1', b'"schema":99')


def test_an_entry_that_a_later_version_wrote_meanwhile_fails_no_update(update: Update) -> None:
    update.begin()
    written_by_a_later_version(update.objects)
    update.recording.done(LIVE)
    assert "The ledger does not say how this update ended (done)" in update.said[-1]
    assert "schema 99" in update.said[-1]


def test_a_fault_that_the_ledger_did_not_take_is_said_to_be_in_no_quarantine(update: Update) -> None:
    update.begin()
    update.recording.fault("errors of green: 7 % of 400 requests")
    update.objects.away = True
    update.recording.failed(CheckFailed("green had 10 % of the users", users=Users.RESTORED))
    assert f"NOT in quarantine. Next: `release quarantine {A.digest} --reason" in update.said[-1]


def test_an_update_does_not_begin_while_the_ledger_is_away() -> None:
    with pytest.raises(CloudError, match="cannot be read"):
        Update(Memory(away=True)).begin()


def test_a_refusal_is_more_important_than_a_ledger_that_is_away(update: Update) -> None:
    update.objects.away = True
    update.recording.refused(update.ctx, INTENDED, Refused("It was never proven."))
    assert "does not say that this update was refused" in update.said[-1]


def test_an_update_adds_a_listing_a_read_and_a_write_before_it_and_a_write_after_it(update: Update) -> None:
    Update(update.objects).begin(replace(INTENDED, environment="staging"))
    update.objects.calls.clear()
    update.begin()
    assert update.objects.calls == ["newest", "read", "create"]
    update.recording.done(LIVE)
    assert update.objects.calls == ["newest", "read", "create", "create"]
