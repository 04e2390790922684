"""The smoke checks against a real server that is right, wrong or broken: each check is seen red once."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.patience import PATIENCE
from tests.ports import free_port

pytestmark = pytest.mark.provider

ROOT = Path(__file__).parents[2]
DIGEST, OTHER_DIGEST = "sha256:" + "a" * 64, "sha256:" + "b" * 64
EXPECTED = ("--expect-digest", DIGEST, "--expect-colour", "green", "--expect-commit", "c0ffee")
OUT_OF_PATIENCE = threading.Event()  # never set: what hangs waits on it


@dataclass
class Service:
    """What the server answers; a test changes one thing of it."""

    status: dict[str, Any] = field(
        default_factory=lambda: {
            "status": "ok",
            "digest": DIGEST,
            "colour": "green",
            "commit": "c0ffee",
        }
    )
    headers: dict[str, str] = field(default_factory=lambda: {"X-Release-Digest": DIGEST, "X-Release-Colour": "green"})
    health: int = 200
    unknown: int = 404
    algorithms: dict[str, Callable[..., Any]] = field(
        default_factory=lambda: {"sha256": hashlib.sha256, "sha3-256": hashlib.sha3_256}
    )
    status_text: str | None = None  # instead of JSON
    health_path: str = "/health"
    status_path: str | None = "/api/v1/status"
    every_third: dict[str, Any] = field(default_factory=dict)  # what each third status says differently
    asked: int = 0
    connections: int = 0
    cookies: list[str] = field(default_factory=list)  # that came back

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, str]:
        match method, path:
            case "GET", self.health_path:
                return self.health, "{}"
            case "GET", self.status_path:
                self.asked += 1
                changed = self.every_third if self.asked % 3 == 0 else {}
                return 200, self.status_text or json.dumps(self.status | changed)
            case "POST", "/api/v1/checksums":
                return self.checksum(query["algorithm"][0], body)
        return self.unknown, "{}"

    def checksum(self, algorithm: str, body: bytes) -> tuple[int, str]:
        if algorithm not in self.algorithms:
            return 400, f"one of {', '.join(self.algorithms)}"
        return 200, json.dumps({"checksum": self.algorithms[algorithm](body).hexdigest()})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def setup(self) -> None:
        super().setup()
        self.service.connections += 1

    def do_GET(self) -> None:
        self.service.cookies += self.headers.get_all("Cookie") or []
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, text = self.service.answer(self.command, url.path, parse_qs(url.query), body)
        self.send_response(status)
        for name, value in {**self.service.headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    handler = type("HandlerOfOne", (Handler,), {"service": service})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@dataclass(frozen=True)
class Run:
    exit_code: int
    red: dict[str, str]  # name of the check -> its message
    skipped: frozenset[str]
    output: str
    url: str


RUNS = """
import contextlib, io, json, sys
import pytest
answers = sys.stdout
for line in sys.stdin:
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        code = pytest.main(json.loads(line))
    print(json.dumps([int(code), said.getvalue()]), file=answers, flush=True)
"""


@pytest.fixture(scope="module")
def runner() -> Iterator[subprocess.Popen[str]]:
    """A process that runs pytest for each line of arguments: to start one takes longer than to run the checks."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-c", RUNS]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


@pytest.fixture
def smoke(url: str, runner: subprocess.Popen[str], tmp_path: Path) -> Callable[..., Run]:
    """Run the checks with the gate's options; at the end of this file they run in a process of their own."""

    def run(*arguments: str) -> Run:
        report = tmp_path / "smoke.xml"
        report.unlink(missing_ok=True)
        own = (
            "-c",
            "/dev/null",
            "--rootdir",
            "smoke",
            "--confcutdir",
            "smoke",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
        )
        assert runner.stdin
        assert runner.stdout
        print(json.dumps(["smoke", *own, "--url", url, *arguments]), file=runner.stdin, flush=True)
        code, said = json.loads(runner.stdout.readline())
        return read(code, said, report, url)

    return run


