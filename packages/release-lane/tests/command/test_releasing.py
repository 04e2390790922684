"""deploy, promote, rollback and heal: what they ask of the engine, what they say, how they end."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import pytest
from release_lane.command.adapters.backend import FakeBackend
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine, Run
from release_lane.command.adapters.machine import FakeMachine
from release_lane.engine.locks import Holder, Note, Owner
from release_lane.engine.state import StackState
from release_lane.errors import CloudError
from release_lane.record.journal import Phase
from release_lane.record.placement import Release
from tests.command.words import (
    BLUE,
    GREEN,
    A,
    B,
    C,
    Stage,
    becomes,
    configs,
    digest,
    failed,
    log,
    outputs,
    plan,
    ran,
    refused_by_gate,
    release,
    said,
    state,
    states,
    urn,
)
from tests.decide import situations

pytestmark = pytest.mark.cli

LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
    "lock file with `pulumi cancel`.\n  s3://bucket/.pulumi/locks/organization/release-lane/production/x.json: "
    "created by ann@build-7 (pid 4711) at 2026-01-02T03:04:05Z\n"
)


def stage(*runs: object, **over: object) -> Stage:
    return Stage(engine=FakeEngine(states=states(), runs=list(runs)), **over)  # type: ignore[arg-type]


PROMOTED = becomes("production", state(GREEN, A, B, idle=A), ran(*plan("deploy", GREEN, B, target=GREEN, starts=True)))
STAGED = becomes("staging", state(BLUE, A, B, C, idle=B), ran(*plan("deploy", BLUE, C, target=BLUE, starts=True)))
HEALED = ran(*plan("heal", BLUE, A, target=GREEN, starts=True))


# ---- What is asked of the engine ----------------------------------------------------------------------------


def test_deploy_takes_what_was_built_last() -> None:
    on = stage(ran(*plan("keep", GREEN, B, target=None)))
    assert on.run("deploy", "staging") == 0
    assert on.engine.calls == [("update", "staging", {"imageDigest": B.digest})]


def test_deploy_takes_the_digest_it_is_given() -> None:
    on = stage(STAGED)
    assert on.run("deploy", "staging", "--digest", C.digest) == 0
    assert configs(on.engine) == [{"imageDigest": C.digest}]


def test_promote_takes_what_the_environment_before_has_live() -> None:
    on = stage(PROMOTED)
    assert on.run("promote", "production", "--yes") == 0
    assert on.engine.calls == [("update", "production", {"imageDigest": B.digest})]


def test_rollback_says_by_itself_what_it_leaves() -> None:
    on = stage(ran(*plan("traffic-only", BLUE, A, target=BLUE)))
    assert on.run("rollback", "staging") == 0
    assert configs(on.engine) == [{"imageDigest": A.digest, "rollbackFrom": B.digest}]


def test_rollback_goes_further_back_to_a_given_digest() -> None:
    on = stage(ran(*plan("deploy", BLUE, A, target=BLUE, starts=True)))
    on.engine.states["staging"] = state(GREEN, A, B, C, idle=B)
    assert on.run("rollback", "staging", "--to", A.digest) == 0
    assert configs(on.engine) == [{"imageDigest": A.digest, "rollbackFrom": C.digest}]


@pytest.mark.parametrize("record", [(A, B), (A, B, A)], ids=["back", "forward again"])
def test_a_rollback_of_the_digest_alone_names_what_is_live_and_asks_in_these_words(record: tuple[Release, ...]) -> None:
    to, live = (A, B) if record[-1] is B else (B, A)
    on = stage(ran(*plan("deploy", BLUE, to, target=BLUE, starts=True)), answer="yes")
    on.engine.states["production"] = state(GREEN, *record, idle=to)
    assert on.run("rollback", "production", "--digest-only", "--through-freeze", "it is urgent") == 0
    wanted = {"imageDigest": to.digest, "redeployFrom": live.digest, "throughFreeze": "it is urgent"}
    assert configs(on.engine) == [wanted]
    assert f"Roll back only the image of production, to {to.digest[:19]}, with the configuration of now." in on.err


RETURNED = state(GREEN, A, B, A, idle=B)
"""Users were rolled back from B to A."""


def test_after_a_rollback_the_way_forward_is_offered_in_so_many_words() -> None:
    back = ran(*plan("traffic-only", BLUE, A, target=BLUE))
    on = stage(becomes("staging", state(BLUE, A, B, A, idle=B), back))
    assert on.run("rollback", "staging") == 0
    assert f"To go forward again later: `release deploy staging --digest {B.digest} --again`." in on.out


@pytest.mark.parametrize(("verb", "environment"), [("deploy", "staging"), ("promote", "production")])
def test_going_forward_again_names_what_is_live_now(verb: str, environment: str) -> None:
    on = stage(ran(*plan("traffic-only", BLUE, B, target=BLUE)))
    on.engine.states[environment] = RETURNED
    assert on.run(verb, environment, "--digest", B.digest, "--again", "--yes") == 0
    assert configs(on.engine) == [{"imageDigest": B.digest, "forwardFrom": A.digest}]


def test_a_rollback_of_a_rollback_goes_forward_again_and_asks_in_these_words() -> None:
    on = stage(ran(*plan("traffic-only", BLUE, B, target=BLUE)), answer="yes")
    on.engine.states["production"] = RETURNED
    assert on.run("rollback", "production") == 0
    assert (
        "This is no rollback: production was rolled back from sha256:bbbbbbbbbbbb. Going forward to it again." in on.err
    )
    assert "To go forward again later" not in on.out
    assert configs(on.engine) == [{"imageDigest": B.digest, "forwardFrom": A.digest}]


@pytest.mark.parametrize(
    ("argv", "live"),
    [(("deploy", "staging", "--digest", C.digest), B), (("promote", "production", "--digest", C.digest, "--yes"), A)],
    ids=["deploy", "promote"],
)
def test_allow_older_names_what_is_live_now_and_nothing_that_comes_meanwhile(
    argv: tuple[str, ...], live: Release
) -> None:
    on = stage(ran(*plan("keep", GREEN, B, target=None)))
    assert on.run(*argv, "--allow-older") == 0
    assert configs(on.engine) == [{"imageDigest": C.digest, "allowOlder": live.digest}]


def test_allow_older_is_nothing_where_nothing_is_live() -> None:
    on = stage(ran(*plan("deploy", BLUE, C, target=BLUE, starts=True)))
    on.engine.states["staging"] = StackState()
    assert on.run("deploy", "staging", "--digest", C.digest, "--allow-older") == 0
    assert configs(on.engine) == [{"imageDigest": C.digest}]


@pytest.mark.parametrize(("verb", "environment"), [("deploy", "staging"), ("promote", "production")])
def test_a_reason_to_release_in_a_freeze_window_is_handed_to_the_program(verb: str, environment: str) -> None:
    on = stage(ran(*plan("keep", GREEN, B, target=None)))
    assert on.run(verb, environment, "--digest", C.digest, "--yes", "--through-freeze", "the shop is down") == 0
    assert configs(on.engine) == [{"imageDigest": C.digest, "throughFreeze": "the shop is down"}]


# ---- Exceptions in one text, as a pipeline gives them


@pytest.mark.parametrize(("verb", "environment"), [("deploy", "staging"), ("promote", "production")])
def test_exceptions_in_one_text_are_the_options_that_it_names(verb: str, environment: str) -> None:
    def asked(*given: str) -> list[dict[str, str]]:
        on = stage(ran(*plan("keep", GREEN, B, target=None)))
        on.engine.states[environment] = RETURNED
        assert on.run(verb, environment, "--digest", C.digest, "--yes", *given) == 0
        return configs(on.engine)

    options = ("--through-freeze", "$(the shop); is down", "--again", "--allow-older", "--on-alarm", "proceed")
    together = asked("--exceptions=--through-freeze '$(the shop); is down' --again --allow-older --on-alarm proceed")
    assert together == asked(*options)
    assert {"throughFreeze", "forwardFrom", "allowOlder", "onAlarm"} <= {*together[0]}
    assert asked("--exceptions=") == asked()


@pytest.mark.parametrize(
    ("verb", "text", "why"),
    [
        ("promote", "--yes", "unrecognized arguments: --yes"),
        ("promote", "--seal s1:x", "unrecognized arguments: --seal"),
        ("promote", "--fault slow", "unrecognized arguments: --fault"),
        ("promote", "it is urgent", "unrecognized arguments: it is urgent"),
        ("promote", "--through-freeze the shop is down", "unrecognized arguments: shop is down"),
        ("promote", "--through-freeze 'the shop", "No closing quotation"),
        ("promote", "--through-freeze", "expected one argument"),
        ("promote", "--allow", "unrecognized arguments: --allow"),
        ("promote", "--on-alarm ignore", "invalid choice: 'ignore'"),
        ("rollback", "--allow-older", "unrecognized arguments: --allow-older"),
    ],
)
def test_nothing_but_the_verbs_exceptions_is_taken_from_such_a_text(verb: str, text: str, why: str) -> None:
    on = stage()
    assert on.run(verb, "production", f"--exceptions={text}") == 2
    assert why in on.err
    assert "Next: allowed are --" in on.err
    assert on.engine.calls == []


def test_heal_names_no_digest_at_all() -> None:
    on = stage(HEALED)
    assert on.run("heal", "staging") == 0
    assert configs(on.engine) == [{}]


def test_heal_hands_on_what_to_do_about_drift() -> None:
    on = stage(HEALED)
    assert on.run("heal", "production", "--yes", "--on-drift", "restore") == 0
    assert configs(on.engine) == [{"onDrift": "restore"}]


# ---- What the idle colour keeps -------------------------------------------------------------------------------

REDUCED = ran(*plan("heal", BLUE, C, target=GREEN, starts=True))


def test_after_a_release_the_idle_colour_is_reduced_at_once_where_the_stack_wants_that() -> None:
    on = stage(STAGED, REDUCED, idle_tasks=1)
    assert on.run("deploy", "staging", "--digest", C.digest, "--json") == 0
    assert configs(on.engine) == [{"imageDigest": C.digest}, {}]
    assert on.data["digest"] == C.digest
    assert on.data["idle"].startswith("The idle colour keeps 1 task of the previous release (idle.afterWatch)")


def test_what_follows_on_a_rollback_by_itself_takes_up_nothing_new_either() -> None:
    """At night a database would be restarted by it, because its section was changed by day."""
    back = ran(*plan("traffic-only", BLUE, A, target=BLUE))
    on = stage(back, REDUCED, idle_tasks=1)
    assert on.run("rollback", "staging") == 0
    assert configs(on.engine)[1:] == [{"asItStands": "true"}]
    refused = stage(refused_by_gate("The rollout gate refused blue: it is odd."), HEALED)
    assert refused.run("rollback", "staging") == 1
    assert configs(refused.engine)[1:] == [{"asItStands": "true"}]


@pytest.mark.parametrize(
    ("argv", "over"),
    [(["deploy", "staging"], {}), (["deploy", "staging", "--no-heal"], {"idle_tasks": 1})],
    ids=["not asked for", "--no-heal"],
)
def test_otherwise_it_keeps_everything(argv: list[str], over: dict[str, int]) -> None:
    on = stage(STAGED, **over)
    assert on.run(*argv) == 0
    assert len(configs(on.engine)) == 1


def test_an_update_that_moved_no_traffic_reduces_nothing() -> None:
    on = stage(ran(*plan("keep", GREEN, B, target=None)), idle_tasks=0)
    assert on.run("deploy", "staging") == 0
    assert len(configs(on.engine)) == 1


def test_a_release_is_done_although_the_idle_colour_could_not_be_reduced() -> None:
    on = stage(STAGED, refused_by_gate("The rollout gate refused green: it is odd."), idle_tasks=1)
    assert on.run("deploy", "staging") == 0
    assert "The idle colour could NOT be reduced (The rollout gate refused green: it is odd.)" in on.out


# ---- What is refused before the engine is asked ------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["deploy", "staging", "--digest", "latest"], 2, "a tag can be moved"),
        (["deploy", "stagin"], 2, "There is no environment 'stagin'"),
        (["deploy", "artifacts"], 2, "There is no environment 'artifacts'"),
        (["promote", "staging"], 2, "promotes from no other environment"),
        (["rollback", "production"], 4, "has had only one release"),
        (["rollback", "staging", "--to", digest("f")], 4, "was never live in staging"),
        (["rollback", "staging", "--to", B.digest], 4, "is already live in staging"),
    ],
)
def test_what_cannot_be_is_reported_before_anything_runs(argv: list[str], code: int, words: str) -> None:
    on = stage()
    assert on.run(*argv) == code
    assert words in on.err
    assert on.engine.calls == []


def test_a_release_that_differs_by_configuration_only_is_no_rollback_of_an_image() -> None:
    on = stage()
    on.engine.states["staging"] = state(GREEN, release("b"), release("b", desired_count=3))
    assert on.run("rollback", "staging") == 4
    assert "only its configuration differs (service.desiredCount 2 (not 3))" in on.err
    assert "Pulumi.staging.yaml" in on.err


def test_a_stack_that_does_not_exist_is_reported_with_the_command_that_makes_it() -> None:
    on = stage()
    del on.engine.states["staging"]
    assert on.run("deploy", "staging", "--digest", B.digest) == 2
    assert "pulumi stack init staging" in on.err
    assert on.engine.calls == []


def test_deploy_without_any_image_says_how_to_build_one() -> None:
    on = stage()
    on.engine.states["artifacts"] = StackState()
    assert on.run("deploy", "staging") == 2
    assert "release build" in on.err


def test_promote_while_nothing_is_live_before_says_what_to_do_first() -> None:
    on = stage()
    on.engine.states["staging"] = StackState()
    assert on.run("promote", "production", "--yes") == 2
    assert "release deploy staging" in on.err


def test_a_cloud_that_does_not_answer_is_reported_before_anything_runs() -> None:
    on = stage()
    on.engine.away = CloudError("The cloud's endpoint http://127.0.0.1:4566 does not answer. Nothing was changed.")
    assert on.run("deploy", "staging") == 3
    assert on.engine.calls == []


# ---- Asking -------------------------------------------------------------------------------------------------


def test_production_without_a_terminal_wants_yes() -> None:
    on = stage()
    assert on.run("promote", "production") == 2
    assert "--yes" in on.err
    assert on.engine.calls == []


def test_production_on_a_terminal_asks_and_says_what_is_live() -> None:
    on = stage(PROMOTED, answer="y")
    assert on.run("promote", "production") == 0
    assert f"Promote {B.digest[:19]} in production. Now users are on blue, {A.digest[:19]}" in on.err
    assert len(on.engine.calls) == 1


@pytest.mark.parametrize("answer", ["", "n", "yep"])
def test_anything_but_yes_is_a_no(answer: str) -> None:
    on = stage(answer=answer)
    assert on.run("promote", "production") == 130
    assert on.engine.calls == []


def test_the_first_environment_of_a_route_is_not_asked_for() -> None:
    assert stage(STAGED).run("deploy", "staging") == 0


def test_a_fix_is_released_although_an_alarm_is_firing() -> None:
    on = stage(PROMOTED)
    assert on.run("promote", "production", "--yes", "--on-alarm", "proceed") == 0
    assert configs(on.engine) == [{"imageDigest": B.digest, "onAlarm": "proceed"}]


def test_leave_to_build_everything_anew_is_given_for_this_run() -> None:
    on = stage(STAGED)
    assert on.run("deploy", "staging", "--allow-replace") == 0
    assert [config.get("allowReplace") for config in configs(on.engine)] == ["true"]


def test_an_environment_that_is_built_anew_by_healing_keeps_its_release() -> None:
    """As a refusal and two guides say; `deploy` would bring what was built last."""
    on = stage(ran(*plan("deploy", GREEN, B, target=GREEN, starts=True)))
    assert on.run("heal", "staging", "--allow-replace") == 0
    assert configs(on.engine) == [{"allowReplace": "true"}]


# ---- What it says -------------------------------------------------------------------------------------------


def test_a_release_reports_where_users_are_on_stdout_alone() -> None:
    on = stage(PROMOTED)
    on.run("promote", "production", "--yes")
    assert on.out.strip() == (
        f"production: users are on green, {B.digest[:19]} (commit bbbbbbb) at http://127.0.10.1."
        f" Until now: blue, {A.digest[:19]} (commit aaaaaaa)."
    )
    assert on.err == ""


def test_json_has_the_decision_and_both_ends() -> None:
    on = stage(PROMOTED)
    on.run("promote", "production", "--yes", "--json")
    assert on.data["decision"] == "deploy"
    assert (on.data["digest"], on.data["replaced"]) == (B.digest, A.digest)
    assert on.data["liveColour"] == "green"


def test_nothing_to_do_is_said() -> None:
    on = stage(ran(*plan("keep", GREEN, B, target=None)))
    on.run("deploy", "staging")
    assert "nothing to do" in on.out


def test_a_healed_idle_colour_is_said() -> None:
    on = stage(ran(*plan("heal", GREEN, B, target=BLUE, starts=True)))
    on.run("heal", "staging")
    assert "the standby on blue is restored" in on.out


def test_an_environment_without_a_release_is_said() -> None:
    on = stage(ran())
    on.engine.states["staging"] = StackState()
    assert on.run("heal", "staging") == 0
    assert "no release yet" in on.out


def test_a_release_of_changed_settings_alone_says_which_were_other_until_now() -> None:
    before, after = release("b"), release("b", cpu=512, env={"LOG_LEVEL": "debug"})
    on = stage(becomes("staging", state(BLUE, before, after, idle=before), ran(
        *plan("deploy", BLUE, after, target=BLUE, starts=True, standing=outputs(GREEN, before))
    )))  # fmt: skip
    on.engine.states["staging"] = state(GREEN, before)
    assert on.run("deploy", "staging", "--digest", before.digest) == 0
    assert "with different settings: service.cpu 256 (not 512), env.LOG_LEVEL." in on.out


def test_a_confirmation_for_the_image_that_is_live_says_what_it_would_mean() -> None:
    on = stage(ran(*plan("keep", BLUE, A, target=None)), answer="y")
    assert on.run("promote", "production", "--digest", A.digest) == 0
    assert "That image is already live: only changed settings are released." in on.err


# ---- How it fails -------------------------------------------------------------------------------------------


def test_a_gates_no_ends_with_1_after_the_idle_colour_was_healed() -> None:
    on = stage(refused_by_gate(), HEALED)
    assert on.run("promote", "production", "--yes") == 1
    assert configs(on.engine) == [{"imageDigest": B.digest}, {}]
    assert "The rollout gate refused green" in on.err
    assert "The idle colour of production was healed" in on.err
    assert on.out == ""


LONG = "The rollout gate refused green: it exits.\n  last log lines:\n    no database"


def test_what_the_engine_said_in_full_is_short_at_the_end() -> None:
    on = stage(refused_by_gate(LONG), HEALED)
    assert on.run("promote", "production", "--yes") == 1
    _, end = on.err.split("Error: ")
    assert end == (
        "The rollout gate refused green: it exits. (in full above)\n"
        "Users: untouched\n"
        "Next: fix the image.\n"
        "The idle colour of production was healed.\n"
    )


def test_json_has_all_that_the_engine_said() -> None:
    on = stage(refused_by_gate(LONG), HEALED)
    assert on.run("promote", "production", "--yes", "--json") == 1
    assert (on.data["what"], on.data["next_step"]) == (LONG, "fix the image.")
    assert on.data["users"] == "untouched"


def test_no_heal_leaves_the_idle_colour_and_says_how_to_restore_it() -> None:
    on = stage(refused_by_gate())
    assert on.run("promote", "production", "--yes", "--no-heal") == 1
    assert len(on.engine.calls) == 1
    assert "release heal production" in on.err


def test_a_heal_that_fails_does_not_hide_why_the_release_did() -> None:
    on = stage(refused_by_gate(), failed(said("no room", about=urn("aws:ecs/service:Service", "x"))))
    assert on.run("promote", "production", "--yes") == 1
    assert "The rollout gate refused green" in on.err
    assert "could NOT be healed (no room)" in on.err


@pytest.mark.parametrize("users", [GREEN, {BLUE: 50, GREEN: 50}], ids=str)
def test_a_refused_finish_is_not_finished_by_healing(users: Any) -> None:
    """An update without a digest would bring users to, or record, the very release that was refused just now."""
    switch = situations.journal((BLUE, A), (GREEN, B), Phase.MOVING)
    left = situations.observed(A, B, users, switch)
    on = stage(refused_by_gate(), HEALED, cloud=FakeCloud(environments={"release-lane-production": left}))
    assert on.run("promote", "production", "--yes") == 1
    assert len(on.engine.calls) == 1
    assert "was not healed" in on.err
    assert "release recover production" in on.err


def test_where_aws_does_not_say_where_users_are_nothing_is_healed() -> None:
    def away(_: object) -> None:
        raise CloudError("AWS does not answer.")

    on = stage(refused_by_gate(), HEALED, cloud=FakeCloud(each=away))
    assert on.run("promote", "production", "--yes") == 1
    assert len(on.engine.calls) == 1
    assert "was not healed" in on.err
    assert "AWS does not answer." in on.err


def test_a_state_that_cannot_be_read_does_not_hide_why_the_release_failed() -> None:
    def away(engine: FakeEngine) -> Run:
        engine.unreadable = CloudError("The state of stack production cannot be read.")
        return refused_by_gate()

    on = stage(away, HEALED)
    assert on.run("promote", "production", "--yes") == 1
    assert "The rollout gate refused green" in on.err
    assert "was not healed: the weights cannot be read (The state of stack production cannot be read.)" in on.err
    assert len(on.engine.calls) == 1


def test_an_update_that_went_well_is_said_to_have_even_if_its_record_cannot_be_read() -> None:
    """And never that nothing was changed: users were moved."""

    def away(engine: FakeEngine) -> Run:
        engine.unreadable = CloudError("The state of stack production cannot be read.", why="no such host")
        return ran(*plan("deploy", GREEN, B, target=GREEN, starts=True))

    on = stage(away)
    assert on.run("promote", "production", "--yes") == 3
    assert "The update of production succeeded, but its record cannot be read." in on.err
    assert "no such host" in on.err
    assert "Nothing was changed" not in on.err


def test_a_heal_that_finds_the_lock_taken_says_by_whom() -> None:
    on = stage(refused_by_gate(), Run(exit_code=1, log=log(), stderr=LOCKED))
    assert on.run("promote", "production", "--yes") == 1
    assert "could NOT be healed (production is now being updated by ann@build-7 (process 4711)" in on.err


def test_a_heal_that_the_engine_refuses_says_why() -> None:
    on = stage(refused_by_gate(), failed(stderr="error: incorrect passphrase\n", touched=False))
    assert on.run("promote", "production", "--yes") == 1
    assert "(The engine failed before anything was changed. incorrect passphrase)" in on.err


def test_after_an_engine_that_was_killed_nothing_is_healed_but_recovered() -> None:
    """Its lock is there, and where users are was not checked."""
    killed = Run(exit_code=-9, log=log(*plan("deploy", GREEN, B, target=GREEN, starts=True)))
    on = stage(killed)
    assert on.run("promote", "production", "--yes") == 3
    assert len(on.engine.calls) == 1
    assert "ended in the middle of the update" in on.err
    assert "The idle colour was not healed: run `release recover production` first." in on.err


def test_weights_that_could_not_be_rolled_back_are_left_for_a_person() -> None:
    switch = urn("release:index:TrafficSwitch", "traffic-switch")
    text = "The traffic could not be rolled back.\nNext: look at the rule.\nKind: CloudError\nUsers: unsure"
    on = stage(failed(said(text, about=switch)))
    assert on.run("promote", "production", "--yes") == 3
    assert len(on.engine.calls) == 1
    assert "a person must look" in on.err


def test_the_programs_refusal_ends_with_4_and_needs_no_healing() -> None:
    refusal = said(f"{B.digest} was not proven by staging.\nWhy: no evidence\nNext: deploy it there first.")
    on = stage(failed(refusal, said("an unhandled error occurred: the program exited with code 1"), touched=False))
    assert on.run("promote", "production", "--yes") == 4
    assert len(on.engine.calls) == 1
    assert "Refused: sha256:bbbb" in on.err
    assert "Next: deploy it there first." in on.err


def test_an_error_of_aws_ends_with_3() -> None:
    about = urn("aws:ecs/service:Service", "release-lane-production-green")
    on = stage(failed(said("AWS refused CreateService", about=about)), HEALED)
    assert on.run("promote", "production", "--yes") == 3


def test_an_engine_that_gives_up_at_once_is_reported_in_its_own_words() -> None:
    on = stage(failed(stderr="error: failed to decrypt: incorrect passphrase\n", touched=False))
    assert on.run("deploy", "staging") == 3
    assert "incorrect passphrase" in on.err


def test_json_tells_the_error_as_data() -> None:
    on = stage(refused_by_gate(), HEALED)
    assert on.run("promote", "production", "--yes", "--json") == 1
    assert (on.data["error"], on.data["exit_code"]) == ("CheckFailed", 1)
    assert on.data["notes"] == ["The idle colour of production was healed."]


def test_colour_is_never_the_only_signal() -> None:
    on = stage(refused_by_gate(), HEALED, colour=True)
    on.run("promote", "production", "--yes")
    assert "\x1b[31mError:" in on.err
    plain = stage(refused_by_gate(), HEALED)
    plain.run("promote", "production", "--yes")
    assert "\x1b" not in plain.err
    assert "Error: The rollout gate" in plain.err


# ---- Signals and locks --------------------------------------------------------------------------------------


def stopped(touched: bool, code: int = 1) -> Run:
    return Run(exit_code=code, log=failed(touched=touched).log, signal=signal.SIGTERM)


def test_an_interrupted_release_ends_with_130_and_says_what_it_may_have_left() -> None:
    on = stage(stopped(touched=True))
    assert on.run("promote", "production", "--yes") == 130
    assert len(on.engine.calls) == 1
    assert "SIGTERM" in on.err
    assert "release heal production" in on.err


def test_an_interrupt_before_any_step_says_that_nothing_was_changed() -> None:
    on = stage(stopped(touched=False))
    assert on.run("promote", "production", "--yes") == 130
    assert "nothing was changed" in on.err


def test_an_interrupt_that_came_too_late_is_said_to_be_one() -> None:
    on = stage(stopped(touched=True, code=0))
    assert on.run("promote", "production", "--yes") == 130
    assert "was already done" in on.err


def test_an_interrupt_does_not_hide_that_the_weights_could_not_be_rolled_back() -> None:
    """Healing, which is advised after any other interrupt, would finish that switch."""
    switch = urn("release:index:TrafficSwitch", "traffic-switch")
    text = "The switch was interrupted: blue has no healthy target any more.\nKind: CloudError\nUsers: unsure"
    on = stage(replace(failed(said(text, about=switch)), signal=signal.SIGTERM))
    assert on.run("promote", "production", "--yes") == 3
    assert "Users: unsure" in on.err
    assert "blue has no healthy target" in on.err
    assert "stopped by SIGTERM" in on.err
    assert "a person must look" in on.err
    assert "release heal" not in on.err


HELD = Run(exit_code=1, log=log(), stderr=LOCKED)
ANN = Holder(user="ann", host="build-7", pid=4711, since="2026-01-02T03:04:05Z")


def test_a_held_lock_is_refused_with_who_holds_it_and_since_when() -> None:
    on = stage(Run(exit_code=1, log=log(), stderr=LOCKED))
    assert on.run("promote", "production", "--yes") == 4
    assert "ann@build-7 (process 4711) since 2026-01-02T03:04:05Z" in on.err
    assert "Nothing was changed" in on.err


def test_a_lock_may_be_waited_for() -> None:
    held = Run(exit_code=1, log=log(), stderr=LOCKED)
    on = stage(held, held, PROMOTED)
    assert on.run("promote", "production", "--yes", "--lock-wait", "60") == 0
    assert on.err.count("waiting for it") == 1


def meanwhile(*history: Release, then: Run, **over: object) -> Stage:
    """Production's lock is held, and until it is free another release becomes live there."""
    backend = FakeBackend(held={"production": (ANN,)}, frees={"production": 1})
    on = stage(HELD, becomes("production", state(GREEN, *history, B, idle=history[-1]), then), backend=backend, **over)
    backend.each = lambda: on.engine.states.update(production=state(BLUE, *history, idle=A))
    return on


