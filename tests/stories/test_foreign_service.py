"""A service that has never heard of this project: its own port and health path, no status, plain text on every path.

Nothing of the repository is changed for it but the stack file and smoke/test_service.py. First its answers name
no release (`identify: none`); the last release of the story names itself in its headers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_aws import metrics
from release_lane.probe import Probe
from release_lane.record.asking import Asked, Identify
from release_lane.record.placement import Colour

from tests.patience import ANSWER_WITHIN
from tests.stories.cloud import idle_of, no_alarm_fires, running_digests, tasks, weights
from tests.stories.known import Known
from tools.lane import ROOT, Lane, Stack

pytestmark = [pytest.mark.long, pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600)]

SERVER = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        path = self.path.split('?')[0]
        body = HELLO + b'\\n'
        self.send_response(404 if path == '/missing' else 200)
        for name in NAMES:
            self.send_header('X-Release-' + name.title(), os.environ['RELEASE_' + name])
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(('', 3000), Answer).serve_forever()
"""

SMOKE = '''"""The adopter's own checks."""

from typing import Any


def test_it_greets(site: Any) -> None:
    answer = site.get("/")
    assert answer.text == "hello\\n", f"GET {answer.url}: got {answer.text!r}, expected 'hello'"
'''

SETTINGS: dict[str, Any] = {
    "service": {"port": 3000, "healthPath": "/healthz", "statusPath": "", "desiredCount": 2},
    "smoke": {"deadlineSeconds": 8, "identify": "none"},
    "shift": {"steps": [10, 50, 100], "bakeSeconds": 1},
    "alarms": {"errorPercent": 20, "periodSeconds": 10, "lateSeconds": 8},
    "rollout": {"graceSeconds": 15},
}
UNSAID = 'dev.release-lane.health-path="" dev.release-lane.status-path=""'
"""It says nothing of its paths; the sample that it is made from does."""

NAMELESS = Asked(health_path="/healthz", status_path="", identify=Identify.NONE)


def changed(stack: Stack, key: str, **values: Any) -> Stack:
    """The environment of these stories, with some settings changed."""
    return stack.with_settings(**{key: {**SETTINGS[key], **values}})


def image(lane: Lane, good: str, name: str, greeting: str = "hello", *names: str) -> str:
    """A foreign service that greets so, and names these in its headers."""
    server = SERVER.replace("HELLO", f"b'{greeting}'").replace("NAMES", str(list(names)))
    command = json.dumps(["/venv/bin/python", "-c", f"exec({server!r})"])
    return lane.derive(name, good, (f"LABEL edition={name} {UNSAID}", f"CMD {command}"))


@pytest.fixture(scope="module", autouse=True)
def quick_metrics(lane: Lane) -> Iterator[None]:
    with metrics.quick(lane.variables["AWS_ENDPOINT_URL"], 1):
        yield


@pytest.fixture(scope="module")
def environment(lane: Lane) -> Stack:
    """The environment of these stories with the adopter's smoke checks, just as it is."""
    checks = Path("smoke/test_service.py")
    stack = lane.environment("foreign", like="staging", **SETTINGS)
    own = stack.with_changed_program(str(checks), (ROOT / checks).read_text(), SMOKE)
    (own.project / "smoke/recorded.json").unlink()  # the sample's; `release init` writes none
    return own


@pytest.fixture
def stack(known: Known, environment: Stack, lane: Lane, good: str) -> Stack:
    """The same with a release of the foreign service that names itself nowhere."""
    no_alarm_fires(environment)
    return known(environment, idle=None, images=[image(lane, good, "foreign-1")])


@pytest.fixture
def users(stack: Stack) -> Iterator[Probe]:
    with Probe(stack.url + "/?by=users", 50, timeout=ANSWER_WITHIN) as probe:
        yield probe


def unchecked(stack: Stack) -> list[str]:
    return list(stack.outputs["evidence"][-1]["unchecked"])


def test_it_is_released_unchanged_and_what_was_not_seen_is_named(stack: Stack) -> None:
    settled = stack.up("--expect-no-changes")
    assert settled.ok, settled.text
    assert set(NAMELESS.unchecked) <= set(unchecked(stack))


