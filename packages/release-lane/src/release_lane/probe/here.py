"""The prober in this process, for a command that does nothing else."""

from __future__ import annotations

import asyncio
import signal

from release_lane.probe.engine import Engine
from release_lane.probe.settings import Settings
from release_lane.probe.tally import Report
from release_lane.probe.worker import allow_many_connections


def probe_for(settings: Settings, seconds: float | None) -> Report:
    """Probe for so many seconds; Ctrl-C and SIGTERM end it early, and the report is there all the same."""
    allow_many_connections()
    return asyncio.run(_probe(settings, seconds))


async def _probe(settings: Settings, seconds: float | None) -> Report:
    engine = Engine(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, engine.stop)
    await engine.run(seconds)
    return engine.report()
