"""What a review costs on top of a preview, where a stack has many resources."""

from __future__ import annotations

import os
import statistics
import subprocess
import time

from tools.bench.measure import Figure, Say, environment, ran
from tools.lane import Lane, Stack

RESOURCES = 500
RUNS = 3
AIM = 1.3
"""A review may take so many times as long as the preview that it is made of."""

STANDING = "    cluster = Cluster(lane)\n"
MORE = """    from pulumi_aws import cloudwatch

    for number in range({number}):
        cloudwatch.LogGroup(f"more-{{number}}", name=f"/{{lane.names.cluster}}/{{number}}")
"""


def reviews(lane: Lane, digest: str, say: Say) -> list[Figure]:
    """Two figures; `units` of both are multiples of the preview's median."""
    say(f"an environment of {RESOURCES} resources")
    base = environment(lane, "many")
    stack = base.with_changed_program("infra/__main__.py", STANDING, STANDING + MORE.format(number=RESOURCES))
    ran(stack.up(imageDigest=digest))
    say(f"{RESOURCES} resources: {RUNS} previews and reviews")
    pairs = [(_preview(stack, digest), _review(stack, digest)) for _ in range(RUNS)]
    previews, found = zip(*pairs, strict=True)
    unit = statistics.median(previews)
    ran(stack.destroy())
    return [
        Figure(name=f"preview, {RESOURCES} resources", seconds=previews, units=1.0),
        Figure(name="review of the same", seconds=found, units=statistics.median(found) / unit, aim=AIM),
    ]


def _preview(stack: Stack, digest: str) -> float:
    with stack.started("preview", imageDigest=digest) as process:
        return ran(process.wait(300))


def _review(stack: Stack, digest: str) -> float:
    """By the command, with the program and the stack files of the lane."""
    variables = {**os.environ, **stack.lane.variables, "RELEASE_LANE_STACKS": str(stack.lane.folder)}
    command = [".venv/bin/python", "-m", "release_lane.command", "review", stack.name, "--digest", digest]
    begun = time.monotonic()
    done = subprocess.run(command, cwd=stack.project, env=variables, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"a measured review ended with exit code {done.returncode}:\n{done.stderr}")
    return time.monotonic() - begun