def test_after_a_lock_was_waited_for_what_was_replaced_is_what_was_live_then() -> None:
    """As the update itself read it, under the lock."""
    found = outputs(BLUE, A, C)
    done = ran(*plan("deploy", GREEN, B, target=GREEN, starts=True, standing=found))
    on = meanwhile(A, C, then=done)
    assert on.run("promote", "production", "--yes", "--lock-wait", "60", "--json") == 0
    assert on.data["replaced"] == C.digest
    assert f"production changed while this command waited: now users are on blue, {C.digest[:19]}" in on.err
    on = meanwhile(A, C, then=done)
    on.run("promote", "production", "--yes", "--lock-wait", "60")
    assert f"Until now: blue, {C.digest[:19]}" in on.out


def test_what_somebody_else_released_just_before_the_update_began_is_reported_as_replaced() -> None:
    """Between the first look and the lock there is always a moment, also without waiting."""
    done = ran(*plan("deploy", GREEN, B, target=GREEN, starts=True, standing=outputs(BLUE, A, C)))
    on = stage(becomes("production", state(GREEN, A, C, B, idle=C), done))
    assert on.run("promote", "production", "--yes", "--json") == 0
    assert on.data["replaced"] == C.digest


@pytest.mark.parametrize(("answer", "code", "updates"), [("y\ny", 0, 2), ("y\nn", 130, 1)], ids=["yes", "no"])
def test_the_person_who_confirmed_is_asked_again_where_what_is_live_changed_during_the_wait(
    answer: str, code: int, updates: int
) -> None:
    done = ran(*plan("deploy", GREEN, B, target=GREEN, starts=True, standing=outputs(BLUE, A, C)))
    on = meanwhile(A, C, then=done, answer=answer)
    assert on.run("promote", "production", "--lock-wait", "60") == code
    assert len(on.engine.calls) == updates
    assert f"Now users are on blue, {A.digest[:19]} (commit aaaaaaa). Go on?" in on.err
    assert f"Now users are on blue, {C.digest[:19]} (commit ccccccc). Go on?" in on.err


