"""How firmly an update holds what users stand on."""

from __future__ import annotations

import pytest
from release_lane.program.hold import Hold

pytestmark = pytest.mark.program


def test_what_follows_a_network_that_is_replaced_does_so_only_while_there_are_no_users() -> None:
    assert Hold(shared=False, settled=False).follow("subnets").replace_on_changes == ["subnets"]
    assert not Hold(shared=True, settled=True).follow("subnets").replace_on_changes
