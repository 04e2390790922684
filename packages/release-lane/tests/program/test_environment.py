"""The environment program with Pulumi mocks: what a decision becomes as a graph."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from release_lane.decide.lineage import Order, Relation
from release_lane.errors import CloudError, Refused, ReleaseError, UsageError
from release_lane.program import environment
from release_lane.program.recall import as_reported
from release_lane.record.contract import PREFIX, Labels
from release_lane.record.evidence import Proof
from release_lane.record.inputs import SwitchInputs
from release_lane.record.placement import Colour
from release_lane.record.seal import bound
from tests.program.mocks import (
    ARTIFACTS,
    FIRST,
    LOCATED,
    SECOND,
    SERVICE,
    THIRD,
    Failed,
    World,
    observed,
    outputs_of,
    release,
    run,
    standing_on,
)

pytestmark = pytest.mark.program


def digest_of(task_definition: object) -> str:
    (container,) = json.loads(task_definition.inputs["containerDefinitions"])  # type: ignore[attr-defined]
    return str(container["image"]).rsplit("@", 1)[1]


def test_first_release_goes_to_blue_while_green_stays_empty() -> None:
    world = run(World(outputs=ARTIFACTS, observed=observed(image=FIRST)), {"release-lane:imageDigest": FIRST})
    tasks = {each.name: each.inputs["desiredCount"] for each in world.of_type("service:Service")}
    assert tasks == {"release-lane-staging-blue": 2, "release-lane-staging-green": 0}
    switch = world.one("TrafficSwitch").inputs
    assert (switch["live"], switch["decision"], switch["active"]) == ("blue", "deploy", True)


def test_no_release_and_none_asked_for_builds_an_environment_without_users() -> None:
    world = run(World(outputs=ARTIFACTS, observed=observed()))
    assert not world.of_type("service:Service")
    assert not world.of_type("TrafficSwitch")
    (users,) = [each for each in world.of_type("listener:Listener") if each.name.endswith("users")]
    assert users.inputs["defaultActions"][0]["fixedResponse"]["statusCode"] == "503"


def test_a_new_digest_is_written_to_the_idle_colour() -> None:
    world = run(
        World(
            outputs={**ARTIFACTS, "staging": outputs_of(release(FIRST), Colour.BLUE)},
            observed=observed(blue=release(FIRST), live=Colour.BLUE, image=SECOND),
        ),
        {"release-lane:imageDigest": SECOND},
    )
    written = {each.name: digest_of(each) for each in world.of_type("taskDefinition:TaskDefinition")}
    assert written["release-lane-staging-green"] == SECOND
    assert world.one("TrafficSwitch").inputs["weights"] == {"blue": 0, "green": 100}


@pytest.mark.parametrize(
    ("config", "live"),
    [
        ({"imageDigest": THIRD}, "green"),
        ({}, None),
        ({"imageDigest": FIRST, "rollbackFrom": SECOND}, None),
    ],
    ids=["a new release", "nothing to do", "a rollback"],
)
def test_answers_are_compared_with_the_live_ones_where_a_release_goes_forward(
    config: dict[str, str], live: str | None
) -> None:
    """Going back has to be quick, and the previous release may answer in another way."""
    world = World(
        outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))},
        observed=observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=THIRD),
    )
    gate = run(world, {f"release-lane:{key}": value for key, value in config.items()}).one("SmokeGate").inputs
    assert (gate.get("compares"), gate.get("live")) == ((True, live) if live else (None, None))


def test_the_first_release_has_nothing_that_it_is_compared_with() -> None:
    world = run(World(outputs=ARTIFACTS, observed=observed(image=FIRST)), {"release-lane:imageDigest": FIRST})
    gate = world.one("SmokeGate").inputs
    assert (gate["compares"], gate["live"]) == (True, "")


@pytest.mark.parametrize("config", [{"imageDigest": THIRD}, {}, {"imageDigest": FIRST, "rollbackFrom": SECOND}])
def test_no_tasks_are_started_under_a_health_check_that_only_the_state_has(config: dict[str, str]) -> None:
    """The AWS provider compares with its state alone. Where no task starts, the check makes no difference."""
    name, kind = "release-lane-staging-blue", "aws:lb/targetGroup:TargetGroup"
    urn = f"urn:pulumi:staging::release-lane::release-lane:infra:Balancer${kind}::{name}"
    check = {"path": "/health", "interval": 5, "timeout": 2, "healthyThreshold": 2, "unhealthyThreshold": 2}
    outputs = {"vpcId": "vpc-1", "name": name, "healthCheck": check}
    seen = {"path": "/health", "interval": 30, "timeout": 2, "healthy": 2, "unhealthy": 2}
    world = World(
        outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))},
        observed=observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=THIRD)
        | {"checks": {"blue": seen}},
        state={**standing_on(), urn: {"type": kind, "outputs": outputs}},
    )
    given = {f"release-lane:{key}": value for key, value in config.items()}
    if config.get("imageDigest") != THIRD:
        run(world, given)
        return
    with pytest.raises(Refused, match=r"every 30 s.*wanted is /health every 5 s.*Nothing was changed"):
        run(world, given)
    assert not world.registered


def test_the_gates_ask_a_release_as_its_own_configuration_says() -> None:
    world = run(
        World(
            outputs={**ARTIFACTS, "staging": outputs_of(release(FIRST), Colour.BLUE)},
            observed=observed(blue=release(FIRST), live=Colour.BLUE, image=SECOND),
        ),
        {
            "release-lane:imageDigest": SECOND,
            "release-lane:service": '{"port": 3000, "healthPath": "/healthz", "statusPath": ""}',
            "release-lane:smoke": '{"identify": "none"}',
        },
    )
    rollout, asked = world.one("Rollout").inputs, world.one("SmokeGate").inputs["asked"]
    assert (rollout["port"], rollout["healthPath"]) == (3000, "/healthz")
    assert asked == {"healthPath": "/healthz", "statusPath": "", "identify": "none"}
    service = world.one("TrafficSwitch").inputs["release"]["service"]
    assert (service["statusPath"], service["identify"]) == ("", "none"), "it goes back with the release"


def test_going_back_to_what_the_idle_colour_holds_starts_nothing() -> None:
    world = run(
        World(
            outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))},
            observed=observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=FIRST),
        ),
        {"release-lane:imageDigest": FIRST, "release-lane:rollbackFrom": SECOND},
    )
    assert world.one("TrafficSwitch").inputs["decision"] == "traffic-only"
    assert world.one("Rollout").inputs["starts"] is False
    assert world.one(":Image").inputs["active"] is False
    assert world.asked["back"] is True, "it waits for no registry and no CloudWatch"


def test_the_switch_gets_what_an_update_is_of_a_drill() -> None:
    live = release(SECOND)
    proof = Proof(digest=live.digest, commit="", release_id=live.id, at="then")
    passed = {"evidence": [proof.as_dict()]}
    world = run(
        World(
            outputs={**ARTIFACTS, "staging": outputs_of(live, Colour.GREEN, release(FIRST)) | passed},
            observed=observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=FIRST),
        ),
        {"release-lane:imageDigest": FIRST, "release-lane:rollbackFrom": SECOND, "release-lane:drill": "back"},
    )
    assert world.one("TrafficSwitch").inputs["drill"] == "back"


def handed_on(world: World) -> dict[str, tuple[bool, object]]:
    """To each gate: whether it got where users are served, and the tasks that it knows."""
    gates = {kind: world.one(kind).inputs for kind in ("Rollout", "SmokeGate", "TrafficSwitch")}
    return {
        kind: (given.get("located") == LOCATED.as_dict(), (given.get("known") or {}).get("image"))
        for kind, given in gates.items()
    }


def test_what_was_seen_before_the_decision_is_handed_to_the_gates() -> None:
    """The switch gets the tasks that passed from the gate before it."""
    live = {**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))}
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=FIRST)
    back = {"release-lane:imageDigest": FIRST, "release-lane:rollbackFrom": SECOND}
    rolled_back, kept = run(World(outputs=live, observed=seen), back), run(World(outputs=live, observed=seen))
    assert handed_on(rolled_back) == {
        "Rollout": (True, FIRST),
        "SmokeGate": (True, None),
        "TrafficSwitch": (True, None),
    }
    assert handed_on(kept)["TrafficSwitch"] == (True, SECOND)


def test_tasks_of_a_colour_that_is_written_are_not_known_from_before() -> None:
    world = run(
        World(
            outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))},
            observed=observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=THIRD),
        ),
        {"release-lane:imageDigest": THIRD},
    )
    assert handed_on(world)["Rollout"] == (True, None)


def test_where_this_update_may_build_what_users_stand_on_all_of_it_is_looked_up_after_that() -> None:
    world = run(World(outputs=ARTIFACTS, observed=observed(image=FIRST)), {"release-lane:imageDigest": FIRST})
    assert set(handed_on(world).values()) == {(False, None)}


def test_nothing_asked_for_leaves_all_gates_inactive() -> None:
    world = run(
        World(
            outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))},
            observed=observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN),
        )
    )
    gates = [world.one(kind).inputs["active"] for kind in (":Image", "Rollout", "SmokeGate", "TrafficSwitch")]
    assert gates == [False, False, False, False]


def test_a_damaged_idle_colour_is_healed_without_moving_users() -> None:
    world = run(
        World(
            outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))},
            observed=observed(blue=release(THIRD), green=release(SECOND), live=Colour.GREEN),
        )
    )
    written = {each.name: digest_of(each) for each in world.of_type("taskDefinition:TaskDefinition")}
    assert written["release-lane-staging-blue"] == FIRST
    assert world.one("Rollout").inputs["colour"] == "blue"
    assert world.one("TrafficSwitch").inputs["active"] is False


def test_a_second_try_of_the_same_release_names_the_deployment_that_failed() -> None:
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.BLUE, image=SECOND)
    seen["colours"]["green"] |= {"healthy": 0, "deployment": "ecs-svc/9", "deploymentState": "FAILED"}
    outputs = {**ARTIFACTS, "staging": outputs_of(release(FIRST), Colour.BLUE)}
    world = run(World(outputs=outputs, observed=seen), {"release-lane:imageDigest": SECOND})
    assert world.one("Rollout").inputs["retryOf"] == "ecs-svc/9"
    (green,) = [each for each in world.of_type("service:Service") if each.name.endswith("green")]
    assert green.inputs["triggers"] == {"retryOf": "ecs-svc/9"}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"release-lane:imageDigest": FIRST}, "rollback"),
        ({"release-lane:imageDigest": THIRD, "release-lane:promotesFrom": "dev"}, "never proven on dev"),
    ],
)
def test_what_must_not_happen_is_refused_before_anything_is_registered(config: dict[str, str], said: str) -> None:
    world = World(
        outputs={**ARTIFACTS, "dev": {}, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))},
        observed=observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=FIRST),
    )
    with pytest.raises(Refused, match=said):
        run(world, config)
    assert not world.registered


def test_where_parity_is_required_a_release_with_another_configuration_than_the_proven_one_is_refused() -> None:
    """By the record of the environment before, which the program reads for the proof anyway."""
    there = {"evidence": [{"digest": FIRST, "commit": "", "releaseId": "", "at": "now"}]}
    proven = {**outputs_of(release(FIRST), Colour.GREEN), **there}
    config = {"imageDigest": FIRST, "promotesFrom": "dev", "service": json.dumps({"memory": 1024})}

    def tried(**parity: Any) -> World:
        world = World(outputs={**ARTIFACTS, "dev": proven}, observed=observed(image=FIRST))
        return released(world, **config, parity=json.dumps(parity))

    with pytest.raises(Refused, match=r"service.memory: dev 512, staging 1024"):
        tried(required=True)
    meant = [{"what": "service.memory", "why": "more users"}]
    assert tried(required=True, expect=meant).one("TrafficSwitch").inputs["decision"] == "deploy"
    assert tried().one("TrafficSwitch").inputs["decision"] == "deploy"


def released(world: World, **config: str) -> World:
    return run(world, {f"release-lane:{key}": value for key, value in config.items()})


def test_an_older_commit_is_refused_by_the_program_itself_and_taken_where_it_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git is asked in the folder that the artifacts stack built from as well: another repository next to this one."""
    for folder in ("lane/infra", "service/app"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "lane" / "infra")
    git = ["git", "-C", str(tmp_path / "service"), "-c", "user.name=a", "-c", "user.email=a@example.test"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    for text in ("older", "newer"):
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", text], check=True)
    newer, older = subprocess.run([*git, "rev-list", "HEAD"], check=True, capture_output=True, text=True).stdout.split()
    artifacts = {"artifacts": {**ARTIFACTS["artifacts"], "context": "../../service/app"}}
    live = replace(release(SECOND), commit=newer)
    seen = observed(green=live, live=Colour.GREEN, image=THIRD)
    seen["image"]["tags"] = [older]
    world = World(outputs={**artifacts, "staging": outputs_of(live, Colour.GREEN)}, observed=seen)
    with pytest.raises(Refused, match="is of an older commit than what is live"):
        released(world, imageDigest=THIRD)
    assert not world.registered
    released(world, imageDigest=THIRD, allowOlder=SECOND)
    assert "older commit" in world.one("TrafficSwitch").inputs["reason"]
    seen["image"]["tags"] = [older, newer]
    world.registered.clear()
    released(world, imageDigest=THIRD)
    assert world.one("TrafficSwitch").inputs["release"]["commit"] == newer, "the image is of both commits"


ALWAYS = '{"windows": [{"from": "2000-01-01", "to": "2199-12-31", "reason": "closed"}]}'
BYGONE = '{"windows": [{"from": "2000-01-01", "to": "2000-12-31"}]}'


def test_a_freeze_window_is_refused_by_the_program_itself_and_no_way_back_is() -> None:
    live = {**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))}
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=THIRD)
    world = World(outputs=live, observed=seen)
    with pytest.raises(Refused, match=r"a freeze window holds until Wed 2200-01-01 00:00 UTC"):
        released(world, imageDigest=THIRD, freeze=ALWAYS)
    assert not world.registered
    released(world, imageDigest=FIRST, rollbackFrom=SECOND, freeze=ALWAYS)
    assert world.one("TrafficSwitch").inputs["decision"] == "traffic-only"
    world.registered.clear()
    released(world, imageDigest=THIRD, freeze=BYGONE)
    assert world.one("TrafficSwitch").inputs["unchecked"] == []
    world.registered.clear()
    released(world, imageDigest=THIRD, freeze=ALWAYS, throughFreeze="the shop is down")
    said = "released in the freeze window 2000-01-01 to 2199-12-31 UTC (closed): the shop is down"
    assert said in world.one("TrafficSwitch").inputs["unchecked"]
    assert said not in world.one(":Image").inputs["unchecked"], "it is true of this switch, and not of the image"


