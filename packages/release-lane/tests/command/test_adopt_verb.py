"""adopt: what it asks of the engine, what goes to stdout, and what is refused before the engine starts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from release_lane.command.adapters.engine import FakeEngine
from release_lane.engine.state import StackState
from release_lane.record.adoption import COMMIT_UNKNOWN, Adopted, Adoption
from tests.command.words import C, Stage, becomes, built, failed, ran, said, states

pytestmark = pytest.mark.cli

IMAGE = f"ghcr.io/acme/shop@{C.digest}"


def stage(*runs: object) -> Stage:
    return Stage(engine=FakeEngine(states=states(), runs=list(runs)))  # type: ignore[arg-type]


def adopted(commit: str = C.commit, source: str = "https://example.test/shop", by: str = "label") -> StackState:
    adoption = Adoption(digest=C.digest, commit=commit, origin=Adopted(image=IMAGE, source=source, commit_by=by))
    outputs = {**built("c").outputs, "commit": commit, "adopted": [adoption.as_dict()]}
    return replace(built("c"), outputs=outputs)


def test_adopt_writes_the_digest_and_nothing_else_to_stdout() -> None:
    on = stage(becomes("artifacts", adopted(), ran()))
    assert on.run("adopt", IMAGE) == 0
    assert on.out == f"{C.digest}\n"
    assert on.engine.calls == [("update", "artifacts", {"adopt": IMAGE})]
    assert f"that it is commit {C.commit[:12]} is what its own label says" in on.err


def test_adopt_hands_on_what_a_person_says_of_commit_and_source() -> None:
    on = stage(becomes("artifacts", adopted(by="person"), ran()))
    assert on.run("adopt", IMAGE, "--commit", C.commit, "--source", "https://example.test/shop", "--json") == 0
    (call,) = on.engine.calls
    assert call[2] == {"adopt": IMAGE, "adoptCommit": C.commit, "adoptSource": "https://example.test/shop"}
    assert (on.data["imageDigest"], on.data["commit"], on.data["commitBy"]) == (C.digest, C.commit, "person")
    assert on.data["source"] == "https://example.test/shop"
    assert len(on.data["unchecked"]) == 1


@pytest.mark.parametrize("user", ["ann:hunter2", "hunter2", "ann:hun@hunter2"])
def test_what_somebody_logs_in_with_does_not_reach_the_engine(user: str) -> None:
    on = stage(becomes("artifacts", adopted(), ran()))
    assert on.run("adopt", IMAGE, "--source", f"https://{user}@example.test/shop") == 0
    (call,) = on.engine.calls
    assert call[2] == {"adopt": IMAGE, "adoptSource": "https://example.test/shop"}


def test_adopt_says_that_a_commit_is_unknown() -> None:
    on = stage(becomes("artifacts", adopted(commit="", source="", by=""), ran()))
    assert on.run("adopt", IMAGE) == 0
    assert f"Not checked: {COMMIT_UNKNOWN}." in on.err
    assert "where its source is, is unknown" in on.err


def test_adopt_does_not_repeat_what_the_program_warned_of() -> None:
    """The engine's warnings were shown already."""
    warned = said(f"Not checked: {COMMIT_UNKNOWN}.", severity="warning")
    on = stage(becomes("artifacts", adopted(commit="", source="", by=""), ran(warned)))
    assert on.run("adopt", IMAGE, "--json") == 0
    assert COMMIT_UNKNOWN not in on.err
    assert "where its source is, is unknown" in on.err, "it was not warned of this"
    assert COMMIT_UNKNOWN in on.data["unchecked"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["ghcr.io/acme/shop:latest"], "names no digest"),
        (["https://ghcr.io/acme/shop@" + C.digest], "is not the name of an image"),
        ([f"https://ann:hunter2@{IMAGE}"], "before its host (not shown)"),
        ([f"ann:hun@hunter2@{IMAGE}"], "before its host (not shown)"),
        (["ghcr.io/acme/shop@sha256:abc"], "sha256: must be followed by 64 lower-case hex digits"),
        ([IMAGE, "--commit", "abc1234"], "is not the full name of a commit"),
        ([IMAGE, "--commit", "main"], "is not the full name of a commit"),
    ],
)
def test_what_cannot_be_adopted_is_refused_before_the_engine_starts(argv: list[str], words: str) -> None:
    on = stage()
    assert on.run("adopt", *argv) == 2
    assert words in on.err
    assert "hunter2" not in on.err
    assert on.engine.calls == []


def test_a_refused_adoption_has_no_digest_and_the_programs_exit_code() -> None:
    text = "ghcr.io/acme/shop is labelled as commit ccc, not ddd.\nNext: leave the commit out.\nKind: Refused"
    on = stage(failed(said(text, about="urn:pulumi:artifacts::p::pulumi:pulumi:Stack::p"), touched=False))
    assert on.run("adopt", IMAGE) == 4
    assert on.out == ""


def test_an_update_that_leaves_another_digest_is_an_error() -> None:
    on = stage(ran())
    assert on.run("adopt", IMAGE) == 3
    assert f"does not name {C.digest}" in on.err
    assert on.out == ""
