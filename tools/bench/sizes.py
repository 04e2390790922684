"""Does a switch take longer with more tasks? Environments with few and many tasks a colour, moved to and fro."""

from __future__ import annotations

from tools.bench.measure import Figure, Say, environment, ran, rollbacks
from tools.lane import Lane

SIZES = (2, 10, 40)
RUNS = 5
FLAT = 1.2
"""A switch of the largest may take so many times as long as one of the smallest."""
STARTING = 900
"""Seconds for a release of the largest: forty containers start on two processors."""


def switches(lane: Lane, digests: tuple[str, str], say: Say) -> list[Figure]:
    """One figure for each size; `units` are multiples of the smallest's median."""
    figures: list[Figure] = []
    for size in SIZES:
        say(f"{size} tasks a colour: two releases")
        stack = environment(lane, f"of{size}", service={"desiredCount": size}, rollout={"deadlineSeconds": STARTING})
        for digest in digests:
            ran(stack.up(imageDigest=digest, timeout=STARTING))
        say(f"{size} tasks a colour: {RUNS} switches")
        figure = Figure(name=f"switch, {size} tasks a colour", seconds=rollbacks(stack, RUNS, _quiet), units=1.0)
        base = figures[0].median if figures else figure.median
        aim = FLAT if figures else None
        figures.append(Figure(name=figure.name, seconds=figure.seconds, units=figure.median / base, aim=aim))
        ran(stack.destroy())
    return figures


def _quiet(_: str) -> None:
    """The number of tasks was said already."""
