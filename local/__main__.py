"""The local cloud's own command.

    python -m local up                    start what is not running
    python -m local down [--keep-state]   remove everything that was started, and its state
    python -m local status [--json]       what runs, since when, its memory, URLs
    python -m local logs [NAME]           the end of the logs (emulator, dockerd, …)
    python -m local doctor [--json]       is this machine fit for it?
    python -m local metrics [--period S] [--delay S]   how often load balancers report to CloudWatch, and how late

Exit codes: 0 done, 1 a check said no, 2 usage, 3 a tool failed, 4 somebody else is at it, 130 interrupted.
Data on stdout, progress on stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict

from local import cloud, doctor, metrics, processes
from local.alone import alone
from local.errors import LocalError
from local.places import Places
from local.progress import Progress


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments, Places.read())
    except LocalError as error:
        print(f"local {arguments.verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; `make down` removes what was started", file=sys.stderr)
        return 130
    finally:
        processes.end_children()  # a build that is under way when something else failed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up")
    verbs.add_parser("down").add_argument("--keep-state", action="store_true", help="keep stacks and cloud")
    for name in ("status", "doctor"):
        verbs.add_parser(name).add_argument("--json", action="store_true")
    metrics = verbs.add_parser("metrics")
    metrics.add_argument("--period", type=int, metavar="S", help="1, 5, 10, 20, 30, or 60 seconds as on AWS")
    metrics.add_argument("--delay", type=float, metavar="S", help="1.5 periods unless given")
    verbs.add_parser("logs").add_argument("name", nargs="?", metavar="NAME")
    return parser


def _run(arguments: argparse.Namespace, places: Places) -> int:
    match arguments.verb:
        case "up":
            return _up(places)
        case "down":
            return _down(places, keep_state=arguments.keep_state)
        case "status":
            return _status(places, as_json=arguments.json)
        case "metrics":
            return _metrics(places, arguments.period, arguments.delay)
        case "doctor":
            return _doctor(places, as_json=arguments.json)
        case _:
            return _logs(places, arguments.name)


def _up(places: Places) -> int:
    begin = time.monotonic()
    with alone(places.lock, "up"), Progress() as progress:
        cloud.up(places, progress)
    say(f"The local cloud is up ({time.monotonic() - begin:.1f} s). In a shell: . local/env")
    return 0


def _down(places: Places, *, keep_state: bool) -> int:
    begin = time.monotonic()
    with alone(places.lock, "down"):
        removed = cloud.down(places, say, keep_state=keep_state)
    parts = [
        _count(removed.processes, "process", "processes"),
        _count(removed.containers, "container", "containers"),
        _count(removed.networks, "network", "networks"),
        *(["dockerd"] if removed.dockerd else []),
    ]
    kept = f"; kept {', '.join(removed.kept)}" if removed.kept else ""
    say(f"The local cloud is down ({time.monotonic() - begin:.1f} s): ended {', '.join(parts)}; nothing is left{kept}.")
    return 0


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _status(places: Places, *, as_json: bool) -> int:
    found = cloud.status(places)
    if as_json:
        print(json.dumps(asdict(found), indent=2))
    else:
        for line in describe(found):
            print(line)
    return 0 if found.up else 1


def describe(found: cloud.Status) -> list[str]:
    if not found.up:
        running = f" ({len(found.processes)} of its processes still run)" if found.processes else ""
        return [f"The local cloud is down{running}. Next: make up"]
    since = cloud.clock(found.since) if found.since else "?"
    lines = [f"The local cloud is up since {since}, {found.memory / 2**20:.0f} MB."]
    lines += [f"  slot {found.slot}      emulator at {found.endpoint}, load balancers in {found.balancers}"]
    lines += [f"  docker      {found.docker}, {'started by a local cloud' if found.docker_ours else 'not ours'}"]
    lines += [f"  process     {line}" for line in found.processes]
    lines += [f"  container   {c['name']}  {c['status']}" for c in found.containers]
    lines += [f"  {name:<24} {url}" for name, url in found.urls]
    return lines


def _doctor(places: Places, *, as_json: bool) -> int:
    findings = doctor.examine(places)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            sign = "ok  " if finding.ok else "NO  "
            print(
                f"{sign} {finding.what}: {finding.found}" + ("" if finding.ok else f"\n     next: {finding.next_step}")
            )
    return 0 if all(finding.ok for finding in findings) else 1


def _metrics(places: Places, period: int | None, delay: float | None) -> int:
    if period is None and delay is not None:
        raise LocalError("--delay needs --period.", next_step="python -m local metrics --period 60 --delay 30")
    now = metrics.clock(places.endpoint) if period is None else metrics.set_clock(places.endpoint, period, delay)
    print(f"Load balancers report every {now.period} s; that can be read {now.delay:g} s later.")
    return 0


def _logs(places: Places, name: str | None) -> int:
    logs = sorted(places.logs.glob("*.log"))
    chosen = [log for log in logs if name in (None, log.stem)]
    if not chosen:
        known = ", ".join(log.stem for log in logs) or "none yet"
        raise LocalError(f"There is no log {name or ''}.", next_step=f"these there are: {known}")
    for log in chosen:
        print(f"==> {log} <==")
        print("\n".join(log.read_text(errors="replace").splitlines()[-100:]))
    return 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
