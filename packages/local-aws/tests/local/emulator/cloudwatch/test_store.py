"""What survives a restart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from local_aws.emulator.cloudwatch.changes import kept, moved, noted_action, noted_move
from local_aws.emulator.cloudwatch.datapoints import Datapoints
from local_aws.emulator.cloudwatch.model import Metric, Query, Scope, State
from local_aws.emulator.cloudwatch.statistics import Summary
from local_aws.emulator.cloudwatch.store import Store
from local_aws.emulator.wire import Unreadable
from tests.local.emulator.cloudwatch.alarms import START, alarm


def test_alarms_tags_and_history_come_back(tmp_path: Path) -> None:
    one = alarm(periods=3, needed=2, alarm_actions=("arn:x",))
    math = Query(id="e1", expression="m1 * 2", returns=True)
    both = replace(one, queries=(replace(one.queries[0], returns=False), math), single=False)
    after = moved(both, "ALARM", "because", '{"a":1}', START)
    state = noted_action(
        noted_move(kept(State(tags={one.arn: {"a": "b"}}), after), both, after), after, "t", "no", START
    )
    Store(tmp_path).save(state)
    assert Store(tmp_path).load() == state


def test_datapoints_come_back_and_are_no_loss_if_they_cannot(tmp_path: Path) -> None:
    data = Datapoints()
    data.add(Metric("N", "M"), "Count", START, Summary.of({1.0: 2.0}), resolution=60)
    store = Store(tmp_path)
    store.save_datapoints({Scope("1", "r"): data})
    assert store.load_datapoints()[Scope("1", "r")].document() == data.document()
    (tmp_path / "cloudwatch-datapoints.json").write_text('{"version": 1, "state": [["a"]]}')
    assert store.load_datapoints() == {}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 2, "state": {}}', '{"version": 1, "state": {"alarms": {"a": {}}}}']
)
def test_alarms_that_cannot_be_read_are_reported_and_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / "cloudwatch.json").write_text(text)
    with pytest.raises(Unreadable, match=r"cloudwatch\.json"):
        Store(tmp_path).load()


pytestmark = pytest.mark.provider
