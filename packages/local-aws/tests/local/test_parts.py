"""Parts of `up` that run side by side: order, and the first failure at once."""

from __future__ import annotations

import io
import threading

import pytest
from local_aws.cloud import Parts
from local_aws.errors import LocalError
from local_aws.progress import Progress
from local_aws.toolchain.cache import Say

from tests.patience import PATIENCE

pytestmark = pytest.mark.provider


@pytest.fixture
def parts() -> Parts:
    return Parts(Progress(io.StringIO()))


def fail(_: Say) -> None:
    raise LocalError("no docker")


def test_a_part_begins_when_those_before_it_are_done(parts: Parts) -> None:
    seen: list[str] = []
    first = parts.begin("first", lambda _: seen.append("first"))
    parts.begin("second", lambda _: seen.append("second"), after=[first])
    parts.join()
    assert seen == ["first", "second"]


def test_independent_parts_run_at_once(parts: Parts) -> None:
    meet = threading.Barrier(2)
    both = [parts.begin(name, lambda _: meet.wait(PATIENCE)) for name in ("a", "b")]
    parts.join()
    assert sorted(part.result() for part in both) == [0, 1]


def test_a_failure_is_raised_while_others_still_run(parts: Parts) -> None:
    never = threading.Event()
    parts.begin("long build", lambda _: never.wait(PATIENCE))
    parts.begin("docker", fail)
    with pytest.raises(LocalError, match="no docker"):
        parts.join()
    assert not never.is_set()
    never.set()


def test_what_comes_after_a_failure_never_begins(parts: Parts) -> None:
    begun: list[str] = []
    docker = parts.begin("docker", fail)
    late = parts.begin("emulator", lambda _: begun.append("emulator"), after=[docker])
    with pytest.raises(LocalError, match="no docker"):
        parts.join()
    assert late.exception(PATIENCE) is not None
    assert begun == []