def read(code: int, said: str, report: Path, url: str) -> Run:
    assert report.exists(), said
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert cases, said
    red = {
        str(case.get("name")): str(problem.text)
        for case in cases
        for problem in (*case.iter("failure"), *case.iter("error"))
    }
    skipped = frozenset(str(case.get("name")) for case in cases if case.find("skipped") is not None)
    return Run(code, red, skipped, said, url)


def test_the_right_release_passes(smoke: Callable[..., Run]) -> None:
    run = smoke(*EXPECTED)
    assert (run.exit_code, run.red, run.skipped) == (0, {}, frozenset()), run.output


def test_without_expectations_only_these_comparisons_are_left_out(smoke: Callable[..., Run]) -> None:
    run = smoke()
    meant = "test_every_answer_comes_from_the_release_that_was_meant"
    assert (run.exit_code, run.red) == (0, {})
    assert run.skipped == {f"{meant}[{name}]" for name in ("digest", "colour", "commit")}


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("digest", OTHER_DIGEST, DIGEST),
        ("digest", None, DIGEST),
        ("colour", "blue", "green"),
        ("commit", "facade", "c0ffee"),
    ],
)
def test_another_release_is_distinguished_from_the_one_that_was_meant(
    service: Service, smoke: Callable[..., Run], url: str, name: str, wrong: str | None, right: str
) -> None:
    service.status[name] = wrong
    if f"X-Release-{name.title()}" in service.headers and wrong:
        service.headers[f"X-Release-{name.title()}"] = wrong
    run = smoke(*EXPECTED)
    check = f"test_every_answer_comes_from_the_release_that_was_meant[{name}]"
    assert run.exit_code == 1
    assert f"{name} of GET {url}/api/v1/status: got {wrong!r}, expected {right!r}" in run.red[check]
    assert wrong is None or list(run.red) == [check]


def test_one_wrong_task_among_several_is_found(service: Service, smoke: Callable[..., Run]) -> None:
    service.every_third = {"commit": "facade"}
    run = smoke(*EXPECTED)
    assert run.exit_code == 1
    assert list(run.red) == ["test_every_answer_comes_from_the_release_that_was_meant[commit]"]


def test_samples_are_asked_for_side_by_side(service: Service, smoke: Callable[..., Run]) -> None:
    together, answer = threading.Barrier(10), service.answer

    def all_at_once(method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, str]:
        if path == service.status_path:
            together.wait(PATIENCE)
        return answer(method, path, query, body)

    service.answer = all_at_once  # type: ignore[method-assign]
    run = smoke(*EXPECTED, "--answer-within", str(PATIENCE))
    assert (run.exit_code, run.red) == (0, {}), run.output


def test_connections_are_kept_for_the_next_request(service: Service, smoke: Callable[..., Run]) -> None:
    run = smoke(*EXPECTED, "--samples", "40")
    assert run.exit_code == 0, run.output
    assert service.asked == 40
    assert service.connections <= 10


def test_a_cookie_does_not_bind_the_checks_to_one_task(service: Service, smoke: Callable[..., Run]) -> None:
    service.headers["Set-Cookie"] = "AWSALB=task-1; Path=/"
    assert smoke(*EXPECTED).exit_code == 0
    assert service.cookies == []


BESIDE = ("--beside-digest", OTHER_DIGEST, "--beside-colour", "blue", "--beside-commit", "facade")
MEANT = "test_every_answer_comes_from_the_release_that_was_meant"


def test_while_users_are_moved_in_steps_either_release_may_answer(service: Service, smoke: Callable[..., Run]) -> None:
    service.every_third = {"digest": OTHER_DIGEST, "colour": "blue", "commit": "facade"}
    beside = smoke(*EXPECTED, *BESIDE)
    assert not [name for name in beside.red if name.startswith(MEANT)]
    alone = smoke(*EXPECTED)
    assert {f"{MEANT}[{name}]" for name in ("digest", "colour", "commit")} <= set(alone.red)


