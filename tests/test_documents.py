"""Everything that documents name exists: pages and headings, files, tests, verbs with their options, `make` targets."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from release_lane.command.adapters.backend import LOCKS, NOTES
from release_lane.command.parser import VERBS
from release_lane.gates.__main__ import VERSION
from release_lane.settings.model import ALL_PER_RUN

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[1]
GUARANTEES = ROOT / "docs/guarantees.md"
SETTINGS = ROOT / "docs/stack-settings.example.yaml"
LOCAL = ROOT / "packages/local-aws/src/local_aws/__main__.py"
COMMAND = ROOT / "docs/guides/command.md"
AGENTS = ROOT / "AGENTS.md"
ON_AWS = ROOT / "docs/guides/on-aws.md"

FOLDERS = "app|docs|infra|local_aws|packages|provider_kit|release_lane|smoke|tests|tools"
HOMES = (ROOT, ROOT / "tests", *(ROOT / "packages").glob("*/src"), *(ROOT / "packages").glob("*/tests"))
"""Where a path that documents name may begin."""

PAGES = ("*.md", "docs/**/*.md", "smoke/*.md", "packages/*/*.md", "packages/*/docs/**/*.md")

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(?P<file>[\w/]+\.py)?(?:::(?P<test>\w+))?`")
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
NAMED_FILE = re.compile(rf"(?:{FOLDERS})/[\w./-]*[\w/]|\.(?:ci|git(?:hub|lab))[\w./-]*|Jenkinsfile|Makefile")


def pages() -> list[Path]:
    """All pages for readers; the stack settings are one of them."""
    found = (path for pattern in PAGES for path in sorted(ROOT.glob(pattern)))
    return [*found, SETTINGS]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: str) -> set[str]:
    """Of all headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", LINK.sub("]", heading).lower()).replace(" ", "-") for heading in headings}


def links(page: str) -> list[str]:
    """To other pages here, and within a page."""
    return [link for link in LINK.findall(FENCED.sub("", page)) if "://" not in link]


def commands(page: str, program: str) -> Iterator[list[str]]:
    """Words after `program` wherever a command is written: in blocks, and inline."""
    blocks = "\n".join(FENCED.findall(page))
    for text in [*blocks.splitlines(), *CODE.findall(FENCED.sub("", page))]:
        for found in re.finditer(rf"(?:^|\$\(|[;&|] ?)\s*{program} ([^#;&|)]+)", text):
            yield found[1].split()


def options() -> dict[str, set[str]]:
    """Verb to its options."""
    found = {}
    for verb in VERBS:
        parser = argparse.ArgumentParser()
        verb.arguments(parser)
        found[verb.NAME] = {"--json", "--debug", *(name for each in parser._actions for name in each.option_strings)}
    return found


@pytest.mark.parametrize("path", pages(), ids=relative)
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in links(path.read_text()):
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("path", pages(), ids=relative)
def test_every_file_that_is_named_exists(path: Path) -> None:
    named = {code for code in CODE.findall(path.read_text()) if NAMED_FILE.fullmatch(code)}
    assert not {name for name in named if not any((home / name).exists() for home in HOMES)}


def test_every_test_that_shows_a_guarantee_exists() -> None:
    """`file::test` below a tests folder; `::test` alone is in the file named before it."""
    text, found, missing = GUARANTEES.read_text(), 0, []
    file = source = ""
    for named in TEST.finditer(text, text.index("## 1.")):
        if named["file"]:
            file = named["file"]
            source = next((home / file).read_text() for home in HOMES if (home / file).exists())
        if named["test"]:
            found += 1
            missing += [] if f"def {named['test']}(" in source else [f"{file}::{named['test']}"]
    assert found, "the page names no test: this one would check nothing"
    assert not missing


@pytest.mark.parametrize("path", pages(), ids=relative)
def test_every_command_that_is_named_exists(path: Path) -> None:
    known = options()
    for verb, *words in commands(path.read_text(), "release"):
        if verb.isupper() or verb.startswith(("-", "<")):  # `release VERB --help`
            continue
        assert verb in known, f"release {verb}"
        assert {word.split("=")[0] for word in words if word.startswith("--")} <= known[verb], f"release {verb} {words}"


