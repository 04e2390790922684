"""Targets and their server slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.emulator.edge.slots import BLOCK, Backend, Slot, Table, changes, drain, introduce, release, seated
from local_aws.emulator.elbv2.model import State, Target
from tests.local.emulator.edge.states import blue_green

pytestmark = pytest.mark.pure

BLUE = "blue.blueid"


def state_with(*targets: Target) -> State:
    state = blue_green()
    arn = next(iter(state.target_groups))
    return replace(state, targets={arn: targets})


def target(host: int, draining: bool = False) -> Target:
    return Target(f"10.0.0.{host}", 8080, 5.0 if draining else None)


def test_targets_are_seated_from_the_first_slot_on() -> None:
    table = seated(state_with(target(1), target(2, draining=True)), {})
    assert table[BLUE] == Backend(BLOCK, {("10.0.0.1", 8080): Slot(1, False), ("10.0.0.2", 8080): Slot(2, True)})
    assert table["green.greenid"] == Backend(BLOCK, {})


def test_a_target_keeps_its_slot_and_a_free_one_is_used_again() -> None:
    table = seated(state_with(target(1), target(2)), {})
    table = seated(state_with(target(2), target(3)), table)
    assert {at[0]: slot.number for at, slot in table[BLUE].slots.items()} == {"10.0.0.2": 2, "10.0.0.3": 1}


def test_more_targets_than_slots_make_another_block() -> None:
    many = [Target(f"10.0.1.{host}", 8080) for host in range(BLOCK + 1)]
    table = seated(state_with(*many), {})
    assert table[BLUE].size == 2 * BLOCK
    assert seated(state_with(), table)[BLUE].size == 2 * BLOCK  # it does not shrink, which would need a reload


def test_commands_for_a_target_that_comes_drains_and_goes() -> None:
    nothing, there = seated(state_with(), {}), seated(state_with(target(1)), {})
    draining = seated(state_with(target(1, draining=True)), there)
    gone = seated(state_with(), draining)
    assert changes(nothing, there) == introduce(BLUE, 1, ("10.0.0.1", 8080))
    assert changes(there, draining) == drain(BLUE, 1)
    assert changes(draining, there) == introduce(BLUE, 1, ("10.0.0.1", 8080))
    assert changes(draining, gone) == release(BLUE, 1)
    assert changes(there, there) == []


def test_a_new_target_is_never_open_to_traffic_on_its_way_in() -> None:
    """Out of maintenance by way of drain; traffic is held back before drain ends."""
    order = [command.split(" ", 3)[3] for command in introduce("b", 1, ("10.0.0.1", 80)) if "b/s1" in command]
    assert order == ["addr 10.0.0.1 port 80", "state drain", "health stopping", "state ready"]


targets = st.dictionaries(st.integers(1, 9), st.booleans(), max_size=9)


@given(st.lists(targets, max_size=12))
def test_through_all_comings_and_goings_every_target_has_one_slot_of_its_own(history: list[Mapping[int, bool]]) -> None:
    table: Table = {}
    for moment in history:
        before = table
        table = seated(state_with(*(target(host, draining) for host, draining in moment.items())), before)
        slots = table[BLUE].slots
        assert {at[0]: slot.draining for at, slot in slots.items()} == {
            f"10.0.0.{host}": draining for host, draining in moment.items()
        }
        numbers = [slot.number for slot in slots.values()]
        assert len(set(numbers)) == len(numbers)
        assert all(1 <= number <= table[BLUE].size for number in numbers)
        for at, slot in (before[BLUE].slots if before else {}).items():
            if at in slots:
                assert slots[at].number == slot.number


@given(st.lists(targets, min_size=1, max_size=12))
def test_the_commands_lead_to_what_the_table_says(history: list[Mapping[int, bool]]) -> None:
    """A pretended HAProxy that obeys the commands ends with the right address in the right state in every slot."""
    servers: dict[str, dict[str, str]] = {}
    table: Table = seated(state_with(), {})
    for moment in history:
        after = seated(state_with(*(target(host, draining) for host, draining in moment.items())), table)
        for command in changes(table, after):
            _, _, which, *what = command.split()
            values = dict(zip(what[::2], what[1::2], strict=True))
            servers.setdefault(which, {}).update(values)
        table = after
    wanted = {slot.number: (at, slot) for at, slot in table[BLUE].slots.items()}
    for number in range(1, 10):
        untouched = {"state": "maint"}
        server = servers.get(f"{BLUE}/s{number}", untouched)
        twin = servers.get(f"{BLUE}/open{number}", untouched)
        if number not in wanted:
            assert (server["state"], twin["state"]) == ("maint", "maint")
            continue
        (ip, _), slot = wanted[number]
        if slot.draining:
            assert server["state"] in ("drain", "maint")  # maint: it drained before it was ever introduced
        else:
            assert (server["addr"], twin["addr"]) == (ip, ip)
            assert server["state"] == "ready"
        assert twin["state"] == server["state"]
