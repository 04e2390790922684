"""What a build sends to Docker: which files of a directory, and a hash over them."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rule:
    """A line of .dockerignore: `keep` for one that begins with `!`."""

    pattern: re.Pattern[str]
    keep: bool


def parse_ignore(text: str) -> tuple[Rule, ...]:
    """The rules of a .dockerignore. The last one that matches a path decides."""
    rules = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        keep = line.startswith("!")
        path = os.path.normpath(line.removeprefix("!").strip()).lstrip("/")
        if path not in (".", ""):
            rules.append(Rule(re.compile(_expression(path) + r"\Z"), keep))
    return tuple(rules)


_GLOB = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|\\.|.", re.DOTALL)


def _expression(path: str) -> str:
    def one(part: str) -> str:
        match part:
            case "**/":
                return r"(?:.*/)?"
            case "**":
                return r".*"
            case "*":
                return r"[^/]*"
            case "?":
                return r"[^/]"
            case _ if part.startswith("[") and len(part) > 1:
                return part
            case _:
                return re.escape(part[-1])

    return "".join(one(match.group()) for match in _GLOB.finditer(path))


def is_ignored(path: str, rules: Sequence[Rule]) -> bool:
    """Whether `path` (relative, with `/`) stays out. A rule for a directory counts for all that is in it."""
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    ignored = False
    for rule in rules:
        if any(rule.pattern.match(one) for one in above):
            ignored = not rule.keep
    return ignored


def sent_files(context: Path) -> Iterator[tuple[str, Path]]:
    """(relative path, path) of every file and link that a build of `context` sends, sorted."""
    ignore = context / ".dockerignore"
    rules = parse_ignore(ignore.read_text()) if ignore.is_file() else ()
    may_come_back = any(rule.keep for rule in rules)
    for directory, subdirectories, files in os.walk(context):
        here = Path(directory)
        subdirectories.sort()
        links = [name for name in subdirectories if (here / name).is_symlink()]
        subdirectories[:] = [
            name
            for name in subdirectories
            if name not in links and (may_come_back or not is_ignored(_relative(here / name, context), rules))
        ]
        for name in sorted([*files, *links]):
            relative = _relative(here / name, context)
            if not is_ignored(relative, rules):
                yield relative, here / name


def _relative(path: Path, context: Path) -> str:
    return path.relative_to(context).as_posix()


def digest(context: Path, dockerfile: Path) -> str:
    """A SHA-256 (hex) over the Dockerfile and the names, modes and contents of the files that are sent.

    Only the executable bit of a mode counts: the others depend on the umask of a checkout.
    """
    total = hashlib.sha256()
    total.update(b"Dockerfile\0" + _content(dockerfile) + b"\0")
    for relative, path in sent_files(context):
        if path.is_symlink():
            kind, content = b"link", os.readlink(path).encode()
        elif path.is_file():
            executable = path.stat().st_mode & stat.S_IXUSR
            kind, content = b"executable" if executable else b"file", _content(path)
        else:
            continue  # sockets and pipes are not sent
        total.update(relative.encode() + b"\0" + kind + b"\0" + content + b"\0")
    return total.hexdigest()


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
