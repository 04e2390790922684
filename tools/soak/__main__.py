"""`python -m tools.soak [PART …] [--short] [--json]`: long runs on the local cloud.

    load        deploys, switches, rollbacks, refusals at the highest rate that this machine carries
    sequences   10,000 random sequences of updates, kills and meddling against `decide`
    faults      every call of the gates times every fault, and every place of a switch (about an hour)
    crashes     kill -9 and Ctrl-C of every process of an update at each of its boundaries (about an hour)

Without a PART: all of them. --short: a tenth of each, to see that it works. Results are kept in soak/results/.
Exit codes: 0 flawless, 1 users noticed something or a sequence broke a rule, 3 something failed, 4 busy, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from local_aws import cloud, processes
from local_aws.alone import alone
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.progress import Progress
from provider_kit.streams import outliving

from tools import checks
from tools.demo.source import Source
from tools.lane import Lane
from tools.soak.load import Size, Soaked, ended, soak

ROOT = Path(__file__).resolve().parents[2]
Kept = dict[str, Any]

SAMPLED = "RELEASE_LANE_SOAK"
"""Tells the tests how much of a long list they go through: all, or a tenth; without it some few."""

FAULTS = ("tests/faults/test_matrix.py",)
CRASHES = ("tests/faults/test_crashes.py", "tests/faults/test_command_crashes.py")
"""The tests that go through such a list."""


def main(argv: list[str]) -> int:
    """Run the parts that were asked for, one after the other; the first one that is not flawless decides."""
    arguments = _parser().parse_args(argv)
    codes = []
    try:
        for part in arguments.parts or PARTS:
            code, kept = PARTS[part](arguments.short)
            print(f"kept as {_keep(part, kept)}", file=sys.stderr)
            if arguments.json:
                print(json.dumps(kept))
            codes.append(code)
    except LocalError as error:
        print(f"soak: {error}", file=sys.stderr)
        return error.exit_code
    except RuntimeError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    finally:
        processes.end_children()
    return max(codes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []], help=", ".join(PARTS))
    parser.add_argument("--short", action="store_true", help="a tenth of each")
    parser.add_argument("--json", action="store_true", help="results on stdout")
    return parser


def _load(short: bool) -> tuple[int, Kept]:
    places = Places.read()
    with alone(places.lock, "make soak"), Progress() as progress:
        up = cloud.up(places, progress)
        with progress.running("load") as say, tempfile.TemporaryDirectory(dir=places.runtime) as folder:
            lane = Lane.open(Path(folder), up.environment)
            try:
                found = soak(
                    lane, _built(lane, Path(folder)), Size(rounds=1, requests=100_000) if short else Size(), say
                )
            finally:
                lane.close()
    _print(found)
    return (0 if found.flawless else 1), asdict(found) | {"flawless": found.flawless}


def _built(lane: Lane, folder: Path) -> str:
    artifacts = lane.artifacts(Source(folder / "source", ROOT).folder)
    ended(artifacts.up())
    lane.repository = artifacts.outputs["repositoryUrl"]
    return str(artifacts.outputs["imageDigest"])


def _print(found: Soaked) -> None:
    total, steady = found.crowd.total, found.steady.total
    print(
        f"{total.sent:,} requests in {found.seconds:.0f} s ({total.sent / found.seconds:,.0f}/s): "
        f"{total.failed} failed, {total.mixed} mixed; on schedule next to them {steady.sent:,}: "
        f"{steady.failed} failed, {steady.late} late"
    )
    for reason, count in [*total.reasons.items(), *steady.reasons.items(), *found.long_broken.items()]:
        print(f"  {count} times: {reason}")
    whole = ", ".join(f"{count} {kind}" for kind, count in sorted(found.long_whole.items()))
    print(f"answers of 5 s that came whole: {whole}; broken: {sum(found.long_broken.values())}")
    print(
        f"{found.deploys} deploys, {found.switches} switches, {found.rollbacks} rollbacks, {found.refusals} refusals"
        + (f"; NEVER MEANT FOR USERS: {', '.join(found.strangers)}" if found.strangers else "")
    )


def _sequences(short: bool) -> tuple[int, Kept]:
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "default" if short else "thorough"}
    check = checks.Check(
        "sequences", checks.pytest("packages/release-lane/tests/decide/test_decision_properties.py"), show="as it comes"
    )
    outcome = checks.perform(check, environment)
    return (0 if outcome.ok else 1), {"seconds": outcome.seconds, "ok": outcome.ok, "short": short}


def _faults(short: bool) -> tuple[int, Kept]:
    return _all_of(FAULTS, short)


def _crashes(short: bool) -> tuple[int, Kept]:
    return _all_of(CRASHES, short)


def _all_of(files: Sequence[str], short: bool) -> tuple[int, Kept]:
    """Tests of which an ordinary run takes a sample; here none is left out (a tenth of them, if short)."""
    places = Places.read()
    with alone(places.lock, "make soak"), Progress() as progress:
        up = cloud.up(places, progress)
        environment = {**up.environment, SAMPLED: "tenth" if short else "all"}
        check = checks.Check("soak", checks.pytest("-m", "cloud", *files, "--durations=10"), show="as it comes")
        outcome = checks.perform(check, environment)
    return (0 if outcome.ok else 1), {"seconds": outcome.seconds, "ok": outcome.ok, "short": short}


def _keep(part: str, kept: Kept) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = ROOT / "soak" / "results" / f"{stamp}-{part}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
    path.write_text(json.dumps({"part": part, "machine": machine, **kept}, indent=2))
    return path.relative_to(ROOT)


PARTS: dict[str, Callable[[bool], tuple[int, Kept]]] = {
    "load": _load,
    "sequences": _sequences,
    "faults": _faults,
    "crashes": _crashes,
}


if __name__ == "__main__":
    sys.exit(outliving(main, sys.argv[1:]))
