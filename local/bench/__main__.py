"""`python -m local.bench [--json]`: measure on the local cloud, print, keep as JSON in bench/results/.

Ratios, not seconds, are what compares across machines: everything is divided by a `pulumi up` that changes nothing,
measured in the same run. Exit codes: 0 measured (whether or not aims were met), 1 users noticed something,
3 something that was to be measured failed, 4 another command uses the local cloud.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local import cloud
from local.alone import alone
from local.bench import measure
from local.bench.measure import Figure, Users
from local.demo.source import GOOD, Source
from local.errors import LocalError
from local.lane import Lane
from local.places import Places
from local.progress import Progress


def main() -> int:
    """Measure everything once."""
    places = Places.read()
    try:
        with alone(places.lock, "make bench"):
            return _bench(places)
    except LocalError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 3


def _bench(places: Places) -> int:
    with Progress() as progress:
        up = cloud.up(places, progress)
        with progress.running("measuring") as say, tempfile.TemporaryDirectory(dir=places.runtime) as folder:
            lane = Lane.open(Path(folder), up.environment)
            figures, users = _measured(lane, Path(folder), places.root, say)
            memory = cloud.status(up.places).memory / 2**20
            lane.close()
    kept = _keep(places.root, figures, users, memory)
    _print(figures, users, memory, kept)
    return 1 if any(each.failed for each in users) else 0


def _measured(lane: Lane, folder: Path, root: Path, say: measure.Say) -> tuple[list[Figure], list[Users]]:
    say("building images")
    source = Source(folder / "source", root)
    artifacts = lane.artifacts(source.folder)
    digests = []
    for _ in range(2):
        measure.ran(artifacts.up())
        digests.append(str(artifacts.outputs["imageDigest"]))
        source.commit(GOOD)
    lane.repository = artifacts.outputs["repositoryUrl"]
    one, two = measure.environment(lane, "one"), measure.environment(lane, "two")
    say("first releases")
    for digest in digests:
        measure.ran(one.up(imageDigest=digest))
    measure.ran(two.up(imageDigest=digests[0]))
    unit = measure.no_change(one, 7, say)
    base = statistics.median(unit)

    def figure(name: str, seconds: tuple[float, ...], aim: float | None) -> Figure:
        return Figure(name=name, seconds=seconds, units=statistics.median(seconds) / base, aim=aim)

    fresh = [lane.derive(name, digests[0]) for name in ("better", "best", "third", "fourth")]
    crasher, liar = lane.derive("crasher", digests[0]), lane.derive("liar", digests[0])
    figures = [
        figure("no-change update (the unit)", unit, None),
        figure("rollback, weights only", measure.rollbacks(one, 5, say), 1.5),
        figure("promotion, two tasks, all gates", measure.promotions(one, fresh[:3], say), 3.0),
        figure("refusal: exits at once", measure.refusals(one, crasher, 3, say, "that exits at once"), 3.0),
        figure(
            "refusal: status broken",
            measure.refusals(one, liar, 2, say, "whose status is broken"),
            measure.SMOKE_DEADLINE / base + 2.0,
        ),
    ]
    return figures, measure.under_load(one, fresh[3], liar, say)


def _keep(root: Path, figures: list[Figure], users: list[Users], memory: float) -> Path:
    kept = root / "bench" / "results" / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "smokeDeadlineSeconds": measure.SMOKE_DEADLINE,
        "figures": [asdict(each) | {"median": each.median, "met": each.met} for each in figures],
        "users": [asdict(each) for each in users],
        "memoryMiB": round(memory),
    }
    kept.write_text(json.dumps(document, indent=2))
    return kept


def _print(figures: list[Figure], users: list[Users], memory: float, kept: Path) -> None:
    if "--json" in sys.argv[1:]:
        print(kept.read_text())
        return
    table = Table(title="Updates (units: no-change updates)", title_justify="left")
    for heading in ("what", "median s", "min-max s", "runs", "units", "aim", "met"):
        table.add_column(heading)
    for each in figures:
        spread = f"{min(each.seconds):.2f}-{max(each.seconds):.2f}"
        aim = "-" if each.aim is None else f"<= {each.aim:.2f}"
        met = {None: "-", True: "yes", False: "NO"}[each.met]
        table.add_row(each.name, f"{each.median:.2f}", spread, str(len(each.seconds)), f"{each.units:.2f}", aim, met)
    Console().print(table)
    crowd = Table(title=f"Users at {measure.RATE:.0f} requests a second", title_justify="left")
    for heading in ("during", "sent", "failed", "late", "why"):
        crowd.add_column(heading)
    for some in users:
        why = ", ".join(f"{number} {reason}" for reason, number in some.reasons.items())
        crowd.add_row(some.during, str(some.sent), str(some.failed), str(some.late), why or "-")
    Console().print(crowd)
    print(f"The whole local cloud with all environments: {memory:.0f} MiB. Kept as {kept.name} in bench/results/.")


if __name__ == "__main__":
    sys.exit(main())
