"""`python -m tools.bench [--json] [PART…]`: measure on the local cloud, print, keep as JSON in bench/results/.

Parts: `updates`, `peers`, `refusals`, `weights`, `users`, `sizes`, `reviews`; all of them if none is named. Ratios, not
seconds, are what compares across machines: everything is divided by a `pulumi up` that changes nothing (a review by its
preview), measured in the same run.
Exit codes: 0 measured (whether or not aims were met), 1 users noticed something, 2 there is no such part,
3 something that was to be measured failed, 4 another command uses the local cloud.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_aws import cloud
from local_aws.alone import alone
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.progress import Progress
from local_aws.status import status
from provider_kit.streams import outliving

from tools.bench import measure, peers, report, reviews, sizes
from tools.bench.measure import Figure, Say
from tools.bench.refusal import Refused, refused
from tools.bench.report import Results
from tools.bench.slow import farther_away
from tools.bench.weights import bare_moves
from tools.demo.source import GOOD, Source
from tools.lane import SOON, Lane, Stack
from tools.torn import push_torn

PARTS = ("updates", "peers", "refusals", "weights", "users", "sizes", "reviews")
BARE_MOVES = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for, once."""
    made = argparse.ArgumentParser(prog="python -m tools.bench")
    made.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}; without any, all")
    made.add_argument("--json", action="store_true", help="print what is kept instead of tables")
    arguments = made.parse_args(argv)
    if unknown := set(arguments.parts) - set(PARTS):
        made.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    places = Places.read()
    try:
        with alone(places.lock, "make bench"):
            return _bench(places, arguments.parts or PARTS, arguments.json)
    except LocalError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 3


def _bench(places: Places, parts: Collection[str], as_json: bool) -> int:
    with Progress() as progress:
        up = cloud.up(places, progress)
        with progress.running("measuring") as say, tempfile.TemporaryDirectory(dir=places.runtime) as folder:
            lane = Lane.open(Path(folder), up.environment)
            results = _measured(_prepared(lane, Path(folder), places.root, say), parts, Path(folder), say)
            results.memory_mib = round(status(up.places).memory / 2**20)
            results.load = os.getloadavg()[0]
            lane.close()
    kept = report.keep(places.root, results)
    print(kept.read_text()) if as_json else report.show(results, kept)
    return 1 if any(each.failed for each in results.users) else 0


@dataclass(frozen=True)
class Prepared:
    """A lane with two good images, and an environment in which both are live or idle."""

    lane: Lane
    digests: tuple[str, str]
    one: Stack

    def variant(self, name: str) -> str:
        """Another image; its digest."""
        return self.lane.derive(name, self.digests[0])


def _prepared(lane: Lane, folder: Path, root: Path, say: Say) -> Prepared:
    say("building images")
    source = Source(folder / "source", root)
    artifacts = lane.artifacts(source.folder)
    digests = []
    for _ in range(2):
        measure.ran(artifacts.up())
        digests.append(str(artifacts.outputs["imageDigest"]))
        source.commit(GOOD)
    lane.repository = artifacts.outputs["repositoryUrl"]
    one = measure.environment(lane, "one")
    say("first releases")
    for digest in digests:
        measure.ran(one.up(imageDigest=digest))
    return Prepared(lane, (digests[0], digests[1]), one)


def _measured(ready: Prepared, parts: Collection[str], folder: Path, say: Say) -> Results:
    results = Results()
    if "updates" in parts:
        results.figures += _updates(ready, say)
    if "peers" in parts:
        results.peers = peers.compared(ready.lane, ready.digests[0], folder, say)
    if "weights" in parts:
        say(f"bare ModifyRule, {BARE_MOVES} times")
        results.moves = bare_moves(ready.one, BARE_MOVES)
    if "refusals" in parts:
        results.refusals = _refusals(ready, say)
    if "users" in parts:
        results.users = measure.under_load(ready.one, ready.variant("fourth"), ready.variant("liar"), say)
    if "sizes" in parts:
        results.figures += sizes.switches(ready.lane, ready.digests, say)
    if "reviews" in parts:
        results.figures += reviews.reviews(ready.lane, ready.digests[0], say)
    return results


def _updates(ready: Prepared, say: Say) -> list[Figure]:
    one = ready.one
    unit = measure.no_change(one, 7, say)
    base = statistics.median(unit)

    def figure(name: str, seconds: tuple[float, ...], aim: float | None, away: tuple[float, ...] = ()) -> Figure:
        return Figure(name=name, seconds=seconds, units=statistics.median(seconds) / base, aim=aim, away=away)

    fresh = [ready.variant(name) for name in ("better", "best", "third")]
    more = [ready.variant(name) for name in ("edition-6", "edition-7", "edition-8")]
    near = measure.rollbacks(one, 5, say), measure.promotions(one, fresh, say)
    with farther_away(one) as far:
        away = measure.no_change(far, 3, say), measure.rollbacks(far, 3, say), measure.promotions(far, more, say)

    crasher, liar = ready.variant("crasher"), ready.variant("liar")
    return [
        figure(measure.UNIT, unit, None, away[0]),
        figure(measure.ROLLBACK, near[0], 1.5, away[1]),
        figure("promotion, two tasks, all gates", near[1], 3.0, away[2]),
        figure("refusal: exits at once", measure.refusals(one, crasher, 3, say, "that exits at once"), 3.0),
        figure(
            "refusal: status broken",
            measure.refusals(one, liar, 2, say, "whose status is broken"),
            measure.SMOKE_DEADLINE / base + 2.0,
        ),
    ]


def _refusals(ready: Prepared, say: Say) -> list[Refused]:
    say("bad images, from the first terminal failure to the refusal")
    torn = push_torn(ready.lane.registry, b"torn".hex().ljust(40, "0"))
    return [
        refused(ready.one, "that exits at once", ready.variant("crasher")),
        refused(ready.one, "that cannot be pulled", torn),
        refused(ready.one.with_settings(rollout=SOON), "whose health check fails", ready.variant("sick")),
        refused(ready.one, "whose status says error", ready.variant("liar"), status=True),
    ]


if __name__ == "__main__":
    sys.exit(outliving(main))