def test_the_person_who_confirmed_is_not_asked_again_where_nothing_changed_during_the_wait() -> None:
    backend = FakeBackend(held={"production": (ANN,)}, frees={"production": 1})
    on = stage(HELD, PROMOTED, backend=backend, answer="y")
    assert on.run("promote", "production", "--lock-wait", "60") == 0
    assert on.err.count("Go on?") == 1
    assert "changed while this waited" not in on.err


def test_waiting_for_a_lock_ends() -> None:
    held = Run(exit_code=1, log=log(), stderr=LOCKED)
    on = stage(*[held] * 10)
    assert on.run("promote", "production", "--yes", "--lock-wait", "5") == 4
    assert on.machine.time == 5


def test_the_lock_of_a_killed_process_is_not_waited_for() -> None:
    on = stage(
        Run(exit_code=1, log=log(), stderr=LOCKED.replace("build-7", "here")),
        machine=FakeMachine(owners={4711: Owner.GONE}),
    )
    assert on.run("promote", "production", "--yes", "--lock-wait", "60") == 4
    assert "that process is gone" in on.err
    assert "release recover production" in on.err
    assert len(on.engine.calls) == 1


NOTE = Note(
    host="build-7", pid=4711, at="2026-01-02T03:04:04Z", doing="release deploy production",
    who="ann", run="https://ci.example/runs/7",
)  # fmt: skip