def test_where_a_seal_is_required_the_program_itself_takes_nothing_forward_without_and_only_what_was_sealed() -> None:
    world = World(
        outputs={**ARTIFACTS, "staging": outputs_of(release(FIRST), Colour.BLUE)},
        observed=observed(blue=release(FIRST), live=Colour.BLUE, image=SECOND),
    )
    required = '{"required": true}'
    with pytest.raises(Refused, match="only with the seal of its review"):
        released(world, imageDigest=SECOND, approval=required)
    with pytest.raises(Refused, match="no longer the one that was reviewed"):
        released(world, imageDigest=SECOND, approval=required, sealed="0123456789")
    assert not world.registered
    given = SwitchInputs.from_dict(released(world, imageDigest=SECOND).one("TrafficSwitch").inputs)
    # As the command computes it from the inputs of a preview.
    seal = bound(given.decision, given.live, given.release.id, given.expected, given.standing)
    world.registered.clear()
    released(world, imageDigest=SECOND, approval=required, sealed=seal)
    assert world.one("TrafficSwitch").inputs["decision"] == "deploy"


@pytest.mark.parametrize("live", [FIRST, None], ids=["a release is live", "the first release"])
def test_a_preview_needs_no_seal_since_it_is_what_a_seal_is_made_of_and_says_that_the_update_does(
    live: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {"staging": outputs_of(release(live), Colour.BLUE)} if live else {}
    seen = observed(blue=release(live), live=Colour.BLUE, image=SECOND) if live else observed(image=SECOND)
    world, said = World(outputs={**ARTIFACTS, **outputs}, observed=seen), list[str]()
    monkeypatch.setattr(pulumi.log, "info", said.append)
    required = '{"required": true}'
    with pytest.raises(Refused, match="only with the seal of its review"):
        released(world, imageDigest=SECOND, approval=required)
    assert not any("Seal:" in each for each in said)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    released(world, imageDigest=SECOND, approval=required)
    assert world.one("TrafficSwitch").inputs["decision"] == "deploy"
    assert any("Seal: the update is refused without `release " in each for each in said)
    world.registered.clear()
    with pytest.raises(Refused, match="no longer the one that was reviewed"):
        released(world, imageDigest=SECOND, approval=required, sealed="0123456789")


def test_git_is_asked_no_more_once_one_of_an_images_commits_is_not_older(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that many commits have in common has as many tags."""
    asked: list[str] = []

    def order(folders: object, commit: str, others: object) -> dict[str, Relation]:
        del folders, others
        asked.append(commit)
        return {"c" * 40: Relation(order=Order.OLDER if commit == tags[0] else Order.NEWER)}

    monkeypatch.setattr(environment, "order_of", order)
    live = replace(release(SECOND), commit="c" * 40)
    seen = observed(green=live, live=Colour.GREEN, image=THIRD)
    tags = seen["image"]["tags"] = [f"{number:040x}" for number in range(50)]
    world = released(
        World(outputs={**ARTIFACTS, "staging": outputs_of(live, Colour.GREEN)}, observed=seen), imageDigest=THIRD
    )
    assert world.one("TrafficSwitch").inputs["release"]["commit"] == tags[1]
    assert asked == tags[:2]


def test_git_is_not_asked_for_the_order_of_commits_on_a_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    def order(*asked: object) -> dict[str, Relation]:
        raise AssertionError(f"git was asked about {asked}")

    monkeypatch.setattr(environment, "order_of", order)
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=FIRST)
    seen["image"]["tags"] = ["d" * 40]
    world = World(
        outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))}, observed=seen
    )
    released(world, imageDigest=FIRST, rollbackFrom=SECOND)
    assert world.one("TrafficSwitch").inputs["decision"] == "traffic-only"


def test_an_unknown_order_of_commits_is_the_switchs_to_record_and_not_the_image_gates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = {"c" * 40: Relation(order=Order.UNKNOWN, why="this checkout is shallow")}
    monkeypatch.setattr(environment, "order_of", lambda *_: unknown)
    live = replace(release(SECOND), commit="c" * 40)
    seen = observed(green=live, live=Colour.GREEN, image=THIRD)
    seen["image"]["tags"] = ["d" * 40]
    world = released(
        World(outputs={**ARTIFACTS, "staging": outputs_of(live, Colour.GREEN)}, observed=seen), imageDigest=THIRD
    )
    said = "the order of commits is not known: this checkout is shallow"
    assert world.one("TrafficSwitch").inputs["unchecked"] == [said]
    assert world.one(":Image").inputs["unchecked"] == []


def test_what_cannot_be_seen_of_an_image_is_given_to_the_image_gate_and_to_the_switch() -> None:
    seen = observed(image=FIRST)
    seen["image"]["tags"] = ["v1.2"]
    world = released(World(outputs=ARTIFACTS, observed=seen), imageDigest=FIRST)
    told = ["the commit is unknown: what is in the image cannot be checked"]
    assert world.one(":Image").inputs["unchecked"] == world.one("TrafficSwitch").inputs["unchecked"] == told


@pytest.mark.parametrize(
    "wrapping",
    ["invoke of release:index:observe failed: ", "invocation of release:index:observe returned an error: "],
    ids=["the SDK", "the engine"],
)
def test_what_a_function_of_ours_refuses_stays_a_refusal(wrapping: str) -> None:
    text = f"{wrapping}Foreign credentials.\nWhy: theirs\nNext: log in.\nKind: Refused"
    refused = as_reported("release:index:observe", RuntimeError(text))
    assert type(refused) is Refused
    assert (refused.what, refused.why, refused.next_step) == ("Foreign credentials.", "theirs", "log in.")
    assert type(as_reported("release:index:observe", RuntimeError("it crashed"))) is CloudError


class Failing(World):
    """An engine that fails one of the questions."""

    asked_in_vain: tuple[str, str] = ("", "")
    words: str = ""

    def call(self, args: pulumi.runtime.MockCallArgs) -> object:
        token, part = self.asked_in_vain
        if args.token == token and part in str(args.args):
            raise Failed(self.words)
        return super().call(args)


@pytest.mark.parametrize(
    ("question", "words", "error", "said"),
    [
        (("release:index:observe", ""), "No.\nWhy: theirs\nNext: log in.\nKind: Refused", Refused, "No."),
        (("pulumi:pulumi:readStackOutputs", "/dev"), "unknown stack 'dev'", UsageError, "There is no stack dev"),
        (("pulumi:pulumi:readStackOutputs", "/artifacts"), "unknown stack", UsageError, "There is no stack artifacts"),
    ],
)
def test_a_question_that_fails_ends_the_program_with_its_own_error(
    question: tuple[str, str], words: str, error: type[ReleaseError], said: str
) -> None:
    world = Failing(outputs=ARTIFACTS, observed=observed(image=FIRST))
    world.asked_in_vain, world.words = question, words
    with pytest.raises(error, match=said):
        run(world, {"release-lane:imageDigest": FIRST, "release-lane:promotesFrom": "dev"})
    assert not world.registered


def test_a_rollback_does_not_need_the_stack_that_it_was_promoted_from() -> None:
    """It may have been removed since; only a release that goes forward needs its proof."""
    there = Failing(
        outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))},
        observed=observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=FIRST),
    )
    there.asked_in_vain, there.words = ("pulumi:pulumi:readStackOutputs", "/dev"), "unknown stack 'dev'"
    asked = {"release-lane:imageDigest": FIRST, "release-lane:promotesFrom": "dev"}
    assert run(there, {**asked, "release-lane:rollbackFrom": SECOND}).one("TrafficSwitch")


def test_another_account_than_the_stacks_is_refused() -> None:
    with pytest.raises(ReleaseError, match="works in account 999999999999"):
        run(World(outputs=ARTIFACTS, observed=observed(), account="999999999999"))


def test_staging_and_production_share_no_name_and_no_network() -> None:
    worlds = [run(World(outputs=ARTIFACTS, observed=observed()), stack=stack) for stack in ("staging", "production")]
    names = [{each.inputs["name"] for each in world.registered if "name" in each.inputs} for world in worlds]
    assert names[0]
    assert not names[0] & names[1]


def test_the_execution_role_reads_exactly_the_secrets_that_releases_name() -> None:
    secret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf"
    service = replace(SERVICE, secrets={"OLD": "arn:aws:ssm:us-east-1:000000000000:parameter/old:3"})
    world = run(
        World(
            outputs={**ARTIFACTS, "staging": outputs_of(release(FIRST, service), Colour.BLUE)},
            observed=observed(blue=release(FIRST, service), live=Colour.BLUE),
        ),
        {"release-lane:secrets": json.dumps({"DB": f"{secret}:password::"})},
    )
    (statement,) = policy_of(world, "secrets")
    assert statement["Resource"] == [secret, "arn:aws:ssm:us-east-1:000000000000:parameter/old"]


def policy_of(world: World, what: str) -> list[Any]:
    (inputs,) = (
        each.inputs for each in world.of_type("rolePolicy:RolePolicy") if each.name == f"release-lane-staging-{what}"
    )
    statements: list[Any] = json.loads(inputs["policy"])["Statement"]
    return statements


def test_the_task_role_reads_the_environments_flags_and_nothing_else() -> None:
    world = run(World(outputs=ARTIFACTS, observed=observed()), {})
    (statement,) = policy_of(world, "flags")
    assert (statement["Action"], statement["Resource"]) == (
        "ssm:GetParameter",
        "arn:aws:ssm:us-east-1:000000000000:parameter/release-lane/staging/flags",
    )


def test_secrets_of_releases_that_are_too_many_together_are_refused_before_anything_is_registered() -> None:
    """Those of the live release stay readable next to the new one's; each for itself would fit."""

    def secrets(mark: str) -> dict[str, str]:
        return {f"{mark}{n}": f"arn:aws:ssm:us-east-1:000000000000:parameter/{mark}{n:0>50}" for n in range(80)}

    service = replace(SERVICE, secrets=secrets("OLD"))
    world = World(
        outputs={**ARTIFACTS, "staging": outputs_of(release(FIRST, service), Colour.BLUE)},
        observed=observed(blue=release(FIRST, service), live=Colour.BLUE),
    )
    with pytest.raises(Refused, match="too many together"):
        run(world, {"release-lane:secrets": json.dumps(secrets("NEW"))})
    assert not world.registered


STEPPED = {"release-lane:shift": json.dumps({"steps": [10, 50, 100], "bakeSeconds": 60})}


def going_live(**over: object) -> World:
    """FIRST is live on blue, and the registry has SECOND."""
    seen = {**observed(blue=release(FIRST), live=Colour.BLUE, image=SECOND), **over}
    return World(outputs={**ARTIFACTS, "staging": outputs_of(release(FIRST), Colour.BLUE)}, observed=seen)


def test_the_switch_is_given_the_steps_in_which_to_move_users_and_what_to_watch() -> None:
    alarms = {"errorPercent": 5, "names": ["orders"], "lateSeconds": 90}
    world = run(
        going_live(),
        {"release-lane:imageDigest": SECOND, **STEPPED, "release-lane:alarms": json.dumps(alarms)},
    )
    switch = world.one("TrafficSwitch").inputs
    assert switch["course"] == {
        "steps": [10, 50, 100],
        "bakeSeconds": 60,
        "atLeastSeconds": 180,
        "home": "blue",
        "goesBack": False,
    }
    assert switch["watch"] == {
        "alarms": {
            "own": {"release-lane-staging-blue-errors": "blue", "release-lane-staging-green-errors": "green"},
            "theirs": ["orders"],
        },
        "proceeds": False,
        "periodSeconds": 60,
        "lateSeconds": 90,
        "datapoints": 1,
    }


def test_a_rollback_goes_at_once_whatever_the_stack_says_of_steps() -> None:
    world = run(
        World(
            outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))},
            observed=observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=FIRST),
        ),
        {"release-lane:imageDigest": FIRST, "release-lane:rollbackFrom": SECOND, **STEPPED},
    )
    course = world.one("TrafficSwitch").inputs["course"]
    assert (course["steps"], course["bakeSeconds"], course["goesBack"]) == ([100], 0, True)


