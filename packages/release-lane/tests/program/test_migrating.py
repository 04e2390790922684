"""The environment program with a migration: when it is in the graph, and what waits for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from release_lane.errors import Refused, UsageError
from release_lane.record.placement import Colour
from release_lane.record.revisions import LEADS_TO, NEEDS, PASSED, PROVIDES, Revisions
from tests.program.mocks import ARTIFACTS, FIRST, INFRA, SECOND, World, observed, outputs_of, release, run, standing_on

pytestmark = pytest.mark.program

NAME = "release-lane-staging-migration"
DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
COMMAND = {"release-lane:migration": json.dumps({"command": ["alembic", "upgrade", "head"], "deadlineSeconds": 90})}
TO_SECOND = {**COMMAND, "release-lane:imageDigest": SECOND}
LABELS = {NEEDS: "r1 r2", PROVIDES: "r2"}


def state(passed: list[str]) -> dict[str, Any]:
    """What the state holds after migrations to these revisions."""
    label = [{"name": "migration", "dockerLabels": {LEADS_TO: passed[-1]}}]
    definition = {"family": NAME, "containerDefinitions": json.dumps(label)}
    return {
        **standing_on(),
        "urn:gate": {"type": "release:index:Migration", "outputs": {PASSED: passed}},
        "urn:definition": {"type": DEFINITION, "outputs": definition},
    }


def world(needs: tuple[str, ...] = ("r1", "r2"), passed: list[str] | None = None, *, holds: bool = False) -> World:
    """FIRST is live on blue; SECOND is in the registry, and green `holds` it already, or nothing."""
    live = replace(release(FIRST), revisions=Revisions(needs=needs, provides="r1"))
    seen = observed(blue=live, green=release(SECOND) if holds else None, live=Colour.BLUE, image=SECOND)
    image = {**seen["image"], "labels": {"found": LABELS, "unread": ""}}
    outputs = {**ARTIFACTS, "staging": outputs_of(live, Colour.BLUE)}
    return World(outputs=outputs, observed={**seen, "image": image}, state=state(passed or ["r1"]))


def gate_of(done: World) -> dict[str, Any]:
    return dict(done.one(":Migration").inputs)


def definition_of(done: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """The migration's task definition, and its container."""
    (found,) = [each for each in done.of_type("TaskDefinition") if each.name == NAME]
    (container,) = json.loads(found.inputs["containerDefinitions"])
    return dict(found.inputs), container


def test_a_new_image_migrates_with_its_own_image_and_configuration() -> None:
    done = run(world(), {**TO_SECOND, "release-lane:env": '{"DATABASE_HOST": "db.test"}'})
    definition, container = definition_of(done)
    assert (definition["family"], definition["skipDestroy"]) == (NAME, True)
    assert container["image"].endswith(SECOND)
    assert container["command"] == ["alembic", "upgrade", "head"]
    assert {"name": "DATABASE_HOST", "value": "db.test"} in container["environment"]
    assert container["dockerLabels"][LEADS_TO] == "r2"
    gate = gate_of(done)
    assert (gate["active"], gate["digest"], gate["to"], gate["passed"]) == (True, SECOND, "r2", ["r1"])
    assert (gate["deadlineSeconds"], gate["taskDefinition"]) == (90, f"arn:{NAME}")


def test_no_task_is_started_before_the_migration_and_no_migration_before_the_image_gate() -> None:
    done = run(world(), TO_SECOND)
    written = done.options[DEFINITION, "release-lane-staging-green"].before
    assert [urn.rsplit("::", 1)[-1] for urn in written if "release:index" in urn] == ["migration"]
    assert any(":Image::image" in urn for urn in done.options[DEFINITION, NAME].before)
    gate = done.options["release:index:Migration", "migration"]
    assert "/release-lane/staging" in [each.inputs.get("name") for each in done.of_type("LogGroup")]
    assert gate.logs, "the log group is there before"
    ways = [urn for urn in gate.before if "Nat" in urn]
    assert ways, "and the way out of its subnets"


class Passing(World):
    """Each gate hands on a pass that names it."""

    def new_resource(self, args: Any) -> tuple[str, dict[str, Any]]:
        id_, made = super().new_resource(args)
        return id_, {**made, "passedFor": {"by": args.name}}


def passed_to_rollout(given: World, config: dict[str, str]) -> str:
    """The name of the gate whose pass Rollout demands."""
    done = run(Passing(outputs=given.outputs, observed=given.observed, state=given.state), config)
    return str(done.one("Rollout").inputs["passOfBefore"]["by"])


def test_rollout_takes_the_pass_of_the_migration_where_one_runs() -> None:
    assert passed_to_rollout(world(), TO_SECOND) == "migration"
    assert passed_to_rollout(world(), {"release-lane:imageDigest": SECOND}) == "image"


def test_a_rollback_by_a_deployment_runs_no_migration_and_takes_the_pass_of_the_image() -> None:
    first = replace(release(FIRST), revisions=Revisions(needs=("r1", "r2"), provides="r1"))
    given = World(
        outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, first)},
        observed=observed(blue=None, green=release(SECOND), live=Colour.GREEN, image=FIRST),
        state=state(["r1", "r2"]),
    )
    config = {**COMMAND, "release-lane:imageDigest": FIRST, "release-lane:rollbackFrom": SECOND}
    assert passed_to_rollout(given, config) == "image"
    done = run(given, config)
    assert done.one("TrafficSwitch").inputs["decision"] == "deploy"
    assert (gate_of(done)["active"], done.one(":Image").inputs["active"]) == (False, True)


def test_an_update_that_starts_nothing_leaves_the_last_migration_as_it_is() -> None:
    done = run(world(), COMMAND)
    assert gate_of(done)["active"] is False
    assert done.options[DEFINITION, NAME].ignored == ("*",)


def test_a_traffic_only_rollback_runs_no_migration() -> None:
    first = replace(release(FIRST), revisions=Revisions(needs=("r1", "r2"), provides="r1"))
    done = run(
        World(
            outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, first)},
            observed=observed(blue=first, green=release(SECOND), live=Colour.GREEN, image=FIRST),
            state=state(["r1", "r2"]),
        ),
        {**COMMAND, "release-lane:imageDigest": FIRST, "release-lane:rollbackFrom": SECOND},
    )
    assert done.one("TrafficSwitch").inputs["decision"] == "traffic-only"
    assert gate_of(done)["active"] is False


def test_without_the_setting_there_is_no_gate_and_no_definition() -> None:
    done = run(world(), {"release-lane:imageDigest": SECOND})
    assert not done.of_type(":Migration")
    assert NAME not in [each.name for each in done.registered]


def test_a_migration_that_the_live_release_cannot_live_with_ends_before_anything_is_registered() -> None:
    refused = world(needs=("r1",))
    with pytest.raises(Refused, match="leads to schema r2, and the live release"):
        run(refused, TO_SECOND)
    assert not refused.registered


def test_a_template_that_names_no_place_for_a_migration_is_refused_with_the_line_that_it_lacks(tmp_path: Path) -> None:
    for each in INFRA.glob("*.py"):
        (tmp_path / each.name).write_text(each.read_text())
    main = tmp_path / "__main__.py"
    lines = main.read_text().splitlines(keepends=True)
    main.write_text("".join(line for line in lines if "lane.migrates" not in line))
    started = world()
    with pytest.raises(UsageError, match=r"lane\.migrates\(…\)"):
        run(started, TO_SECOND, program=tmp_path)
    assert not started.of_type("TaskDefinition")
    run(world(), COMMAND, program=tmp_path)