@pytest.mark.parametrize(
    ("mixture", "red"),
    [
        ({"colour": "blue"}, {"digest", "commit"}),
        ({"digest": OTHER_DIGEST}, {"digest"}),
        ({"digest": OTHER_DIGEST, "colour": "blue"}, {"commit"}),
        ({"digest": OTHER_DIGEST, "colour": "red", "commit": "facade"}, {"digest", "colour", "commit"}),
    ],
    ids=["colour of the other", "digest of the other", "commit of neither", "a third one"],
)
def test_a_mixture_of_both_releases_is_neither(
    service: Service, smoke: Callable[..., Run], mixture: dict[str, str], red: set[str]
) -> None:
    service.every_third = mixture
    run = smoke(*EXPECTED, *BESIDE)
    assert {name for name in run.red if name.startswith(MEANT)} == {f"{MEANT}[{name}]" for name in red}


def test_headers_of_another_release_are_found(service: Service, smoke: Callable[..., Run]) -> None:
    service.headers["X-Release-Colour"] = "blue"
    run = smoke(*EXPECTED)
    assert run.exit_code == 1
    assert list(run.red) == ["test_headers_and_body_name_the_same_release[colour]"]


# ---- a service that says less


NAMELESS = ("--health-path", "/healthz", "--status-path", "", "--identify", "none")
BY_HEADER = ("--health-path", "/healthz", "--status-path", "", "--identify", "header")


@pytest.fixture
def foreign(service: Service) -> Service:
    """It has never heard of this project."""
    service.health_path, service.status_path, service.headers = "/healthz", None, {}
    return service


def test_a_service_that_says_nothing_is_asked_for_its_health_alone(foreign: Service, smoke: Callable[..., Run]) -> None:
    run = smoke(*EXPECTED, *NAMELESS)
    assert (run.exit_code, run.red, run.skipped) == (0, {}, frozenset()), run.output
    foreign.health = 503
    run = smoke(*EXPECTED, *NAMELESS)
    assert (run.exit_code, list(run.red)) == (1, ["test_health_answers"])
    assert "/healthz: got status 503, expected 200" in run.red["test_health_answers"]


def test_a_service_that_names_itself_in_headers_is_known_by_them(foreign: Service, smoke: Callable[..., Run]) -> None:
    foreign.headers = {"X-Release-Digest": DIGEST, "X-Release-Colour": "green"}
    run = smoke(*EXPECTED, *BY_HEADER)
    assert (run.exit_code, run.red, run.skipped) == (0, {}, frozenset()), run.output
    foreign.headers["X-Release-Digest"] = OTHER_DIGEST
    run = smoke(*EXPECTED, *BY_HEADER)
    assert (run.exit_code, list(run.red)) == (1, [f"{MEANT}[digest]"])
    assert f"X-Release-Digest of GET {run.url}/healthz: got '{OTHER_DIGEST}'" in run.red[f"{MEANT}[digest]"]


@pytest.mark.parametrize("options", [(), ("--status-path", "/api/v1/status", "--identify", "header")])
def test_answers_that_name_no_release_are_a_failure_where_a_name_was_promised(
    service: Service, smoke: Callable[..., Run], options: tuple[str, ...]
) -> None:
    """Also where no option says which release is expected."""
    service.headers = {}
    service.status = {"status": "ok"}
    run = smoke(*options)
    named = "test_every_answer_names_a_release"
    assert run.exit_code == 1
    assert {name for name in run.red if name.startswith(named)} == {f"{named}[digest]", f"{named}[colour]"}


def test_a_status_that_is_well_is_asked_for_without_any_name(service: Service, smoke: Callable[..., Run]) -> None:
    service.headers, service.status = {}, {"status": "ok"}
    assert smoke("--identify", "none").exit_code == 0
    service.status = {"status": "error"}
    assert list(smoke("--identify", "none").red) == ["test_status_says_ok"]