def test_the_same_alarms_are_asked_about_that_the_switch_watches() -> None:
    world = going_live()
    run(world, {"release-lane:imageDigest": SECOND, "release-lane:alarms": json.dumps({"names": ["orders"]})})
    assert world.asked["alarms"] == world.one("TrafficSwitch").inputs["watch"]["alarms"]


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"alarms": [{"name": "orders", "firing": True, "since": 1.0, "colour": ""}]}, "the alarm orders is firing"),
        ({"missingAlarms": ["ordrs"]}, "There is no CloudWatch alarm ordrs"),
    ],
)
def test_alarms_are_reported_before_anything_is_registered(over: dict[str, object], said: str) -> None:
    world = going_live(**over)
    with pytest.raises(Refused, match=said):
        run(world, {"release-lane:imageDigest": SECOND})
    assert not world.registered
    if "alarms" in over:
        run(world, {"release-lane:imageDigest": SECOND, "release-lane:onAlarm": "proceed"})
        assert world.one("TrafficSwitch").inputs["watch"]["proceeds"] is True


def test_a_variable_that_looks_like_a_secret_is_named_in_a_note_without_its_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("WARNING"):
        run(World(outputs=ARTIFACTS, observed=observed()), {"release-lane:env": json.dumps({"DB_PASSWORD": "hunter2"})})
    assert "env looks as if it held secrets (DB_PASSWORD)" in caplog.text
    assert "hunter2" not in caplog.text