@pytest.mark.parametrize("path", pages(), ids=relative)
def test_every_command_of_the_local_cloud_that_is_named_exists(path: Path) -> None:
    named = {verb for verb, *_ in commands(path.read_text(), r"(?:\.venv/bin/)?local-aws")}
    known = set(re.findall(r'"([a-z]+)"', LOCAL.read_text()))
    assert "up" in known
    assert {verb for verb in named if verb.islower()} <= known


@pytest.mark.parametrize("path", pages(), ids=relative)
def test_no_page_advises_to_discard_uncommitted_changes(path: Path) -> None:
    named = {verb for verb, *_ in commands(path.read_text(), "git")}
    assert not named & {"restore", "checkout", "reset", "clean", "stash"}


@pytest.mark.parametrize("path", pages(), ids=relative)
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    named = {word for words in commands(path.read_text(), "make") for word in words if re.fullmatch("[a-z-]+", word)}
    assert named <= targets()


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("folder", [".pulumi/stacks", LOCKS, NOTES])
def test_roles_may_read_and_write_what_engine_and_command_keep_in_the_backend(folder: str) -> None:
    """An update of one stack reads those of the whole project, and writes its own."""
    state = [line for line in ON_AWS.read_text().splitlines() if line.startswith("- State, to ")]
    reading, writing = (CODE.findall(line) for line in state)
    assert {"s3:GetObject", f"{folder}/<project>/*"} <= set(reading)
    assert {"s3:PutObject", "s3:DeleteObject"} <= set(writing)
    assert [right for right in writing if right.startswith(f"{folder}/<project>/<stack>")]


@pytest.mark.parametrize(("page", "begins"), [(AGENTS, "- Commit `"), (COMMAND, "- Keys for one run (`")])
def test_every_key_for_one_run_is_listed_where_pages_list_them(page: Path, begins: str) -> None:
    (line,) = (each for each in page.read_text().splitlines() if each.startswith(begins))
    listed = re.split(r" in a stack file|\)", line)[0]
    assert sorted(CODE.findall(listed)) == sorted(ALL_PER_RUN)


def test_the_settings_page_marks_every_key_for_one_run() -> None:
    """Those that stand below its words on them, in each of its documents."""
    marked = re.compile(r"[Gg]iven (?:these )?per run and\s+(?:# )?never committed")
    found: set[str] = set()
    for document in SETTINGS.read_text().split("\n---\n"):
        below = marked.split(document, maxsplit=1)[1]
        found |= set(re.findall(r"^ +(?:# )?release-lane:(\w+):", below, re.MULTILINE))
    assert found - {"role", "account"} == set(ALL_PER_RUN)


def test_all_packages_carry_the_version_that_the_changelog_describes_first() -> None:
    latest = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    projects = [ROOT / "pyproject.toml", *(ROOT / "packages").glob("*/pyproject.toml")]
    assert {tomllib.loads(each.read_text())["project"]["version"] for each in projects} == {VERSION} == {latest}
    pinned = re.findall(r"(?:provider-kit|release-lane|local-aws)==([\d.]+)", "".join(map(Path.read_text, pins())))
    assert set(pinned) == {latest}


def pins() -> list[Path]:
    """Where the packages are pinned by their version."""
    template = ROOT / "packages/release-lane/src/release_lane/template/pyproject.toml"
    return [*(ROOT / "packages").glob("*/pyproject.toml"), template, ROOT / "docs/guides/upgrading.md"]


@pytest.mark.parametrize("verb", sorted(options()))
def test_the_guide_lists_every_verb_with_its_options(verb: str) -> None:
    rows = [line.split("|") for line in COMMAND.read_text().splitlines() if line.startswith("| `")]
    own = [row[2] for row in rows if re.match(rf" `release {verb}\b", row[1])]
    shared = [row[1] for row in rows if row[1].startswith(" `--") and {verb, "all"} & set(row[2].strip().split(", "))]
    assert own, f"no row for release {verb}"
    assert options()[verb] - {"-h", "--help"} <= set(OPTION.findall(" ".join([*own, *shared])))


def test_the_readers_of_pages_see_what_is_written() -> None:
    """The checks above are worth as much as these."""
    page = (
        "# A `b` [c](d.md)!\n\nsee [e](f.md#g), `make up`, `release go X --to Y`\n\n```sh\nx=$(release on)  # z\n```\n"
    )
    assert (links(page), anchors(page)) == (["d.md", "f.md#g"], {"a-b-c"})
    assert [*commands(page, "release")] == [["on"], ["go", "X", "--to", "Y"]]
    assert [*commands(page, "make")] == [["up"]]
