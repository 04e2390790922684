"""The switch's own probes: a few requests a second, one after another, to the places where a new release answers.

They are the fast signal while a step is watched: CloudWatch speaks by the minute, and late. Each answer has to come
wholly from one of the known releases and to say that it is well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from release_lane.record.asking import Asked
from release_lane.record.placement import Colour
from release_lane.smoke.checks import Expected
from release_lane.watch.judge import Tally

RATE = 5.0
"""Requests a second in all, round the places."""

ANSWER_WITHIN = 3.0
"""Seconds for one answer: to connect, and for each part of it."""

LATE = 2
"""So many times that long at most for all of it: one that comes in small parts need never end."""

Counts = Mapping[int, tuple[int, int]]
"""Epoch second to (requests sent, answered with 5xx)."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where to probe. `colour` is who answers there (None: either one); `known` the releases that may answer.

    Those of one place are asked in the same way.
    """

    name: str
    url: str
    known: tuple[Expected, ...]
    colour: Colour | None = None

    @property
    def asked(self) -> Asked:
        """How they are asked."""
        return self.known[0].asked


@dataclass(frozen=True)
class Answer:
    """One probe: what was wrong ("" for nothing), HTTP status (0: none), and the colour that answered, if known."""

    problem: str
    status: int
    colour: Colour | None


class Prober(Protocol):
    """What the watch asks of probes."""

    def fresh(self) -> None:
        """Count anew: another step began."""

    def tallies(self) -> tuple[Tally, ...]:
        """What came of the probes of this step, a tally for each place."""

    def own(self, colour: Colour) -> Counts:
        """All probes so far that this colour answered: CloudWatch counts them among the users' requests."""

    def stop(self) -> None:
        """No more probes."""


class Probing:
    """Probes from a thread of its own until it is stopped."""

    def __init__(self, places: Sequence[Place], ask: Callable[[Place], Answer] | None = None) -> None:
        """Begins at once."""
        self._places = list(places)
        self._ask = ask or asked
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._tallies = {place.name: Tally(place=place.name) for place in places}
        self._own: dict[Colour, dict[int, tuple[int, int]]] = {colour: {} for colour in Colour}
        self._open: tuple[str, float] | None = None
        """The place whose answer is awaited, and since when (monotonic seconds)."""
        self._thread = threading.Thread(target=self._run, name="probes", daemon=True)
        self._thread.start()

    def fresh(self) -> None:
        """Count anew."""
        with self._lock:
            self._tallies = {name: Tally(place=name) for name in self._tallies}

    def tallies(self) -> tuple[Tally, ...]:
        """Since `fresh`. An answer that does not end is a failure for each time that it could have come in."""
        with self._lock:
            return tuple(self._with_open(tally) for tally in self._tallies.values())

    def _with_open(self, tally: Tally) -> Tally:
        place, since = self._open or ("", 0.0)
        waited = time.monotonic() - since
        if place != tally.place or waited <= LATE * ANSWER_WITHIN:
            return tally
        missed = int(waited / ANSWER_WITHIN)
        return replace(
            tally,
            sent=tally.sent + missed,
            failed=tally.failed + missed,
            in_a_row=tally.in_a_row + missed,
            last=_no_answer(),
        )

    def own(self, colour: Colour) -> Counts:
        """Since the beginning."""
        with self._lock:
            return dict(self._own[colour])

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
            answer = self._ask(place)
        except Exception as error:
            answer = Answer(f"{type(error).__name__}: {error}", 0, None)
        if not answer.problem and time.monotonic() - begun > LATE * ANSWER_WITHIN:
            return replace(answer, problem=_no_answer())
        return answer

    def _count(self, place: Place, second: int, answer: Answer) -> None:
        with self._lock:
            self._open = None
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


def asked(place: Place) -> Answer:
    """Ask a place who is there, on a new connection, as another user would."""
    import requests

    try:
        answer = requests.get(
            place.url + place.asked.path, timeout=ANSWER_WITHIN, allow_redirects=False, headers={"Connection": "close"}
        )
    except requests.Timeout:
        return Answer(_no_answer(), 0, None)
    except requests.RequestException as error:
        return Answer(f"no answer: {error}", 0, None)
    return judged(answer.status_code, _body(answer), answer.headers, place)


def _no_answer() -> str:
    return f"no answer within {ANSWER_WITHIN:g} s"


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
    if problem := place.asked.problem(status, body):
        return Answer(problem, status, colour)
    if named.mixed:
        return Answer("headers and body of one answer name different releases", status, colour)
    known = [(each.digest, each.colour) for each in place.known]
    if place.asked.names and (named.digest, named.colour) not in known:
        who = f"{named.colour or '?'} {named.digest or '?'}"
        return Answer(f"answered by {who}, which is not known here", status, colour)
    return Answer("", status, colour)
