"""The stack's own alarms: which there are, and what they look at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.program.mocks import ARTIFACTS, World, observed, run

pytestmark = pytest.mark.program

TOPIC = "arn:aws:sns:us-east-1:000000000000:on-call"


def alarms_of(**settings: Any) -> dict[str, Any]:
    """What the program registers, by name."""
    world = run(World(outputs=ARTIFACTS, observed=observed()), {"release-lane:alarms": json.dumps(settings)})
    return {each.name: each.inputs for each in world.of_type("metricAlarm:MetricAlarm")}


def test_without_thresholds_there_are_none() -> None:
    assert alarms_of(names=["orders"], actions=[TOPIC]) == {}


def test_each_threshold_makes_one_for_each_colour_by_the_names_that_the_switch_watches() -> None:
    made = alarms_of(errorPercent=5, latencySeconds=1.5, unhealthyTargets=1)
    kinds = ("errors", "latency", "unhealthy")
    assert set(made) == {f"release-lane-staging-{colour}-{kind}" for colour in ("blue", "green") for kind in kinds}
    assert all(inputs["name"] == name for name, inputs in made.items())


def test_a_colour_without_traffic_is_quiet_and_actions_hear_of_both_changes() -> None:
    for inputs in alarms_of(errorPercent=5, latencySeconds=1.5, unhealthyTargets=1, actions=[TOPIC]).values():
        assert inputs["treatMissingData"] == "notBreaching"
        assert inputs["alarmActions"] == inputs["okActions"] == [TOPIC]


def test_the_share_of_errors_is_one_only_of_enough_requests() -> None:
    inputs = alarms_of(errorPercent=5, datapoints=2, periodSeconds=60)["release-lane-staging-green-errors"]
    assert (inputs["comparisonOperator"], inputs["threshold"]) == ("GreaterThanThreshold", 5)
    assert (inputs["evaluationPeriods"], inputs["datapointsToAlarm"]) == (2, 2)
    queries = {each["id"]: each for each in inputs["metricQueries"]}
    assert queries["share"]["expression"] == ("IF(requests >= 20, 100 * FILL(errors, 0) / requests, 0)")
    assert [id for id, query in queries.items() if query["returnData"]] == ["share"]
    sums = {id: queries[id]["metric"] for id in ("requests", "errors")}
    assert {each["metricName"] for each in sums.values()} == {"RequestCount", "HTTPCode_Target_5XX_Count"}
    assert all((each["stat"], each["period"]) == ("Sum", 60) for each in sums.values())


def test_latency_is_the_95th_percentile_and_a_few_samples_are_none() -> None:
    inputs = alarms_of(latencySeconds=1.5)["release-lane-staging-blue-latency"]
    assert (inputs["metricName"], inputs["extendedStatistic"]) == ("TargetResponseTime", "p95")
    assert inputs["evaluateLowSampleCountPercentiles"] == "ignore"
    assert (inputs["comparisonOperator"], inputs["threshold"]) == ("GreaterThanThreshold", 1.5)


def test_so_many_unhealthy_targets_or_more() -> None:
    inputs = alarms_of(unhealthyTargets=2)["release-lane-staging-blue-unhealthy"]
    assert (inputs["metricName"], inputs["statistic"]) == ("UnHealthyHostCount", "Maximum")
    assert (inputs["comparisonOperator"], inputs["threshold"]) == ("GreaterThanOrEqualToThreshold", 2)


def test_each_looks_at_its_own_target_group() -> None:
    made = alarms_of(unhealthyTargets=1)
    groups = {name: inputs["dimensions"]["TargetGroup"] for name, inputs in made.items()}
    assert len(set(groups.values())) == 2
    assert all("LoadBalancer" in inputs["dimensions"] for inputs in made.values())
