"""Is an environment like the one that it promotes from? How two are compared, and what it means for a release. Pure.

A difference is named by its path. Values that differ only in what an environment is called, or in what an ARN says of
account, region and version, are alike. Values of variables and secrets are compared and never shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from release_lane.errors import Refused
from release_lane.record.digest import short
from release_lane.record.placement import Release, Service

ENVIRONMENT = "environment"
"""Stands for the name of an environment in names and values that are compared."""

HIDDEN = ("env", "secrets", "notify", "migration")
"""Sections that may hold a secret by mistake."""

_ARN = re.compile(r"\b(arn:aws[a-z-]*:[a-z0-9-]+):[a-z0-9-]*:\d*:")
_SECRET = re.compile(r"(:secret:[^:\s\"]+)-[A-Za-z0-9]{6}(?=[:\"]|$)")
_VERSION = re.compile(r"(:parameter/[^:\s]+):\d+$|(:secret:[^:\s]+:[^:\s]*:[^:\s]*):[^:\s]*$")


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is only one environment's: words, and what stands for each in a comparison, in this order."""

    words: Mapping[str, str]

    @staticmethod
    def of(name: str, words: Mapping[str, str] | None = None) -> Place:
        """An environment by its name, and by other words before that."""
        return Place(words={**(words or {}), name: ENVIRONMENT})

    def plain(self, value: Any) -> Any:
        """The same without what is only this environment's."""
        if isinstance(value, Mapping):
            return {key: self.plain(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(each) for each in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        text = _SECRET.sub(r"\1", _VERSION.sub(r"\1\2", _ARN.sub(r"\1:::", text)))
        for word, instead in self.words.items():
            if word:
                text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", instead, text)
        return text


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One path at which two environments differ; both values in words."""

    what: str
    there: str
    here: str

    def words(self, there: str, here: str) -> str:
        """`service.memory: staging 512, production 1024`."""
        return f"{self.what}: {there} {self.there}, {here} {self.here}"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A difference that is meant. `what` is its path; a path covers all below it."""

    what: str
    why: str

    def covers(self, what: str) -> bool:
        """Is it this difference, or part of it?"""
        return what == self.what or (what.startswith(self.what) and what[len(self.what)] in ".[ ")


def reason_for(what: str, expected: Iterable[Expected]) -> str:
    """Why a difference is meant, "" if it is not declared."""
    return next((each.why for each in expected if each.covers(what)), "")


MISSING = object()
"""In place of a value that one of the two does not have."""

NONE, SET, OTHER = "–", "set", "set to another value"


def readable(path: str, value: Any) -> bool:
    """May a value of a stack file be shown? What may be a secret may not; what is long says enough by its path."""
    return path.split(".")[0] not in HIDDEN and len(_said(value)) <= LONGEST


LONGEST = 40


def apart(
    there: Mapping[str, Any],
    here: Mapping[str, Any],
    places: tuple[Place, Place],
    shown: Callable[[str, Any], bool] = readable,
) -> tuple[Difference, ...]:
    """Where two environments differ; values by path, and the places in the same order. `shown`: may a value be?"""
    paths = sorted({*there, *here})
    found = ((path, there.get(path, MISSING), here.get(path, MISSING)) for path in paths)
    return tuple(_difference(*each, shown) for each in found if not _alike(each[1], each[2], places))


def _alike(there: Any, here: Any, places: tuple[Place, Place]) -> bool:
    return bool(there == here) or bool(places[0].plain(there) == places[1].plain(here))


def _difference(path: str, there: Any, here: Any, shown: Callable[[str, Any], bool]) -> Difference:
    if all(each is MISSING or shown(path, each) for each in (there, here)):
        return Difference(what=path, there=_said(there), here=_said(here))
    both = MISSING not in (there, here)
    return Difference(
        what=path,
        there=NONE if there is MISSING else SET,
        here=NONE if here is MISSING else OTHER if both else SET,
    )


def _said(value: Any) -> str:
    match value:
        case None | "":
            return NONE
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list() | tuple():
            return f"[{', '.join(map(_said, value))}]" if value else NONE
    return NONE if value is MISSING else str(value)


def of_service(service: Service) -> Mapping[str, Any]:
    """What of a release is configuration, by its paths in a stack file."""
    given = {**service.asked.as_dict(), **service.as_dict()}
    variables = {f"{key}.{name}": value for key in ("env", "secrets") for name, value in given[key].items()}
    plain = {key: value for key, value in given.items() if key not in ("env", "secrets")}
    return {**{"smoke.identify" if key == "identify" else f"service.{key}": plain[key] for key in plain}, **variables}


# ---- What it means for a release


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What a release that goes forward is held to, where the stack file requires it.

    `there` and `here` are names of environments; `proven` is the configuration with which the image was live there,
    None where that is forgotten.
    """

    there: str
    here: str
    proven: Service | None
    expected: Sequence[Expected] = ()


def check_parity(release: Release | None, parity: Parity | None) -> None:
    """Raises `Refused` where a release has another configuration than the one that was proven, and no word on it."""
    if release is None or parity is None:
        return
    if parity.proven is None:
        raise Refused(
            f"{parity.there} forgot with which configuration {short(release.digest)} ran there. Nothing was changed.",
            why="`parity.required`: it is compared with the configuration here; the last 20 releases are remembered",
            next_step=f"release it in {parity.there} once more, or promote a newer image.",
        )
    places = Place.of(parity.there), Place.of(parity.here)
    found = apart(of_service(parity.proven), of_service(release.service), places)
    check_declared(found, parity.expected, parity.there, parity.here)


def check_declared(found: Iterable[Difference], expected: Sequence[Expected], there: str, here: str) -> None:
    """Raises `Refused` with every difference that is not declared."""
    undeclared = [each for each in found if not reason_for(each.what, expected)]
    if undeclared:
        listed = "".join(f"\n  {each.words(there, here)}" for each in undeclared)
        raise Refused(
            f"{here} differs from {there}, and its stack file does not say why. Nothing was changed.{listed}",
            why=f"`parity.required`: what {there} proves counts for {here} only as far as the two are alike",
            next_step=f"make them alike, or declare each with its reason (parity.expect); `release parity {here}` "
            "shows all.",
        )
