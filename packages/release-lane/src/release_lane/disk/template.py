"""Where the files of the template are: in the wheel (`template/packed`), or in the repository of an editable install.

The template is the repository's own files (`FROM_ROOT`), and those that a team needs in another form (`template/`).
setup.py runs this file by itself, to pack them: only the standard library is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

FROM_ROOT = (
    "Pulumi.yaml",
    "Pulumi.artifacts.yaml",
    "Pulumi.staging.yaml",
    "Pulumi.production.yaml",
    "infra/*.py",
    "smoke/conftest.py",
    "smoke/test_release.py",
    "tests/infra/test_environment.py",
    ".github/workflows/release.yml",
    ".github/workflows/hotfix.yml",
    ".github/workflows/rollback.yml",
    ".github/workflows/preview.yml",
    ".github/actions/prepare/action.yml",
    ".gitlab-ci.yml",
    "Jenkinsfile",
    ".ci/prepare",
)
"""Files of the repository's root, by pattern. Not every stack file: a checkout may have more, of its own."""

SETTINGS = "docs/stack-settings.example.yaml"
"""A page that is packed as well. A team reads it by `release settings`: that of the version that is installed."""

OWN = {
    "pyproject.toml": "pyproject.toml",
    "RELEASING.md": "RELEASING.md",
    "gitignore": ".gitignore",
    "test_service.py": "smoke/test_service.py",
}
"""Files of `template/`, and their names in the template."""

HERE = Path(__file__).resolve().parents[1] / "template"


def sources(root: Path, own: Path) -> dict[str, Path]:
    """Every file that is packed by its name, from the repository `root` and the folder `own`."""
    patterns = (*FROM_ROOT, SETTINGS)
    found = {str(path.relative_to(root)): path for pattern in patterns for path in sorted(root.glob(pattern))}
    return {**found, **{name: own / file for file, name in OWN.items()}}


def read() -> dict[str, str]:
    """Names and contents of the template's files."""
    return {name: path.read_text(encoding="utf-8") for name, path in sorted(_found().items()) if name != SETTINGS}


def settings() -> str:
    """All settings of a stack file, annotated."""
    return _found()[SETTINGS].read_text(encoding="utf-8")


def _found() -> dict[str, Path]:
    packed = HERE / "packed"
    return dict(_below(packed)) if packed.is_dir() else sources(HERE.parents[4], HERE)


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path
