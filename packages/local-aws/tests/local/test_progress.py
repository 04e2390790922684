"""What a person reads while several things happen at once (no terminal: plain lines)."""

from __future__ import annotations

import io

import pytest
from local_aws.progress import Progress

pytestmark = pytest.mark.pure


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def lines(stream: io.StringIO) -> list[str]:
    return [line.partition("] ")[2] for line in stream.getvalue().splitlines()]


def test_each_part_tells_its_steps_and_its_end() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, clock) as progress, progress.running("engine") as say:
        say("looking")
        clock.now = 2.5
    assert lines(stream) == ["engine: looking", "engine: done (2.5 s)"]


def test_figures_alone_are_news_only_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, clock) as progress, progress.running("engine") as say:
        for second in range(12):
            clock.now = float(second)
            say(f"compiled {second * 10} of 120")
        say("linking")
    told = [line for line in lines(stream) if "compiled" in line]
    assert told == ["engine: compiled 0 of 120", "engine: compiled 50 of 120", "engine: compiled 100 of 120"]
    assert "engine: linking" in lines(stream)


def test_a_part_that_raises_has_failed() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="x"):
        with Progress(stream, Clock()) as progress, progress.running("docker"):
            raise ValueError("x")
    assert lines(stream) == ["docker: FAILED (0.0 s)"]
