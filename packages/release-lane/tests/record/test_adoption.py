"""Images that were built elsewhere: names, labels, and what is said to be unknown."""

from __future__ import annotations

import pytest
from release_lane.errors import Refused, UsageError
from release_lane.record.adoption import (
    COMMIT_UNKNOWN,
    KEPT,
    REVISION,
    SOURCE,
    Adopted,
    Adoption,
    Examined,
    adoption_in,
    adoption_of,
    parse_reference,
    unseen,
    with_adoption,
)

pytestmark = pytest.mark.pure

DIGEST = "sha256:" + "a" * 64
SHA, OTHER = "c" * 40, "d" * 40
IMAGE = parse_reference(f"ghcr.io/acme/shop@{DIGEST}")


def found(**labels: str) -> Examined:
    names = {"revision": REVISION, "source": SOURCE}
    labelled = {names[key]: value for key, value in labels.items()}
    return Examined(os="linux", architecture="amd64", labels=labelled)


# ---- names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop"),
        ("ghcr.io/acme/shop:v1.2", "ghcr.io/acme/shop"),
        ("localhost/shop", "localhost/shop"),
        ("127.0.0.1:4566/release-lane/app:x", "127.0.0.1:4566/release-lane/app"),
        ("000000000000.dkr.ecr.us-east-1.amazonaws.com/app", "000000000000.dkr.ecr.us-east-1.amazonaws.com/app"),
        ("acme/shop", "docker.io/acme/shop"),
        ("nginx:1", "docker.io/library/nginx"),
        ("a/b__c--d.e", "docker.io/a/b__c--d.e"),
    ],
)
def test_an_image_is_named_as_docker_pull_takes_it(text: str, name: str) -> None:
    reference = parse_reference(f"{text}@{DIGEST}")
    assert (reference.name, reference.digest, str(reference)) == (name, DIGEST, f"{name}@{DIGEST}")


@pytest.mark.parametrize("text", ["ghcr.io/acme/shop", "ghcr.io/acme/shop:latest", "nginx", ""])
def test_a_tag_is_refused_since_it_can_be_another_image_tomorrow(text: str) -> None:
    with pytest.raises(UsageError, match="names no digest") as refused:
        parse_reference(text)
    assert "skopeo inspect" in refused.value.next_step


@pytest.mark.parametrize(
    "text",
    [
        f"https://ghcr.io/acme/shop@{DIGEST}",
        f"ghcr.io/Acme/Shop@{DIGEST}",
        f"ghcr.io/acme/shop:@{DIGEST}",
        f"ghcr.io/acme/shop:a b@{DIGEST}",
        f"-oProxy=x/y@{DIGEST}",
        f"ghcr.io/@{DIGEST}",
        f"@{DIGEST}",
        "ghcr.io/acme/shop@sha256:abc",
        f"ghcr.io/acme/shop@{DIGEST.upper()}",
        f"ghcr.io/acme/shop@{DIGEST}@{DIGEST}",
    ],
)
def test_a_malformed_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_reference(text)


# ---- what is known of it


@pytest.mark.parametrize(
    ("labels", "given", "commit", "by"),
    [
        ({"revision": SHA}, "", SHA, "label"),
        ({"revision": SHA}, SHA, SHA, "label"),
        ({"revision": SHA.upper() + "\n"}, "", SHA, "label"),
        ({"revision": SHA[:7]}, SHA, SHA, "person"),
        ({"revision": SHA[:7]}, "", "", ""),
        ({"revision": "v1.2"}, SHA, SHA, "person"),
        ({}, SHA, SHA, "person"),
        ({}, "", "", ""),
    ],
)
def test_the_commit_is_what_the_label_says_or_else_a_person(
    labels: dict[str, str], given: str, commit: str, by: str
) -> None:
    adoption = adoption_of(IMAGE, found(**labels), commit=given)
    assert (adoption.commit, adoption.origin.commit_by) == (commit, by)


@pytest.mark.parametrize("label", [SHA, SHA[:7]])
def test_a_commit_that_contradicts_the_label_is_refused(label: str) -> None:
    with pytest.raises(Refused, match=f"labelled as commit {label[:12]}, not {OTHER[:12]}"):
        adoption_of(IMAGE, found(revision=label), commit=OTHER)


@pytest.mark.parametrize(
    ("label", "given", "source"),
    [
        ("https://example.test/a", "", "https://example.test/a"),
        ("https://example.test/a", "https://example.test/b", "https://example.test/b"),
        ("https://robot:planted@example.test/a", "", "https://example.test/a"),
        ("", "https://planted@example.test/a", "https://example.test/a"),
        ("two\nlines", "", "two lines"),
    ],
)
def test_the_source_is_kept_without_what_somebody_logs_in_with(label: str, given: str, source: str) -> None:
    assert adoption_of(IMAGE, found(source=label), source=given).origin.source == source


@pytest.mark.parametrize(
    ("system", "architecture"), [("linux", "arm64"), ("windows", "amd64"), ("", "")], ids=["arm", "windows", "none"]
)
def test_what_the_tasks_cannot_run_is_refused(system: str, architecture: str) -> None:
    with pytest.raises(Refused, match="cannot run here"):
        adoption_of(IMAGE, Examined(os=system, architecture=architecture))


# ---- what is not known of it


def test_an_image_that_was_built_here_has_nothing_to_be_said_but_an_unknown_commit() -> None:
    assert unseen(SHA, None) == ()
    assert unseen("", None) == (COMMIT_UNKNOWN,)


def test_of_an_adopted_image_it_is_said_who_says_what() -> None:
    def said(**of: str) -> str:
        return "; ".join(unseen(of.pop("commit", ""), Adopted(image=str(IMAGE), **of)))

    assert "is what its own label says" in said(commit=SHA, commit_by="label", source="x")
    assert "is what the person who adopted it says" in said(commit=SHA, commit_by="person", source="x")
    assert COMMIT_UNKNOWN in said(source="x")
    assert "(where its source is, is unknown)" in said(commit=SHA, commit_by="label")
    assert "(source: x)" in said(commit=SHA, commit_by="label", source="x")


# ---- where it is kept


def test_it_is_kept_under_its_commit_unless_another_image_has_that() -> None:
    known, unknown = (Adoption(digest=DIGEST, commit=commit, origin=Adopted(image=str(IMAGE))) for commit in (SHA, ""))
    assert known.tag(taken=False) == SHA
    assert known.tag(taken=True) == unknown.tag(taken=False) == "adopted-aaaaaaaaaaaa"


def test_the_record_has_one_entry_a_digest_and_forgets_the_oldest() -> None:
    kept: list[dict[str, str]] = []
    for number in range(KEPT + 2):
        kept = with_adoption(kept, Adoption(digest=f"d{number}", commit="", origin=Adopted(image="i")))
    again = Adoption(digest="d5", commit=SHA, origin=Adopted(image="j", source="s", commit_by="person"))
    kept = with_adoption(kept, again)
    assert len(kept) == KEPT
    assert adoption_in(kept, "d0") is None
    assert adoption_in(kept, "d5") == again
