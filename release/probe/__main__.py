"""`python -m release.probe URL --rate N --for SECONDS`: what do users get right now?

Exit code 0 when every request was answered well by one whole release, 1 when not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict

from release.probe.engine import Engine, Settings
from release.probe.tally import Report
from release.probe.worker import allow_many_connections


def main(argv: Sequence[str] | None = None) -> int:
    made = parser()
    arguments = made.parse_args(argv)
    try:
        settings = settings_from(arguments)
    except ValueError as error:
        made.error(str(error))  # exit code 2
    allow_many_connections()
    report = asyncio.run(probe(settings, arguments.seconds))
    print(json.dumps(asdict(report)) if arguments.json else text(report))
    return 0 if report.total.flawless else 1


def settings_from(arguments: argparse.Namespace) -> Settings:
    return Settings(
        url=arguments.url,
        rate=arguments.rate,
        timeout=arguments.timeout,
        late_after=arguments.late_after,
        connections=arguments.connections,
        expect=tuple(arguments.expect),
        wait_ready=arguments.wait_ready,
    )


async def probe(settings: Settings, seconds: float | None) -> Report:
    """Ctrl-C and SIGTERM end it early; the report is printed all the same."""
    engine = Engine(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, engine.stop)
    await engine.run(seconds)
    return engine.report()


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m release.probe", description=__doc__)
    add = made.add_argument
    add("url", metavar="URL", help="such as http://127.0.0.1:8080/api/v1/status")
    add("--rate", type=float, default=100.0, metavar="N", help="requests a second (default %(default)g)")
    add("--for", type=float, dest="seconds", metavar="SECONDS", help="how long (default: until Ctrl-C)")
    add("--json", action="store_true", help="the report as JSON")
    add("--wait-ready", action="store_true", help="count from the first good answer only")
    add("--expect", type=int, action="append", default=[], metavar="STATUS", help="fine besides 2xx, e.g. 503")
    add("--late-after", type=float, default=1.0, metavar="SECONDS", help="call an answer late (default 1)")
    add("--timeout", type=float, default=5.0, metavar="SECONDS", help="call it failed (default 5)")
    add("--connections", type=int, default=1000, metavar="N", help="at once, at most (default 1000)")
    return made


def text(report: Report) -> str:
    """For people: totals, releases, failures."""
    total, latency = report.total, report.total.latency_ms
    lines = [
        f"{report.url}: {total.sent} sent at {report.rate:g}/s",
        f"  {total.ok} ok, {total.failed} failed, {total.late} late, {total.mixed} mixed",
        f"  ms: half within {latency.p50}, 99 % within {latency.p99}, worst {latency.worst}",
        *(f"  {seen.count} by {seen.colour or '?'} {seen.digest or '?'}" for seen in total.releases),
        *(f"  failed {count} times: {reason}" for reason, count in total.reasons.items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
