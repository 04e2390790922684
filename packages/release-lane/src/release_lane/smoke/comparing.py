"""A plugin of pytest: one more smoke check, which sends the requests of `smoke/recorded.json` to the release under
check and to the live one, and compares the answers (`release_lane.smoke.recorded`).

The smoke gate loads it where a release goes forward. A team's checks need nothing of it and run without it.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from release_lane.record.endpoint import Endpoint
from release_lane.smoke.checks import TABLE
from release_lane.smoke.connecting import certificate_problem, session_to
from release_lane.smoke.recorded import FILE, Answer, Exchange, Malformed, Recording, Request, compare, read


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the live release answers by itself."""
    text = "base URL of the live release, whose answers are compared (empty: nothing is live)"
    parser.getgroup("smoke").addoption("--against", metavar="URL", default="", help=text)


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """It runs last: what the other checks find is plainer."""
    items.append(Compared.from_parent(session, name="recorded requests"))


class Compared(pytest.Item):
    """The comparison. Its table is a property of the report, whether it passed or not."""

    def runtest(self) -> None:
        """Fails with what differs; skipped, and so named as unchecked, where there is nothing to compare."""
        recording, live = self._recording(), str(self.config.getoption("--against"))
        if not live:
            pytest.skip("nothing is live that they could be compared with")
        connect_to = str(self.config.getoption("--connect-to", default="") or "")
        exchanges = self._exchanges(recording, Endpoint(live, connect_to), connect_to)
        found = compare(recording, exchanges)
        self.user_properties.append((TABLE, json.dumps(found.table.as_dict(), ensure_ascii=False)))
        if found.failures:
            pytest.fail("\n".join([_summary(found.failures), *found.table.lines]), pytrace=False)
        if not found.compared:
            pytest.skip(f"the live release answered none of {len(exchanges)}")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest says that it is."""
        return self.path, None, self.name

    def _recording(self) -> Recording:
        """The team's file: next to the checks."""
        file = self.config.invocation_params.dir / self.config.args[0] / FILE
        try:
            recording = read(file.read_text(encoding="utf-8")) if file.exists() else Recording()
        except (Malformed, UnicodeDecodeError) as error:
            pytest.fail(f"smoke/{FILE}: {error}", pytrace=False)
        if not recording.requests:
            pytest.skip(f"smoke/{FILE} has none, so no answer was compared with the live release's")
        return recording

    def _exchanges(self, recording: Recording, live: Endpoint, connect_to: str) -> list[Exchange]:
        """Every request once to warm both up, then round by round, of both at once: what slows one slows both."""
        within = float(self.config.getoption("--answer-within", default=5.0))
        new = Endpoint(str(self.config.getoption("--url")).rstrip("/"), connect_to)
        with session_to(live) as one, session_to(new) as other, ThreadPoolExecutor(2) as both:
            sites = ((one, live, within), (other, new, within))

            def ask(request: Request) -> list[Answer]:
                asked = [both.submit(_answer, *site, request) for site in sites]
                return [each.result() for each in asked]

            _, *rounds = [[ask(each) for each in recording.requests] for _ in range(1 + recording.rounds)]
        return [
            Exchange(
                request=request,
                live=tuple(each[number][0] for each in rounds),
                new=tuple(each[number][1] for each in rounds),
            )
            for number, request in enumerate(recording.requests)
        ]


def _answer(session: requests.Session, endpoint: Endpoint, within: float, request: Request) -> Answer:
    body = None if request.body is None else request.body.encode()
    try:
        answer = session.request(
            request.method,
            endpoint.url + request.path,
            data=body,
            headers=dict(request.headers),
            timeout=within,
            allow_redirects=False,
        )
    except requests.Timeout:
        return Answer(problem=f"no answer within {within:g} s")
    except requests.RequestException as error:
        return Answer(problem=certificate_problem(error) or f"no answer, {type(error).__name__}")
    finally:
        session.cookies.clear()  # each request by itself
    return Answer(status=answer.status_code, body=answer.text, seconds=answer.elapsed.total_seconds())


def _summary(failures: tuple[str, ...]) -> str:
    more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
    return f"not answered as by the live release: {'; '.join(failures[:3])}{more}"
