"""Options and fixtures of the smoke checks. Plain pytest and requests; imports nothing else of this repository."""

import http.cookiejar
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy

NAMES = ("digest", "colour", "commit")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("smoke", "what to check, and what it should be")
    group.addoption("--url", help="base URL, such as http://10.0.0.7:9001 (required)")
    meant = "connect to this host in place of the URL's; certificate and Host header stay those of the URL"
    group.addoption("--connect-to", metavar="HOST", default="", help=meant)
    group.addoption("--expect-digest", metavar="sha256:…", help="the image that must answer")
    group.addoption("--expect-colour", metavar="blue|green", help="the colour that must answer")
    group.addoption("--expect-commit", metavar="SHA", help="the commit that must answer")
    group.addoption("--health-path", metavar="PATH", default="/health", help="answers 200 when it is fit for traffic")
    status = "answers a JSON object with status ok when it is well; empty where there is none (default: %(default)s)"
    group.addoption("--status-path", metavar="PATH", default="/api/v1/status", help=status)
    how = "how answers say which release they are: in the status, in their headers, or not (default: %(default)s)"
    group.addoption("--identify", choices=("status", "header", "none"), default="status", help=how)
    for name in NAMES:
        text = f"{name} of a second release that may answer during a switch in steps"
        group.addoption(f"--beside-{name}", metavar="…", help=text)
    group.addoption("--answer-within", type=float, default=5.0, metavar="SECONDS", help="budget of each answer")
    group.addoption("--samples", type=int, default=10, help="answers to compare (default 10)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "asks(status, identify): only where the service has that")
    if not config.getoption("--url"):
        raise pytest.UsageError("--url is missing: smoke checks need a running service, such as http://127.0.0.1:8080")
    if config.getoption("--samples") < 1:
        raise pytest.UsageError("--samples: at least one answer has to be compared")
    if config.getoption("--identify") == "status" and not config.getoption("--status-path"):
        raise pytest.UsageError("--identify status needs a --status-path; without one give header or none")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out checks of what the service does not say. The gate and the command name them."""
    left_out = [item for item in items if not all(_has(config, **mark.kwargs) for mark in item.iter_markers("asks"))]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _has(config: pytest.Config, *, status: bool = False, identify: tuple[str, ...] = ()) -> bool:
    well = bool(config.getoption("--status-path")) or not status
    return well and (not identify or config.getoption("--identify") in identify)


AT_ONCE = 10
"""Requests side by side, each on a connection of its own that is kept for the next ones."""


class ConnectTo(HTTPAdapter):
    """Connects to `host`, whatever host a URL names; its certificate has to be the URL's."""

    def __init__(self, host: str) -> None:
        self._host = host
        super().__init__(pool_maxsize=AT_ONCE)

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        where, tls = self.build_connection_pool_key_attributes(request, verify, cert)
        name, where["host"] = where["host"], self._host
        proxy = select_proxy(f"https://{self._host}", proxies and get_environ_proxies(f"https://{self._host}"))
        manager = self.proxy_manager_for(proxy) if proxy else self.poolmanager
        return manager.connection_from_host(**where, pool_kwargs={**tls, "server_hostname": name})

    def add_headers(self, request: Any, **_: Any) -> None:
        request.headers["Host"] = urlsplit(request.url).netloc


@dataclass(frozen=True)
class Site:
    """The service under check; `within` is the budget of one answer in seconds. Threads may share it."""

    url: str
    within: float
    session: requests.Session

    def get(self, path: str) -> requests.Response:
        return self._send("GET", path)

    def post(self, path: str, body: bytes, **query: str) -> requests.Response:
        return self._send("POST", path, data=body, params=query)

    def _send(self, method: str, path: str, **more: Any) -> requests.Response:
        """On a connection that is kept: a load balancer chooses a task for each request, not for each connection."""
        what = f"{method} {self.url}{path}"
        more |= {"timeout": self.within, "allow_redirects": False}
        try:
            return self.session.request(method, self.url + path, **more)
        except requests.Timeout:
            raise failed(f"{what}: no answer within {self.within:g} s") from None
        except requests.RequestException as error:
            raise failed(f"{what}: {invalid(error) or f'no answer, {error}'}") from None


def invalid(error: BaseException) -> str:
    """What is wrong with the certificate, where that is why a request failed."""
    reasons: list[Any] = [error]
    for reason in reasons:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"the certificate is not valid: {reason.verify_message}"
        if isinstance(reason, BaseException):
            reasons += [*reason.args, getattr(reason, "reason", None)]
    return ""


def failed(message: str) -> BaseException:
    """A failure of which only the message is shown: no traceback of this file."""
    return pytest.fail.Exception(message, pytrace=False)


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    option = request.config.getoption
    meant = option("--connect-to")
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=AT_ONCE))
        session.mount("https://", ConnectTo(meant) if meant else HTTPAdapter(pool_maxsize=AT_ONCE))
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))  # each request by itself
        yield Site(option("--url").rstrip("/"), option("--answer-within"), session)


@dataclass(frozen=True)
class Sample:
    """One answer of the status path (of the health path where there is none; then `body` is empty)."""

    where: str  # method and URL, for messages
    body: dict[str, Any]
    headers: dict[str, str]  # names in lower case
    identify: str

    def says(self, name: str) -> str | None:
        """Which digest, colour or commit it names."""
        return self.headers.get(f"x-release-{name}") if self.identify == "header" else self.body.get(name)

    def where_said(self, name: str) -> str:
        return f"{f'X-Release-{name.title()}' if self.identify == 'header' else name} of {self.where}"


@pytest.fixture(scope="session")
def health_path(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--health-path"))


@pytest.fixture(scope="session")
def samples(request: pytest.FixtureRequest, site: Site, health_path: str) -> list[Sample]:
    """Several, because several tasks stand behind one URL and each of them has to be the right one; side by side."""
    option = request.config.getoption
    status_path, identify = option("--status-path"), option("--identify")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        asked = [threads.submit(_sample, site, status_path, health_path, identify) for _ in range(option("--samples"))]
    return [one.result() for one in asked]


def _sample(site: Site, status_path: str, health_path: str, identify: str) -> Sample:
    answer = site.get(status_path or health_path)
    where = f"GET {answer.url}"
    if answer.status_code != 200:
        raise failed(f"{where}: got status {answer.status_code}, expected 200")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Sample(where, _object(answer, where) if status_path else {}, headers, identify)


def _object(answer: requests.Response, where: str) -> dict[str, Any]:
    try:
        return dict(answer.json())
    except (TypeError, ValueError):
        raise failed(f"{where}: got {answer.text[:200]!r}, expected a JSON object") from None


@pytest.fixture
def expected(request: pytest.FixtureRequest) -> list[dict[str, str]]:
    """The given digest, colour and commit: of the expected release, and of a second one that may answer."""
    given = [
        {name: value for name in NAMES if (value := request.config.getoption(f"--{word}-{name}"))}
        for word in ("expect", "beside")
    ]
    return [each for each in given if each]
