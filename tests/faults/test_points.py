"""Boundaries are read from the engine's events alike for every stack, colour and digest."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.faults.points import Point, distinct, points

pytestmark = pytest.mark.pure


def urn(stack: str, kind: str, name: str) -> str:
    return f"urn:pulumi:{stack}::release-lane::{kind}::{name}"


def resource(when: str, op: str, where: str) -> dict[str, Any]:
    return {f"{when}Event": {"metadata": {"op": op, "urn": where}}}


def said(where: str, words: str, severity: str = "info") -> dict[str, Any]:
    return {"diagnosticEvent": {"urn": where, "message": words, "severity": severity}}


SERVICE, ROLLOUT = "aws:ecs/service:Service", "release:index:Rollout"
EVENTS = [
    {"preludeEvent": {}},
    resource("resourcePre", "same", urn("dev", "pulumi:pulumi:Stack", "release-lane-dev")),
    resource("resourcePre", "update", urn("dev", SERVICE, "release-lane-dev-blue")),
    resource("resOutputs", "update", urn("dev", SERVICE, "release-lane-dev-blue")),
    said(urn("dev", ROLLOUT, "rollout"), "<{%reset%}>blue: 1 of 2 tasks running (3 of 60 s)<{%reset%}>"),
    said(urn("dev", ROLLOUT, "rollout"), "blue: 2 of 2 tasks running (4 of 60 s)"),
    said(urn("dev", ROLLOUT, "rollout"), "something went wrong", severity="error"),
    said(urn("dev", SERVICE, "release-lane-dev-blue"), "not a gate"),
    {"summaryEvent": {}},
]


def test_what_changes_and_what_a_gate_says_are_boundaries() -> None:
    assert list(points(map(json.dumps, EVENTS))) == [
        Point("begin"),
        Point("before", "Service *-<colour>"),
        Point("after", "Service *-<colour>"),
        Point("step", "Rollout rollout", "<colour>: # of # tasks running (# of # s)"),
        Point("step", "Rollout rollout", "<colour>: # of # tasks running (# of # s)"),
        Point("end"),
    ]


def test_another_project_stack_and_colour_have_the_same_ones() -> None:
    others = {"release-lane": "lane", "dev": "prod", "blue": "green"}
    other = [re.sub("|".join(others), lambda found: others[found[0]], json.dumps(event)) for event in EVENTS]
    assert list(points(other)) == list(points(map(json.dumps, EVENTS)))


def test_each_is_taken_once() -> None:
    assert len(distinct(points(map(json.dumps, EVENTS)))) == 5


def test_a_line_that_a_kill_cut_off_is_left_out() -> None:
    assert list(points([json.dumps(EVENTS[0]), json.dumps(EVENTS[2])[:40]])) == [Point("begin")]


@pytest.mark.parametrize(
    "tag", ["6d11dafb18aedffe402b25685bfa83c9e3961c43", "6265747465720000000000000000000000000000"]
)
def test_a_commit_is_the_same_with_and_without_letters(tag: str) -> None:
    words = f"sha256:{'ab' * 32} is in the registry as {tag}"
    image = json.dumps(said(urn("dev", "release:index:Image", "image"), words))
    assert list(points([image])) == [Point("step", "Image image", "<digest> is in the registry as <commit>")]
