"""`release flag` as a person lives it: real engine, real containers that read the parameter. One story, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
from tests.command.checkout import Checkout, Ended, on_the_local_cloud, until

pytestmark = [pytest.mark.cloud, pytest.mark.long, pytest.mark.timeout(600)]

STEPS = """\
  {project}:shift:
    steps: [50, 100]
    bakeSeconds: 600
"""
WHY = ("--reason", "answers are slow")


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with on_the_local_cloud(tmp_path_factory.mktemp("flags") / "checkout") as checkout:
        given(checkout)
        yield checkout
        checkout.run("pulumi", "destroy", "--yes", "--skip-preview", "--stack", "staging-flags", "--config-file",
                     "Pulumi.staging.yaml")  # fmt: skip


def given(lane: Checkout) -> None:
    """A slow switch, and the parameter of this project."""
    for stack in ("staging", "production"):
        path = lane.folder / f"Pulumi.{stack}.yaml"
        text = path.read_text().replace("/release-lane/", f"/{lane.project}/")
        settings = STEPS.format(project=lane.project)
        path.write_text(text.replace("config:\n", f"config:\n{settings}", 1))
    lane.commit("Other settings")


def timed(url: str) -> bool:
    """Do users get what the flag `timings` turns on?"""
    return "ms" in requests.post(f"{url}/api/v1/checksums", data=b"abc", timeout=10).json()


def said(url: str) -> tuple[str, object]:
    """What one of the tasks says of itself: each reads the parameter for itself, every few seconds."""
    status = requests.get(f"{url}/api/v1/status", timeout=10).json()
    return status["status"], status["flags"]


def parameter(lane: Checkout) -> object:
    found = lane.aws("ssm").get_parameter(Name=f"/{lane.project}/staging/flags")["Parameter"]["Value"]
    return json.loads(found)


@pytest.mark.states
def test_a_flag_is_turned_off_while_an_update_of_the_environment_holds_its_lock(lane: Checkout) -> None:
    first = lane.release("build").ok().out.strip()
    lane.release("deploy", "staging", "--digest", first).ok()
    url = lane.run("pulumi", "stack", "output", "url", "--stack", "staging").ok().out.strip()
    assert not timed(url), "there is no parameter yet"
    assert lane.release("flag", "staging").ok().out == "No flag of staging was set.\n"

    on = lane.release("flag", "staging", "timings=on", *WHY, "--json").ok()
    assert on.data["turned"] == {"timings": {"from": None, "to": 100}}
    until(lambda: timed(url), "users get what was turned on")
    misspelled = lane.release("flag", "staging", "timing=off", *WHY)
    assert misspelled.code == 4, misspelled.err
    assert "declares timing" in misspelled.err

    lane.change("app/service.py", '"""', '"""Second edition. ')
    second = lane.release("build").ok().out.strip()
    with lane.started("deploy", "staging", "--digest", second, "--no-heal") as update:
        until(
            lambda: sorted(lane.weights().values()) == [50, 50] or update.poll() is not None,
            "half of the users are moved",
        )
        assert update.poll() is None, update.communicate()
        assert lane.locks("staging")
        assert timed(url)
        lane.release("flag", "staging", "timings=off", *WHY).ok()
        assert lane.locks("staging"), "the update of the environment is still under way"
        assert parameter(lane) == {"timings": 0}
        until(lambda: not any(timed(url) for _ in range(10)), "neither colour does it any more")
        until(lambda: said(url) == ("ok", {"timings": 0}), "a task says so as well")
        lane.release("abort", "staging", "--yes").ok()
        update.communicate(timeout=300)

    entries = lane.release("history", "staging", "--json", "--last", "0").ok().data["entries"]
    ours = [each for each in entries if each["environment"] == "staging-flags"]
    done, refusal = [("intent", ""), ("outcome", "done")], ("outcome", "refused")
    assert [(each["kind"], each["result"]) for each in ours] == [*done, refusal, *done]
    assert {(each["verb"], each["reason"]) for each in ours} == {("flag", "answers are slow")}
    lane.release("history", "--verify").ok()


def test_what_somebody_turned_on_by_hand_is_turned_off(lane: Checkout) -> None:
    name = f"/{lane.project}/staging/flags"
    lane.aws("ssm").put_parameter(Name=name, Value='{"timings": 100}', Type="String", Overwrite=True)
    lane.release("flag", "staging", "timings=off", *WHY).ok()
    assert parameter(lane) == {"timings": 0}


def test_a_change_is_undone(lane: Checkout) -> None:
    lane.release("flag", "staging", "--undo", *WHY).ok()
    assert parameter(lane) == {"timings": 100}
    lane.release("flag", "staging", "--undo", *WHY).ok()
    assert parameter(lane) == {}
    nothing = lane.release("flag", "staging", "--undo", *WHY)
    assert nothing.code == 4
    assert "There is no change of flags to undo." in nothing.err


def test_it_goes_by_hand(lane: Checkout) -> None:
    """As the guide says: the environment's stack file, and the rest for the run."""
    once, settings = lane.folder / ".local/once.yaml", lane.folder / "Pulumi.staging.yaml"

    def up(stack: str, *given: str) -> Ended:
        once.write_text(settings.read_text())  # the engine saves into it what it is given
        command = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", stack)
        return lane.run(*command, "--config-file", str(once), "-c", "role=flags", *given)

    up("staging-flags", "-c", 'flags={"timings": "25%"}').ok()
    assert parameter(lane) == {"timings": 25}
    up("staging-flags", "-c", "undoFlags=true").ok()
    assert parameter(lane) == {}
    refused = up("staging")
    assert refused.code != 0
    assert "role: flags are in a stack named like" in refused.out + refused.err
