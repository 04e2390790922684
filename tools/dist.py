"""`make dist`: wheels of all packages, in dist/. Needs no index: what builds them is in requirements.lock."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("provider-kit", "release-lane", "local-aws")


def build(into: Path) -> list[Path]:
    """Empty the folder and build all wheels there; what the builder says is shown if it fails."""
    shutil.rmtree(into, ignore_errors=True)
    for name in PACKAGES:
        _wheel(ROOT / "packages" / name, into)
    return sorted(into.glob("*.whl"))


def _wheel(package: Path, into: Path) -> None:
    """What an earlier build left (`build/`) would be packed again, with files that are gone meanwhile."""
    left = package / "build"
    shutil.rmtree(left, ignore_errors=True)
    uv = Path(sys.executable).parent / "uv"
    how = ["--wheel", "--no-build-isolation", "--offline", "--python", sys.executable]
    done = subprocess.run([uv, "build", *how, "--out-dir", into, package], capture_output=True, text=True)
    shutil.rmtree(left, ignore_errors=True)
    if done.returncode:
        sys.exit(f"{done.stderr}dist: no wheel of {package.name}; see the builder's words above.")


if __name__ == "__main__":
    for wheel in build(ROOT / "dist"):
        print(wheel.relative_to(ROOT))
