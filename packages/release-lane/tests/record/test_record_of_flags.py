"""What a stack of flags recorded: values, changes, and the way back."""

from __future__ import annotations

import json

import pytest
from release_lane.record.flags import (
    MOST_BEFORE,
    FlagRecord,
    environment_of,
    in_words,
    may_read,
    share_in,
    stack_of,
)
from release_lane.record.names import Access, Names

pytestmark = pytest.mark.pure

NOW = FlagRecord(flags={"new_checkout": 100, "other": 25})


@pytest.mark.parametrize(("text", "share"), [("on", 100), ("off", 0), ("25%", 25), ("0%", 0), ("removed", None)])
def test_a_share_is_read_from_a_word_or_a_percent(text: str, share: int | None) -> None:
    assert share_in(text) == share
    assert share_in(in_words(share)) == share


@pytest.mark.parametrize("text", ["", "25", "101%", "-1%", "ON", "true", "2.5%", "٢%%", "1000%"])
def test_any_other_word_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="should be on, off, removed or a whole number of percent"):
        share_in(text)


def test_a_change_keeps_the_other_flags_and_the_values_before_it() -> None:
    after = NOW.changed({"new_checkout": 0, "third": 1})
    assert after.flags == {"new_checkout": 0, "other": 25, "third": 1}
    assert after.before == (NOW.flags,)
    assert [str(each) for each in NOW.turned(after)] == ["new_checkout on -> off", "third new -> 1%"]


def test_a_flag_that_is_removed_is_gone_and_one_that_is_not_there_cannot_be() -> None:
    assert NOW.changed({"other": None}).flags == {"new_checkout": 100}
    assert NOW.changed({"never": None}) is NOW


def test_what_is_so_already_is_no_change() -> None:
    assert NOW.changed({"other": 25}) is NOW


def test_changes_are_undone_one_after_the_other() -> None:
    twice = NOW.changed({"other": 50}).changed({"other": 100})
    once = twice.undone()
    assert once is not None
    assert once.flags["other"] == 50
    assert once.undone() == NOW
    assert NOW.undone() is None


def test_a_change_after_an_undo_is_undone_to_what_the_undo_left() -> None:
    undone = NOW.changed({"other": 50}).undone()
    assert undone is not None
    assert undone.changed({"other": 1}).undone() == NOW


def test_so_many_changes_are_kept_and_no_more() -> None:
    record = FlagRecord()
    for number in range(MOST_BEFORE + 5):
        record = record.changed({"a": number})
    assert len(record.before) == MOST_BEFORE
    assert record.before[-1] == {"a": MOST_BEFORE + 3}


def test_the_record_survives_the_engine_which_makes_all_numbers_floats() -> None:
    record = NOW.changed({"other": 50})
    assert FlagRecord.from_outputs(record.as_outputs()) == record
    assert FlagRecord.from_outputs({"flags": {"a": 25.0}, "before": [{"a": 1.0}]}) == FlagRecord(
        flags={"a": 25}, before=({"a": 1},)
    )
    assert FlagRecord.from_outputs({}) == FlagRecord()


def test_a_service_reads_a_json_object_of_percent() -> None:
    assert json.loads(NOW.as_parameter()) == {"new_checkout": 100, "other": 25}


def test_the_stack_is_named_by_its_environment() -> None:
    assert stack_of("production") == "production-flags"
    assert environment_of("production-flags") == "production"
    assert environment_of("production") == environment_of("-flags") == ""


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_service_may_read_the_parameter_of_its_own_environment_and_no_other(region: str, partition: str) -> None:
    names = Names.of_stack("shop", "production", access=Access(region=region, account="000000000000"))
    (allowed,) = may_read(names.flags, names.access)["Statement"]
    assert allowed["Action"] == "ssm:GetParameter"
    assert allowed["Resource"] == f"arn:{partition}:ssm:{region}:000000000000:parameter/shop/production/flags"
