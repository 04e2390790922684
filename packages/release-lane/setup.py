"""What a wheel of release-lane has besides its modules; everything else is in pyproject.toml.

- `release_lane_direct.pth` at its root, so that installing it puts that file into site-packages: each Python there
  then keeps loopback out of proxies (release_lane/proxies.py);
- the files of the template, from the repository around this package: `release init` writes them.
"""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent


class Build(build_py):
    """An editable install has neither: bootstrap copies the first, and the template is read from the repository."""

    def run(self) -> None:
        """After the modules."""
        super().run()
        if self.editable_mode:
            return
        to = Path(self.build_lib)
        shutil.copy(HERE / "src/release_lane/direct.pth", to / "release_lane_direct.pth")
        template = runpy.run_path(str(HERE / "src/release_lane/disk/template.py"))
        for name, source in template["sources"](HERE.parents[1], HERE / "src/release_lane/template").items():
            target = to / "release_lane/template/packed" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


setup(cmdclass={"build_py": Build})
