"""The command as a person uses it: real engine, real containers, the local cloud. One story, in order.

Tests here build on each other: each begins where the one before left the environments. Those marked `long` leave them
as they find them, and make what they need where the others did not run.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from tests.command.checkout import FAULT, Checkout, on_the_local_cloud, says, until

pytestmark = [pytest.mark.cloud, pytest.mark.states]


class Story:
    """What earlier parts of the story made."""

    first = second = third = broken = ""


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with on_the_local_cloud(tmp_path_factory.mktemp("command") / "checkout") as checkout:
        yield checkout


APPROVED = {"RELEASE_APPROVER": "somebody else"}


@pytest.fixture
def sealing(lane: Checkout) -> Iterator[Checkout]:
    """Production takes a release only with the seal of its review."""
    file = lane.folder / "Pulumi.production.yaml"
    given = file.read_text()
    file.write_text(given.replace("config:\n", f"config:\n  {lane.project}:approval: {{required: true}}\n", 1))
    yield lane
    file.write_text(given)


@pytest.fixture
def refused(lane: Checkout) -> None:
    """Staging with a release on each colour, and a build that its smoke checks refuse, as left above."""
    if not Story.second:
        Story.first = lane.release("build").ok().out.strip()
        lane.release("deploy", "staging", "--digest", Story.first).ok()
        lane.change("app/service.py", '"""', '"""Second edition. ')
        Story.second = lane.release("build").ok().out.strip()
        lane.release("deploy", "staging", "--digest", Story.second).ok()
    if not Story.broken:
        lane.change("app/checksums.py", *FAULT)
        Story.broken = lane.release("build").ok().out.strip()


def test_a_build_writes_its_digest_and_a_second_one_the_same(lane: Checkout) -> None:
    Story.first = lane.release("build").ok().out.strip()
    assert Story.first.startswith("sha256:")
    assert lane.release("build").ok().out.strip() == Story.first


def test_production_refuses_what_staging_did_not_prove_and_the_review_says_so(lane: Checkout) -> None:
    review = lane.release("review", "production", "--digest", Story.first)
    assert review.code == 4
    assert "**This release is refused.**" in review.out
    promoted = lane.release("promote", "production", "--digest", Story.first, "--yes")
    assert promoted.code == 4, promoted.err
    assert lane.status("production")["digest"] is None


def test_the_first_release_goes_to_staging_then_to_production(lane: Checkout) -> None:
    deployed = lane.release("deploy", "staging", "--json").ok().data
    assert (deployed["decision"], deployed["digest"], deployed["liveColour"]) == ("deploy", Story.first, "blue")
    assert lane.release("promote", "production").code == 2
    promoted = lane.release("promote", "production", "--yes", "--json").ok().data
    assert promoted["digest"] == Story.first
    assert "smoke checks passed" in lane.release("smoke", "production").ok().out


def test_stack_files_are_as_committed(lane: Checkout) -> None:
    assert lane.git("status", "--porcelain", "--", "*.yaml") == ""
    assert f"{lane.project}:imageDigest" not in (lane.folder / "Pulumi.staging.yaml").read_text()


def test_by_hand_as_the_readme_shows_it_uncommitted_settings_stay_as_they_are(lane: Checkout) -> None:
    """`-c` saves into the file that it is given, which is a copy."""
    shown = (lane.folder / "README.md").read_text().split("## By hand")[1].split("```")[1]
    lines = [line for line in shown.splitlines() if line.startswith(("cp ", "pulumi "))]
    file, given = lane.folder / "Pulumi.staging.yaml", lane.folder / ".local/stacks/Pulumi.staging.yaml"
    committed, before = file.read_text(), given.read_text()
    file.write_text(f"{committed}# not committed yet\n")
    script = "\n".join(["set -eu", f"digest={Story.first}", *lines])
    done = lane.run("sh", "-c", script, PULUMI_SKIP_CONFIRMATIONS="true").ok()
    assert "Decision: keep" in done.out
    assert file.read_text() == f"{committed}# not committed yet\n"
    assert given.read_text() == before
    assert Story.first in (lane.folder / ".local/once.yaml").read_text()
    file.write_text(committed)


def test_a_second_release_is_reviewed_before_it_is_promoted_with_the_seal_of_its_review(sealing: Checkout) -> None:
    """`approval.required` is set: the review gives the seal, and the promotion takes no other way."""
    lane = sealing
    lane.change("app/service.py", '"""', '"""Second edition. ')
    Story.second = lane.release("build").ok().out.strip()
    lane.release("deploy", "staging").ok()
    review, seal = lane.folder / ".local/review.md", lane.folder / ".local/review.seal"
    lane.release("review", "production", "--out", str(review), "--out", str(seal)).ok()
    shown = review.read_text()
    assert f"**Image only.** Deploy: `{Story.second[:19]}` starts on green (2 tasks)" in shown
    assert f"**staging** proved `{Story.second}`" in shown
    assert "Checks that passed there: `test_" in shown
    assert f"- Observed now: blue runs `{Story.first[:19]}`, 2 of 2 tasks healthy." in shown
    assert "## What else changes\n\nNothing." in shown
    unsealed = lane.release("promote", "production", "--yes", **APPROVED)
    assert unsealed.code == 4, unsealed.err
    assert "only with the seal of its review" in unsealed.err
    assert lane.status("production")["digest"] == Story.first
    sealed = ("promote", "production", "--yes", "--seal", seal.read_text().strip())
    promoted = lane.release(*sealed, "--json", **APPROVED).ok().data
    assert (promoted["digest"], promoted["replaced"], promoted["liveColour"]) == (Story.second, Story.first, "green")
    void = lane.release(*sealed, **APPROVED)
    assert void.code == 4, void.err
    for moved in ("the plan", "the state of the stack", "the observed weights"):
        assert f"  {moved}: " in void.err
    assert "the commit of the program" not in void.err


def test_nothing_to_do_is_done_at_once(lane: Checkout) -> None:
    again = lane.release("promote", "production", "--yes", "--json").ok().data
    assert again["decision"] == "keep"
    assert again["replaced"] is None


def test_a_rollback_moves_weights_only_and_status_foretold_it(lane: Checkout) -> None:
    assert lane.status("production")["rollback"]["costs"] == "traffic-only"
    review = lane.release("review", "production", "--rollback", "--digest", Story.first).ok().out
    assert "Traffic only: blue already runs" in review
    back = lane.release("rollback", "production", "--yes", "--json").ok().data
    assert (back["decision"], back["digest"], back["liveColour"]) == ("traffic-only", Story.first, "blue")
    assert lane.release("smoke", "production").code == 0


def test_two_environments_of_the_template_are_alike_by_their_states_and_a_setting_is_said_once(lane: Checkout) -> None:
    """Staging is on green, production on blue and has HTTPS, each has ids, ARNs and addresses of its own."""

    def compared() -> tuple[int, dict[str, list[str]]]:
        done = lane.release("parity", "production", "--json")
        assert done.data["unchecked"] == []
        found = [(each["standing"], each["what"]) for each in done.data["differences"]]
        return done.code, {of: [what for standing, what in found if standing == of] for of, _ in found}

    code, alike = compared()
    assert (code, alike.keys(), alike["declared"]) == (0, {"declared", "follows"}, ["insecure"]), alike
    file = lane.folder / "Pulumi.production.yaml"
    given = file.read_text()
    more = f"config:\n  {lane.project}:rollout: {{graceSeconds: 60}}\n"
    file.write_text(given.replace("config:\n", more, 1))
    code, other = compared()
    file.write_text(given)
    assert (code, other["undeclared"]) == (1, ["rollout.graceSeconds"])


def test_a_gates_no_ends_with_1_and_the_idle_colour_is_healed(lane: Checkout) -> None:
    lane.change("app/checksums.py", *FAULT)
    Story.broken = lane.release("build").ok().out.strip()
    refused = lane.release("deploy", "staging", "--json")
    assert refused.code == 1, refused.err
    assert refused.data["error"] == "CheckFailed"
    assert "smoke" in refused.data["what"]
    assert "was healed" in refused.data["notes"][0]
    status = lane.status("staging")
    assert (status["digest"], status["rollback"]["costs"]) == (Story.second, "traffic-only")


def test_plan_board_and_metrics_read_what_is_there(lane: Checkout) -> None:
    """Staging has the second release; production was rolled back from it; staging refused the third one."""
    staging, production = lane.release("plan", Story.second, "--json").ok().data["environments"]
    assert [check["about"] for check in staging["checklist"]] == ["Live"]
    levels = {check["about"]: check["level"] for check in production["checklist"]}
    ready = ("Evidence", "Updates", "Placement", "Idle colour", "Way back")
    assert {about: levels[about] for about in ready} == dict.fromkeys(ready, "ok")
    assert staging["usuallyBreaks"][0]["count"] == 1
    board = lane.release("board", "--out", ".local/public", "--json").ok().data
    staging, production = board["environments"]
    assert staging["weights"][staging["liveColour"]] == production["weights"][production["liveColour"]] == 100
    assert production["rollback"]["seconds"] > 0
    assert [(each["environment"], each["result"]) for each in board["last"][:2]] == [
        ("staging", "refused"), ("production", "done")
    ]  # fmt: skip
    assert (lane.folder / ".local/public/board.html").read_text().startswith("<!doctype html>")
    (metrics,) = lane.release("metrics", "production", "--json").ok().data["environments"]
    assert (metrics["deployments"]["count"], metrics["rollbacks"]["share"]) == (2, 1.0)
    assert (metrics["changeFailures"]["count"], metrics["leadTime"]["unknown"]) == (1, 0)
    assert metrics["timeToRestore"]["medianSeconds"] > 0


@pytest.mark.long
@pytest.mark.usefixtures("refused")
def test_without_healing_a_rollback_costs_a_deploy_until_heal(lane: Checkout) -> None:
    assert lane.release("deploy", "staging", "--digest", Story.broken, "--no-heal").code == 1
    assert lane.status("staging")["rollback"]["costs"] == "deploy"
    assert lane.release("heal", "staging", "--json").ok().data["decision"] == "heal"
    assert lane.status("staging")["rollback"]["costs"] == "traffic-only"


def test_a_digest_that_was_never_built_is_refused(lane: Checkout) -> None:
    unknown = lane.release("deploy", "staging", "--digest", "sha256:" + "0" * 64)
    assert unknown.code == 4, unknown.err


def test_an_old_digest_is_no_silent_rollback(lane: Checkout) -> None:
    silent = lane.release("deploy", "staging", "--digest", Story.first)
    assert silent.code == 4, silent.err
    assert "rollback" in silent.err


def test_wrong_settings_end_with_2(lane: Checkout) -> None:
    settings = lane.folder / "Pulumi.staging.yaml"
    before = settings.read_text()
    settings.write_text(before.replace("cpu: 256", "cpu: 300"))
    try:
        wrong = lane.release("deploy", "staging")
        assert wrong.code == 2, wrong.err
        assert "service.cpu" in wrong.err
    finally:
        settings.write_text(before)


@pytest.mark.long
@pytest.mark.usefixtures("refused")
def test_the_second_of_two_is_refused_with_who_holds_the_lock(lane: Checkout) -> None:
    with lane.started("deploy", "staging", "--digest", Story.broken, "--no-heal") as running:
        with lane.standing_still("staging") as go_on:
            second = lane.release("heal", "staging")
            assert second.code == 4, second.err
            assert f"is being updated by {os.environ.get('USER', 'root')}@" in second.err
            with lane.started("heal", "staging", "--lock-wait", "300", "--json") as waiting:
                says(waiting, "waiting for it")
                go_on()
                _, err = waiting.communicate()
                assert waiting.returncode == 0, err
        running.communicate()
        assert running.returncode == 1


@pytest.mark.long
@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_release_leaves_no_engine_and_users_where_they_are(lane: Checkout, name: str) -> None:
    with lane.started("deploy", "staging", "--digest", Story.broken) as running:
        assert running.stderr
        until(lambda: "Rollout" in running.stderr.readline(), "the rollout has begun")  # type: ignore[union-attr]
        running.send_signal(signal.Signals[name])
        _, err = running.communicate()
    until(lambda: not lane.engines(), "no engine is left")
    if name != "SIGKILL":
        assert running.returncode == 130
        assert f"was stopped by {name}" in err
        assert "release heal staging" in err
    assert lane.status("staging")["digest"] == Story.second
    assert lane.release("heal", "staging", "--json").ok().data["digest"] == Story.second
    assert lane.release("smoke", "staging").code == 0


def test_a_cloud_that_is_away_is_reported_before_anything_runs(lane: Checkout) -> None:
    away = lane.run("python", "-m", "release_lane.command", "deploy", "staging", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert away.code == 3
    assert "http://127.0.0.1:9 does not answer" in away.err
    assert "Updating" not in away.err
