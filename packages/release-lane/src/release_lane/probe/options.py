"""The prober's options on a command line, and its report in words; shared by `release probe` and `-m`."""

from __future__ import annotations

import argparse

from release_lane.operate.duration import parse_duration
from release_lane.probe.settings import Settings
from release_lane.probe.tally import Counts, Report
from release_lane.record.asking import Identify

CONNECT_TO = "connect to this host in place of the URL's; certificate and Host header stay those of the URL"


def add_options(parser: argparse.ArgumentParser) -> None:
    """All but the URL."""
    add = parser.add_argument
    add("--rate", type=float, default=100.0, metavar="N", help="requests a second (default %(default)g)")
    add(
        "--users",
        type=int,
        default=0,
        metavar="N",
        help="instead of a rate: N users who ask again once answered",
    )
    add("--for", type=parse_duration, dest="seconds", metavar="DURATION", help="how long (default: until Ctrl-C)")
    add("--wait-ready", action="store_true", help="count from the first good answer only")
    add(
        "--expect",
        type=int,
        action="append",
        default=[],
        metavar="STATUS",
        help="also good, next to 2xx, e.g. 503",
    )
    add("--late-after", type=float, default=1.0, metavar="SECONDS", help="an answer is late after this (default 1)")
    add("--timeout", type=float, default=5.0, metavar="SECONDS", help="a request has failed after this (default 5)")
    how = "how a good answer names its release: in its status body, in its headers, or not"
    add("--identify", choices=[str(each) for each in Identify], help=how)
    add("--connect-to", metavar="HOST", help=CONNECT_TO)
    add("--connections", type=int, default=1000, metavar="N", help="open at once, at most (default 1000)")


def settings_from(arguments: argparse.Namespace, url: str, connect_to: str = "") -> Settings:
    """The prober's settings. ValueError where they cannot be meant."""
    return Settings(
        url=url,
        connect_to=arguments.connect_to or connect_to,
        rate=0.0 if arguments.users else arguments.rate,
        users=arguments.users,
        timeout=arguments.timeout,
        late_after=arguments.late_after,
        connections=arguments.connections,
        expect=tuple(arguments.expect),
        wait_ready=arguments.wait_ready,
        identify=arguments.identify or "",
    )


def text(report: Report) -> str:
    """For people: totals, releases, failures."""
    total, latency = report.total, report.total.latency_ms
    lines = [
        f"{report.url}: {total.sent} sent" + (f" at {report.rate:g}/s" if report.rate else ""),
        f"  {in_short(total)}",
        *((f"  nothing was counted: {report.unready}",) if report.unready else ()),
        f"  ms: half within {latency.p50}, 99 % within {latency.p99}, worst {latency.worst}",
        *(f"  {seen.count} by {seen.colour or '?'} {seen.digest or '?'}" for seen in total.releases),
        *(f"  not checked: {sentence}" for sentence in unchecked(report)),
        *(f"  failed {count} times: {reason}" for reason, count in total.reasons.items()),
    ]
    return "\n".join(lines)


def unchecked(report: Report) -> tuple[str, ...]:
    """What could not be seen of these answers."""
    unnamed = report.total.unnamed
    return (f"{unnamed} answers named no release, so mixed ones among them were not seen",) if unnamed else ()


def in_short(counts: Counts) -> str:
    """`990 ok, 10 failed, 0 late, 0 mixed`."""
    return f"{counts.ok} ok, {counts.failed} failed, {counts.late} late, {counts.mixed} mixed"
