"""An image's labels become its contract, or all that is wrong with them is refused at once."""

from __future__ import annotations

import pytest
from release_lane.errors import Refused
from release_lane.record.contract import KNOWN, PREFIX, Contract, Declared, Labels

pytestmark = pytest.mark.pure

WHOLE = {
    f"{PREFIX}env.required": "DATABASE, UPSTREAM",
    f"{PREFIX}env.optional": "LOG_LEVEL",
    f"{PREFIX}secrets.required": "API_KEY",
    f"{PREFIX}secrets.optional": "",
    f"{PREFIX}port": "8080",
    f"{PREFIX}health-path": "/health",
    f"{PREFIX}status-path": "/api/v1/status",
    f"{PREFIX}schema.needs": "a1b2 c3d4",
    f"{PREFIX}schema.provides": "c3d4",
    f"{PREFIX}flags": "new_checkout,dark-mode",
}


def read(**labels: str) -> Contract:
    return Contract.of(
        {f"{PREFIX}{key.replace('__', '.').replace('_', '-')}": text for key, text in labels.items()}, "it"
    )


def test_every_label_is_read() -> None:
    assert WHOLE.keys() == KNOWN
    assert Contract.of({**WHOLE, "org.opencontainers.image.title": "shop"}, "it") == Contract(
        env=Declared(required=("DATABASE", "UPSTREAM"), optional=("LOG_LEVEL",)),
        secrets=Declared(required=("API_KEY",)),
        port=8080,
        health_path="/health",
        status_path="/api/v1/status",
        schema_needs=("a1b2", "c3d4"),
        schema_provides="c3d4",
        flags=("new_checkout", "dark-mode"),
    )


def test_an_image_that_says_all_leaves_nothing_unchecked_and_one_that_says_nothing_names_all() -> None:
    assert Contract.of(WHOLE, "it").unchecked == ()
    (sentence,) = Contract.of({}, "it").unchecked
    for word in ("variables", "secrets", "port", "health path", "status path"):
        assert word in sentence
    (sentence,) = read(env__optional="", port="any", health_path="/", status_path="").unchecked
    assert "the image does not declare its secrets (" in sentence


def test_an_empty_list_declares_that_there_is_none_and_a_missing_label_declares_nothing() -> None:
    assert read(env__optional="").env == Declared()
    assert read().env is None
    assert read(status_path="").status_path == ""
    assert (read(flags="").flags, read().flags) == ((), None)


def test_an_empty_label_takes_back_what_the_image_below_declares() -> None:
    assert read(port="", health_path="", schema__provides="") == Contract()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"env__required": "A-B"}, "A-B: not a name of an environment variable"),
        ({"secrets__optional": "1ST"}, "1ST: not a name"),
        ({"env__required": "A", "env__optional": "A,B"}, "A: required and optional"),
        ({"env__optional": "A", "secrets__required": "A"}, "A: a variable and a secret"),
        ({"port": "http"}, "should be a port"),
        ({"port": "65536"}, "should be a port"),
        ({"port": "٨٠"}, "should be a port"),
        ({"health_path": "/a b"}, "without a blank"),
        ({"status_path": "status"}, "should begin with /"),
        ({"schema__provides": "a b"}, "should be one word"),
    ],
)
def test_a_label_that_cannot_be_read_is_refused_with_its_name(labels: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match="labels of it cannot be read") as refused:
        read(**labels)
    assert said in refused.value.what
    assert PREFIX in refused.value.what
    assert refused.value.why
    assert "Dockerfile" in refused.value.next_step


def test_all_labels_that_cannot_be_read_are_named_at_once() -> None:
    with pytest.raises(Refused) as refused:
        read(port="x", health_path="x", env__required="-")
    assert [label in refused.value.what for label in ("port=", "health-path=", "env.required=")] == [True] * 3


def test_a_label_of_a_later_version_or_mistyped_is_named_and_refused_nothing() -> None:
    found = read(env__requierd="A")
    assert found.unknown == (f"{PREFIX}env.requierd",)
    assert f"the label {PREFIX}env.requierd is not known to this version" in found.unchecked


def test_labels_survive_being_handed_on_and_are_only_those_of_the_contract() -> None:
    labels = Labels.of({**WHOLE, "maintainer": "ann"})
    assert Labels.from_dict(labels.as_dict()) == labels == Labels(found=WHOLE)
    unread = Labels(unread="no access")
    assert Labels.from_dict(unread.as_dict()) == unread
