"""The command's door to AWS, as far as it judges by itself what it is told there."""

from __future__ import annotations

import pytest

from release.adapters.cloud import RealCloud
from release.alarms import Watched
from release.errors import CloudError
from release.placement import Colour, all_on
from tests.gates.fake_cloud import GROUPS, FakeCloud, names

pytestmark = pytest.mark.cli


def test_a_watch_says_which_target_group_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {Colour.BLUE: GROUPS[Colour.BLUE]}
    here = FakeCloud(names=names(80), sides={}, releases={}, weights=all_on(Colour.BLUE), groups=groups)
    monkeypatch.setattr("release.aws.cloud.Cloud", lambda _: here)
    with pytest.raises(CloudError, match="There is no target group p-staging-green"):
        RealCloud().look(here.names, Watched(), 60.0, None)
