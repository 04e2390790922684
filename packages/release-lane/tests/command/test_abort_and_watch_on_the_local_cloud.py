"""`release abort` and `release watch` as a person lives them: real engine, real containers. One story, in order.

Metrics come every second here, and alarms look every ten; nothing else differs from a watch by the hour.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_aws import metrics
from release_lane.probe import Probe
from tests.command.checkout import Checkout, on_the_local_cloud, until

from tests.patience import ANSWER_WITHIN

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]

ALARMS = """\
  {project}:alarms:
    errorPercent: 20
    periodSeconds: 10
    lateSeconds: 8
"""
STEPS = """\
  {project}:shift:
    steps: [50, 100]
    bakeSeconds: 600
"""
WELL = ("    async def status() -> dict[str, Any]:\n", "        problems = [*selfcheck.problems(), *needed]\n")
MOODY = (
    "    async def status(request: Request) -> dict[str, Any]:\n",
    f"        if request.query_params:\n            raise HTTPException(500)\n{WELL[1]}",
)
"""Well when it is asked how it is; but what only users ask for (a query) is answered with 500."""


class Story:
    """What earlier parts of the story made."""

    first = second = moody = url = ""


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with on_the_local_cloud(tmp_path_factory.mktemp("watch") / "checkout") as checkout:
        given(checkout, ALARMS)
        with metrics.quick(checkout.variables["AWS_ENDPOINT_URL"], 1):
            yield checkout


def given(lane: Checkout, settings: str) -> None:
    """More settings of staging."""
    path = lane.folder / "Pulumi.staging.yaml"
    path.write_text(path.read_text().replace("config:\n", f"config:\n{settings.format(project=lane.project)}", 1))
    lane.commit("Other settings")


@pytest.fixture
def users(lane: Checkout) -> Iterator[Probe]:
    """Who ask for something that only users ask for."""
    if not Story.first:
        Story.first = lane.release("build").ok().out.strip()
        lane.release("deploy", "staging", "--digest", Story.first).ok()
        Story.url = lane.run("pulumi", "stack", "output", "url", "--stack", "staging").ok().out.strip()
    with Probe(f"{Story.url}/api/v1/status?by=users", 50, timeout=ANSWER_WITHIN) as probe:
        yield probe


def test_a_release_that_does_well_is_watched_in_calm(lane: Checkout, users: Probe) -> None:
    watched = lane.release("watch", "staging", "--for", "12s", "--no-rollback", "--json").ok().data
    assert (watched["verdict"], watched["rolledBack"]) == ("calm", None)
    assert "2 of 2 targets" in watched["seen"]
    assert " 0 errors" in watched["seen"]
    assert users.stop().total.failed == 0


def test_an_aborted_switch_rolls_all_traffic_back(lane: Checkout, users: Probe) -> None:
    given(lane, STEPS)
    lane.change("app/service.py", '"""', '"""Second edition. ')
    Story.second = lane.release("build").ok().out.strip()
    before = lane.weights()
    nothing = lane.release("abort", "staging", "--yes")
    assert nothing.code == 4, nothing.err
    with lane.started("deploy", "staging", "--digest", Story.second, "--no-heal") as update:
        until(lambda: sorted(lane.weights().values()) == [50, 50], "half of the users are moved")
        aborted = lane.release("abort", "staging", "--yes", "--json").ok()
        _, told = update.communicate(timeout=120)
    assert aborted.data["aborted"] is True
    assert "is under way" in aborted.err
    assert update.returncode != 0
    assert "asked to abort this switch" in told
    assert lane.weights() == before
    assert lane.status("staging")["digest"] == Story.first
    assert (users.stop().total.failed, users.stop().total.mixed) == (0, 0)
    lane.release("heal", "staging").ok()


@pytest.mark.long
def test_a_breach_that_only_users_meet_is_rolled_back_after_the_update(lane: Checkout, users: Probe) -> None:
    """Its smoke checks pass and it moves all at once, so nothing but the watch can see it."""
    path = lane.folder / "Pulumi.staging.yaml"
    path.write_text(path.read_text().replace(STEPS.format(project=lane.project), ""))
    for well, moody in zip(WELL, MOODY, strict=True):
        lane.change("app/service.py", well, moody)
    Story.moody = lane.release("build").ok().out.strip()
    lane.release("deploy", "staging", "--digest", Story.moody).ok()
    assert lane.status("staging")["digest"] == Story.moody
    watched = lane.release("watch", "staging", "--for", "5m", "--yes", "--json")
    assert watched.code == 1, watched.err
    assert watched.data["verdict"] == "breach"
    assert "errors" in watched.data["reason"] or "failed" in watched.data["reason"], watched.data["reason"]
    assert watched.data["rolledBack"] is True
    assert lane.status("staging")["digest"] == Story.first == watched.data["rollback"]["digest"]
    users.mark("afterwards")
    until(lambda: users.snapshot().step("afterwards").sent > 50, "users asked again")
    assert users.snapshot().step("afterwards").failed == 0


@pytest.mark.long
def test_what_the_watch_rolled_back_from_comes_back_once_it_is_pardoned_and_the_line_goes_on(lane: Checkout) -> None:
    again = ("deploy", "staging", "--digest", Story.moody, "--again")
    quarantined = lane.release(*again)
    assert quarantined.code == 4, quarantined.err
    assert "is in quarantine: no environment releases it" in quarantined.err
    lane.release("pardon", Story.moody, "--reason", "only a rehearsal").ok()
    lane.release("stop-the-line", "staging", "--reason", "users ask why").ok()
    stopped = lane.release(*again)
    assert stopped.code == 4, stopped.err
    assert "The line of staging is stopped" in stopped.err
    assert "users ask why" in stopped.err
    lane.release("resume", "staging", "--reason", "they know").ok()
    review = lane.release("review", "staging", "--digest", Story.moody, "--again").ok()
    assert "**Going forward again:**" in review.out
    assert lane.release("history", "--verify").code == 0
