"""The load balancer under real traffic: a real HAProxy, real HTTP servers on 127.0.21.x, boto3. No Docker."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws.emulator import elbv2
from local_aws.emulator.edge.process import alive, find_executable
from local_aws.emulator.elbv2.targets import TARGET_GROUPS
from tests.local.emulator.edge.cloud import Cloud, Target, eventually, fixed, running, weighted
from tests.local.emulator.edge.load import ROOT, Running
from tests.local.emulator.edge.states import FILES

from tests.patience import PATIENCE
from tests.tls import authority

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.skipif(not shutil.which("haproxy", path="/usr/sbin:/usr/bin"), reason="HAProxy is not installed"),
]

# below the ports that the kernel gives out, and different for each run, as several may share a machine
PORT = 20_000 + os.getpid() % 1_000 * 10
TARGET_PORT = PORT + 9


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with running(tmp_path) as cloud:
        yield cloud


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def target(stack: ExitStack, host: int, name: str = "") -> Target:
    one = Target(f"127.0.21.{host}", TARGET_PORT, name=name)
    stack.callback(one.stop)
    return one


class Client:
    """One client that keeps its connection, as browsers do."""

    def __init__(self, address: str, port: int = PORT) -> None:
        self._connection = http.client.HTTPConnection(address, port, timeout=20)

    def get(self, path: str = "/", **headers: str) -> tuple[int, str]:
        self._connection.request("GET", path, headers={key.replace("_", "-"): it for key, it in headers.items()})
        response = self._connection.getresponse()
        return response.status, response.read().decode()

    def location(self, path: str) -> tuple[int, str | None]:
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        response.read()
        return response.status, response.getheader("Location")

    def name(self, path: str = "/", **headers: str) -> str:
        """The first word of the answer: which target it was, or the status."""
        status, body = self.get(path, **headers)
        return body.split(" ")[0] if status == 200 else str(status)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def two(cloud: Cloud, stack: ExitStack) -> Any:
    """A load balancer, its rule, blue and green with one healthy target each."""

    class Two:
        arn, address = cloud.load_balancer()
        blue, green = cloud.target_group("blue"), cloud.target_group("green")
        listener = cloud.listener(arn, PORT)
        rule = cloud.rule(listener, 10, weighted((blue, 100), (green, 0)))
        on_blue, on_green = target(stack, 1, "blue"), target(stack, 2, "green")
        client = Client(address)

        def weights(self, blue: int, green: int) -> None:
            actions = [weighted((self.blue, blue), (self.green, green))]
            cloud.client.modify_rule(RuleArn=self.rule, Actions=actions)

        def split(self, requests: int = 400) -> Counter[str]:
            return Counter(self.client.name() for _ in range(requests))

    two = Two()
    cloud.register(two.blue, two.on_blue)
    cloud.register(two.green, two.on_green)
    cloud.until_healthy(two.blue)
    cloud.until_healthy(two.green)
    stack.callback(two.client.close)
    return two


def test_the_next_request_follows_the_weights_also_on_a_connection_that_is_open(two: Any) -> None:
    for _ in range(5):
        two.weights(0, 100)
        assert two.client.name() == "green"
        two.weights(100, 0)
        assert two.client.name() == "blue"


def test_weights_split_in_proportion_and_zero_gets_nothing(two: Any) -> None:
    for blue, green, low, high in [(1, 0, 400, 400), (0, 7, 0, 0), (3, 1, 240, 360), (999, 999, 140, 260)]:
        two.weights(blue, green)
        assert low <= two.split()["blue"] <= high


def test_more_than_two_groups_share(cloud: Cloud, two: Any, stack: ExitStack) -> None:
    red = cloud.target_group("red")
    cloud.register(red, target(stack, 3, "red"))
    groups = [(two.blue, 1), (red, 2), (two.green, 1)]
    cloud.client.modify_rule(RuleArn=two.rule, Actions=[weighted(*groups)])
    cloud.until_healthy(red)
    split = two.split()
    assert split.keys() == {"blue", "red", "green"}
    assert 140 <= split["red"] <= 260


def test_all_weights_zero_is_unavailable(two: Any) -> None:
    two.weights(0, 0)
    assert two.client.get() == (503, "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>")


def test_no_request_fails_through_twenty_switches(cloud: Cloud, two: Any, stack: ExitStack) -> None:
    """At least 20,000 requests over connections that stay open."""
    for host, name in ((11, "blue"), (12, "green")):
        stack.callback(Running("serve", f"127.0.21.{host}", TARGET_PORT, name).stop)
    groups, addresses = (two.blue, two.green), ("127.0.21.11", "127.0.21.12")
    for group, address in zip(groups, addresses, strict=True):
        TARGET_GROUPS.register(group, address, TARGET_PORT)
        cloud.until_healthy(group)
    for group, slow in zip(groups, (two.on_blue, two.on_green), strict=True):
        TARGET_GROUPS.deregister(group, slow.ip, slow.port)
    load = Running("ask", two.address, PORT, 16)
    stack.callback(load.stop)
    for flip in range(20):
        two.weights(*((0, 100) if flip % 2 == 0 else (100, 0)))
        assert two.client.name() == ("green" if flip % 2 == 0 else "blue")
        until_served(served() + 1_050)
    result = load.result()
    assert result["failed"] == {}
    assert result["requests"] >= 20_000
    assert result["by"].keys() == {"blue", "green"}


def served() -> int:
    """Requests that the current HAProxy has answered, by its own count."""
    driver: Any = elbv2._running._edge  # type: ignore[union-attr]
    with driver._lock:
        return int(driver._current.runtime.info()["CumReq"])


def until_served(count: int) -> None:
    eventually(lambda: served() >= count)


def test_a_switch_right_after_a_reload_holds_in_the_old_process_too(cloud: Cloud, two: Any) -> None:
    """A client that stays on a connection of the old process must not be sent by old weights."""
    assert two.client.name() == "blue"
    cloud.listener(two.arn, PORT + 1)
    two.weights(0, 100)
    assert two.client.name() == "green"


def test_structure_changes_under_load_fail_no_request(cloud: Cloud, two: Any, stack: ExitStack) -> None:
    stack.callback(Running("serve", "127.0.21.11", TARGET_PORT, "fast").stop)
    TARGET_GROUPS.register(two.blue, "127.0.21.11", TARGET_PORT)
    cloud.deregister(two.blue, two.on_blue)
    cloud.client.modify_target_group(TargetGroupArn=two.blue, HealthCheckPath="/")
    load = Running("ask", two.address, PORT, 16)
    stack.callback(load.stop)
    for port in range(PORT + 1, PORT + 6):
        listener = cloud.listener(two.arn, port, fixed(200, "hello"))
        assert Client(two.address, port).get() == (200, "hello")
        cloud.client.delete_listener(ListenerArn=listener)
        with pytest.raises(ConnectionRefusedError):
            Client(two.address, port).get()
    result = load.result()
    assert result["failed"] == {}
    assert result["requests"] > 100


def test_draining_lets_a_slow_request_finish_and_takes_no_new_one(cloud: Cloud, two: Any, stack: ExitStack) -> None:
    """Two seconds, longer than the (scaled) deregistration delay of one."""
    other = target(stack, 4, "other")
    cloud.register(two.blue, other)
    cloud.until_healthy(two.blue)
    cloud.deregister(two.blue, other)
    eventually(lambda: list(cloud.health(two.blue)) == [two.on_blue.ip])
    two.on_blue.pause = 2.0
    answers: list[tuple[int, str]] = []
    thread = threading.Thread(target=lambda: answers.append(Client(two.address).get("/slow")))
    thread.start()
    eventually(lambda: two.on_blue.busy == 1)
    cloud.register(two.blue, other)
    eventually(lambda: cloud.health(two.blue)[other.ip][0] == "healthy")
    cloud.deregister(two.blue, two.on_blue)
    assert cloud.health(two.blue)[two.on_blue.ip] == ("draining", "Target.DeregistrationInProgress")
    assert set(two.split(50)) == {"other"}
    eventually(lambda: list(cloud.health(two.blue)) == [other.ip])
    assert answers == []  # still under way
    thread.join()
    assert answers[0][0] == 200
    assert answers[0][1].startswith("blue /slow")


def test_a_new_target_gets_nothing_before_it_has_passed_a_check(cloud: Cloud, two: Any, stack: ExitStack) -> None:
    sick = target(stack, 4, "sick")
    sick.health = 500
    cloud.register(two.blue, sick)
    assert cloud.health(two.blue)[sick.ip] == ("initial", "Elb.InitialHealthChecking")
    assert set(two.split(100)) == {"blue"}
    eventually(lambda: cloud.health(two.blue)[sick.ip] == ("unhealthy", "Target.ResponseCodeMismatch"))
    assert set(two.split(100)) == {"blue"}
    assert "sick" not in {line.split(" ")[0] for line in sick.asked if not line.startswith("/health")}


def test_an_unhealthy_target_leaves_and_comes_back_and_subscribers_are_notified(
    cloud: Cloud, two: Any, stack: ExitStack
) -> None:
    other = target(stack, 4, "other")
    cloud.register(two.blue, other)
    cloud.until_healthy(two.blue)
    assert set(two.split(50)) == {"blue", "other"}
    told = threading.Event()
    stack.callback(TARGET_GROUPS.subscribe(told.set))
    other.health = 503
    eventually(lambda: cloud.health(two.blue)[other.ip] == ("unhealthy", "Target.ResponseCodeMismatch"))
    assert told.wait(PATIENCE)
    assert set(two.split(50)) == {"blue"}
    (shown,) = cloud.client.describe_target_health(
        TargetGroupArn=two.blue, Targets=[{"Id": other.ip, "Port": TARGET_PORT}]
    )["TargetHealthDescriptions"]
    assert shown["TargetHealth"]["Description"] == "Health checks failed with these codes: [503]"
    told.clear()
    other.health = 200
    assert told.wait(PATIENCE)
    cloud.until_healthy(two.blue)
    assert set(two.split(50)) == {"blue", "other"}


def test_a_target_that_hangs_times_out(cloud: Cloud, two: Any, stack: ExitStack) -> None:
    """It accepts no connection: its queue is full, and no process takes from it."""
    hanging = stack.enter_context(socket.socket())
    hanging.bind(("127.0.21.5", TARGET_PORT))
    hanging.listen(0)
    for _ in range(2):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(hanging.getsockname())
    TARGET_GROUPS.register(two.blue, "127.0.21.5", TARGET_PORT)
    eventually(lambda: cloud.health(two.blue)["127.0.21.5"] == ("unhealthy", "Target.Timeout"))


def test_a_group_whose_targets_are_all_unhealthy_fails_open(cloud: Cloud, two: Any) -> None:
    two.on_blue.health = 500
    eventually(lambda: cloud.health(two.blue)[two.on_blue.ip][0] == "unhealthy")
    assert two.client.name() == "blue"


def test_without_targets_it_is_unavailable_and_an_unreachable_one_is_a_bad_gateway(cloud: Cloud, two: Any) -> None:
    two.weights(0, 1)
    cloud.deregister(two.green, two.on_green)
    eventually(lambda: cloud.health(two.green) == {})
    assert two.client.get()[0] == 503
    cloud.client.register_targets(TargetGroupArn=two.green, Targets=[{"Id": "127.0.21.200", "Port": 1}])
    assert two.client.get()[0] == 502
    eventually(lambda: cloud.health(two.green)["127.0.21.200"] == ("unhealthy", "Target.FailedHealthChecks"))


def test_what_a_target_answers_is_left_alone(two: Any) -> None:
    two.on_blue.status = 503
    status, body = two.client.get()
    assert (status, body.split(" ")[0]) == (503, "blue")


def test_targets_learn_who_asked_how(two: Any) -> None:
    _, body = two.client.get("/x?y=1")
    assert "blue /x?y=1" in body
    assert "'x-forwarded-for': '127.0.0.1'" in body.lower()
    assert "'x-forwarded-proto': 'http'" in body.lower()
    assert f"'x-forwarded-port': '{PORT}'" in body.lower()
    assert "'x-amzn-trace-id': 'root=1-" in body.lower()


def test_health_checks_look_like_awss(two: Any) -> None:
    eventually(lambda: any(line.startswith("/health") for line in two.on_blue.asked))
    line = next(line for line in two.on_blue.asked if line.startswith("/health"))
    assert "ELB-HealthChecker/2.0" in line
    assert f"{two.on_blue.ip}:{TARGET_PORT}" in line


def query(**pair: str) -> Any:
    return {"Field": "query-string", "QueryStringConfig": {"Values": [pair]}}


CONDITIONS = [
    ({"Field": "path-pattern", "Values": ["/api/*"]}, "/api/x", {}, True),
    ({"Field": "path-pattern", "Values": ["/api/*"]}, "/API/x", {}, False),
    ({"Field": "path-pattern", "Values": ["/a?c"]}, "/abc?d=1", {}, True),
    ({"Field": "path-pattern", "Values": ["/a.c"]}, "/abc", {}, False),
    ({"Field": "path-pattern", "Values": ["/one", "/two"]}, "/two", {}, True),
    ({"Field": "path-pattern", "Values": ["/it's~$\"x"]}, "/it's~$\"x", {}, True),
    ({"Field": "host-header", "Values": ["*.example.org"]}, "/", {"Host": "A.Example.Org:80"}, True),
    ({"Field": "host-header", "Values": ["*.example.org"]}, "/", {"Host": "example.org"}, False),
    (
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Colour", "Values": ["gr*n", "teal"]}},
        "/",
        {"x_colour": "GREEN"},
        True,
    ),
    (
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Colour", "Values": ["green"]}},
        "/",
        {"x_colour": "greenish"},
        False,
    ),
    ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}, "/", {}, False),
    ({"Field": "source-ip", "SourceIpConfig": {"Values": ["127.0.0.0/8"]}}, "/", {}, True),
    ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}, "/", {}, False),
    (query(Key="v", Value="b*"), "/?a=1&V=Beta", {}, True),
    (query(Key="v", Value="b*"), "/?v=a&w=b", {}, False),
    (query(Value="beta"), "/?any=beta", {}, True),
    (query(Value="beta"), "/beta", {}, False),
]  # fmt: skip


def test_conditions_decide_as_aws_describes(cloud: Cloud) -> None:
    arn, address = cloud.load_balancer()
    listener = cloud.listener(arn, PORT, fixed(404, "default"))
    rule = cloud.rule(listener, 1, fixed(200, "matched"))
    for condition, path, headers, expected in CONDITIONS:
        cloud.client.modify_rule(RuleArn=rule, Conditions=[condition])
        status, _ = Client(address).get(path, **headers)
        assert (status == 200) is expected, (condition, path, headers)


def test_all_conditions_must_hold_and_the_lowest_priority_number_wins(cloud: Cloud) -> None:
    arn, address = cloud.load_balancer()
    listener = cloud.listener(arn, PORT, fixed(404, "default"))
    path, host = {"Field": "path-pattern", "Values": ["/a*"]}, {"Field": "host-header", "Values": ["x.org"]}
    cloud.rule(listener, 20, fixed(200, "path"), path)
    strict = cloud.rule(listener, 10, fixed(200, "both"), path, host)
    client = Client(address)
    assert client.get("/a", Host="x.org") == (200, "both")
    assert client.get("/a") == (200, "path")
    assert client.get("/b") == (404, "default")
    cloud.client.set_rule_priorities(RulePriorities=[{"RuleArn": strict, "Priority": 30}])
    assert Client(address).get("/a", Host="x.org") == (200, "path")


@pytest.mark.parametrize(
    ("config", "path", "expected"),
    [
        ({"Protocol": "HTTPS", "Port": "443"}, "/a/b?c=1", "https://127.0.10.1:443/a/b?c=1"),
        ({"Protocol": "HTTPS", "Port": "443"}, "/a", "https://127.0.10.1:443/a"),
        ({"Path": "/new/#{path}"}, "/a?c=1", f"http://127.0.10.1:{PORT}/new/a?c=1"),
        ({"Path": "/new"}, "/a", f"http://127.0.10.1:{PORT}/new"),
        (
            {"Host": "x.org", "Path": "/50%", "Query": "from=#{host}"},
            "/a?c",
            f"http://x.org:{PORT}/50%?from=127.0.10.1",
        ),
        ({"Host": "x.org", "Query": "a=1&#{query}"}, "/p?c=2", f"http://x.org:{PORT}/p?a=1&c=2"),
    ],
)
def test_redirects(cloud: Cloud, config: Any, path: str, expected: str) -> None:
    arn, address = cloud.load_balancer()
    action = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", **config}}
    cloud.listener(arn, PORT, action)
    assert Client(address).location(path) == (302, expected)


def test_fixed_responses_carry_any_text(cloud: Cloud) -> None:
    arn, address = cloud.load_balancer()
    text = 'a "quoted" $text, it\'s 100% \\ #1\nsecond line äö€'
    listener = cloud.listener(arn, PORT, fixed(404, text))
    assert Client(address).get() == (404, text)
    cloud.client.modify_listener(ListenerArn=listener, DefaultActions=[fixed(503)])
    assert Client(address).get() == (503, "")


def test_more_targets_than_slots(cloud: Cloud, two: Any) -> None:
    """65 in one group need more slots than there are, and an unnoticed reload."""
    targets = [{"Id": f"127.0.22.{host}", "Port": 1} for host in range(1, 66)]
    cloud.client.register_targets(TargetGroupArn=two.blue, Targets=targets)
    assert len(cloud.health(two.blue)) == 66
    assert set(two.split(50)) == {"blue"}
    eventually(
        lambda: Counter(state for state, _ in cloud.health(two.blue).values()) == {"healthy": 1, "unhealthy": 65}
    )


# ---------------------------------------------------------------- processes


def haproxies(folder: Path) -> list[int]:
    return [pid for pid in map(int, (folder / "edge/haproxy.pid").read_text().split()) if alive(pid)]


def test_a_restart_keeps_everything_and_leaves_no_process_behind(tmp_path: Path, stack: ExitStack) -> None:
    with running(tmp_path) as cloud:
        arn, address = cloud.load_balancer()
        group = cloud.target_group("blue")
        rule = cloud.rule(cloud.listener(arn, PORT), 5, weighted((group, 3)))
        cloud.register(group, target(stack, 1, "blue"))
        cloud.until_healthy(group)
        before = cloud.client.describe_rules(RuleArns=[rule])["Rules"]
        (old,) = haproxies(tmp_path)
        cloud.stop()
        assert not alive(old)
        with pytest.raises(ConnectionRefusedError):
            Client(address).get()
        cloud.start()
        cloud.until_healthy(group)
        assert Client(address).name() == "blue"
        assert cloud.client.describe_rules(RuleArns=[rule])["Rules"] == before
        assert cloud.client.describe_load_balancers()["LoadBalancers"][0]["DNSName"] == address


def test_haproxy_that_dies_is_started_again_as_it_was(cloud: Cloud, two: Any, tmp_path: Path) -> None:
    two.weights(0, 100)
    (pid,) = haproxies(tmp_path)
    subprocess.run(["kill", "-9", str(pid)], check=True)
    eventually(lambda: haproxies(tmp_path) not in ([], [pid]))

    def answered() -> bool:
        try:
            return Client(two.address).name() == "green"
        except OSError:
            return False

    eventually(answered)
    assert cloud.health(two.blue) == {two.on_blue.ip: ("healthy", "")}


def test_a_port_that_is_taken_fails_the_call_and_names_who_has_it(cloud: Cloud) -> None:
    arn, address = cloud.load_balancer()
    cloud.listener(arn, PORT, fixed(200, "here"))
    with socket.socket() as other:
        other.bind((address, PORT + 1))
        other.listen()
        with pytest.raises(ClientError) as caught:
            cloud.listener(arn, PORT + 1)
    assert caught.value.response["Error"]["Code"] == "InvalidConfigurationRequest"
    assert f"{address}:{PORT + 1} is already taken by process" in str(caught.value)
    assert [one["Port"] for one in cloud.client.describe_listeners(LoadBalancerArn=arn)["Listeners"]] == [PORT]
    assert Client(address).get() == (200, "here")
    cloud.listener(arn, PORT + 1)


def test_a_listener_can_be_made_again_at_once(cloud: Cloud) -> None:
    arn, address = cloud.load_balancer()
    for number in range(3):
        listener = cloud.listener(arn, PORT, fixed(200, str(number)))
        assert Client(address).get() == (200, str(number))
        cloud.client.delete_listener(ListenerArn=listener)


def test_old_processes_go_when_they_are_unused(cloud: Cloud, tmp_path: Path) -> None:
    arn, address = cloud.load_balancer()
    cloud.listener(arn, PORT, fixed(200, "x"))
    client = Client(address)
    client.get()
    cloud.listener(arn, PORT + 1)
    assert len(haproxies(tmp_path)) == 2
    client.close()
    eventually(lambda: len(haproxies(tmp_path)) == 1)


def until_ended(pids: list[int]) -> None:
    eventually(lambda: not any(map(alive, pids)))


EMULATOR = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.local.emulator.edge.cloud import Cloud, fixed
cloud = Cloud(Path({folder!r}))
cloud.start()
try:
    arn, _ = cloud.load_balancer()
    cloud.listener(arn, {port}, fixed(200, "alive"))
except Exception:
    pass  # the second time it is there already
print("ready", flush=True)
sys.stdin.readline()
"""


