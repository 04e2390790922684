"""Probes while a release is watched, by the switch and by `release watch`: a few requests a second, one at a time.

They are the fast signal: CloudWatch reports by the minute, and late. Each answer has to come from one of the known
releases alone and to say that it is well. The open loop (`probe.engine`) counts what many users get; it does not
attribute single answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from release_lane.record.asking import Asked, Named
from release_lane.record.endpoint import Endpoint
from release_lane.record.placement import Colour
from release_lane.smoke.checks import Expected
from release_lane.watch.judge import Tally
from release_lane.watch.looking import Probes

RATE = 5.0
"""Requests a second in all, round the places."""

ANSWER_WITHIN = 3.0
"""Seconds for one answer: to connect, and for each part of it."""

LATE = 2
"""All parts of an answer may take this many times as long: one that comes in small parts need never end."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where to probe. `colour` is who answers there (None: either one); `known` the releases that may answer.

    Those of one place are asked in the same way.
    """

    name: str
    endpoint: Endpoint
    known: tuple[Expected, ...]
    colour: Colour | None = None

    @property
    def asked(self) -> Asked:
        """How they are asked."""
        return self.known[0].asked


@dataclass(frozen=True)
class Answer:
    """One probe: what was wrong ("" for nothing), HTTP status (0: none), and the colour that answered, if known.

    `names`: it says which release it is of.
    """

    problem: str
    status: int
    colour: Colour | None
    names: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Unheard:
    """Why nothing was counted; `reached`: something answered, but never as the release that is probed."""

    why: str
    reached: bool


class Prober(Protocol):
    """What a watch needs of probes."""

    def fresh(self) -> None:
        """Start the count again: another step began."""

    def tallies(self) -> tuple[Tally, ...]:
        """What came of the probes of this step, a tally for each place."""

    def own(self, colour: Colour) -> Probes:
        """All probes so far that this colour answered: CloudWatch counts them as users' requests."""

    def stop(self) -> None:
        """No more probes."""


class Probing:
    """Probes from a thread of its own until it is stopped.

    `waits`: nothing is counted before the first answer that is good or names its release, since this machine may not
    reach the service at all. `within`: seconds for one answer.
    """

    def __init__(
        self,
        places: Sequence[Place],
        ask: Callable[[Place, float], Answer] | None = None,
        *,
        waits: bool = False,
        within: float = ANSWER_WITHIN,
    ) -> None:
        """Begins at once."""
        self._places = list(places)
        self._ask = ask or asked
        self._within = within
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._tallies = {place.name: Tally(place=place.name) for place in places}
        self._own: dict[Colour, dict[int, tuple[int, int]]] = {colour: {} for colour in Colour}
        self._unheard = Unheard("", reached=False) if waits else None
        self._open: tuple[str, float] | None = None
        """The place whose answer is awaited, and since when (monotonic seconds)."""
        self._thread = threading.Thread(target=self._run, name="probes", daemon=True)
        self._thread.start()

    def fresh(self) -> None:
        """Start the count again."""
        with self._lock:
            self._tallies = {name: Tally(place=name) for name in self._tallies}

    def tallies(self) -> tuple[Tally, ...]:
        """Since `fresh`. An answer that does not end is a failure for each time that it could have come in."""
        with self._lock:
            return tuple(self._with_open(tally) for tally in self._tallies.values())

    def _with_open(self, tally: Tally) -> Tally:
        place, since = self._open or ("", 0.0)
        waited = time.monotonic() - since
        if self._unheard or place != tally.place or waited <= LATE * self._within:
            return tally
        missed = int(waited / self._within)
        return replace(
            tally,
            sent=tally.sent + missed,
            failed=tally.failed + missed,
            in_a_row=tally.in_a_row + missed,
            last=_no_answer(self._within),
        )

    def own(self, colour: Colour) -> Probes:
        """Since the beginning."""
        with self._lock:
            return dict(self._own[colour])

    def unheard(self) -> Unheard | None:
        """Why nothing is counted yet; None once something is, and before the first result."""
        with self._lock:
            return self._unheard if self._unheard and self._unheard.why else None

    def stop(self) -> None:
        """Ends the thread; an answer that is awaited is not waited for."""
        self._ended.set()

    def _run(self) -> None:
        turn = 0
        while not self._ended.wait(1 / RATE):
            place = self._places[turn % len(self._places)]
            second = int(time.time())
            self._count(place, second, self._answer(place))
            turn += 1

    def _answer(self, place: Place) -> Answer:
        """What came of one probe, whatever it was: silence would count as good."""
        begun = time.monotonic()
        with self._lock:
            self._open = place.name, begun
        try:
            answer = self._ask(place, self._within)
        except Exception as error:
            answer = Answer(f"{type(error).__name__}: {error}", 0, None)
        if not answer.problem and time.monotonic() - begun > LATE * self._within:
            return replace(answer, problem=_no_answer(self._within))
        return answer

    def _count(self, place: Place, second: int, answer: Answer) -> None:
        with self._lock:
            self._open = None
            if self._unheard and answer.problem and not answer.names:
                reached = self._unheard.reached or answer.status > 0
                self._unheard = Unheard(answer.problem, reached)
            else:
                self._unheard = None
                self._tallies[place.name] = counted(self._tallies[place.name], answer.problem)
            colour = place.colour or answer.colour
            if colour and answer.status:
                sent, failed = self._own[colour].get(second, (0, 0))
                self._own[colour][second] = sent + 1, failed + (answer.status >= 500)


def counted(tally: Tally, problem: str) -> Tally:
    """One probe more."""
    if not problem:
        return replace(tally, sent=tally.sent + 1, in_a_row=0)
    return replace(tally, sent=tally.sent + 1, failed=tally.failed + 1, in_a_row=tally.in_a_row + 1, last=problem)


def asked(place: Place, within: float = ANSWER_WITHIN) -> Answer:
    """Ask a place who is there, on a new connection, as another user would."""
    import requests

    from release_lane.smoke.connecting import certificate_problem, session_to

    url = place.endpoint.url + place.asked.path
    try:
        with session_to(place.endpoint) as session:
            answer = session.get(url, timeout=within, allow_redirects=False, headers={"Connection": "close"})
    except requests.Timeout:
        return Answer(_no_answer(within), 0, None)
    except requests.RequestException as error:
        return Answer(certificate_problem(error) or f"no answer: {error}", 0, None)
    return judged(answer.status_code, _body(answer), answer.headers, place)


def _no_answer(within: float) -> str:
    return f"no answer within {within:g} s"


def _body(answer: object) -> Mapping[str, object]:
    try:
        body = answer.json()  # type: ignore[attr-defined]
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def judged(status: int, body: Mapping[str, object], headers: Mapping[str, str], place: Place) -> Answer:
    """What an answer tells; pure. An error may say by its headers alone whose it is."""
    named = place.asked.named(body, headers)
    said = named.colour or str(headers.get("X-Release-Colour") or "")
    colour = Colour(said) if said in list(Colour) else None
    return Answer(_problem(status, body, named, place), status, colour, names=bool(named.digest or named.colour))


def _problem(status: int, body: Mapping[str, object], named: Named, place: Place) -> str:
    if problem := place.asked.problem(status, body):
        return problem
    if named.mixed:
        return "headers and body of one answer name different releases"
    known = any(each.digest == named.digest and each.colour in ("", named.colour) for each in place.known)
    if place.asked.names and not known:
        return f"answered by {named.colour or '?'} {named.digest or '?'}, which is not known here"
    return ""
