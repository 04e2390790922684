"""The stack of an environment's flags: what is asked, written and exported, against Pulumi's mocks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pulumi
import pytest
from release_lane.program import run
from release_lane.record.contract import Labels
from release_lane.record.flags import FlagRecord
from release_lane.record.halts import Halts
from release_lane.record.hold import Hold
from release_lane.record.intended import Intended
from release_lane.record.ledger import Draft, EntryKind
from release_lane.record.placement import Colour
from tests.program.mocks import ACCOUNT, ARTIFACTS, FIRST, SECOND, World, outputs_of, release
from tests.program.test_run import nothing

pytestmark = pytest.mark.program

STACK = "production-flags"
NOW = FlagRecord(flags={"a": 100, "b": 0})
ALWAYS = json.dumps({"windows": [{"from": "2000-01-01", "to": "2999-01-01"}]})
LEDGER = {"ledger": "s3://shop-releases"}
STOPPED = Draft(
    id="1", kind=EntryKind.STOPPED, at="2026-01-02T03:04:05+00:00", environment="production", reason="sick"
).after(None, "")


def exported(world: World, stack: str = STACK, /, **own: str) -> Mapping[str, Any]:
    """Update the stack with these keys of the project; what it exports."""
    found: dict[str, Any] = {}

    @pulumi.runtime.test
    def body() -> pulumi.Output[None]:
        run(nothing)
        return pulumi.Output.all(**pulumi.runtime.get_root_resource().outputs).apply(found.update)  # type: ignore[union-attr]

    given = {"account": ACCOUNT, "role": "flags", "insecure": "true", "promotesFrom": "staging", **own}
    pulumi.runtime.set_mocks(world, project="release-lane", stack=stack, preview=False)
    pulumi.runtime.set_all_config({"aws:region": "us-east-1", **{f"release-lane:{k}": v for k, v in given.items()}})
    body()
    return found


def world(**over: Any) -> World:
    return World(outputs={STACK: NOW.as_outputs()}, **over)


def declaring(flags: str | None, **over: Any) -> World:
    """An image is live in production that declares these ("" for none), or nothing."""
    live = {**world().outputs, "production": outputs_of(release(FIRST), Colour.BLUE), **ARTIFACTS}
    found = {} if flags is None else {"dev.release-lane.flags": flags}
    return World(outputs=live, labels=Labels(found=found), **over)


def value(of: World) -> Any:
    (parameter,) = of.of_type("ssm/parameter:Parameter")
    assert (parameter.inputs["name"], parameter.inputs["type"]) == ("/release-lane/production/flags", "String")
    return json.loads(parameter.inputs["insecureValue"])


def test_a_change_is_one_parameter_and_is_recorded_with_the_values_before_it() -> None:
    there = world()
    outputs = exported(there, flags='{"a": "off", "c": "25%"}')
    assert value(there) == {"a": 0, "b": 0, "c": 25}
    assert FlagRecord.from_outputs(outputs) == NOW.changed({"a": 0, "c": 25})
    assert outputs["parameter"] == "/release-lane/production/flags"
    assert len(there.registered) == 1


def test_without_flags_they_stay_and_an_undo_goes_back() -> None:
    there = world()
    assert FlagRecord.from_outputs(exported(there)) == NOW
    changed = World(outputs={STACK: NOW.changed({"b": 100}).as_outputs()})
    assert FlagRecord.from_outputs(exported(changed, undoFlags="true")) == NOW
    assert value(changed) == {"a": 100, "b": 0}


def test_a_change_is_in_the_ledger_from_intent_to_outcome() -> None:
    there = world()
    exported(there, flags='{"a": "off"}', **LEDGER)
    (began, given), (ended, _) = there.ledger
    assert (began, given["before"], ended) == ("begin", 0, "done")
    intended = Intended.from_dict(given)
    assert intended.environment == STACK, "an update of production may have an open intent"
    assert intended.details["flagsOf"] == "production"
    assert intended.details["turned"] == {"a": {"from": 100, "to": 0}}
    assert intended.details["because"] == "a on -> off"


def test_what_changes_nothing_is_in_no_ledger() -> None:
    there = world()
    exported(there, flags='{"a": "on"}', **LEDGER)
    assert there.ledger == []


def test_turning_off_is_held_up_by_no_ledger_no_line_and_no_freeze_window() -> None:
    there = world(away=True, unread=True, halts=Halts(stopped=STOPPED))
    outputs = exported(there, flags='{"a": "off"}', freeze=ALWAYS, **LEDGER)
    assert value(there) == {"a": 0, "b": 0}
    assert outputs["flags"] == {"a": 0, "b": 0}
    assert there.halts_asked == []


@pytest.mark.parametrize(
    ("over", "own", "says"),
    [
        ({"away": True}, {}, "cannot be written. Nothing was changed"),
        ({"unread": True}, {}, "cannot be read. Nothing was changed"),
        ({"halts": Halts(stopped=STOPPED)}, {}, "the line of production is stopped"),
        ({}, {"freeze": ALWAYS}, "a freeze window of production holds"),
        ({"account": "111111111111"}, {}, "works in account 111111111111"),
    ],
    ids=["write", "read", "line", "freeze", "account"],
)
def test_turning_on_goes_forward(over: Mapping[str, Any], own: Mapping[str, str], says: str) -> None:
    there = world(**over)
    with pytest.raises(pulumi.RunError, match=says):
        exported(there, flags='{"b": "1%"}', **LEDGER, **own)
    assert there.registered == []


def test_flags_that_no_parameter_takes_are_refused_before_anything_is_registered() -> None:
    there = declaring(None)
    many = {f"{'x' * 60}{number}": "off" for number in range(80)}
    with pytest.raises(pulumi.RunError, match="an SSM parameter takes 4096"):
        exported(there, flags=json.dumps(many))
    assert there.registered == []


def test_a_line_is_that_of_the_environment_and_a_refusal_is_in_the_ledger() -> None:
    there = world(halts=Halts(stopped=STOPPED))
    with pytest.raises(pulumi.RunError):
        exported(there, flags='{"b": "on"}', **LEDGER)
    assert [(each["environment"], each["digest"]) for each in there.halts_asked] == [("production", "")]
    ((what, given),) = there.ledger
    assert (what, given["environment"]) == ("refuse", STACK)


def test_an_exception_from_a_freeze_window_is_recorded() -> None:
    there = world()
    exported(there, flags='{"b": "on"}', freeze=ALWAYS, throughFreeze="it cannot wait", **LEDGER)
    details = Intended.from_dict(there.ledger[0][1]).details
    assert details["overrides"] == {"throughFreeze": "it cannot wait"}
    assert any(each.endswith(": it cannot wait") for each in details["unchecked"])


@pytest.mark.parametrize(
    ("flags", "says"), [("a,c", ""), ("", "production declares c"), ("a", "declares a"), (None, "")]
)
def test_a_flag_that_the_live_image_does_not_declare_is_refused(flags: str | None, says: str) -> None:
    there = declaring(flags)
    if not says:
        exported(there, flags='{"c": "on"}')
        assert value(there)["c"] == 100
    else:
        with pytest.raises(pulumi.RunError, match=says):
            exported(there, flags='{"c": "on"}')
        assert there.registered == []
    assert there.labels_asked == [("release-lane/app", FIRST)]


@pytest.mark.parametrize(("new", "says"), [("c", ""), ("d", "production declares c"), (None, "declares a")])
def test_while_a_hold_stands_a_flag_of_either_release_is_known(new: str | None, says: str) -> None:
    there = declaring("a")
    hold = Hold(percent=10, colour=Colour.GREEN, release=release(SECOND), since="2026-01-02T03:04:05+00:00")
    there.outputs["production"] |= {"hold": hold.as_dict()}
    there.labels_of[SECOND] = Labels(found={} if new is None else {"dev.release-lane.flags": new})
    if says == "production declares c":
        with pytest.raises(pulumi.RunError, match=says):
            exported(there, flags='{"c": "on"}')
    else:
        exported(there, flags='{"c": "on"}')
        assert value(there)["c"] == 100
    assert there.labels_asked == [("release-lane/app", FIRST), ("release-lane/app", SECOND)]


def test_to_turn_off_what_is_there_the_registry_is_not_asked() -> None:
    there = declaring("b")
    exported(there, flags='{"a": "off"}')
    assert value(there)["a"] == 0
    assert there.labels_asked == []


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (declaring(None), "it declares none"),
        (world(), "nothing is live"),
        (replace(declaring(""), labels=Labels(unread="the registry is away")), "the registry is away"),
    ],
    ids=["none", "nothing live", "unread"],
)
def test_where_the_contract_is_not_known_the_ledger_says_why(there: World, why: str) -> None:
    exported(there, flags='{"c": "on"}', **LEDGER)
    (sentence,) = Intended.from_dict(there.ledger[0][1]).details["unchecked"]
    assert sentence == f"whether the live image knows these flags ({why})"


def test_an_environment_that_serves_users_never_becomes_a_stack_of_flags() -> None:
    """Its network would be deleted under its users."""
    there = World(outputs={STACK: outputs_of(release(FIRST), Colour.BLUE)})
    with pytest.raises(pulumi.RunError, match="its role cannot change"):
        exported(there, flags='{"a": "off"}')
    assert there.registered == []


def test_flags_belong_to_a_stack_that_is_named_by_its_environment() -> None:
    there = world()
    with pytest.raises(pulumi.RunError, match="named like production-flags"):
        exported(there, "production", flags='{"a": "off"}')
    assert there.registered == []
