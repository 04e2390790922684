"""How a run of the engine ended, read from its event log; and reading that log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from release_lane.engine.events import EngineLog, read_log
from release_lane.engine.outcome import failure
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, ReleaseError, UsageError, Users
from tests.command.words import done, log, pre, said, urn

pytestmark = pytest.mark.pure

STACK = urn("pulumi:pulumi:Stack", "release-lane-production")
GATE = urn("release:index:SmokeGate", "smoke")
CHILD = urn("release-lane:infra:Colour$aws:ecs/service:Service", "green")


@pytest.mark.parametrize(
    ("text", "about", "kind"),
    [
        ("The smoke gate refused green.\nNext: fix it.", GATE, CheckFailed),
        ("sha256:… was not proven.\nWhy: x\nNext: y", "", Refused),
        ("sha256:… was not proven.\nWhy: x\nNext: y", STACK, Refused),
        ("The stack's settings are wrong:\n  service.cpu: bad\nNext: y\nKind: UsageError", "", UsageError),
        ("AWS refused DescribeServices: no (AccessDenied)", "", CloudError),
        ("AWS refused CreateService: no (AccessDenied)", CHILD, CloudError),
        ("Program failed with an unhandled exception:\nTraceback …\nNext: x", "", CloudError),
        ("The traffic was not rolled back.\nNext: look\nKind: CloudError\nUsers: unsure", GATE, CloudError),
        ("KeyError: 'green'", GATE, CloudError),
        ("RuntimeError: Users were on green: KeyError: 'green'\nKind: CloudError\nUsers: restored", GATE, CloudError),
        ("The switch was interrupted. Users are on blue.\nKind: Interrupted", GATE, Interrupted),
        ("These credentials are of another account.\nNext: x\nKind: Refused", GATE, Refused),
        ("It cannot be finished.\nNext: x\nKind: CheckFailed", "", CheckFailed),
        ("No such thing.\nKind: Nonsense\nNext: x", "", Refused),
    ],
)
def test_the_kind_of_a_failure(text: str, about: str, kind: type[ReleaseError]) -> None:
    assert type(failure(log(said(text, about=about)), "")) is kind


def test_an_error_of_aws_or_docker_that_is_passed_on_says_what_is_next() -> None:
    image = urn("docker:index/image:Image", "app")
    assert (
        "Docker's own words"
        in failure(log(said("error reading build output: no such host", about=image)), "").next_step
    )
    assert "goes on" in failure(log(said("creating ECS Service: AccessDenied", about=CHILD)), "").next_step
    assert not failure(log(said("KeyError: 'green'", about=GATE)), "").next_step


def test_every_error_survives_the_way_through_the_engine() -> None:
    error = Refused("What happened.", why="a reason\nin two lines", next_step="do this.", users=Users.RESTORED)
    told = failure(log(said(str(error))), "")
    assert (told.what, told.why, told.next_step) == (error.what, error.why, error.next_step)
    assert told.users is Users.RESTORED


def test_only_what_the_engine_showed_word_for_word_was_shown() -> None:
    assert failure(log(said("It was refused.\nNext: x", about=GATE)), "").shown
    assert not failure(log(said("Program failed with an unhandled exception:\nTraceback …\nNameError: x")), "").shown
    assert not failure(log(), "error: no such plugin").shown


def test_a_bug_of_the_program_is_reported_in_its_last_line() -> None:
    text = "Program failed with an unhandled exception:\nTraceback (most recent call last):\n  …\nNameError: name 'x'"
    assert failure(log(said(text)), "").what == "The program itself failed: NameError: name 'x'"


def test_log_lines_stay_with_what_happened() -> None:
    text = "The rollout gate refused green: it exited.\n  last log lines:\n    no database: here\nNext: fix it."
    told = failure(log(said(text, about=GATE)), "")
    assert told.what.endswith("no database: here")
    assert told.next_step == "fix it."


def test_a_gates_no_is_reported_before_other_failures_of_the_same_run() -> None:
    told = failure(log(said("no subnets left", about=CHILD), said("It lies.", about=GATE), said("update failed")), "")
    assert told.what == "It lies."
    assert "besides: no subnets left" in told.why


def test_without_any_message_the_engines_own_words_are_all_there_is() -> None:
    told = failure(EngineLog(), "warning: old\nerror: failed to load checkpoint\n")
    assert isinstance(told, CloudError)
    assert told.why == "failed to load checkpoint"
    assert failure(EngineLog(), "").why == "it said nothing"


def test_what_happened_to_users_is_a_field_and_never_read_out_of_a_sentence() -> None:
    """The first text is of an earlier version, which had no such field."""
    sentence = "THE WEIGHTS COULD NOT BE PUT BACK after a failed switch. Users were not touched. They were rolled back."
    assert failure(log(said(f"{sentence}\nKind: CloudError", about=GATE)), "").users is None
    assert failure(log(said(f"{sentence}\nKind: CloudError\nUsers: unsure", about=GATE)), "").users is Users.UNSURE
    assert failure(log(said(f"{sentence}\nKind: CloudError\nUsers: somewhere", about=GATE)), "").users is None


# ---- The event log ------------------------------------------------------------------------------------------


def test_debug_messages_are_not_even_read() -> None:
    line = json.dumps(said("props: S3CRET", severity="debug"), separators=(",", ":"))
    assert read_log([line]) == EngineLog()


def test_ephemeral_messages_and_doublets_are_left_out() -> None:
    found = log(said("x", severity="info", ephemeral=True), said("y", severity="info"), said("y", severity="info"))
    assert [message.text for message in found.infos] == ["y"]


def test_colours_are_no_part_of_a_message() -> None:
    assert log(said("<{%fg 1%}>no\x1b[38;5;1m room<{%reset%}>")).errors[0].text == "no room"


def test_a_line_that_was_cut_off_is_left_out() -> None:
    assert read_log(['{"diagnosticEvent":{"message":"x","severity":"error"}}', '{"diag']).errors[0].text == "x"


@pytest.mark.parametrize(
    ("event", "touched"),
    [
        (done("create", "aws:ecs/service:Service", "green"), True),
        ({"resOpFailedEvent": {"metadata": {"op": "create"}}}, True),
        (done("same", "aws:ecs/service:Service", "green"), False),
        (done("read", "pulumi:pulumi:StackReference", "x"), False),
        (done("create", "pulumi:providers:aws", "default"), False),
        (pre("same", "aws:ecs/service:Service", "green"), False),
        (pre("create", "pulumi:providers:aws", "default"), False),
    ],
)
def test_touched_means_that_something_was_really_done(event: dict[str, object], touched: bool) -> None:
    assert log(event).touched is touched


# ---- An engine that was killed


BEGUN = pre("create", "aws:ecs/service:Service", "green")
CLOSED = {"summaryEvent": {"result": "failed"}}


def test_an_engine_that_dies_in_the_middle_of_a_step_has_changed_something_for_all_we_know() -> None:
    assert log(BEGUN).touched
    assert log(BEGUN).broke_off
    assert not log(BEGUN, CLOSED).touched
    assert not log(BEGUN, CLOSED).broke_off
    assert not log({"resourcePreEvent": {**BEGUN["resourcePreEvent"], "planning": True}}).touched, "a preview"


@pytest.mark.parametrize("end", [(), (done("create", "aws:ecs/service:Service", "green"), CLOSED)], ids=str)
def test_an_engine_that_ends_without_a_word_is_not_said_to_have_changed_nothing(end: tuple[Any, ...]) -> None:
    error = failure(log(BEGUN, *end), "")
    assert isinstance(error, CloudError)
    assert error.what == "The engine ended in the middle of the update without saying why. Begun last: green."
    assert "release recover" in error.next_step


def test_an_engine_that_ends_before_any_step_has_changed_nothing() -> None:
    assert failure(log(), "").what == "The engine failed before anything was changed."


# ---- what the engine stored


def stored(outputs: dict[str, Any], *, planning: bool = False) -> dict[str, Any]:
    """The stack's outputs, as the engine reports them at the end of an update that does nothing else to the stack."""
    metadata = {"op": "same", "urn": STACK, "type": "pulumi:pulumi:Stack", "new": {"outputs": outputs}}
    return {"resOutputsEvent": {"metadata": metadata, "planning": planning}}


def read(*events: dict[str, Any]) -> EngineLog:
    return read_log(json.dumps(each) for each in events)


def test_the_stacks_outputs_are_those_that_were_stored_last() -> None:
    old, new = {"liveColour": "blue"}, {"liveColour": "green", "liveRelease": {"service": {"env": {}}}}
    registered = {"metadata": {"op": "same", "urn": STACK, "type": "pulumi:pulumi:Stack", "old": {"outputs": old}}}
    assert read({"resourcePreEvent": registered}, stored(new)).outputs == new
    assert read(stored(old), stored(new)).outputs == new


@pytest.mark.parametrize(
    "events",
    [[], [stored({})], [stored({"liveColour": "green"}, planning=True)], [pre("same", "pulumi:pulumi:Stack", "s")]],
    ids=["nothing", "no outputs", "a preview", "registered only"],
)
def test_outputs_that_the_log_does_not_say_are_unknown(events: list[dict[str, Any]]) -> None:
    assert read(*events).outputs is None
