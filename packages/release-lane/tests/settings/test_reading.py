"""A stack file is read as the engine reads it: what is here for each scalar is what engine 3.259.0 handed to a program
(`pulumi config --json`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from release_lane.command.adapters.stack_file import read
from release_lane.errors import UsageError
from release_lane.settings.model import environment_in, parse, part

pytestmark = pytest.mark.pure

SCALARS: dict[str, Any] = {
    "2026-12-24": "2026-12-24 00:00:00 +0000 UTC",
    "2026-1-2": "2026-01-02 00:00:00 +0000 UTC",
    "2026-13-45": "2026-13-45",
    "2026-12-24 16:00:00": "2026-12-24 16:00:00 +0000 UTC",
    "2026-12-24T16:00:00Z": "2026-12-24 16:00:00 +0000 UTC",
    "2026-12-24T16:00:00+01:00": "2026-12-24 16:00:00 +0100 +0100",
    "2026-12-24 16:00:00.50": "2026-12-24 16:00:00.5 +0000 UTC",
    "2001-12-14 21:59:43.10 -5": "2001-12-14 21:59:43.10 -5",
    "2026-12-24 16:00": "2026-12-24 16:00",
    "16:00": "16:00",
    "190:20:30.15": "190:20:30.15",
    "on": "on",
    "No": "No",
    "y": "y",
    "yes": "yes",
    "True": True,
    "0777": 511,
    "0o17": 15,
    "08": 8,
    "000000000000": 0,
    "012345678901": 12345678901,
    "1e3": 1000,
    "1.5e3": 1500,
    "0x1F": 31,
    "0b101": 5,
    "1_000": 1000,
    "-5": -5,
    "+5": 5,
    "300.0": 300,
    "1.50": 1.5,
    ".5": 0.5,
    "99999999999999999999": 100000000000000000000,
    "1e30": 1e30,
    "1e-9": 1e-9,
    "1e400": "1e400",
    "_1": "_1",
    "1__0": 10,
    "2026-12-24T16:00:00": "2026-12-24T16:00:00",
    "12e03": 12000,
    "null": None,
    "~": None,
    "": None,
    "=": "=",
    "!!str 2026-12-24": "2026-12-24",
    "!foo bar": "bar",
    "!!set {a, b}": {"a": None, "b": None},
    "!!float 3": 3,
    '"on"': "on",
    "'2026-12-24'": "2026-12-24",
    "[1, on, 2026-12-24]": [1, "on", "2026-12-24 00:00:00 +0000 UTC"],
}
KEYS = {
    "1": "1",
    "1.5": "1.5",
    "true": "true",
    "2026-12-24": "2026-12-24 00:00:00 +0000 UTC",
    "~": "<nil>",
    "NO": "NO",
    "0x10": "16",
    "on": "on",
}


@pytest.mark.parametrize("written", SCALARS)
def test_a_value_is_what_the_engine_hands_over(written: str) -> None:
    found = read(f"key: {written}\n")["key"]
    assert (found, json.dumps(found)) == (SCALARS[written], json.dumps(SCALARS[written]))


@pytest.mark.parametrize("written", KEYS)
def test_a_key_is_text_as_the_engine_writes_it(written: str) -> None:
    assert read(f"env:\n  {written}: x\n") == {"env": {KEYS[written]: "x"}}


def test_a_mapping_takes_over_what_another_one_says() -> None:
    text = "base: &base {x: 1, y: on}\nmerged: {<<: *base, y: 2}\n"
    assert read(text) == {"base": {"x": 1, "y": "on"}, "merged": {"x": 1, "y": 2}}


@pytest.mark.parametrize("written", [".nan", "-.inf", "!!binary aGVsbG8=", "&a [*a]", "!!python/name:os.system"])
def test_what_no_setting_can_be_is_refused(written: str) -> None:
    with pytest.raises((yaml.YAMLError, ValueError)):
        read(f"key: {written}\n")


def test_a_key_stands_there_once_with_or_without_quotes() -> None:
    with pytest.raises(yaml.YAMLError, match="stands there twice, in lines 1 and 2"):
        read('on: 1\n"on": 2\n')


SETTINGS = {
    "freeze: {windows: [{from: 2026-12-24, to: 2027-1-2}]}": "",
    "freeze: {windows: [{from: 2026-12-24 16:00, to: 2026-12-24 18:00}]}": "",
    "freeze: {windows: [{from: 2026-12-24 16:00:00, to: 2026-12-25}]}": "freeze.windows.0.from: should be a day",
    "freeze: {windows: [{from: 16:00, to: Mon}]}": "freeze.windows.0.from: should be a day",
    "env: {FEATURE: on, AT: 16:00, ON: x}": "",
    "env: {TIMEOUT: 30}": "env.TIMEOUT: should be text: put it in quotes",
    "env: {SINCE: 2026-12-24}": "env.SINCE: is a date without quotes",
    "env: {SINCE: 2026-12-24 16:00:00}": "env.SINCE: is a date without quotes",
    "shift: {bakeSeconds: 300.0}": "",
    "shift: {bakeSeconds: 5:00}": "shift.bakeSeconds: Input should be a valid integer",
    "alarms: {latencySeconds: 1e-1}": "",
    "requireDrill: on": "",
    "deletionProtection: 0o1": "",
    "approval: {required: yes}": "approval.required: Input should be a valid boolean",
    "service:": "",
    "env:": "",
    "requireDrill:": "requireDrill: Input should be a valid boolean",
    "promotesFrom:": "promotesFrom: should be the name of a stack",
    "parity: {expect: [{what: service.cpu, why: 2026-12-24}]}": "",
}


def handed(value: Any) -> str:
    """What the engine hands to the program for a value of `read`."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


@pytest.mark.parametrize("written", SETTINGS)
def test_program_and_command_say_the_same_of_a_stack_file(written: str) -> None:
    before = "" if written.startswith("promotesFrom") else "promotesFrom: dev\n"
    given = read(f'account: "000000000000"\ninsecure: true\n{before}{written}\n')
    assert SETTINGS[written] in _refusal(lambda: parse(_configuration(given), "shop", "staging"))
    assert bool(SETTINGS[written]) == bool(_refusal(lambda: parse(_configuration(given), "shop", "staging")))
    (key,) = read(written)
    for command in (lambda: part(given, key, "Pulumi.staging.yaml"), lambda: environment_in(given, "…")):
        assert SETTINGS[written] in _refusal(command)
        assert bool(SETTINGS[written]) == bool(_refusal(command))


def _configuration(given: dict[str, Any]) -> dict[str, str]:
    return {"aws:region": "us-east-1", **{f"shop:{key}": handed(value) for key, value in given.items()}}


def _refusal(call: Callable[[], Any]) -> str:
    """The words of the refusal, "" for none."""
    try:
        call()
    except UsageError as error:
        return error.what
    return ""
