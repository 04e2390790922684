"""One vocabulary (docs/architecture.md#words): papers, messages, comments and names use none of the words it replaced.

In tests a name of a single word is left out.

A row of WORDS is a pattern that a machine can judge without false alarms, and what to write instead.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[1]

WORDS = {
    r"\bsure signs?\b": "terminal failure",
    r"\bwhole and healthy\b|\b(?:is|are|be|not|longer|less than) whole\b(?! \w)": "fully healthy",
    r"\b(?:put|puts|putting) (?:\w+ ){0,3}back\b": "roll back the traffic (of users); revert, restore (of a value)",
    r"(?<!['\"`])\bflip(?:s|ped|ping)?\b(?!['\"`])": "traffic-only switch, traffic-only rollback",
    r"\busers' (?:own )?(?:rule|listener)|\b(?:rule|listener) for users\b": "production rule, production listener",
    r"\bwish(?:es|ed)?\b": "abort request; request",
    r"\bblind\b": "no data",
    r"\bmend(?:s|ed|ing)?\b": "fix",
    r"\btold\b(?! apart)": "reported, said",
    r"\balarms?\b[^.;:|]{0,60}\b(?:ring|rings|rang|ringing)\b|\b(?:ring|rings|rang) (?:an|the) alarm\b": "firing",
    r"\balarms?\b[^.;:|]{0,30}\b(?:loud|quiet|silent)\b": "firing, OK",
    r"(?<![-\w'\"])beside(?![-\w'\"])": "next to, during",
    r"\bcures?\b": "fix",
    r"\bheed(?:s|ed|ing)?\b": "honour",
    r"\bgood news\b": "say what it is a sign of",
    r"\bspeaks? against\b": "failing signal",
    r"\b(?:whoever|whomever|nobody)\b": "the actor: the update, an operator, no user",
    r"(?<!, )\bwhatever (?:is|was|has|had|would|only|else|comes|differs)\b": "what, all that; better a noun",
    r", (?:too|also)[,.;:)]": "also, as well: without commas",
}
"""Pattern -> what to write instead. In lower case, and at the beginning of a sentence; a word in capitals is none."""

ANY = re.compile("|".join(f"(?:{pattern})" for pattern in WORDS))

ALLOWED = {
    "CHANGELOG.md": (r"`flip`",),
}
"""File -> passages in which a replaced word has to stand: what an earlier version wrote, and is still read."""

PAPERS = ("*.md", "docs/**/*.md", "docs/*.yaml", "smoke/*.md", "packages/*/README.md", "packages/*/docs/**/*.md")
CODE = ("packages/**/*.py", "infra/**/*.py", "app/**/*.py", "smoke/**/*.py", "tools/**/*.py", "tests/**/*.py")
MACHINERY = (
    *("*.toml", "packages/**/pyproject.toml", "Pulumi*.yaml", ".gitlab-ci.yml", ".github/**/*.yml"),
    *("Jenkinsfile", "Makefile", ".ci/*"),
)
SCRIPTS = ("bootstrap",)

NOT_YET: tuple[str, ...] = ()
"""Folders and files whose words are still to be changed. The goal: none."""

OURSELVES = str(Path(__file__).relative_to(ROOT))
"""This file names the words."""


def files(*patterns: str) -> list[str]:
    found = {str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)}
    assert found, f"nothing found by {patterns}: this test would check nothing"
    return sorted(name for name in found if not name.startswith((*NOT_YET, OURSELVES)))


def spoken(source: str, short: bool = True) -> Iterator[tuple[int, str]]:
    """Line and text of comments, of what is said in strings (docstrings among them), and of names, as words; `short`:
    of a single word as well."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if kind in ("COMMENT", "STRING", "FSTRING_MIDDLE"):
            yield from enumerate(token.string.splitlines(), token.start[0])
        elif kind == "NAME" and (short or "_" in token.string):
            yield token.start[0], token.string.replace("_", " ").strip().lower()


def found_in(lines: Iterator[tuple[int, str]], allowed: tuple[str, ...] = ()) -> list[str]:
    """What was found: line, word, and what to write instead."""
    found = []
    for number, line in lines:
        for passage in allowed:
            line = re.sub(passage, "", line)
        line = re.sub(r"\b[A-Z](?=[a-z])", lambda first: first[0].lower(), line)
        if not ANY.search(line):
            continue
        found += [
            f"{number}: {match[0]!r}: write {instead}"
            for pattern, instead in WORDS.items()
            if (match := re.search(pattern, line))
        ]
    return found


@pytest.mark.parametrize("name", files(*PAPERS, *MACHINERY))
def test_papers_use_the_words_of_the_glossary(name: str) -> None:
    assert not found_in(enumerate((ROOT / name).read_text().splitlines(), 1), ALLOWED.get(name, ()))


@pytest.mark.parametrize("name", files(*CODE, *SCRIPTS))
def test_messages_comments_and_names_use_the_words_of_the_glossary(name: str) -> None:
    short = "tests" not in Path(name).parts
    assert not found_in(spoken((ROOT / name).read_text(), short), ALLOWED.get(name, ()))


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("until the first sure sign of failure", "terminal failure"),
        ("a colour that is whole", "fully healthy"),
        ("puts all users back", "roll back the traffic"),
        ("a flip starts no task", "traffic-only switch"),
        ("the users' rule", "production rule"),
        ("the wish is removed", "abort request"),
        ("this alarm is blind", "no data"),
        ("the command that mends it", "fix"),
        ("all problems are told at once", "reported"),
        ("an alarm of yours that rings", "firing"),
        ("once the alarms are quiet", "firing, OK"),
        ("a file beside it", "next to"),
        ("the release is the cure", "fix"),
        ("an abort that is heeded", "honour"),
        ("a deleted alarm is no good news", "say what"),
        ("what speaks against it", "failing signal"),
        ("Nobody is served", "the actor"),
        ("Whatever differs is refused", "what, all that"),
        ("in previews, too.", "as well"),
    ],
)
def test_a_replaced_word_is_found_with_what_to_write(said: str, instead: str) -> None:
    (found,) = found_in(iter([(1, said)]))
    assert instead in found


def test_every_row_has_an_example_above() -> None:
    assert len(WORDS) == len(test_a_replaced_word_is_found_with_what_to_write.pytestmark[0].args[1])


@pytest.mark.parametrize(
    "said",
    [
        "all rings of tests",
        "the whole local cloud",
        "`--beside-digest` names the other one",
        "besides, it asks",
        "two rings; alarms are elsewhere",
        "too many, too soon",
        "both connect to it, whatever DNS says",
        "THE TRAFFIC COULD NOT BE ROLLED BACK",
        "recommended, commended, a quiet option",
    ],
)
def test_other_uses_are_no_finding(said: str) -> None:
    assert not found_in(iter([(1, said)]))


def test_code_is_read_where_it_speaks() -> None:
    source = '"""Mend it."""\n\n\ndef put_users_back(flip: int) -> str:  # mended\n    return f"told {flip}"\n'
    said = [*spoken(source)]
    assert {line for line, _ in said} == {1, 4, 5}
    assert "put users back" in {text for _, text in said}
    assert "flip" in {text for _, text in said}
    assert "flip" not in {text for _, text in spoken(source, short=False)}
