"""A git commit: the only name by which the source of an image is known; and the commits between two releases. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass


def is_commit(text: str) -> bool:
    """Is it the full name of a commit (SHA-1 or SHA-256, lower case)?"""
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text) is not None


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A commit as git's log has it. `at` is when it was committed (ISO 8601)."""

    sha: str
    author: str = ""
    email: str = ""
    at: str = ""
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class Commits:
    """What lies between the commits of two releases: `added` by the new one, and `removed`, newest first.

    `remote` is the URL of `origin` ("" if unknown). `unknown`: why git cannot say ("" if it can).
    """

    old: str
    new: str
    added: tuple[Logged, ...] = ()
    removed: tuple[Logged, ...] = ()
    remote: str = ""
    unknown: str = ""

    @property
    def comparison(self) -> str:
        """The page of the remote that compares both; "" where the remote is unknown."""
        base = web(self.remote)
        return f"{base}/{_between(base)}/{self.old}...{self.new}" if base else ""

    def page_of(self, sha: str) -> str:
        """The page of the remote about one commit; "" where the remote is unknown."""
        base = web(self.remote)
        return f"{base}/{_between(base).replace('compare', 'commit')}/{sha}" if base else ""


_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?!//)(?P<path>[^/].*)")
_WEB = re.compile(r"(?P<scheme>https?)://(?:[^@/]*@)?(?P<at>(?P<host>[\w.-]+)(?::\d+)?)/(?P<path>.+)")
_URL = re.compile(r"(?:ssh|git)://(?:[^@/]*@)?(?P<host>[\w.-]+)(?::\d+)?/(?P<path>.+)")


def web(remote: str) -> str:
    """The web page of a remote on GitHub or GitLab, by its host's name; "" for any other."""
    on_the_web = _WEB.fullmatch(remote)
    found = on_the_web or _URL.fullmatch(remote) or _SCP.fullmatch(remote)
    if not found or not re.search(r"github|gitlab", found["host"], re.IGNORECASE):
        return ""
    path = found["path"].removesuffix("/").removesuffix(".git")
    base = f"{on_the_web['scheme']}://{on_the_web['at']}" if on_the_web else f"https://{found['host']}"
    return f"{base}/{path}"


def _between(base: str) -> str:
    """The path of a comparison. GitHub's has no prefix, GitLab's has one (docs of both: "compare")."""
    return "-/compare" if "gitlab" in base.split("/")[2].lower() else "compare"
