"""Which part of a commit is built, and how: the `app` setting of the artifacts stack. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class App:
    """`folder` is the build context, relative to the checkout (`.` for all of it); `dockerfile` is relative to it."""

    folder: str = "app"
    dockerfile: str = "Dockerfile"
    build_args: Mapping[str, str] = field(default_factory=dict)
