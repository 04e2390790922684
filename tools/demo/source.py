"""The three commits that the demo builds, in a scratch repository: this checkout's `app/`, a change, a fault.

The checkout itself is never touched, and need not even be a git repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local_aws.errors import LocalError
from release_lane.disk.git import environment

AUTHOR = {
    "GIT_AUTHOR_NAME": "Release lane demo",
    "GIT_AUTHOR_EMAIL": "demo@localhost",
    "GIT_COMMITTER_NAME": "Release lane demo",
    "GIT_COMMITTER_EMAIL": "demo@localhost",
    "GIT_CONFIG_GLOBAL": os.devnull,
}

CHECKSUMS = Path("app/checksums.py")
TABLE = "SUPPORTED_ALGORITHMS"


@dataclass(frozen=True)
class Change:
    """One commit on top of the first: a line of the app is replaced. `why` is the commit's message."""

    path: Path
    old: str
    new: str
    why: str


GOOD = Change(
    Path("app/service.py"), '"""', '"""Second edition. ', "A harmless change: the module's first words are others"
)
BROKEN = Change(
    CHECKSUMS,
    '"sha512": hashlib.sha512',
    '"sha512": hashlib.sha384',
    "A fault: sha512 answers with sha384, which only the self-check notices",
)


class Source:
    """A scratch repository with this checkout's `app/` as its first commit."""

    def __init__(self, folder: Path, root: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        shutil.copytree(root / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
        self._git("init", "--quiet", "--initial-branch=main")
        self.first = self._commit("The sample service as it is in this checkout")

    def commit(self, change: Change) -> str:
        """Make one change; the commit's SHA."""
        path = self.folder / change.path
        text = path.read_text()
        if change.old not in text:
            raise LocalError(
                f"The demo cannot make its change: {change.path} does not contain {change.old!r}.",
                next_step="the sample service was changed: correct GOOD or BROKEN in tools/demo/source.py",
            )
        path.write_text(text.replace(change.old, change.new, 1))
        return self._commit(change.why)

    def back_to(self, commit: str) -> None:
        """Check out an earlier state, so that the next change starts from there."""
        self._git("checkout", "--quiet", commit)

    def _commit(self, why: str) -> str:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", why)
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments], capture_output=True, text=True, env={**environment(), **AUTHOR}
        )
        if done.returncode:
            raise LocalError(f"git {arguments[0]} failed: {done.stderr.strip()}", next_step="install git")
        return done.stdout