def test_its_users_are_moved_in_steps_and_back_although_answers_name_no_release(
    stack: Stack, lane: Lane, good: str, users: Probe
) -> None:
    live, idle, second = stack.outputs["imageDigest"], idle_of(stack), image(lane, good, "foreign-2")
    released = stack.up(imageDigest=second)
    assert released.ok, released.text
    for number, share in enumerate((10, 50, 100), start=1):
        assert re.search(rf"users: .*{idle} {share}%.* \(step {number} of 3\)", released.text), released.text
    assert f"not checked: {'; '.join(NAMELESS.unchecked)}" in released.text
    assert "the switch did not probe the live URL: its answers do not say which release gave them" in unchecked(stack)
    assert running_digests(stack, idle) == {second}, "ECS says which image serves"
    back = stack.up(imageDigest=live, rollbackFrom=second)
    assert back.ok, back.text
    assert (stack.outputs["imageDigest"], stack.outputs["liveColour"]) == (live, str(Colour(idle).other))
    report = users.stop()
    assert report.total.failed == 0, report.total.reasons
    assert report.total.unnamed == report.total.ok


def test_one_that_does_its_job_no_longer_is_refused_by_the_adopters_own_check(
    stack: Stack, lane: Lane, good: str
) -> None:
    live = stack.outputs["imageDigest"]
    refused = stack.up(imageDigest=image(lane, good, "foreign-rude", "go away"))
    assert not refused.ok
    assert "test_it_greets: " in refused.text, refused.text
    assert stack.outputs["imageDigest"] == live
    assert stack.up().ok


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ({"port": 3001}, "nothing listens on 3001 (service.port)"),
        ({"healthPath": "/missing"}, "GET /missing on port 3000 answered 404 (service.healthPath)"),
    ],
    ids=["port", "path"],
)
def test_a_wrong_setting_is_reported_as_one(
    known: Known, environment: Stack, lane: Lane, good: str, service: dict[str, Any], reason: str
) -> None:
    no_alarm_fires(environment)
    stack = known(environment, images=[image(lane, good, name) for name in ("foreign-1", "foreign-before")])
    idle = idle_of(stack)
    refused = changed(stack, "service", **service).up(imageDigest=image(lane, good, "foreign-3"))
    assert not refused.ok
    assert f"The rollout gate refused {idle}: {reason}" in refused.text, refused.text
    assert "fix the image or its configuration in the stack file" in refused.text
    assert weights(stack)[idle] == 0
    healed = stack.up()
    assert healed.ok, healed.text
    assert tasks(stack, idle)


def test_a_release_that_begins_to_name_itself_is_asked_for_it_and_one_that_stops_is_refused(
    stack: Stack, lane: Lane, good: str, users: Probe
) -> None:
    """While both share the users' address they are asked in different ways; the record says what that left unseen."""
    nameless, named = stack.outputs["imageDigest"], changed(stack, "smoke", identify="header")
    third = image(lane, good, "foreign-named", "hello", "DIGEST", "COLOUR")
    released = named.up(imageDigest=third)
    assert released.ok, released.text
    assert any("they are asked in different ways" in each for each in unchecked(stack))
    assert not any("answers name no release" in each for each in unchecked(stack))
    fourth = image(lane, good, "foreign-named-again", "hello", "DIGEST", "COLOUR")
    released = named.up(imageDigest=fourth)
    assert released.ok, released.text
    assert not any("live URL" in each for each in unchecked(stack)), "the switch probed it: answers say whose they are"
    report = users.stop()
    assert report.total.failed == 0, report.total.reasons
    assert {each.digest for each in report.total.releases} == {third, fourth}
    live = stack.outputs["imageDigest"]
    back = named.up(imageDigest=nameless, rollbackFrom=live)
    assert back.ok, f"it goes back with its own identity, which is none: {back.text}"
    silent = named.up(imageDigest=image(lane, good, "foreign-silent"))
    assert not silent.ok
    assert "X-Release-Digest of GET" in silent.text, silent.text
