"""Which changes of flags may be: turning off always, turning on like a release that goes forward."""

from __future__ import annotations

from dataclasses import replace

import pytest
from release_lane.decide.flags import LARGEST, FlagCase, FlagPlan, check_flags, names_matter, plan_flags, undeclared
from release_lane.decide.forward import of_one_switch
from release_lane.decide.freeze import Freeze, Window
from release_lane.errors import Refused
from release_lane.record.flags import Asked, FlagRecord
from release_lane.record.ledger import Draft, Entry, EntryKind
from release_lane.record.times import DAY, epoch, minute_of

pytestmark = pytest.mark.pure

RECORD = FlagRecord(flags={"a": 50, "b": 0})
STOPPED: Entry = Draft(
    id="1", kind=EntryKind.STOPPED, at="2026-01-02T03:04:05+00:00", environment="production", who="ann", reason="sick"
).after(None, "")
TODAY = minute_of("2026-12-24")
ALWAYS = Freeze(windows=(Window(begins=TODAY or 0, ends=(TODAY or 0) + DAY, weekly=False, words="for ever"),))

OPEN = FlagCase(environment="production", declared=("a", "b", "c"), now=epoch("2026-12-24 12:00") or 0)
FROZEN, LINE = replace(OPEN, freeze=ALWAYS), replace(OPEN, stopped=STOPPED)
EXCUSED = replace(FROZEN, through_freeze="it cannot wait")
OF_B_ONLY = replace(OPEN, declared=("b",))

UP, DOWN, NEW_OFF, MIXED, GONE = {"a": 51}, {"a": 49}, {"c": 0}, {"a": 0, "b": 1}, {"a": None}


def plan(asked: Asked) -> FlagPlan:
    return plan_flags(RECORD, asked, undo=False)


@pytest.mark.parametrize(
    ("asked", "case", "refused"),
    [
        (UP, OPEN, ""),
        (UP, FROZEN, "a freeze window of production holds"),
        (UP, EXCUSED, ""),
        (UP, LINE, "the line of production is stopped"),
        (UP, replace(EXCUSED, stopped=STOPPED), "the line of production is stopped"),
        (MIXED, FROZEN, "b is not turned on now"),
        (MIXED, LINE, "b is not turned on"),
        (DOWN, OPEN, ""),
        (DOWN, FROZEN, ""),
        (DOWN, LINE, ""),
        (GONE, FROZEN, ""),
        (GONE, LINE, ""),
        (NEW_OFF, FROZEN, ""),
        ({}, replace(FROZEN, stopped=STOPPED), ""),
        # the live image knows b alone
        (UP, OF_B_ONLY, "No live image of [a-z]+ declares a"),
        (DOWN, OF_B_ONLY, ""),
        (GONE, OF_B_ONLY, ""),
        (NEW_OFF, OF_B_ONLY, "No live image of [a-z]+ declares c"),
        ({"misspelled": 0}, replace(FROZEN, stopped=STOPPED), "No live image of [a-z]+ declares misspelled"),
        ({"misspelled": 0}, replace(FROZEN, declared=None), ""),
        ({f"{'x' * 60}{number}": 0 for number in range(80)}, replace(OPEN, declared=None), "takes 4096"),
    ],
)
def test_turning_off_is_never_stopped_and_turning_on_goes_forward(asked: Asked, case: FlagCase, refused: str) -> None:
    if not refused:
        check_flags(plan(asked), case)
        return
    with pytest.raises(Refused, match=refused):
        check_flags(plan(asked), case)


@pytest.mark.parametrize(("size", "fits"), [(LARGEST, True), (LARGEST + 1, False)])
def test_flags_fit_into_one_parameter_to_the_last_byte(size: int, fits: bool) -> None:
    """Turning off is no exception: AWS would refuse it as well."""
    empty = len(FlagRecord(flags={"": 0}).as_parameter())
    wide = FlagPlan(before=RECORD, after=FlagRecord(flags={"x" * (size - empty): 0}))
    assert len(wide.after.as_parameter().encode()) == size
    if fits:
        return check_flags(wide, replace(OPEN, declared=None)) and None
    with pytest.raises(Refused, match=r"The flags would have 4097 bytes, but an SSM parameter takes 4096\."):
        check_flags(wide, replace(OPEN, declared=None))
    return None


def test_a_flag_that_went_through_a_freeze_leaves_its_reason() -> None:
    (said,) = check_flags(plan(UP), EXCUSED)
    assert of_one_switch(said)
    assert said.endswith("for ever UTC: it cannot wait")


def test_an_image_that_declares_nothing_is_said_not_to_be_checked() -> None:
    unknown = replace(OPEN, declared=None)
    said = ("whether the live image knows these flags (it declares none)",)
    assert check_flags(plan(UP), unknown) == check_flags(plan(NEW_OFF), unknown) == said
    assert check_flags(plan({}), unknown) == ()
    assert undeclared(plan({"never": 100}), None) == ()


@pytest.mark.parametrize(("asked", "matter"), [(UP, True), (NEW_OFF, True), (DOWN, False), (GONE, False), ({}, False)])
def test_to_turn_off_what_is_there_the_image_is_not_asked(asked: Asked, matter: bool) -> None:
    assert names_matter(plan(asked)) is matter
    assert bool(check_flags(plan(asked), replace(OPEN, declared=None))) is matter


def test_an_undo_goes_back_to_the_values_before_the_last_change() -> None:
    record = RECORD.changed({"a": 0}).changed({"b": 100})
    undone = plan_flags(record, {}, undo=True)
    assert undone.after.flags == {"a": 0, "b": 0}
    assert undone.words == "b on -> off"


def test_an_undo_that_turns_a_flag_on_again_goes_forward() -> None:
    """As going forward again after a rollback does: the one who turned it off in an emergency had a reason."""
    undone = plan_flags(RECORD.changed({"a": 0}), {}, undo=True)
    with pytest.raises(Refused, match="the line of production is stopped"):
        check_flags(undone, LINE)
    check_flags(plan_flags(RECORD.changed({"a": 100}), {}, undo=True), LINE)


def test_nothing_is_undone_where_nothing_was_changed() -> None:
    with pytest.raises(Refused, match=r"There is no change of flags to undo\."):
        plan_flags(RECORD, {}, undo=True)
