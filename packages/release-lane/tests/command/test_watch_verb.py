"""`release watch`: what it looks at, what it says meanwhile, and what follows from each verdict."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine
from release_lane.command.adapters.prober import FakeProber
from release_lane.engine.locks import Origin
from release_lane.engine.state import StackState
from release_lane.ledger.halts import halts_in
from release_lane.ledger.memory import Memory, in_memory
from release_lane.operate.aborting import ProductionRule
from release_lane.operate.watching import Look
from release_lane.probe.sampling import Place, Unheard
from release_lane.record.alarms import Alarm
from release_lane.record.asking import Asked, Identify
from release_lane.record.journal import Phase
from release_lane.record.placement import Release, all_on
from release_lane.record.records import Observed, Side
from release_lane.settings.notify import Event
from release_lane.watch.judge import Datapoint, Health, Tally
from release_lane.watch.looking import Traffic
from tests.command.words import (
    BLUE,
    GREEN,
    A,
    B,
    Stage,
    becomes,
    plan,
    ran,
    refused_by_gate,
    release,
    state,
    states,
)
from tests.decide import situations

pytestmark = pytest.mark.cli

TOPIC = {"topic": "arn:aws:sns:us-east-1:123456789012:releases"}
WELL = {BLUE: Health(wanted=2, healthy=2), GREEN: Health(wanted=2, healthy=2)}
SICK = {**WELL, GREEN: Health(wanted=2, healthy=0)}
RULE = ProductionRule(weights=all_on(GREEN), journal=situations.journal((BLUE, A), (GREEN, B), Phase.MOVED))
BEGAN = 1767326400.0
USERS = Traffic(
    colours={GREEN: tuple(Datapoint(at=BEGAN + 60 * minute, requests=100, errors=0, p95=0.1) for minute in range(60))}
)
CALM = Look(rule=RULE, health=WELL, traffic=USERS)
BREACH = replace(CALM, health=SICK)
BACK = becomes("staging", state(BLUE, A, B, A, idle=B), ran(*plan("traffic-only", BLUE, A, target=BLUE)))


def stage(seen: Sequence[Look], *runs: Any, **over: Any) -> Stage:
    """Staging has B live on green since `BEGAN` about, A before."""
    engine = FakeEngine(states=states(**over.pop("states", {})), runs=list(runs))
    return Stage(engine=engine, cloud=FakeCloud(seen=list(seen)), notify=TOPIC, **over)


def probed(place: Place) -> tuple[str, str, Asked]:
    (known,) = place.known
    return place.endpoint.url, known.digest, place.asked


def test_a_calm_watch_ends_with_0_and_says_what_it_saw() -> None:
    on = stage([CALM])
    assert on.run("watch", "staging", "--for", "5m") == 0
    assert on.out.startswith("staging: calm. Seen: 2 of 2 targets of green healthy; users: 500 requests, 0 errors")
    assert on.machine.time == 300
    assert on.engine.calls == []
    assert on.notifier.sent == []


def test_progress_is_reported_every_half_minute_on_stderr() -> None:
    on = stage([CALM])
    on.run("watch", "staging", "--for", "5m")
    assert on.err.count(" s left; ") == 10


def test_a_breach_is_reported_rolled_back_through_the_pipeline_and_ends_with_1() -> None:
    on = stage([CALM, CALM, BREACH], BACK)
    assert on.run("watch", "staging", "--for", "30m", "--json") == 1
    assert on.engine.calls == [("update", "staging", {"imageDigest": A.digest, "rollbackFrom": B.digest})]
    assert (on.data["verdict"], on.data["rolledBack"]) == ("breach", True)
    assert on.data["reason"] == "green has no healthy target"
    assert (on.data["digest"], on.data["rollback"]["digest"]) == (B.digest, A.digest)
    assert [notice.event for notice in on.notifier.sent] == [Event.BREACH, Event.ROLLBACK]


def test_what_a_watch_rolls_back_from_is_in_quarantine_where_there_is_a_ledger() -> None:
    on = stage([BREACH], BACK, ledger_url="s3://shop-releases")
    assert on.run("watch", "staging", "--for", "30m", "--json") == 1
    found = halts_in(in_memory(on.ledger), "production", B.digest).quarantined
    assert found is not None
    assert (found.environment, found.reason) == ("staging", "green has no healthy target")
    assert on.data["rollback"]["quarantine"] == {"digest": B.digest, "entry": found.sequence}


def test_the_quarantine_names_who_watched() -> None:
    on = stage([BREACH], BACK, ledger_url="s3://shop-releases", origin=Origin(who="ann", run="https://ci/7"))
    on.run("watch", "staging", "--for", "30m")
    found = halts_in(in_memory(on.ledger), "staging", B.digest).quarantined
    assert found is not None
    assert (found.who, found.run) == ("ann", "https://ci/7")
    assert (on.engine.actors[-1].who, on.engine.actors[-1].verb) == ("ann", "rollback")


def test_a_breach_is_rolled_back_although_the_ledger_is_away_since_no_person_is_there_to_say_so() -> None:
    on = stage([BREACH], BACK, ledger_url="s3://shop-releases", ledger=Memory(away=True))
    assert on.run("watch", "staging", "--for", "30m", "--json") == 1
    ((_, _, config),) = on.engine.calls
    assert config["withoutLedger"] == "it did not answer when `release watch` rolled back"
    assert on.data["rolledBack"] is True
    assert on.data["rollback"]["quarantine"] == {"digest": B.digest, "entry": None}


def test_a_watch_goes_forward_to_nothing_that_users_were_rolled_back_from() -> None:
    on = stage([BREACH], BACK)
    on.engine.states["staging"] = state(GREEN, B, A, B)
    assert on.run("watch", "staging", "--for", "30m") == 4
    assert on.engine.calls == []
    assert "is the release that staging was rolled back from, so this is not a rollback" in on.err
    assert "earlier releases: none" in on.err


def test_no_rollback_only_tells() -> None:
    on = stage([BREACH])
    assert on.run("watch", "staging", "--for", "30m", "--no-rollback") == 1
    assert on.engine.calls == []
    assert on.out.startswith("staging: breach: green has no healthy target.")
    assert [notice.event for notice in on.notifier.sent] == [Event.BREACH]


def test_a_rollback_that_a_gate_refuses_is_reported_and_still_a_breach() -> None:
    on = stage([BREACH], refused_by_gate("The rollout gate refused blue: it exits."), ran())
    assert on.run("watch", "staging", "--for", "30m", "--json") == 1
    assert (on.data["rolledBack"], on.data["rollback"]) == (False, None)
    assert "The rollout gate refused blue" in on.data["problem"]


def test_a_breach_of_a_release_that_is_no_longer_the_recorded_one_is_not_rolled_back() -> None:
    on = stage([CALM, BREACH])

    def released(cloud: FakeCloud) -> None:
        del cloud
        on.engine.states["staging"] = state(GREEN, A, B, situations.C)

    look = on.cloud.look

    def looking(*arguments: Any) -> Look:
        found = look(*arguments)
        if found is BREACH:
            released(on.cloud)
        return found

    on.cloud.look = looking  # type: ignore[method-assign]
    assert on.run("watch", "staging", "--for", "30m", "--json") == 1
    assert on.engine.calls == []
    assert "another release by now" in on.data["problem"]


def test_without_users_the_verdict_is_no_data_and_3() -> None:
    on = stage([replace(CALM, traffic=Traffic())])
    assert on.run("watch", "staging", "--for", "5m", "--json") == 3
    assert on.data["verdict"] == "no data"
    assert on.engine.calls == []


def test_how_much_longer_it_may_take_without_users_is_reported_first_and_what_to_do_in_the_end() -> None:
    on = stage([replace(CALM, traffic=Traffic())])
    on.run("watch", "staging", "--for", "30s")
    assert "for 30 s: " in on.err
    assert re.search(r"Up to \d min( \d+ s)? longer while there are too few users", on.err), on.err
    assert on.machine.time > 90
    assert "Next: watch again when there is data" in on.out


def test_somebody_else_who_moves_users_ends_the_watch_with_4() -> None:
    moving = ProductionRule(weights=RULE.weights, journal=situations.journal((GREEN, B), (BLUE, A), Phase.MOVING))
    on = stage([CALM, replace(BREACH, rule=moving)])
    assert on.run("watch", "staging", "--for", "5m", "--json") == 4
    assert on.data["verdict"] == "superseded"
    assert on.engine.calls == []
    assert on.notifier.sent == []


def test_probes_of_the_live_url_are_a_signal() -> None:
    bad = Tally(place="the live URL", sent=20, failed=3, in_a_row=3, last="status 500")
    on = stage([CALM], BACK, prober=FakeProber(sums=[Tally(place="the live URL", sent=5), bad]))
    assert on.run("watch", "staging", "--for", "5m", "--json") == 1
    assert [probed(place) for place in on.prober.watched] == [("http://127.0.10.1", B.digest, Asked())]
    assert "probes of the live URL failed, the last one with: status 500" in on.data["reason"]


def test_probes_that_never_got_an_answer_are_no_signal() -> None:
    on = stage([CALM], prober=FakeProber(sums=[Tally(place="the live URL")]))
    assert on.run("watch", "staging", "--for", "5m") == 0
    assert "own probes" not in on.out
    assert "Not checked: no probe of the live URL from this machine got a good answer" in on.out


def test_answers_that_are_never_those_of_the_release_are_no_calm() -> None:
    """As a service that answers plain text on every path: nothing was seen of it."""
    prober = FakeProber(sums=[Tally(place="the live URL")], silence=Unheard("its body does not say", reached=True))
    on = stage([CALM], prober=prober)
    assert on.run("watch", "staging", "--for", "5m", "--json") == 3
    assert on.data["verdict"] == "no data"
    assert on.data["reason"] == (
        "no answer of http://127.0.10.1/api/v1/status was that of the release: its body does not say"
    )
    assert on.engine.calls == []


def test_a_live_url_that_is_out_of_reach_is_named_as_not_checked() -> None:
    prober = FakeProber(sums=[Tally(place="the live URL")], silence=Unheard("refused", reached=False))
    on = stage([CALM], prober=prober)
    assert on.run("watch", "staging", "--for", "5m", "--json") == 0
    assert on.data["unchecked"] == [
        "no probe of the live URL from this machine got a good answer, so probes were no signal: refused"
    ]


def runs(release: Release) -> Observed:
    return Observed(weights=all_on(GREEN), journal=None, sides={GREEN: Side(release=release)})


def test_what_a_service_does_not_say_is_named_before_and_after() -> None:
    foreign = release("b", health_path="/healthz", status_path="", identify=Identify.NONE)
    there = {"staging": state(GREEN, A, foreign, idle=A)}
    rule = ProductionRule(weights=all_on(GREEN), journal=None)
    on = stage([replace(CALM, rule=rule)], states=there, prober=FakeProber(sums=[Tally(place="x", sent=5)]))
    on.cloud.environments["release-lane-staging"] = runs(foreign)
    assert on.run("watch", "staging", "--for", "5m", "--json") == 0
    assert [probed(place) for place in on.prober.watched] == [("http://127.0.10.1", B.digest, foreign.service.asked)]
    assert "probes of http://127.0.10.1/healthz" in on.err
    assert on.err.count("Not checked: answers name no release") == 1
    assert on.data["unchecked"] == list(foreign.service.asked.unchecked)
    on.cloud.environments["release-lane-staging"] = runs(A)
    assert on.run("watch", "staging", "--for", "5m", "--json") == 4, "ECS says what answers do not"
    assert on.data["reason"] == f"green runs {A.id} instead of {foreign.id}"


def test_too_few_targets_are_a_breach_only_for_a_while() -> None:
    short = replace(CALM, health={**WELL, GREEN: Health(wanted=2, healthy=1)})
    mended = stage([CALM, CALM, *[short] * 5, CALM, *[short] * 5, CALM])
    assert mended.run("watch", "staging", "--for", "5m") == 0
    lasting = stage([CALM, CALM, short], BACK)
    assert lasting.run("watch", "staging", "--for", "5m") == 1


def test_an_alarm_that_was_firing_before_the_release_is_reported_and_counts_only_if_it_fires_again() -> None:
    firing = Alarm(name="orders-low", firing=True, since=1.0)
    on = stage([replace(CALM, alarms=(firing,))])
    assert on.run("watch", "staging", "--for", "5m") == 0
    assert "the alarm orders-low is firing since before this release" in on.err


def test_an_alarm_that_is_deleted_is_reported_at_once_and_makes_the_verdict_no_data() -> None:
    fine = Alarm(name="orders-low", firing=False)
    on = stage([replace(CALM, alarms=(fine,)), replace(CALM, alarms=(fine,)), CALM], alarms={"names": ["orders-low"]})
    assert on.run("watch", "staging", "--for", "5m", "--json") == 3
    assert on.err.count("THE ALARM orders-low CANNOT BE WATCHED: deleted, or never made") == 1
    assert (on.data["verdict"], on.data["rolledBack"]) == ("no data", None)
    assert on.engine.calls == []


def test_an_alarm_without_data_is_reported_and_no_breach() -> None:
    silent = Alarm(name="orders-low", firing=False, no_data=True)
    on = stage([replace(CALM, alarms=(silent,))], alarms={"names": ["orders-low"]})
    assert on.run("watch", "staging", "--for", "5m") == 0
    assert on.err.count("no data for the alarm orders-low: no sign of health") == 1


def test_metrics_are_read_every_half_minute_only() -> None:
    on = stage([CALM])
    on.run("watch", "staging", "--for", "5m")
    assert len(on.cloud.listened) == 62
    assert len([each for _, each in on.cloud.listened if each]) == 11


def test_a_production_like_environment_wants_a_yes_before_it_may_be_rolled_back() -> None:
    there = {"production": state(GREEN, A, B, idle=A)}
    without = stage([CALM], states=there)
    assert without.run("watch", "production", "--for", "5m") == 2
    assert "--no-rollback" in without.err
    assert stage([CALM], states=there).run("watch", "production", "--for", "5m", "--no-rollback") == 0
    assert stage([CALM], states=there).run("watch", "production", "--for", "5m", "--yes") == 0
    assert stage([CALM], states=there, answer="y").run("watch", "production", "--for", "5m") == 0
    no = stage([CALM], states=there, answer="n")
    assert no.run("watch", "production", "--for", "5m") == 130
    assert no.cloud.looks == 0


def test_what_could_not_be_rolled_back_is_said_before_the_watch_begins() -> None:
    first = stage([CALM], states={"staging": state(GREEN, B)})
    assert first.run("watch", "staging", "--for", "5m") == 4
    assert "there is no previous one" in first.err
    assert first.cloud.looks == 0
    assert (
        stage([CALM], states={"staging": state(GREEN, B)}).run("watch", "staging", "--for", "5m", "--no-rollback") == 0
    )


def test_where_nothing_is_live_there_is_nothing_to_watch() -> None:
    on = stage([CALM], states={"staging": StackState()})
    assert on.run("watch", "staging", "--for", "5m") == 2


def test_how_long_has_to_be_said() -> None:
    assert stage([CALM]).run("watch", "staging") == 2
