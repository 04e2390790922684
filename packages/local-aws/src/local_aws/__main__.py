"""AWS on this machine, for a Pulumi project.

    local-aws up [--provider real]  start what is not running; `real`: updates run the real AWS provider, no stand-in
    local-aws down [--keep-state]   remove everything that was started, and its state
    local-aws status [--json]       what runs, where, since when, its memory, URLs
    local-aws logs [NAME]           the end of all logs; of one (emulator, haproxy, dockerd, …); of a container, or of
           [--follow] [--lines N]   all containers of a service, by a part of their name
    local-aws doctor [--json]       is this machine fit for it, and if not, what fixes it?
    local-aws metrics [--period S] [--delay S]   how often load balancers report to CloudWatch, and how late

Run it in the project: the nearest folder with a Pulumi.yaml is the project's. Everything is kept below its `.local/`.
Exit codes: 0 done, 1 a check said no, 2 usage, 3 a tool failed, 4 another command holds the local cloud, 130
interrupted. Data on stdout, progress on stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict

from provider_kit.streams import outliving, reader_left

from local_aws import cloud, dockercli, doctor, logs, metrics, processes
from local_aws.alone import alone
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.progress import Progress
from local_aws.status import describe, status


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments, Places.read())
    except LocalError as error:
        print(f"local-aws {arguments.verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if arguments.verb in ("up", "down"):
            print("interrupted; `local-aws down` removes what was started", file=sys.stderr)
        return 130
    finally:
        processes.end_children()  # a build that still runs when another part failed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="local-aws", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up").add_argument("--provider", default="", metavar="KIND", help="stand-in or real")
    verbs.add_parser("down").add_argument("--keep-state", action="store_true", help="keep stacks and cloud")
    for name in ("status", "doctor"):
        verbs.add_parser(name).add_argument("--json", action="store_true")
    metrics = verbs.add_parser("metrics")
    metrics.add_argument("--period", type=int, metavar="S", help="1, 5, 10, 20, 30, or 60 seconds as on AWS")
    metrics.add_argument("--delay", type=float, metavar="S", help="1.5 periods unless given")
    of = verbs.add_parser("logs")
    of.add_argument("name", nargs="?", metavar="NAME")
    of.add_argument("--follow", action="store_true", help="go on with new lines; Ctrl-C ends it")
    of.add_argument("--lines", type=int, default=logs.LINES, metavar="N", help="how many of each (%(default)s)")
    return parser


def _run(arguments: argparse.Namespace, places: Places) -> int:
    match arguments.verb:
        case "up":
            return _up(places, arguments.provider)
        case "down":
            return _down(places, keep_state=arguments.keep_state)
        case "status":
            return _status(places, as_json=arguments.json)
        case "metrics":
            return _metrics(places, arguments.period, arguments.delay)
        case "doctor":
            return _doctor(places, as_json=arguments.json)
        case _:
            return _logs(places, arguments.name, arguments.lines, follow=arguments.follow)


def _up(places: Places, asked: str) -> int:
    begin = time.monotonic()
    with alone(places.lock, "up"), Progress() as progress:
        cloud.up(places, progress, asked)
    say(f"The local cloud is up ({time.monotonic() - begin:.1f} s). In a shell: . .local/env")
    return 0


def _down(places: Places, *, keep_state: bool) -> int:
    begin = time.monotonic()
    with alone(places.lock, "down"):
        removed = cloud.down(places, say, keep_state=keep_state)
    parts = [
        _count(removed.processes, "process", "processes"),
        _count(removed.containers, "container", "containers"),
        _count(removed.networks, "network", "networks"),
        *([_count(removed.volumes, "volume", "volumes")] if removed.volumes else []),
        *([_count(removed.images, "untagged image", "untagged images")] if removed.images else []),
        *(["dockerd"] if removed.dockerd else []),
    ]
    kept = "" if keep_state else f", and {places.state} is deleted"
    kept += f"; kept {', '.join(removed.kept)}" if removed.kept else ""
    say(f"The local cloud is down ({time.monotonic() - begin:.1f} s): ended {', '.join(parts)}; nothing is left{kept}.")
    return 0


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _status(places: Places, *, as_json: bool) -> int:
    found = status(places)
    if as_json:
        print(json.dumps(found.as_dict(), indent=2))
    else:
        print("\n".join(describe(found)))
    return 0 if found.up else 1


def _doctor(places: Places, *, as_json: bool) -> int:
    findings = doctor.examine(places)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        print("\n".join(line for finding in findings for line in doctor.describe(finding)))
    return 0 if all(finding.ok for finding in findings) else 1


def _metrics(places: Places, period: int | None, delay: float | None) -> int:
    if period is None and delay is not None:
        raise LocalError("--delay needs --period.", next_step="local-aws metrics --period 60 --delay 30")
    now = metrics.clock(places.endpoint) if period is None else metrics.set_clock(places.endpoint, period, delay)
    print(f"Load balancers report every {now.period} s; that can be read {now.delay:g} s later.")
    return 0


def _logs(places: Places, name: str | None, lines: int, *, follow: bool) -> int:
    sources = [*logs.files(places), *_containers(places)]
    chosen = logs.choose(sources, name)
    if not chosen:
        raise logs.unknown(sources, name)
    if follow:
        logs.follow(chosen, lines, _followed)
    else:
        logs.show(chosen, lines, print)
    return 0


def _followed(line: str) -> None:
    print(line, flush=True)
    if reader_left(sys.stdout):
        sys.exit(0)


def _containers(places: Places) -> list[logs.Source]:
    found = dockercli.containers(places) if dockercli.answers() else []
    return [logs.Source(one.name, also=one.group) for one in found]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run() -> None:
    """The console script."""
    sys.exit(outliving(main, sys.argv[1:]))


if __name__ == "__main__":
    run()
