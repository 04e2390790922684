"""Freeze windows: which one holds at a time, and until when, in time zones whose clocks are changed."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator

import pytest
from release_lane.decide.freeze import Freeze, Frozen, frozen_at
from release_lane.record.times import epoch, in_zone
from release_lane.settings.freeze import FreezeSettings

pytestmark = pytest.mark.pure

WEEKEND = {"from": "Fri 16:00", "to": "Mon 08:00"}
NIGHT = {"from": "Tue 22:00", "to": "Wed 06:00"}
HOLIDAYS = {"from": "2026-12-24", "to": "2027-01-02"}
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def freeze(zone: str, *windows: dict[str, str]) -> Freeze:
    return FreezeSettings.model_validate({"timeZone": zone, "windows": [*windows]}).freeze()


def second(text: str) -> float:
    """UTC unless it says otherwise."""
    found = epoch(text)
    assert found is not None
    return found


def until(freeze: Freeze, at: str) -> str | None:
    """When the window of this moment ends, in UTC; None where none holds."""
    found = frozen_at(freeze, second(at))
    return None if found is None else ends_at(found)


def ends_at(found: Frozen) -> str:
    day, hour = found.until // 86_400, found.until % 86_400
    known = {int(second(f"{date}T00:00:00") // 86_400): date for date in DATES}
    return f"{known[int(day)]}T{int(hour // 3600):02}:{int(hour % 3600 // 60):02}"


DATES = [
    *(f"2026-{month:02}-{day:02}" for month in (3, 10, 11, 12) for day in range(1, 31)),
    *(f"2027-01-{day:02}" for day in range(1, 12)),
]


@pytest.mark.parametrize(
    ("window", "at", "ends"),
    [
        (WEEKEND, "2026-11-27T15:59:59", None),
        (WEEKEND, "2026-11-27T16:00:00", "2026-11-30T08:00"),
        (WEEKEND, "2026-11-28T12:00:00", "2026-11-30T08:00"),
        (WEEKEND, "2026-11-29T23:59:59", "2026-11-30T08:00"),
        (WEEKEND, "2026-11-30T00:00:00", "2026-11-30T08:00"),
        (WEEKEND, "2026-11-30T07:59:59", "2026-11-30T08:00"),
        (WEEKEND, "2026-11-30T08:00:00", None),
        (NIGHT, "2026-11-24T21:59:00", None),
        (NIGHT, "2026-11-24T23:59:59", "2026-11-25T06:00"),
        (NIGHT, "2026-11-25T05:59:59", "2026-11-25T06:00"),
        (NIGHT, "2026-11-25T06:00:00", None),
        ({"from": "Sat", "to": "Sun"}, "2026-11-27T23:59:59", None),
        ({"from": "Sat", "to": "Sun"}, "2026-11-28T00:00:00", "2026-11-30T00:00"),
        ({"from": "Sat", "to": "Sun"}, "2026-11-30T00:00:00", None),
        ({"from": "Mon", "to": "Mon 08:00"}, "2026-11-30T00:00:00", "2026-11-30T08:00"),
        (HOLIDAYS, "2026-12-23T23:59:59", None),
        (HOLIDAYS, "2026-12-24T00:00:00", "2027-01-03T00:00"),
        (HOLIDAYS, "2027-01-02T23:59:59", "2027-01-03T00:00"),
        (HOLIDAYS, "2027-01-03T00:00:00", None),
        ({"from": "2026-12-24 16:00", "to": "2026-12-24 18:30"}, "2026-12-24T15:59:59", None),
        ({"from": "2026-12-24 16:00", "to": "2026-12-24 18:30"}, "2026-12-24T18:29:59", "2026-12-24T18:30"),
        ({"from": "2026-12-24 16:00", "to": "2026-12-24 18:30"}, "2026-12-24T18:30:00", None),
        ({"from": "2026-12-24", "to": "2026-12-24"}, "2026-12-24T23:59:59", "2026-12-25T00:00"),
    ],
)
def test_a_window_holds_from_its_beginning_to_before_its_end(window: dict[str, str], at: str, ends: str | None) -> None:
    assert until(freeze("UTC", window), at) == ends


@pytest.mark.parametrize(
    ("zone", "at", "ends"),
    [
        # 28 March 2026, Europe: clocks go from 02:00 to 03:00 on Sunday; 08:00 on Monday is 06:00 UTC, not 07:00.
        (BERLIN, "2026-03-27T14:59:59", None),
        (BERLIN, "2026-03-27T15:00:00", "2026-03-30T06:00"),
        (BERLIN, "2026-03-30T05:59:59", "2026-03-30T06:00"),
        (BERLIN, "2026-03-30T06:00:00", None),
        # 25 October 2026, Europe: back from 03:00 to 02:00.
        (BERLIN, "2026-10-23T13:59:59", None),
        (BERLIN, "2026-10-23T14:00:00", "2026-10-26T07:00"),
        (BERLIN, "2026-10-26T06:59:59", "2026-10-26T07:00"),
        (BERLIN, "2026-10-26T07:00:00", None),
        # 1 November 2026, North America.
        (NEW_YORK, "2026-10-30T20:00:00", "2026-11-02T13:00"),
        (NEW_YORK, "2026-11-02T12:59:59", "2026-11-02T13:00"),
    ],
)
def test_a_week_whose_clocks_are_changed_freezes_by_the_clock_on_the_wall(zone: str, at: str, ends: str | None) -> None:
    assert until(freeze(zone, WEEKEND), at) == ends


LEFT_OUT, TWICE = {"from": "2026-03-29 02:30", "to": "2026-03-29 04:00"}, {"from": "Sun 01:00", "to": "Sun 02:30"}


@pytest.mark.parametrize(
    ("window", "at", "ends"),
    [
        # 02:30 does not exist on 29 March; by the clock before the change it is 01:30 UTC, by the one after 00:30 UTC.
        (LEFT_OUT, "2026-03-29T00:29:59", None),
        (LEFT_OUT, "2026-03-29T00:30:00", "2026-03-29T02:00"),
        ({"from": "2026-03-29 01:00", "to": "2026-03-29 02:30"}, "2026-03-29T01:29:59", "2026-03-29T01:30"),
        # 02:30 comes twice on 25 October: 00:30 and 01:30 UTC. The window holds until the second one, without a gap.
        (TWICE, "2026-10-24T23:00:00", "2026-10-25T01:30"),
        (TWICE, "2026-10-25T00:45:00", "2026-10-25T01:30"),
        (TWICE, "2026-10-25T01:29:59", "2026-10-25T01:30"),
        (TWICE, "2026-10-25T01:30:00", None),
        # It begins with the first one, and the clock of the second one is not before it.
        ({"from": "Sun 02:30", "to": "Sun 05:00"}, "2026-10-25T00:29:59", None),
        ({"from": "Sun 02:30", "to": "Sun 05:00"}, "2026-10-25T00:30:00", "2026-10-25T04:00"),
        ({"from": "Sun 02:30", "to": "Sun 05:00"}, "2026-10-25T01:10:00", "2026-10-25T04:00"),
    ],
)
def test_an_end_that_comes_twice_or_not_at_all_makes_the_longer_window(
    window: dict[str, str], at: str, ends: str | None
) -> None:
    assert until(freeze(BERLIN, window), at) == ends


def test_windows_that_follow_on_each_other_end_with_the_last_one() -> None:
    following = freeze("UTC", WEEKEND, HOLIDAYS, {"from": "Sun", "to": "Sun"})
    assert until(following, "2026-12-20T12:00:00") == "2026-12-21T08:00"
    # Thu 24 December to Sat 2 January, in which the weekend begins that lasts until Monday.
    assert until(following, "2026-12-24T12:00:00") == "2027-01-04T08:00"


def test_a_frozen_moment_names_the_window_in_the_words_of_the_stack_file_and_its_reason() -> None:
    found = frozen_at(freeze(BERLIN, {**HOLIDAYS, "reason": "the shop's busiest days"}), second("2026-12-25T00:00:00"))
    assert found is not None
    assert found.words == "2026-12-24 to 2027-01-02 Europe/Berlin (the shop's busiest days)"


@pytest.fixture
def no_tables() -> Iterator[None]:
    """A machine without tables of time zones, as in a small container."""
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(to=())
    yield
    zoneinfo.reset_tzpath()


@pytest.mark.usefixtures("no_tables")
def test_utc_needs_no_table_of_time_zones() -> None:
    assert until(Freeze(), "2026-12-25T00:00:00") is None
    found = frozen_at(freeze("UTC", HOLIDAYS), second("2026-12-25T00:00:00"))
    assert found is not None
    assert in_zone(found.zone, found.until) == "Sun 2027-01-03 00:00 UTC"


def test_without_windows_nothing_is_ever_frozen() -> None:
    assert until(Freeze(), "2026-12-25T00:00:00") is None