def test_an_emulator_that_is_killed_takes_haproxy_with_it_and_the_next_goes_on(tmp_path: Path) -> None:
    deep = tmp_path / ("a-folder-with-a-rather-long-name/" * 5)  # deeper than a unix socket's path may be long
    deep.mkdir(parents=True)
    program = EMULATOR.format(root=str(ROOT), folder=str(deep), port=PORT)
    command = [str(ROOT / ".venv/bin/python"), "-c", program]
    for _ in range(2):
        emulator = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert emulator.stdout is not None
        assert emulator.stdout.readline() == "ready\n"
        assert Client("127.0.10.1").get() == (200, "alive")
        pids = haproxies(deep)
        assert pids
        emulator.kill()
        emulator.communicate()
        until_ended(pids)


def test_what_is_rendered_is_what_haproxy_takes(tmp_path: Path) -> None:
    made = authority().issued("shop.test")
    (tmp_path / "certificates").mkdir()
    for file in FILES.values():
        (tmp_path / file).write_text(made.certificate + made.key)
    for golden in sorted((Path(__file__).parent / "golden").glob("*.cfg")):
        (tmp_path / "haproxy.cfg").write_text(golden.read_text().split("# ---- weights.map")[0])
        (tmp_path / "weights.map").write_text("")
        checked = subprocess.run(
            [find_executable(), "-c", "-f", "haproxy.cfg"],
            cwd=tmp_path,
            env={"EDGE_SOCKET": "run.sock", "EDGE_MAXCONN": "100", "EDGE_EVENTS": "9"},
            capture_output=True,
            text=True,
        )
        assert checked.returncode == 0, checked.stderr
        assert "WARNING" not in checked.stderr
