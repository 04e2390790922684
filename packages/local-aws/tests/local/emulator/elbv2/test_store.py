"""The state on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from local_aws.emulator.elbv2.model import State
from local_aws.emulator.elbv2.store import Store, decode, encode
from local_aws.emulator.wire import Unreadable
from tests.local.emulator.edge.states import everything

pytestmark = pytest.mark.provider  # writes a file


def test_every_kind_of_value_comes_back_as_it_was(tmp_path: Path) -> None:
    state = everything()
    store = Store(tmp_path / "deep" / "state.json")
    store.save(state)
    assert store.load() == state
    assert decode(encode(state)) == state


def test_no_file_is_an_empty_state(tmp_path: Path) -> None:
    assert Store(tmp_path / "none.json").load() == State()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 99, "state": {}}', '{"version": 1, "state": {"is": "os"}}']
)
def test_a_file_that_is_something_else_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(Unreadable, match=r"state\.json"):
        Store(path).load()


def test_a_listener_of_an_earlier_version_is_one_for_http(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.json")
    store.save(everything())
    document = json.loads((tmp_path / "state.json").read_text())
    for one in document["state"]["listeners"].values():
        for name in ("protocol", "policy", "certificates"):
            del one[name]
    (tmp_path / "state.json").write_text(json.dumps(document))
    assert store.load() == everything()