def test_the_holder_of_the_lock_is_reported_with_the_run_that_it_is_of() -> None:
    on = stage(HELD, backend=FakeBackend(notes={("production", 4711): NOTE}, readable=False))
    assert on.run("promote", "production", "--yes") == 4
    assert "`release deploy production` by ann in https://ci.example/runs/7" in on.err


def test_a_lock_without_a_note_is_said_to_be_of_an_unknown_run() -> None:
    on = stage(HELD)
    assert on.run("promote", "production", "--yes") == 4
    assert "CI run unknown (not started by `release`)" in on.err


def test_while_the_lock_is_held_the_engine_is_not_started_again() -> None:
    finer = replace(ANN, since="2026-01-02T03:04:05.678Z")  # the lock itself is more exact than the engine's words
    backend = FakeBackend(held={"production": (finer,)}, frees={"production": 5})
    on = stage(HELD, PROMOTED, backend=backend)
    assert on.run("promote", "production", "--yes", "--lock-wait", "10m") == 0
    assert len(on.engine.calls) == 2
    assert backend.asked == 6
    assert on.err.count("waiting for it") == 1
    assert on.machine.time == 12


def test_somebody_else_who_takes_the_lock_meanwhile_is_reported_as_well() -> None:
    bob = LOCKED.replace("ann@", "bob@").replace("4711", "4712")
    on = stage(HELD, Run(exit_code=1, log=log(), stderr=bob), HELD, PROMOTED)
    assert on.run("promote", "production", "--yes", "--lock-wait", "10m") == 0
    assert on.err.count("by ann@build-7") == 1
    assert on.err.count("by bob@build-7") == 1


def test_an_owner_that_dies_while_it_is_waited_for_is_reported() -> None:
    machine = FakeMachine(owners={4711: Owner.RUNS})
    backend = FakeBackend(held={"production": (ANN,)})
    on = stage(HELD, backend=backend, machine=machine)
    backend.each = lambda: machine.owners.update({4711: Owner.GONE})
    assert on.run("promote", "production", "--yes", "--lock-wait", "10m") == 4
    assert "that process is gone" in on.err
    assert len(on.engine.calls) == 1


def test_the_report_comes_from_the_updates_own_log_where_that_says_what_was_stored() -> None:
    """Another engine would take its time, and could find what a later update recorded."""

    def away(engine: FakeEngine) -> Run:
        engine.unreadable = CloudError("The state of stack production cannot be read.")
        run = ran(*plan("deploy", GREEN, B, target=GREEN, starts=True))
        return replace(run, log=replace(run.log, outputs=outputs(GREEN, A, B)))

    on = stage(away)
    assert on.run("promote", "production", "--yes") == 0
    assert "production: users are on green, sha256:bbbbbbbbbbbb" in on.out
