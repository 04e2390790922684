"""`python -m tests.faults.record`: tell every story once without a fault, and write down calls and boundaries.

The matrix of faults and the list of crashes are made from these files, so a call or a gate that is new is in them as
soon as it is recorded; `test_matrix.py` and `test_crashes.py` fail while one is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import astuple
from pathlib import Path

from local_aws import cloud as local_cloud
from local_aws.places import Places
from local_aws.progress import Progress

from tests.faults.crash import follow, logged, victims
from tests.faults.points import Point, writes
from tests.faults.proxy import FaultProxy
from tests.faults.stories import MIGRATION, STORIES, Images, Scene
from tests.patience import PATIENCE
from tools.demo.source import Source
from tools.lane import ROOT, Lane

CALLS = Path(__file__).with_name("calls.json")
BOUNDARIES = Path(__file__).with_name("boundaries.json")


def recorded() -> dict[str, dict[str, int]]:
    """How often each story makes each call."""
    known: dict[str, dict[str, int]] = json.loads(CALLS.read_text())
    return known


def boundaries() -> dict[Point, list[str]]:
    """The points of an update with all gates, in their order, and which of its processes live there."""
    known = json.loads(BOUNDARIES.read_text())
    return {Point(*each["point"]): each["alive"] for each in known}


def main() -> None:
    argparse.ArgumentParser(prog="python -m tests.faults.record", description=__doc__).parse_args()
    with Progress(sys.stderr) as progress:
        up = local_cloud.up(Places.read(), progress)
    with tempfile.TemporaryDirectory() as folder:
        lane = Lane.open(Path(folder, "lane"), up.environment)
        try:
            found, passed = record(lane, Path(folder, "source"))
        finally:
            lane.close()
    CALLS.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    known = [{"point": astuple(point), "alive": alive} for point, alive in passed.items()]
    BOUNDARIES.write_text("[\n" + ",\n".join(f"  {json.dumps(each)}" for each in known) + "\n]\n")
    print(f"{len(set().union(*found.values()))} calls, {len(passed)} boundaries")


def record(lane: Lane, source: Path) -> tuple[dict[str, dict[str, int]], dict[Point, list[str]]]:
    """Which calls each story makes, and how often; and the boundaries of an update with all gates."""
    found: dict[str, Counter[str]] = {}
    with FaultProxy(lane.variables["AWS_ENDPOINT_URL"]) as proxy:
        artifacts = lane.artifacts(Source(source, ROOT).folder)
        built = artifacts.up()
        assert built.ok, built.text
        lane.repository = artifacts.outputs["repositoryUrl"]
        good = str(artifacts.outputs["imageDigest"])
        images = Images(good, lane.derive("better", good), lane.derive("crasher", good))
        scene = Scene(lane.environment("record", smoke={"deadlineSeconds": 8}), images, proxy)
        for name in ("first", "traffic_only", "keep", "by_hand", "stepped", "refusal", "overdue", "destroy"):
            if name == "traffic_only":
                second = scene.stack.up(imageDigest=images.two)
                assert second.ok, second.text
            proxy.begin()
            result = STORIES[name](scene, scene.behind())
            assert result.ok is (name not in ("refusal", "overdue")), result.text
            found[name] = proxy.counted()
            if name == "by_hand":
                passed = pass_boundaries(scene, lane.derive("best", good), lane.derive("third", good))
            print(f"{name}: {result.seconds:.1f} s, {sum(found[name].values())} calls", file=sys.stderr)
    return {name: dict(found[name]) for name in STORIES}, passed


def pass_boundaries(scene: Scene, first: str, digest: str) -> dict[Point, list[str]]:
    """Deploy and look: each boundary when it comes for the first time, with the processes that live then. `first` is
    what migrated before it."""
    passed: dict[Point, list[str]] = {}
    migrating = scene.behind().with_settings(migration=MIGRATION)
    before = migrating.up(imageDigest=first)
    assert before.ok, before.text
    scene.proxy.begin()
    with logged(migrating, imageDigest=digest) as (running, log):
        for point in follow(log, lambda: running.process.poll() is not None):
            passed.setdefault(point, sorted(victims(running.process.pid)))
        result = running.wait(PATIENCE)
    assert result.ok, result.text
    everybody = max(passed.values(), key=len)
    return passed | dict.fromkeys(writes(scene.proxy.counted()), everybody)


if __name__ == "__main__":
    main()
