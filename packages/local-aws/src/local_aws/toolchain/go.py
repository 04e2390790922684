"""Build a command from published Go modules, with progress, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local_aws.errors import LocalError
from local_aws.toolchain.cache import Say

SAY_EVERY = 5.0  # seconds
DISK_NEEDED = 5 * 2**30  # bytes: module cache and build cache of the engine take 3.2 GB


@dataclass(frozen=True)
class Recipe:
    """What `go build` is asked for. `go_sum` pins what every module must hash to."""

    package: str
    go_mod: str
    go_sum: str
    tags: str = ""
    ldflags: str = "-w -s"
    binary: str = ""

    @property
    def name(self) -> str:
        """Of the command; its package's last part, unless given."""
        return self.binary or self.package.rsplit("/", 1)[-1]


def build(recipe: Recipe, work: Path, say: Say) -> Path:
    """Build `recipe.package` in `work` and return the binary. Raises LocalError with the compiler's last words."""
    go = _go(recipe.name)
    _need_disk(work)
    (work / "go.mod").write_text(recipe.go_mod)
    (work / "go.sum").write_text(recipe.go_sum)
    common = ["-mod=mod", f"-tags={recipe.tags}"]
    binary = work / recipe.name
    listing = _run(go, ["list", "-deps", *common, recipe.package], work, _Modules(say))
    total = len(listing.splitlines())
    options = [*common, "-v", "-trimpath", f"-ldflags={recipe.ldflags}", "-o", str(binary)]
    _run(go, ["build", *options, recipe.package], work, _Packages(say, total))
    return binary


def _go(package: str) -> str:
    """The go command. Raises LocalError where there is none."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if found is None:
        raise LocalError(
            f"{package} cannot be built: there is no Go on this machine.",
            why="no ready-made binary could be downloaded, so it must be built from its published modules",
            next_step="install Go 1.25 or newer (https://go.dev/dl), or the tool itself, and run this again",
        )
    return found


def download(replaced: str, go_mod: str, go_sum: str, work: Path, say: Say) -> Path:
    """The folder of the module cache that holds what `go_mod` replaces the module `replaced` by.

    `go_sum`: what it must hash to. Raises LocalError.
    """
    with tempfile.TemporaryDirectory(dir=work) as folder:
        own = Path(folder)
        (own / "go.mod").write_text(go_mod)
        (own / "go.sum").write_text(go_sum)
        answer = _run(_go(replaced), ["mod", "download", "-json", replaced], own, _Fetching(say, replaced))
    return Path(json.loads(answer)["Dir"])


def sums(recipe: Recipe, work: Path, say: Say) -> str:
    """The go.sum that `recipe` needs, and not a line more."""
    (work / "go.mod").write_text(recipe.go_mod)
    arguments = ["list", "-deps", "-mod=mod", f"-tags={recipe.tags}", recipe.package]
    _run(_go(recipe.name), arguments, work, _Modules(say))
    return (work / "go.sum").read_text()


class _Count:
    """Counts lines and says where things are, at most each SAY_EVERY seconds."""

    def __init__(self, say: Say) -> None:
        self.say, self.count, self.begin, self.said = say, 0, time.monotonic(), 0.0

    def line(self, text: str) -> None:
        self.count += self.counts(text)

    def tick(self) -> None:
        now = time.monotonic()
        if now - self.said >= SAY_EVERY:
            self.said = now
            self.say(f"{self.describe()}, {now - self.begin:.0f} s")

    def counts(self, text: str) -> bool:
        raise NotImplementedError

    def describe(self) -> str:
        raise NotImplementedError


class _Modules(_Count):
    def counts(self, text: str) -> bool:
        return text.startswith("go: downloading ")

    def describe(self) -> str:
        return f"downloading Go modules: {self.count}"


class _Fetching(_Count):
    def __init__(self, say: Say, module: str) -> None:
        super().__init__(say)
        self.module = module

    def counts(self, text: str) -> bool:
        return bool(text)

    def describe(self) -> str:
        return f"fetching {self.module}"


class _Packages(_Count):
    def __init__(self, say: Say, total: int) -> None:
        super().__init__(say)
        self.total = total

    def counts(self, text: str) -> bool:
        return bool(text) and not text.startswith("go: ")

    def describe(self) -> str:
        if self.count == 0:
            return f"compiling {self.total} packages (unchanged ones are not compiled again)"
        return f"compiling: {self.count} of at most {self.total} packages"


def _run(go: str, arguments: list[str], work: Path, progress: _Count) -> str:
    """Run go, feed its stderr to `progress`, return its stdout."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    process = subprocess.Popen(
        [go, *arguments], cwd=work, env=environment, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    errors: list[str] = []

    def listen() -> None:
        for line in _lines(process):
            errors.append(line)
            progress.line(line)

    listener = threading.Thread(target=listen, daemon=True)
    ticker = threading.Event()
    clock = threading.Thread(target=lambda: _tick(progress, ticker), daemon=True)
    try:
        for thread in (listener, clock):
            thread.start()
        assert process.stdout is not None
        output = process.stdout.read()
        code = process.wait()
        listener.join()
    finally:
        ticker.set()
        if process.poll() is None:
            process.kill()
    if code:
        raise LocalError(
            f"`go {arguments[0]}` of {arguments[-1]} failed with code {code}.",
            why="\n        ".join(line for line in errors[-12:]),
            next_step="if modules could not be downloaded, check the network and GOPROXY; then run this again",
        )
    return output


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stderr is not None
    for line in process.stderr:
        yield line.rstrip()


def _tick(progress: _Count, stop: threading.Event) -> None:
    progress.tick()
    while not stop.wait(1.0):
        progress.tick()


def _need_disk(work: Path) -> None:
    free = shutil.disk_usage(work).free
    if free < DISK_NEEDED:
        raise LocalError(
            f"Too little disk for a build in {work.parent}: {free / 2**30:.1f} GB are free.",
            why=f"a build needs about {DISK_NEEDED / 2**30:.0f} GB with Go's caches",
            next_step="free some space, or set LOCAL_AWS_CACHE, GOMODCACHE and GOCACHE to a larger disk",
        )


def module_folder(module: str, work: Path) -> Path:
    """Where the module cache holds the sources of `module`, as the go.mod in `work` chose it."""
    answer = subprocess.run(
        [_go(module), "list", "-mod=mod", "-m", "-f", "{{.Dir}}", module], cwd=work, capture_output=True, text=True
    )
    if answer.returncode or not answer.stdout.strip():
        raise LocalError(f"The sources of {module} cannot be found.", why=answer.stderr.strip())
    return Path(answer.stdout.strip())
