"""Which update runs a migration, and which release the database's schema keeps from users."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.decide.decision import Deploy, Heal, Keep, OnDrift, Refuse, Requested, TrafficOnly, Verdict, decide
from release_lane.record.contract import Labels
from release_lane.record.placement import Release
from release_lane.record.revisions import NEEDS, PROVIDES, Migration, Revisions, Schema
from tests.decide.situations import BLUE, GREEN, OTHER_SERVICE, SERVICE, A, B, C, D, observed, recorded

pytestmark = pytest.mark.pure

R1, R2 = Schema(passed=("r1",), begun="r1"), Schema(passed=("r1", "r2"), begun="r2")
HALF = Schema(passed=("r1",), begun="r2")
"""A migration to r2 began, and did not succeed."""


def labelled(release: Release, needs: str, provides: str = "") -> Release:
    """With an image that has these labels."""
    return replace(release, revisions=Revisions(needs=tuple(needs.split()), provides=provides))


def asks(release: Release, schema: Schema | None, **more: Any) -> Requested:
    said = release.revisions or Revisions()
    found = {NEEDS: " ".join(said.needs), PROVIDES: said.provides}
    labels = Labels(found={label: text for label, text in found.items() if text})
    return Requested(service=release.service, digest=release.digest, labels=labels, schema=schema, **more)


def released(new: Release, live: Release, schema: Schema | None) -> Verdict:
    """A new image, while `live` serves."""
    return decide(recorded(BLUE, live), observed(live, None, BLUE), asks(new, schema))


def back_to(
    past: Release, live: Release, schema: Schema, *, holds: bool = True, also: Release | None = None
) -> Verdict:
    """A rollback; the idle colour `holds` the release, or another one."""
    history = (also, past, live) if also else (past, live)
    cloud = observed(live, past if holds else D, BLUE)
    return decide(recorded(BLUE, *history), cloud, asks(past, schema, rollback_from=live.digest))


def not_compared(verdict: Verdict) -> list[str]:
    return [each for each in verdict.unchecked if "schema" in each]


def refusal(verdict: Verdict) -> str:
    assert isinstance(verdict.decision, Refuse), verdict
    return str(verdict.decision.error)


NOTHING = None
CAN = [
    (labelled(B, "r1 r2", "r2"), labelled(A, "r1 r2", "r1"), R1, Migration(before="r1", to="r2"), 0),
    (labelled(B, "r2", "r2"), labelled(A, "r1 r2", "r1"), R1, Migration(before="r1", to="r2"), 0),
    (labelled(B, "r1 r2", "r2"), labelled(A, "r1 r2", "r1"), HALF, Migration(before="r1", to="r2"), 0),
    (labelled(B, "r1", "r1"), labelled(A, "r1", "r1"), R1, Migration(before="r1", to="r1"), 0),
    (labelled(B, "r1 r2", "r1"), labelled(A, "r1 r2", "r2"), R2, NOTHING, 0),
    (labelled(B, "r2", "r2"), A, R1, Migration(before="r1", to="r2"), 1),
    (B, labelled(A, "r1", "r1"), R1, Migration(before="r1", to=""), 1),
    (B, A, Schema(), Migration(before="", to=""), 1),
    (labelled(B, "r2", "r2"), A, None, NOTHING, 0),
]


@pytest.mark.parametrize(
    ("new", "live", "schema", "migration", "unchecked"),
    CAN,
    ids=[
        "expand",
        "the new code needs it",
        "again after one that failed",
        "nothing to migrate",
        "a hotfix of the code before",
        "the live image does not say",
        "the new image does not say",
        "neither says",
        "no migrations here",
    ],
)
def test_a_new_image_migrates_before_it_starts_and_what_was_not_compared_is_said(
    new: Release, live: Release, schema: Schema | None, migration: Migration | None, unchecked: int
) -> None:
    verdict = released(new, live, schema)
    assert isinstance(verdict.decision, Deploy)
    assert (verdict.migration, len(not_compared(verdict))) == (migration, unchecked)


CANNOT = [
    (
        labelled(B, "r2", "r2"),
        labelled(A, "r1", "r1"),
        R1,
        "sha256:aaaaaaaaaaaa cannot live with that",
    ),
    (labelled(B, "r1", "r2"), labelled(A, "r1 r2", "r1"), R1, "that its own migration leads to"),
    (labelled(B, "r1", "r1"), labelled(A, "r1 r2", "r2"), R2, "leads to schema r1, which the database has left"),
    (labelled(B, "", "r1"), labelled(A, "r1 r2", "r2"), R2, "leads to schema r1, which the database has left"),
]


@pytest.mark.parametrize(
    ("new", "live", "schema", "said"),
    CANNOT,
    ids=["contract", "labels contradict each other", "the database has left it", "left, and the image does not say"],
)
def test_a_migration_that_breaks_a_release_is_refused_before_anything_changes(
    new: Release, live: Release, schema: Schema, said: str
) -> None:
    verdict = released(new, live, schema)
    assert said in refusal(verdict)
    assert verdict.migration is None
    assert isinstance(released(new, live, None).decision, Deploy), "without migrations it is no matter"


def test_the_first_release_of_an_environment_migrates_and_asks_no_other_release() -> None:
    verdict = decide(None, observed(None, None, None), asks(labelled(A, "r1", "r1"), Schema()))
    assert (verdict.migration, not_compared(verdict)) == (Migration(before="", to="r1"), [])


@pytest.mark.parametrize("holds", [True, False], ids=["traffic-only", "deployment"])
def test_a_rollback_runs_no_migration(holds: bool) -> None:
    verdict = back_to(labelled(A, "r1 r2", "r1"), labelled(B, "r1 r2", "r2"), R2, holds=holds)
    assert isinstance(verdict.decision, TrafficOnly if holds else Deploy)
    assert (verdict.migration, verdict.notes, not_compared(verdict)) == (None, (), [])


@pytest.mark.parametrize("holds", [True, False], ids=["traffic-only", "deployment"])
@pytest.mark.parametrize("schema", [R2, HALF], ids=["left", "perhaps left"])
def test_a_rollback_across_the_schema_is_refused_and_names_what_can_be_rolled_back_to(
    schema: Schema, holds: bool
) -> None:
    past, other = labelled(A, "r1", "r1"), labelled(C, "r1 r2", "r1")
    said = refusal(back_to(past, labelled(B, "r1 r2", "r2"), schema, holds=holds, also=other))
    assert "it cannot live with the database's schema r2" in said
    assert f"go back to one that can: {C.digest} (commit {'c' * 7})." in said


def test_a_rollback_across_the_schema_with_no_other_way_says_so() -> None:
    said = refusal(back_to(labelled(A, "r1", "r1"), labelled(B, "r1 r2", "r2"), R2))
    assert "no earlier release of the history can: fix what is live" in said


@pytest.mark.parametrize(
    ("past", "schema", "said"),
    [(A, R2, "schema r2: its image has no label"), (labelled(A, "r1", "r1"), Schema(), "its revision is not known")],
    ids=["its image does not say", "the schema is not known"],
)
def test_a_rollback_that_cannot_be_compared_is_not_refused_and_says_so(
    past: Release, schema: Schema, said: str
) -> None:
    verdict = back_to(past, B, schema)
    assert isinstance(verdict.decision, TrafficOnly)
    assert said in not_compared(verdict)[0]


def test_labels_that_were_not_recorded_are_read_from_the_image() -> None:
    before = labelled(A, "r1", "r1")
    cloud, record = observed(B, A, BLUE), recorded(BLUE, A, B)
    assert "cannot live with" in refusal(decide(record, cloud, asks(before, R2, rollback_from=B.digest)))


def test_going_back_to_what_is_recorded_is_never_refused() -> None:
    live = labelled(A, "r1", "r1")
    asked = replace(asks(live, R2), digest=None, on_drift=OnDrift.RESTORE)
    verdict = decide(recorded(BLUE, live), observed(live, B, GREEN), asked)
    assert isinstance(verdict.decision, TrafficOnly)
    assert any("does not name r2" in note for note in verdict.notes)


@pytest.mark.parametrize(("idle", "decision"), [(B, Keep), (None, Heal)], ids=["keep", "heal"])
def test_an_update_that_moves_no_traffic_runs_no_migration(idle: Release | None, decision: type) -> None:
    live = labelled(A, "r1", "r1")
    asked = replace(asks(live, R1), digest=None)
    verdict = decide(recorded(BLUE, B, live), observed(live, idle, BLUE), asked)
    assert isinstance(verdict.decision, decision)
    assert (verdict.migration, not_compared(verdict)) == (None, [])


MISFIT = labelled(B, "r1", "r1")
"""The previous release, and what it lives with; the live one lives with r2 as well."""


def kept(idle: Release | None, schema: Schema, **seen: Any) -> Verdict:
    """An update that asks for nothing, while the previous release cannot live with r2."""
    live = labelled(A, "r1 r2", "r2")
    asked = replace(asks(live, schema), digest=None, **seen)
    return decide(recorded(BLUE, MISFIT, live), observed(live, idle, BLUE), asked)


@pytest.mark.parametrize("schema", [R2, HALF], ids=["left", "perhaps left"])
def test_a_release_that_cannot_live_with_the_schema_is_not_started_again_as_standby(schema: Schema) -> None:
    """A release after it migrated, and then failed its smoke checks."""
    verdict = kept(C, schema)
    assert isinstance(verdict.decision, Heal)
    assert (verdict.decision.release, verdict.decision.tasks) == (None, 0)
    assert "cannot live with the database's schema r2" in verdict.decision.reason
    settled = kept(None, schema)
    assert isinstance(settled.decision, Keep)
    assert "cannot live with the database's schema r2, so it is not started again" in settled.decision.reason


def test_a_standby_that_runs_is_left_running_whatever_the_schema_is() -> None:
    assert isinstance(kept(MISFIT, R2).decision, Keep)
    assert isinstance(kept(MISFIT, R2, idle_tasks=1).decision, Keep)


@pytest.mark.parametrize(
    "schema", [R1, Schema(), None], ids=["it can", "the schema is not known", "no migrations here"]
)
def test_a_standby_is_started_where_nothing_says_that_it_cannot_live_with_the_schema(schema: Schema | None) -> None:
    decision = kept(C, schema).decision  # type: ignore[arg-type]
    assert isinstance(decision, Heal)
    assert decision.release == MISFIT


def test_a_standby_whose_image_says_nothing_is_started() -> None:
    live = labelled(A, "r1 r2", "r2")
    asked = replace(asks(live, R2), digest=None)
    decision = decide(recorded(BLUE, B, live), observed(live, C, BLUE), asked).decision
    assert isinstance(decision, Heal)
    assert decision.release == B


def test_a_new_configuration_of_the_live_image_migrates_as_it_may_name_another_database() -> None:
    live = labelled(A, "r1", "r1")
    asked = replace(asks(live, R1), service=OTHER_SERVICE)
    verdict = decide(recorded(BLUE, live), observed(live, None, BLUE), asked)
    assert isinstance(verdict.decision, Deploy)
    assert verdict.migration == Migration(before="r1", to="r1")


def test_going_forward_again_migrates_again_where_tasks_are_started() -> None:
    left = labelled(B, "r1 r2", "r2")
    record = recorded(GREEN, A, left, labelled(A, "r1 r2", "r1"), previous=left)
    cloud = observed(None, A, GREEN)
    verdict = decide(record, cloud, asks(left, R2, forward_from=A.digest))
    assert isinstance(verdict.decision, Deploy)
    assert verdict.migration == Migration(before="r2", to="r2")


def test_what_was_released_keeps_what_its_image_says() -> None:
    new = labelled(B, "r1 r2", "r2")
    decision = released(new, labelled(A, "r1 r2", "r1"), R1).decision
    assert isinstance(decision, Deploy)
    assert decision.release.revisions == new.revisions
    assert decision.release.service == SERVICE


def redeployed(past: Release) -> Verdict:
    """An earlier image with the configuration of now, while B serves at r2."""
    live = labelled(B, "r1 r2", "r2")
    asked = replace(asks(past, R2), service=OTHER_SERVICE, redeploy_from=live.digest)
    return decide(recorded(BLUE, past, live), observed(live, past, BLUE), asked)


def test_an_earlier_image_with_the_configuration_of_now_runs_no_migration_that_the_schema_has_left() -> None:
    verdict = redeployed(labelled(A, "r1 r2", "r1"))
    assert isinstance(verdict.decision, Deploy)
    assert verdict.migration is None
    assert "the schema is at r2" in verdict.notes[-1]
    assert "which the database has left" in refusal(redeployed(labelled(A, "r1", "r1")))


def test_labels_that_are_not_understood_are_refused_going_forward_and_say_nothing_going_back() -> None:
    torn = Labels(found={PROVIDES: "r1 r2"})
    forward = replace(asks(B, R1), labels=torn)
    assert "cannot be read" in refusal(decide(recorded(BLUE, A), observed(A, None, BLUE), forward))
    back = replace(asks(A, R2, rollback_from=B.digest), labels=torn)
    verdict = decide(recorded(BLUE, A, B), observed(B, A, BLUE), back)
    assert isinstance(verdict.decision, TrafficOnly)
    assert "its image has no label" in not_compared(verdict)[0]
