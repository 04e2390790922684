"""A switch that stays where it is until its story goes on: after users were moved, before anything is recorded."""

from __future__ import annotations

from pathlib import Path

IMPORTED = "import pytest\n"
"""The line of smoke/test_service.py after which `held_by` is put."""

HELD = """
@pytest.fixture(autouse=True, scope="session")
def held(site):
    import pathlib, time
    while site.url.count(":") == 1 and pathlib.Path({hold!r}).exists():
        time.sleep(0.05)
"""


def held_by(hold: Path) -> str:
    """For the smoke checks: those of the live URL (it names no port) last for as long as this file exists."""
    return HELD.format(hold=str(hold))
