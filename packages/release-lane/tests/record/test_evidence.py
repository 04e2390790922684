"""Evidence: which digests passed where."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from release_lane.record.digest import Digest
from release_lane.record.evidence import KEPT, NOT_RECORDED, Drill, Proof, proof_of, with_passed_drill, with_proof
from release_lane.record.table import Table

pytestmark = pytest.mark.pure


def digest(number: int) -> Digest:
    return Digest(f"sha256:{number:064x}")


def proof(number: int, at: str = "2026-01-01T00:00:00+00:00") -> Proof:
    return Proof(digest=digest(number), commit="c" * 40, release_id="0" * 12, at=at, smoke="7 checks passed")


def test_a_proof_survives_being_recorded() -> None:
    assert Proof.from_dict(json.loads(json.dumps(proof(1).as_dict()))) == proof(1)


def test_a_digest_that_never_passed_has_no_proof() -> None:
    assert proof_of(digest(2), [proof(1)]) is None
    assert proof_of(digest(1), []) is None


def test_the_latest_proof_of_a_digest_counts() -> None:
    assert proof_of(digest(1), [proof(1, "old"), proof(2), proof(1, "new")]) == proof(1, "new")


def test_passing_again_replaces_the_older_proof_and_makes_it_the_youngest() -> None:
    assert with_proof([proof(1, "old"), proof(2)], proof(1, "new")) == (proof(2), proof(1, "new"))


def test_the_oldest_proofs_are_forgotten_first() -> None:
    full = tuple(proof(number) for number in range(KEPT))
    kept = with_proof(full, proof(KEPT))
    assert kept == (*full[1:], proof(KEPT))


def test_what_could_not_be_checked_is_recorded() -> None:
    seen = replace(proof(1), unchecked=("the commit is unknown",))
    assert Proof.from_dict(json.loads(json.dumps(seen.as_dict()))) == seen


def test_a_proof_from_before_there_was_such_a_field_says_that_it_was_not_recorded() -> None:
    old = {key: value for key, value in proof(1).as_dict().items() if key != "unchecked"}
    assert Proof.from_dict(old) == replace(proof(1), unchecked=(NOT_RECORDED,))


# ---- drills


def of(proven: tuple[Proof, ...], number: int) -> Proof:
    found = proof_of(digest(number), proven)
    assert found
    return found


BEGUN = with_proof([proof(1), proof(2)], proof(1, "back"), Drill.BACK, digest(2))
"""2 was live, and a drill led traffic back to 1."""


def test_a_drill_is_proven_once_traffic_went_back_and_forward_again_and_no_request_failed() -> None:
    assert (of(BEGUN, 2).drilling, of(BEGUN, 2).drilled) == ("back", "")
    ended = with_proof(BEGUN, proof(2, "forward"), Drill.FORWARD, digest(1))
    assert (of(ended, 2).drilling, of(ended, 2).drilled) == ("back", "")
    passed = with_passed_drill(ended, digest(2))
    assert (of(passed, 2).drilling, of(passed, 2).drilled) == ("", "back")
    assert not of(passed, 1).drilled
    assert with_passed_drill(ended, digest(1)) == ended


@pytest.mark.parametrize(
    ("later", "half"), [(3, None), (2, None), (3, Drill.FORWARD)], ids=["another", "by a rollback", "forward elsewhere"]
)
def test_any_other_switch_ends_a_drill_without_a_result(later: int, half: Drill | None) -> None:
    after = with_proof(BEGUN, proof(later, "later"), half, digest(1))
    assert not any(each.drilled or each.drilling for each in with_passed_drill(after, digest(2)))


def test_half_a_drill_is_none() -> None:
    half = with_proof([proof(1), proof(2)], proof(2, "forward"), Drill.FORWARD, digest(1))
    assert not of(with_passed_drill(half, digest(2)), 2).drilled


def test_the_drill_of_a_release_is_remembered_when_it_passes_again_but_not_with_another_configuration() -> None:
    drilled = replace(proof(1), drilled="then")
    assert of(with_proof([drilled], proof(1, "again")), 1).drilled == "then"
    assert not of(with_proof([drilled], replace(proof(1, "again"), release_id="other")), 1).drilled


@pytest.mark.parametrize("said", [{"drilled": "then"}, {"drilling": "now"}, {}])
def test_what_is_known_of_a_drill_survives_being_recorded(said: dict[str, str]) -> None:
    plain = {"drilled": "", "drilling": "", **said}
    written = replace(proof(1), **said).as_dict()
    assert {"drilled", "drilling"} & written.keys() == said.keys()
    read = Proof.from_dict(json.loads(json.dumps(written)))
    assert (read.drilled, read.drilling) == (plain["drilled"], plain["drilling"])


def test_tables_of_the_checks_are_kept() -> None:
    table = Table(title="Scores", head=("what", "new"), rows=(("a", "0.6"),))
    kept = replace(proof(1), tables=(table,))
    assert Proof.from_dict(kept.as_dict()) == kept
    assert "tables" not in proof(1).as_dict()