def test_what_an_image_declares_is_compared_before_anything_is_registered() -> None:
    seen = observed(image=FIRST)
    seen["image"]["labels"] = Labels(found={f"{PREFIX}env.required": "UPSTREAM", f"{PREFIX}port": "3000"}).as_dict()
    world = World(outputs=ARTIFACTS, observed=seen)
    with pytest.raises(Refused) as refused:
        released(world, imageDigest=FIRST)
    assert "env.UPSTREAM: is required, and not given" in refused.value.what
    assert "service.port: is 8080, and the image declares 3000" in refused.value.what
    assert not world.registered
    given = {"env": json.dumps({"UPSTREAM": "http://upstream"}), "service": json.dumps({"port": 3000})}
    world = released(world, imageDigest=FIRST, **given)
    (said,) = world.one("TrafficSwitch").inputs["unchecked"]
    assert said.startswith("the image does not declare its secrets, health path and status path")
    assert world.one(":Image").inputs["unchecked"] == [said], "it is true of the image"


def test_an_earlier_image_is_deployed_with_the_configuration_of_now() -> None:
    past, live = release(FIRST), release(SECOND)
    seen = observed(blue=past, green=live, live=Colour.GREEN, image=FIRST)
    world = World(outputs={**ARTIFACTS, "staging": outputs_of(live, Colour.GREEN, past)}, observed=seen)
    released(world, imageDigest=FIRST, redeployFrom=SECOND, env=json.dumps({"LOG_LEVEL": "debug"}))
    switch = world.one("TrafficSwitch").inputs
    assert (switch["decision"], switch["live"]) == ("deploy", "blue")
    assert switch["release"]["digest"] == FIRST
    assert switch["release"]["service"]["env"] == {"LOG_LEVEL": "debug"}