def test_headers_that_no_answer_carries_are_skipped_and_not_passed(service: Service, smoke: Callable[..., Run]) -> None:
    service.headers = {}
    run = smoke(*EXPECTED)
    assert (run.exit_code, run.red) == (0, {})
    agree = "test_headers_and_body_name_the_same_release"
    assert run.skipped == {f"{agree}[digest]", f"{agree}[colour]"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--status-path", ""), "--identify status needs a --status-path"),
        (("--samples", "0"), "at least one answer has to be compared"),
    ],
)
def test_checks_that_could_see_nothing_are_not_run(
    smoke: Callable[..., Run], options: tuple[str, ...], said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        smoke(*options)


def test_a_broken_status_shows_its_problems(service: Service, smoke: Callable[..., Run]) -> None:
    service.status |= {"status": "error", "problems": ["sha256 is wrong"]}
    run = smoke(*EXPECTED)
    assert (run.exit_code, list(run.red)) == (1, ["test_status_says_ok"])
    assert "got 'error' (['sha256 is wrong']), expected 'ok'" in run.red["test_status_says_ok"]


RIGHT, WRONG = hashlib.sha256, hashlib.sha3_256


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        ({"health": 503}, "test_health_answers"),
        ({"unknown": 200}, "test_an_unknown_path_gives_404"),
        ({"algorithms": {"sha256": WRONG, "sha3-256": WRONG}}, "test_it_computes_checksums[sha256]"),
        ({"algorithms": {"sha256": RIGHT}}, "test_it_computes_checksums[sha3-256]"),
        (
            {"algorithms": {"sha256": RIGHT, "sha3-256": WRONG, "rot13": WRONG}},
            "test_it_says_which_algorithms_it_knows",
        ),
    ],
)
def test_each_other_fault_is_seen_by_its_check(
    service: Service, smoke: Callable[..., Run], broken: dict[str, Any], check: str
) -> None:
    vars(service).update(broken)
    run = smoke(*EXPECTED)
    assert (run.exit_code, list(run.red)) == (1, [check]), run.output


def test_a_page_that_is_no_json_is_quoted(service: Service, smoke: Callable[..., Run]) -> None:
    service.status_text = "<h1>Sorry</h1>"
    run = smoke(*EXPECTED)
    assert run.exit_code == 1
    assert "got '<h1>Sorry</h1>', expected a JSON object" in run.red["test_status_says_ok"]


def test_an_answer_that_does_not_come_is_a_failure_with_the_budget_named(
    service: Service, smoke: Callable[..., Run], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = service.answer

    def hang(method: str, path: str, *rest: Any) -> tuple[int, str]:
        if path == "/health":
            OUT_OF_PATIENCE.wait(30)
        return answer(method, path, *rest)

    monkeypatch.setattr(service, "answer", hang)
    run = smoke(*EXPECTED, "--answer-within", "0.5")
    assert run.exit_code == 1
    assert f"GET {url}/health: no answer within 0.5 s" in run.red["test_health_answers"]


def test_an_unreachable_service_is_a_failure_that_names_the_address(smoke: Callable[..., Run]) -> None:
    run = smoke("--url", "http://127.0.0.1:9")
    assert run.exit_code == 1
    assert "GET http://127.0.0.1:9/health: no answer" in run.red["test_health_answers"]
    assert "Traceback" not in run.output


def test_without_a_url_it_says_what_is_missing() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "smoke",
        "-c",
        "/dev/null",
        "--rootdir",
        "smoke",
        "--confcutdir",
        "smoke",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 4
    assert "--url is missing" in done.stderr


def test_the_sample_service_passes() -> None:
    """No server of this file: the service that the repository ships."""
    port = free_port()
    names = {"PORT": str(port), "RELEASE_DIGEST": DIGEST, "RELEASE_COLOUR": "green", "COMMIT": "c0ffee"}
    with subprocess.Popen(
        [sys.executable, "-m", "app"], cwd=ROOT, env={**os.environ, **names}, stdout=subprocess.DEVNULL
    ) as app:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the sample service did not start"
                time.sleep(0.02)
        own = ["-c", "/dev/null", "--rootdir", "smoke", "--confcutdir", "smoke", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", "smoke", *own, "--url", f"http://127.0.0.1:{port}", *EXPECTED]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        app.terminate()
    assert done.returncode == 0, done.stdout
