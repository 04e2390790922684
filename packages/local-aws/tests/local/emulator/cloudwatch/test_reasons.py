"""Why an alarm is in its state, in AWS's words."""

from __future__ import annotations

import json

import pytest
from local_aws.emulator.cloudwatch.evaluation import judge
from local_aws.emulator.cloudwatch.model import Alarm
from local_aws.emulator.cloudwatch.reasons import reason, reason_data, stamp
from tests.local.emulator.cloudwatch.alarms import START, alarm, points

pytestmark = pytest.mark.pure


def said(watching: Alarm, data: str) -> str:
    verdict = judge(watching, points(data))
    assert verdict is not None
    return reason(watching, verdict)


def test_one_datapoint_is_reported_with_its_time() -> None:
    assert said(alarm(), "0 0 X") == (
        "Threshold Crossed: 1 datapoint [5.0 (21/11/26 11:02:00)] was greater than the threshold (0.0)."
    )
    assert said(alarm(threshold=7.0), "0 0 X") == (
        "Threshold Crossed: 1 datapoint [5.0 (21/11/26 11:02:00)] was not greater than the threshold (7.0)."
    )


def test_m_out_of_n_are_reported_newest_first_with_what_a_transition_takes() -> None:
    assert said(alarm(periods=3, needed=2), "0 0 X 0 X") == (
        "Threshold Crossed: 2 out of the last 3 datapoints [5.0 (21/11/26 11:04:00), 5.0 (21/11/26 11:02:00)] were "
        "greater than the threshold (0.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    assert said(alarm(periods=3, needed=2), "X X 0 0 X") == (
        "Threshold Crossed: 2 out of the last 3 datapoints [0.0 (21/11/26 11:03:00), 0.0 (21/11/26 11:02:00)] were not "
        "greater than the threshold (0.0) (minimum 2 datapoints for ALARM -> OK transition)."
    )
    assert said(alarm(periods=3, needed=3), "X X 0 X X").endswith("(minimum 1 datapoint for ALARM -> OK transition).")


def test_missing_data_is_reported_with_how_it_was_treated() -> None:
    assert said(alarm(missing="notBreaching"), "- - -") == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
        "[NonBreaching]."
    )
    assert said(alarm(periods=3, missing="breaching"), "- - X - -") == (
        "Threshold Crossed: 1 datapoint [5.0 (21/11/26 11:02:00)] was greater than the threshold (0.0) and "
        "2 missing datapoints were treated as [Breaching]."
    )
    assert said(alarm(), "- - -") == "Insufficient Data: 1 datapoint was unknown."
    assert said(alarm(periods=5), "- - - - - - -") == "Insufficient Data: 5 datapoints were unknown."


def test_the_data_of_a_reason_is_awss_json() -> None:
    watching = alarm(periods=3, missing="breaching")
    verdict = judge(watching, points("0 - X -"))
    assert verdict is not None
    assert json.loads(reason_data(watching, verdict, START + 241.5)) == {
        "version": "1.0",
        "queryDate": "2026-11-21T11:04:01.500+0000",
        "startDate": "2026-11-21T11:00:00.000+0000",
        "statistic": "Sum",
        "period": 60,
        "recentDatapoints": [0.0, 5.0],
        "threshold": 0.0,
        "evaluatedDatapoints": [
            {"timestamp": "2026-11-21T11:03:00.000+0000"},
            {"timestamp": "2026-11-21T11:02:00.000+0000", "sampleCount": 1.0, "value": 5.0},
            {"timestamp": "2026-11-21T11:00:00.000+0000", "sampleCount": 1.0, "value": 0.0},
        ],
    }


def test_times_have_milliseconds() -> None:
    assert stamp(START + 0.0456) == "2026-11-21T11:00:00.045+0000"
