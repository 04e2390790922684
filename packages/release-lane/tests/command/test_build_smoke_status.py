"""build, smoke and status."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from release_lane.command.adapters.engine import FakeEngine
from release_lane.command.adapters.git import FakeGit
from release_lane.command.adapters.smoke import FakeSmoke
from release_lane.engine.state import StackState
from release_lane.record.adoption import Adopted
from release_lane.record.asking import Asked, Identify
from release_lane.record.endpoint import Endpoint
from release_lane.smoke.checks import Expected, Report
from tests.command.words import (
    BLUE,
    GREEN,
    A,
    B,
    C,
    Stage,
    becomes,
    built,
    failed,
    ran,
    release,
    said,
    state,
    states,
)

pytestmark = pytest.mark.cli


def stage(*runs: object, **over: object) -> Stage:
    return Stage(engine=FakeEngine(states=states(), runs=list(runs)), **over)  # type: ignore[arg-type]


# ---- build --------------------------------------------------------------------------------------------------


def test_build_writes_the_digest_and_nothing_else_to_stdout() -> None:
    on = stage(becomes("artifacts", built("c"), ran()))
    assert on.run("build") == 0
    assert on.out == f"{C.digest}\n"
    assert on.engine.calls == [("update", "artifacts", {"source": "/checkout"})]


def test_build_from_another_checkout_hands_on_its_whole_path(tmp_path: object) -> None:
    on = stage(becomes("artifacts", built("c"), ran()))
    assert on.run("build", "--source", str(tmp_path), "--json") == 0
    assert on.engine.calls == [("update", "artifacts", {"source": str(tmp_path)})]
    assert on.data["imageDigest"] == C.digest


def test_build_refuses_what_git_refuses_in_its_words_and_starts_no_engine() -> None:
    on = stage(git=FakeGit(refused="fatal: detected dubious ownership in repository at '/checkout'"))
    assert on.run("build") == 2
    assert "dubious ownership" in on.err
    assert on.engine.calls == []


def test_a_build_that_leaves_another_commits_digest_is_an_error() -> None:
    on = stage(ran())
    assert on.run("build") == 3
    assert "has no digest of commit" in on.err
    assert on.out == ""


def test_a_failed_build_has_no_digest() -> None:
    on = stage(failed(said("the Dockerfile is wrong", about="urn:pulumi:artifacts::p::docker:index/image:Image::app")))
    assert on.run("build") == 3
    assert "the Dockerfile is wrong" in on.err
    assert on.out == ""


# ---- smoke --------------------------------------------------------------------------------------------------


def test_smoke_expects_what_is_recorded_as_live() -> None:
    on = stage()
    assert on.run("smoke", "staging") == 0
    assert on.smoke.asked == [
        (Endpoint("http://127.0.10.1"), Expected(digest=B.digest, colour="green", commit=B.commit))
    ]
    assert "3 smoke checks passed" in on.out


def test_smoke_of_any_url_expects_nothing_of_its_release() -> None:
    on = stage()
    assert on.run("smoke", "--url", "http://somewhere:8080") == 0
    assert on.smoke.asked == [(Endpoint("http://somewhere:8080"), Expected())]


def test_smoke_asks_a_release_as_its_own_configuration_says() -> None:
    foreign = release("b", health_path="/healthz", status_path="", identify=Identify.NONE)
    on = stage(smoke=FakeSmoke(Report(checks=3, unchecked=("answers name no release",))))
    on.engine.states["staging"] = state(GREEN, A, foreign)
    assert on.run("smoke", "staging") == 0
    assert on.smoke.asked[0][1].asked == foreign.service.asked
    assert "Not checked: answers name no release." in on.out
    assert on.run("smoke", "staging", "--json") == 0
    assert on.data["unchecked"] == ["answers name no release"]


def test_smoke_of_any_url_can_say_how_it_is_asked() -> None:
    on = stage()
    given = ["--health-path", "/healthz", "--status-path", "", "--identify", "none"]
    assert on.run("smoke", "--url", "http://somewhere:3000", *given) == 0
    asked = Asked(health_path="/healthz", status_path="", identify=Identify.NONE)
    assert on.smoke.asked == [(Endpoint("http://somewhere:3000"), Expected(asked=asked))]
    assert on.run("smoke", "--url", "http://somewhere:3000", "--status-path", "") == 2


def test_a_failed_check_ends_with_1_and_is_named() -> None:
    on = stage(smoke=FakeSmoke(Report(checks=3, failures=("test_status: it says error",))))
    assert on.run("smoke", "staging") == 1
    assert "test_status: it says error" in on.err


def test_no_checks_at_all_are_no_success() -> None:
    assert stage(smoke=FakeSmoke(Report(checks=0))).run("smoke", "staging") == 1


@pytest.mark.parametrize("given", [["--health-path", "/z"], ["--status-path", ""], ["--identify", "none"]])
def test_how_an_environment_is_asked_is_its_releases_own_and_no_option_is_ignored(given: list[str]) -> None:
    on = stage()
    assert on.run("smoke", "staging", *given) == 2
    assert f"{given[0]} needs --url" in on.err
    assert on.smoke.asked == []


@pytest.mark.parametrize("argv", [["smoke"], ["smoke", "staging", "--url", "http://x"]])
def test_smoke_wants_one_of_environment_and_url(argv: list[str]) -> None:
    assert stage().run(*argv) == 2


# ---- status -------------------------------------------------------------------------------------------------


def test_status_lists_environments_in_the_order_of_the_route() -> None:
    on = stage()
    assert on.run("status") == 0
    lines = on.out.splitlines()
    assert lines[0].split() == ["ENVIRONMENT", "LIVE", "DIGEST", "COMMIT", "SINCE", "PREVIOUS", "ROLLBACK", "PROVEN"]
    assert lines[1].split() == [
        "staging", "green", B.digest[:19], "bbbbbbb", "2026-01-02T03:04:05+00:00", A.digest[:19], "traffic-only", "2"
    ]  # fmt: skip
    assert lines[2].split()[:2] == ["production", "blue"]
    assert "AWS was not asked" in on.out


def test_columns_that_do_not_speak_for_themselves_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert stage().run("status", "--help") == 0
    page = (Path(__file__).parents[4] / "docs/guides/command.md").read_text(encoding="utf-8")
    shown = capsys.readouterr().out
    for column in ("SINCE", "ROLLBACK", "PROVEN"):
        assert f"  {column} " in shown
        assert f"{column}: " in page


@pytest.mark.parametrize(
    ("found", "costs"),
    [
        (state(GREEN, A, B, idle=A), "traffic-only"),
        (state(GREEN, A, B, idle=C), "deploy"),
        (state(GREEN, A, B, idle=A, tasks=0), "deploy"),
        (state(GREEN, A, B, idle=A, tasks=1), "deploy"),  # reduced: not enough for all users
        (state(GREEN, A, B, idle=None), "deploy"),
        (state(BLUE, A), "none"),
        (state(GREEN, release("b"), release("b", desired_count=3), idle=release("b")), "settings"),
    ],
)
def test_status_says_what_a_rollback_would_cost(found: StackState, costs: str) -> None:
    on = stage()
    on.engine.states["staging"] = found
    on.run("status", "staging", "--json")
    (row,) = on.data["environments"]
    assert row["rollback"] == {"costs": costs, "basis": "recorded"}
    assert row["digest"] == found.outputs["imageDigest"]


def test_status_does_not_call_it_a_rollback_to_go_where_users_were_rolled_back_from() -> None:
    on = stage()
    on.engine.states["staging"] = state(GREEN, A, B, A, idle=B)
    on.run("status", "staging", "--json")
    (row,) = on.data["environments"]
    assert row["rollback"] == {"costs": "traffic-only", "basis": "recorded", "forwardAgain": True}
    other = stage()
    other.engine.states["staging"] = state(GREEN, A, B, A, idle=B)
    other.run("status", "staging")
    assert "users were rolled back from the previous release: going there is going forward again" in other.out


def test_status_tells_a_missing_stack_from_one_without_a_release() -> None:
    on = stage()
    on.engine.states = {"staging": StackState()}
    assert on.run("status") == 0
    assert "no release yet" in on.out
    assert "no stack yet" in on.out


def test_status_of_one_environment_is_full() -> None:
    on = stage()
    assert on.run("status", "production") == 0
    assert f"live           blue, {A.digest}" in on.out
    assert "promotes from  staging" in on.out


def test_status_tells_where_an_adopted_image_came_from() -> None:
    on = stage()
    origin = Adopted(image=f"ghcr.io/acme/shop@{A.digest}", source="https://example.test/shop", commit_by="label")
    on.engine.states["production"] = state(BLUE, replace(A, adopted=origin))
    on.run("status", "production")
    assert f"adopted        from ghcr.io/acme/shop@{A.digest}, source https://example.test/shop" in on.out
    on.run("status", "production", "--json")
    assert on.data["environments"][0]["adopted"] == origin.as_dict()


def test_status_tells_of_an_update_that_was_killed() -> None:
    on = stage()
    on.engine.states["production"] = StackState(
        outputs=state(BLUE, A).outputs, pending=("urn:pulumi:production::p::aws:ecs/service:Service::green",)
    )
    on.run("status")
    assert "production: an update was killed (green unfinished)" in on.out


def test_what_no_gate_could_see_of_what_is_live_is_named() -> None:
    unseen = ["the commit is unknown", "answers name no release"]
    here = states()
    held = here["staging"]
    assert held is not None
    evidence = [{**each, "unchecked": unseen} for each in held.outputs["evidence"]]
    here["staging"] = replace(held, outputs={**held.outputs, "evidence": evidence})
    on = Stage(engine=FakeEngine(states=here))
    assert on.run("status", "staging") == 0
    assert f"not checked    {'; '.join(unseen)}" in on.out
    assert on.run("status") == 0
    assert f"staging: not checked: {'; '.join(unseen)}." in on.out
    assert "production: not checked" not in on.out
    assert on.run("status", "staging", "--json") == 0
    assert on.data["environments"][0]["unchecked"] == unseen
    assert on.data["environments"][0]["evidence"][0]["unchecked"] == unseen


def test_without_a_proof_it_is_unknown_what_was_checked() -> None:
    here = states()
    held = here["staging"]
    assert held is not None
    here["staging"] = replace(held, outputs={**held.outputs, "evidence": []})
    on = Stage(engine=FakeEngine(states=here))
    assert on.run("status", "staging") == 0
    assert "not checked    unknown: there is no proof" in on.out
