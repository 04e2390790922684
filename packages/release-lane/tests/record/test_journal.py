"""The transition journal, within what ELBv2 accepts as tags."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.record.digest import Digest
from release_lane.record.journal import ABORT, PREFIX, Abort, End, Journal, Phase
from release_lane.record.placement import Colour, Release, Service

pytestmark = pytest.mark.pure

# AWS, Elastic Load Balancing API reference, Tag: key 1-128, value 0-256 characters, and this pattern for both.
ALLOWED = re.compile(r"[A-Za-z0-9 +\-=._:/@]*")
KEY_LENGTH, VALUE_LENGTH, TAGS = 128, 256, 50

releases = st.builds(
    Release,
    digest=st.binary(min_size=32, max_size=32).map(lambda raw: Digest(f"sha256:{raw.hex()}")),
    service=st.builds(
        Service,
        health_path=st.text().map(lambda path: f"/{path}"),
        env=st.dictionaries(st.text(max_size=5), st.text(), max_size=3),
    ),
    commit=st.text(),
)
ends = st.builds(lambda colour, release: End(colour, release.digest, release.id), st.sampled_from(Colour), releases)
journals = st.builds(Journal, source=st.none() | ends, to=ends, phase=st.sampled_from(Phase))


@given(journals)
def test_tags_hold_only_what_elbv2_accepts_whatever_the_release_is(journal: Journal) -> None:
    tags = journal.as_tags()
    assert len(tags) <= TAGS
    for key, value in tags.items():
        assert ALLOWED.fullmatch(key)
        assert 1 <= len(key) <= KEY_LENGTH
        assert not key.lower().startswith("aws:")
        assert ALLOWED.fullmatch(value)
        assert 1 <= len(value) <= VALUE_LENGTH


@given(journals)
def test_a_journal_survives_being_written(journal: Journal) -> None:
    assert Journal.from_tags(journal.as_tags()) == journal


@given(journals, st.dictionaries(st.sampled_from(["Name", "team", "release-lane"]), st.text(), max_size=3))
def test_tags_of_others_do_not_matter(journal: Journal, others: dict[str, str]) -> None:
    assert Journal.from_tags({**others, **journal.as_tags()}) == journal


@given(journals, journals)
def test_writing_a_journal_over_another_leaves_nothing_of_the_old_one(old: Journal, new: Journal) -> None:
    assert Journal.from_tags({**old.as_tags(), **new.as_tags()}) == new


END = End(Colour.BLUE, "sha256:" + "a" * 64, "0123456789ab")
TAGS_OF_A_JOURNAL = Journal(source=None, to=END, phase=Phase.MOVING).as_tags()


@pytest.mark.parametrize(
    "damage",
    [
        {f"{PREFIX}to": ""},
        {f"{PREFIX}to": "none"},
        {f"{PREFIX}to": "red/sha256:00/00"},
        {f"{PREFIX}to": "blue/sha256:00"},
        {f"{PREFIX}to": "blue/sha256:00/00/00"},
        {f"{PREFIX}phase": ""},
        {f"{PREFIX}phase": "flying"},
    ],
)
def test_a_damaged_journal_is_no_journal(damage: dict[str, str]) -> None:
    assert Journal.from_tags(TAGS_OF_A_JOURNAL) is not None
    assert Journal.from_tags({**TAGS_OF_A_JOURNAL, **damage}) is None


def test_no_tags_are_no_journal() -> None:
    assert Journal.from_tags({}) is None


# ---- an abort


@given(st.from_regex(r"[0-9a-f]{12}", fullmatch=True), st.text())
def test_an_abort_request_is_one_tag_that_elbv2_accepts_and_names_its_release(release_id: str, by: str) -> None:
    ((key, value),) = Abort(release_id, by).as_tags().items()
    assert ALLOWED.fullmatch(key)
    assert ALLOWED.fullmatch(value)
    assert len(value) <= VALUE_LENGTH
    read = Abort.from_tags({key: value})
    assert read is not None
    assert read.release_id == release_id


def test_who_asked_for_an_abort_is_kept_for_people() -> None:
    assert Abort.from_tags(Abort("0123456789ab", "ann@ci/run 7").as_tags()) == Abort("0123456789ab", "ann@ci/run 7")
    assert Abort.from_tags(Abort("0123456789ab", "ann (on call)").as_tags()) == Abort("0123456789ab", "ann -on call-")


@pytest.mark.parametrize("value", ["", "0123456789ab", "/ann"])
def test_a_damaged_abort_request_is_none(value: str) -> None:
    assert Abort.from_tags({ABORT: value}) is None
    assert Abort.from_tags({}) is None


@given(journals)
def test_writing_the_journal_leaves_an_abort_alone(journal: Journal) -> None:
    wish = Abort("0123456789ab", "ann")
    assert Abort.from_tags({**wish.as_tags(), **journal.as_tags()}) == wish
    assert Journal.from_tags({**wish.as_tags(), **journal.as_tags()}) == journal
