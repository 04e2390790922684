"""`freeze`: what the stack file says, as the engine hands it over and as the command reads it."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.command.adapters.stack_file import read as stack_file
from release_lane.decide.freeze import Freeze
from release_lane.record.times import WEEK, minute_of
from release_lane.settings.freeze import FreezeSettings
from release_lane.settings.model import part

pytestmark = pytest.mark.pure


def read(*windows: dict[str, Any], **more: Any) -> Freeze:
    return FreezeSettings.model_validate({"windows": [*windows], **more}).freeze()


@pytest.mark.parametrize(
    ("begins", "ends", "minutes"),
    [
        ("Mon", "Mon", (0, 1440)),
        ("Mon 00:01", "Mon", (1, 1440)),
        ("Sat", "Sun", (5 * 1440, 7 * 1440)),
        ("Fri 16:00", "Mon 08:00", (4 * 1440 + 960, 480)),
    ],
)
def test_a_day_without_a_time_counts_whole(begins: str, ends: str, minutes: tuple[int, int]) -> None:
    (window,) = read({"from": begins, "to": ends}).windows
    assert (window.begins, window.ends, window.weekly) == (*minutes, True)
    assert window.begins < WEEK


IN_QUOTES = 'freeze: {windows: [{from: "2026-12-24", to: "2027-01-02"}]}'
NO_QUOTES = "freeze: {windows: [{from: 2026-12-24, to: 2027-01-02}]}"
OF_THE_ENGINE = (
    '{"freeze": {"windows": [{"from":"2026-12-24 00:00:00 +0000 UTC","to":"2027-01-02 00:00:00 +0000 UTC"}]}}'
)


@pytest.mark.parametrize("text", [IN_QUOTES, NO_QUOTES, OF_THE_ENGINE])
def test_a_date_needs_no_quotes(text: str) -> None:
    """The engine makes a time of it, in UTC."""
    (window,) = part(stack_file(text), "freeze", "Pulumi.staging.yaml").freeze().windows
    assert (window.begins, window.ends) == (minute_of("2026-12-24"), minute_of("2027-01-03"))
    assert (window.weekly, window.words) == (False, "2026-12-24 to 2027-01-02")


def test_a_time_zone_is_utc_unless_it_is_named() -> None:
    assert (read().zone, read(timeZone="Europe/Berlin").zone) == ("UTC", "Europe/Berlin")
