"""Copies Python and just the modules that the actor needs to a folder, so that its image is small to push.

Runs in the base image: `python3 pack.py FOLDER`. What is needed is found by serving a request and looking what is
loaded then; shared libraries by ldd.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import threading
import urllib.request
from pathlib import Path

import actor  # type: ignore[import-not-found,unused-ignore]  # next to it, in the image

HOME = "python"


def loaded() -> list[Path]:
    """Files of all modules that are in use once a request was served."""
    server = actor.serve(0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/who").read()
    server.shutdown()
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return sorted({Path(file) for file in files if file})


def libraries(binary: Path) -> list[Path]:
    """What the dynamic linker loads for it, itself included."""
    done = subprocess.run(["ldd", str(binary)], check=True, capture_output=True, text=True)
    words = (word for line in done.stdout.splitlines() for word in line.split())
    return [Path(word) for word in words if word.startswith("/")]


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def pack(out: Path) -> None:
    stdlib = Path(sysconfig.get_path("stdlib"))
    modules = [file for file in loaded() if file.is_relative_to(stdlib)]
    binaries = [Path(sys.executable).resolve(), *(file for file in modules if file.suffix == ".so")]
    copy(binaries[0], out / HOME / "bin/python3")
    for file in modules:
        copy(file, out / HOME / "lib" / stdlib.name / file.relative_to(stdlib))
    for library in {library for binary in binaries for library in libraries(binary)}:
        copy(library, out / library.relative_to("/"))
    (out / HOME / "lib" / stdlib.name / "lib-dynload").mkdir(exist_ok=True)
    copy(Path(actor.__file__), out / "actor.py")


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
