"""What the emulator's process is given."""

from __future__ import annotations

from pathlib import Path

import local_aws
import pytest
from local_aws.emulator_process import emulator_environment, lay_path
from local_aws.places import Places

pytestmark = pytest.mark.provider


def test_the_emulator_finds_this_package_and_nothing_next_to_it(tmp_path: Path) -> None:
    """Installed as a wheel, this package lies among others of the project, which are not the emulator's."""
    places = Places(root=tmp_path, runtime=tmp_path / ".local", cache=tmp_path)
    for _ in range(2):
        lay_path(places.emulator_path)
    path = Path(emulator_environment(places)["PYTHONPATH"])
    assert [each.name for each in path.iterdir()] == ["local_aws"]
    assert (path / "local_aws").resolve() == Path(local_aws.__path__[0]).resolve()
