"""`release parity`: what it compares, what it says, how it ends; and what a promotion is held to."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.command.adapters.backend import FakeBackend
from release_lane.command.adapters.engine import FakeEngine
from release_lane.command.adapters.project import Project, StackFile
from release_lane.engine.locks import Holder
from tests.command.words import BLUE, GREEN, ROOT, A, B, Stage, becomes, digest, plan, ran, state, states

pytestmark = pytest.mark.cli

SMALL = {"what": "service.desiredCount", "why": "staging is small"}
REQUIRED = {"required": True}


def stage(there: dict[str, Any] | None = None, here: dict[str, Any] | None = None, **over: Any) -> Stage:
    """Two environments with these settings, and one that nothing is promoted to from staging."""

    def stack(name: str, **own: Any) -> StackFile:
        config = {"aws:region": "us-east-1", **{f"release-lane:{key}": value for key, value in own.items()}}
        return StackFile(name=name, path=ROOT / f"Pulumi.{name}.yaml", project="release-lane", config=config)

    at = {"account": "000000000000", "insecure": True}
    stacks = [
        stack("artifacts", role="artifacts"),
        stack("staging", **at, **(there or {})),
        stack("production", **at, promotesFrom="staging", **(here or {})),
        stack("other", **at, service={"cpu": 1024, "memory": 2048}),
    ]
    engine = over.pop("engine", None) or FakeEngine(states=states(other=state(GREEN, A)))
    project = Project(name="release-lane", root=ROOT, stacks={each.name: each for each in stacks})
    return Stage(project=project, engine=engine, **over)


def test_without_a_difference_it_ends_with_0_and_has_changed_nothing() -> None:
    on = stage()
    assert on.run("parity", "production") == 0
    assert on.out == "production and staging: no difference that is not declared.\n"
    assert on.engine.calls == []


def test_a_difference_that_is_not_declared_ends_with_1_and_says_what_to_write() -> None:
    on = stage({"env": {"LOG": "debug"}}, {"service": {"desiredCount": 4}, "env": {"LOG": "info"}})
    assert on.run("parity", "production") == 1
    assert on.out.splitlines() == [
        "production and staging: 2 differences are not declared.",
        "",
        "WHAT                  STAGING  PRODUCTION",
        "env.LOG               set      set to another value",
        "service.desiredCount  2        4",
        "",
        "Next: make production and staging alike, or declare what is meant under `parity.expect` in "
        "Pulumi.production.yaml, as { what: env.LOG, why: … }.",
    ]


def test_a_declared_difference_is_shown_with_its_reason_and_one_that_is_gone_is_said() -> None:
    gone = {"what": "service.cpu", "why": "was larger"}
    on = stage({}, {"service": {"desiredCount": 4}, "parity": {"expect": [SMALL, gone]}})
    assert on.run("parity", "production") == 0
    assert on.out.splitlines() == [
        "production and staging: no difference that is not declared.",
        "",
        "Declared:",
        "WHAT                  STAGING  PRODUCTION  WHY",
        "service.desiredCount  2        4           staging is small",
        "",
        "Declared, but there is no such difference: service.cpu (was larger).",
    ]


def test_what_waits_for_a_release_and_what_follows_from_a_setting_are_shown_and_fail_nothing() -> None:
    balancer = "aws:lb/loadBalancer:LoadBalancer"
    built = {
        stack: {
            "urn": f"urn::{balancer}::release-lane-{stack}",
            "type": balancer,
            "custom": True,
            "inputs": {"enableDeletionProtection": True} if stack == "production" else {},
        }
        for stack in ("staging", "production")
    }
    on = stage()
    newer = type(B)(digest=B.digest, service=type(B.service)(memory=1024), commit=B.commit)
    for stack, ends in (("staging", (GREEN, newer)), ("production", (BLUE, A))):
        exported = {"deployment": {"resources": [built[stack]]}}
        on.engine.states[stack] = type(on.engine.states[stack])(outputs=state(*ends).outputs, exported=exported)
    assert on.run("parity", "production") == 0
    assert on.out.splitlines()[1:] == [
        "",
        "Not released in both yet (both stack files say the same; the next release there brings it):",
        "  service.memory",
        "",
        "Follow from a setting (--json names them):",
        "  promotesFrom: 1",
    ]


def test_as_json_each_difference_has_its_standing_and_why() -> None:
    on = stage({}, {"service": {"desiredCount": 4, "cpu": 512, "memory": 1024}, "parity": {"expect": [SMALL]}})
    assert on.run("parity", "production", "--json") == 1
    assert (on.data["environment"], on.data["with"], on.data["gone"]) == ("production", "staging", [])
    assert on.data["differences"] == [
        {"what": "service.cpu", "there": "256", "here": "512", "standing": "undeclared", "why": ""},
        {
            "what": "service.desiredCount",
            "there": "2",
            "here": "4",
            "standing": "declared",
            "why": "staging is small",
        },
        {"what": "service.memory", "there": "512", "here": "1024", "standing": "undeclared", "why": ""},
    ]


def test_another_environment_can_be_named_and_none_is_compared_with_itself() -> None:
    on = stage()
    assert on.run("parity", "production", "--with", "other") == 1
    assert "service.cpu" in on.out
    assert on.run("parity", "production", "--with", "production") == 2
    assert on.run("parity", "production", "--with", "nowhere") == 2


def test_the_first_of_a_route_has_nothing_to_be_compared_with() -> None:
    on = stage()
    assert on.run("parity", "staging") == 0
    assert "nothing to compare it with" in on.out


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("look", [1, 3], ids=["began before", "begins while the states are read"])
def test_during_an_update_of_either_it_is_refused(environment: str, look: int) -> None:
    holder, backend = Holder(user="ann", host="build-7", pid=1, since="now"), FakeBackend()
    backend.each = lambda: backend.held.update({environment: (holder,)} if backend.asked >= look else {})
    on = stage(backend=backend)
    assert on.run("parity", "production") == 4
    assert "ann@build-7" in on.err


def test_a_wrong_stack_file_is_named() -> None:
    on = stage({"service": {"cpu": 3}})
    assert on.run("parity", "production") == 2
    assert "Pulumi.staging.yaml" in on.err


# ---- What goes forward is held to it


def promoting(parity: dict[str, Any], *, answers: bool = True) -> Stage:
    done = becomes("production", state(GREEN, A, B, idle=A), ran(*plan("deploy", GREEN, B, target=GREEN)))
    runs = [done] if answers else []
    engine = FakeEngine(states=states(), runs=runs)  # type: ignore[arg-type]
    return stage({}, {"shift": {"bakeSeconds": 60}, "parity": parity}, engine=engine)


@pytest.mark.parametrize("verb", ["promote", "deploy", "review"])
def test_where_parity_is_required_nothing_goes_forward_with_an_undeclared_difference(verb: str) -> None:
    on = promoting(REQUIRED, answers=False)
    given = ["--yes"] if verb != "review" else []
    assert on.run(verb, "production", "--digest", digest("b"), *given) == 4
    assert on.engine.calls == []
    said = on.err + on.out
    assert "production differs from staging, and its stack file does not say why. Nothing was changed." in said
    assert "shift.bakeSeconds: staging 0, production 60" in said


@pytest.mark.parametrize(
    "parity",
    [{}, {**REQUIRED, "expect": [{"what": "shift", "why": "staging has no users"}]}],
    ids=["not required", "declared"],
)
def test_otherwise_it_goes(parity: dict[str, Any]) -> None:
    on = promoting(parity)
    assert on.run("promote", "production", "--yes") == 0, on.err


def test_a_rollback_is_not_held_to_it() -> None:
    on = promoting(REQUIRED)
    on.engine.states["production"] = state(GREEN, A, B, idle=A)
    on.engine.runs = [
        becomes("production", state(BLUE, B, A, idle=B), ran(*plan("traffic-only", BLUE, A, target=BLUE)))
    ]
    assert on.run("rollback", "production", "--yes") == 0, on.err


@pytest.mark.parametrize("verb", [("rollback", "--yes"), ("review", "--rollback")], ids=["rollback", "review"])
def test_a_rollback_of_the_image_alone_is_held_to_it_like_any_release(verb: tuple[str, str]) -> None:
    on = promoting(REQUIRED, answers=False)
    on.engine.states["production"] = state(GREEN, A, B, idle=A)
    assert on.run(verb[0], "production", "--digest-only", verb[1]) == 4
    assert on.engine.calls == []
    assert "production differs from staging, and its stack file does not say why" in on.err + on.out
