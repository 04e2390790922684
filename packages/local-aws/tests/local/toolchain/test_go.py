"""Building from modules: a module of our own, no network; and what is reported when it cannot work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from local_aws.errors import LocalError
from local_aws.toolchain import go

pytestmark = [
    pytest.mark.provider,
    pytest.mark.skipif(not shutil.which("go"), reason="no Go on this machine"),
]
MODULE = "module example.test/tool\n\ngo 1.21\n"


def recipe(package: str = "example.test/tool") -> go.Recipe:
    return go.Recipe(package=package, go_mod=MODULE, go_sum="")


def test_a_build_yields_the_binary_and_says_what_it_does(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main\n\nfunc main() { println() }\n")
    said: list[str] = []
    binary = go.build(recipe(), tmp_path, said.append)
    assert binary == tmp_path / "tool"
    assert binary.stat().st_mode & 0o111
    assert any(text.startswith("compiling") for text in said)


def test_a_compile_error_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    with pytest.raises(LocalError, match="undefined: nonsense"):
        go.build(recipe(), tmp_path, lambda _: None)


def test_a_missing_package_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"go list.*failed"):
        go.build(recipe("example.test/tool/absent"), tmp_path, lambda _: None)
