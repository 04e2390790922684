"""A shell that read the environment of another checkout's local cloud releases nothing into it."""

from __future__ import annotations

import pytest
from release_lane.errors import UsageError
from release_lane.operate.shell import need_own_cloud

pytestmark = pytest.mark.pure

OURS = {"LOCAL_AWS_HOME": "/a"}


def test_the_shell_of_another_checkout_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match="local cloud of /a, but this is /b") as refused:
        need_own_cloud(OURS, "/b")
    assert "`. /b/.local/env`" in refused.value.next_step


@pytest.mark.parametrize("environ", [OURS, {}, {"LOCAL_AWS_HOME": ""}])
def test_its_own_shell_and_one_that_speaks_to_aws_are_not(environ: dict[str, str]) -> None:
    need_own_cloud(environ, "/a")
