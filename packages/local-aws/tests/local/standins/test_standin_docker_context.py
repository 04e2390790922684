"""Which files a build sends, and that its hash changes exactly when they do."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_aws.standins.docker.context import digest, is_ignored, parse_ignore, sent_files

pytestmark = pytest.mark.provider


@pytest.mark.parametrize(
    ("rules", "path", "ignored"),
    [
        ("node_modules", "node_modules/a/b.js", True),
        ("node_modules", "sub/node_modules/a.js", False),
        ("**/node_modules", "sub/node_modules/a.js", True),
        ("**/node_modules", "node_modules/a.js", True),
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "sub/a.pyc", False),
        ("**/*.pyc", "sub/deep/a.pyc", True),
        ("sub/*", "sub/a", True),
        ("sub/*", "other/a", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a[bx]c", "axc", True),
        ("/top", "top/a", True),
        ("dir/", "dir/a", True),
        ("# note\n\n  spaced  ", "spaced", True),
        ("a.b", "axb", False),
        ("*\n!keep", "keep", False),
        ("*\n!keep", "other", True),
        ("*.md\n!README.md", "README.md", False),
        ("!README.md\n*.md", "README.md", True),
        ("docs/**", "docs/a/b", True),
    ],
)
def test_dockerignore_means_what_docker_means_by_it(rules: str, path: str, ignored: bool) -> None:
    assert is_ignored(path, parse_ignore(rules)) is ignored


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("print(1)\n")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "x").write_text("1")
    (tmp_path / ".dockerignore").write_text("cache\n")
    return tmp_path


def of(context: Path) -> str:
    return digest(context, context / "Dockerfile")


def test_what_is_ignored_is_not_sent_and_the_rest_is_in_order(context: Path) -> None:
    assert [name for name, _ in sent_files(context)] == [".dockerignore", "Dockerfile", "src/app.py"]


def test_a_file_that_is_let_back_in_is_sent_from_an_ignored_directory(context: Path) -> None:
    (context / ".dockerignore").write_text("cache\n!cache/x\n")
    assert "cache/x" in [name for name, _ in sent_files(context)]


def test_a_copy_elsewhere_has_the_same_hash(context: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    import shutil

    copy = tmp_path_factory.mktemp("other") / "copy"
    shutil.copytree(context, copy)
    (copy / "src" / "app.py").chmod(0o600)  # another umask
    (copy / "cache" / "y").write_text("ignored")
    assert of(copy) == of(context)


@pytest.mark.parametrize("what", ["content", "name", "executable", "link", "new", "dockerfile", "moved bytes"])
def test_every_change_that_the_image_can_see_changes_the_hash(context: Path, what: str) -> None:
    before = of(context)
    app = context / "src" / "app.py"
    match what:
        case "content":
            app.write_text("print(2)\n")
        case "name":
            app.rename(context / "src" / "main.py")
        case "executable":
            app.chmod(0o755)
        case "link":
            app.unlink()
            app.symlink_to("elsewhere.py")
        case "new":
            (context / "src" / "empty").touch()
        case "dockerfile":
            (context / "Dockerfile").write_text("FROM scratch\nUSER 1\n")
        case "moved bytes":
            app.rename(context / "src" / "app.pyp")
            (context / "src" / "app.pyp").write_text("rint(1)\n")
    assert of(context) != before


def test_a_dockerfile_outside_the_context_counts_too(context: Path, tmp_path: Path) -> None:
    other = tmp_path / "cache" / "Dockerfile.other"
    other.write_text("FROM a\n")
    before = digest(context, other)
    other.write_text("FROM b\n")
    assert digest(context, other) != before


def test_a_link_to_a_directory_is_not_followed(context: Path) -> None:
    (context / "loop").symlink_to(context)
    assert "loop" in [name for name, _ in sent_files(context)]
    assert of(context)
