"""An approval: who asked for a release, who approved it, and whether that was somebody else. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from release_lane.errors import Refused
from release_lane.record.commit import Logged

_NOREPLY = re.compile(r"(?:\d+\+)?(?P<login>[A-Za-z0-9-]+(?:\[bot\])?)@users\.noreply\.[\w.-]+")
"""The address by which GitHub names an account (docs.github.com, "Setting your commit email address")."""

_ADDRESSED = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>\s]+)>")


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody, as a CI system or git knows them; "" for what it does not say. `either`: the login may be a name."""

    login: str = ""
    name: str = ""
    email: str = ""
    either: bool = field(default=False, compare=False)

    @staticmethod
    def written(text: str) -> Person:
        """As a job writes it down: a login, a name, an address, or `Name <address>`."""
        text = text.strip()
        if found := _ADDRESSED.fullmatch(text):
            return Person(name=found["name"].strip(), email=found["email"])
        return Person(login=text, email=text if "@" in text else "", either=True)

    def __str__(self) -> str:
        return self.login or self.name or self.email or "somebody"

    def is_(self, other: Person) -> bool:
        """Is it the same one? One of login, name or address in common is enough."""
        return bool({*self._known()} & {*other._known()})

    def comparable(self, other: Person) -> bool:
        """Do both have a login, a name or an address, so that one who is not the same is another one? What may be a
        name is none for sure."""
        return bool({kind for kind, _ in self._sure()} & {kind for kind, _ in other._sure()})

    def _known(self) -> Iterator[tuple[str, str]]:
        yield from self._sure()
        if self.either:
            yield "name", _folded(self.login)

    def _sure(self) -> Iterator[tuple[str, str]]:
        noreply = _NOREPLY.fullmatch(self.email)
        logins = {self.login, noreply["login"] if noreply else ""}
        yield from (("login", _folded(login)) for login in logins if login)
        yield from ((kind, _folded(text)) for kind, text in (("name", self.name), ("email", self.email)) if text)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


NAMED = 3
"""Authors that a sentence names."""


@dataclass(frozen=True, kw_only=True)
class Approval:
    """What a CI system says of the job that runs. `authors` are those of the commits, as far as it knows accounts.

    `unknown`: why it does not say who asked and approved ("" if it does), `unwritten`: why not all authors.
    """

    asked: tuple[Person, ...] = ()
    approvers: tuple[Person, ...] = ()
    authors: tuple[Person, ...] = ()
    unknown: str = ""
    unwritten: str = ""

    def doubts(self, by_git: Iterable[Person], *, distinct: bool) -> Iterator[str]:
        """What the rules of an approval could not be held against, in sentences. `by_git`: the authors as git has
        them."""
        if self.unknown:
            yield f"Who approved this release is unknown: {self.unknown}."
        if distinct and self.approvers and not self.asked:
            yield "Who asked for this release is unknown, so the same person may have approved it (approval.distinct)."
        if distinct and self.approvers and self.unwritten:
            yield f"Not all authors of its commits are known, so one may have approved it: {self.unwritten}."
        unlike = list(self._unlike(by_git)) if distinct else []
        if unlike:
            yield (
                f"Who approved this release may be an author of its commits (approval.distinct): {'; '.join(unlike)} "
                "is unknown, since no login, name or address is known of both."
            )

    def _unlike(self, by_git: Iterable[Person]) -> Iterator[str]:
        """Pairs that nothing tells apart. An author whom the CI system knows by an account counts as that one."""
        accounts = [each for each in self.authors if each.login]
        others = [each for each in (*self.authors, *by_git) if not any(each.is_(account) for account in accounts)]
        authors = list(dict.fromkeys((*accounts, *others)))
        for approver in self.approvers:
            if any(approver.is_(each) for each in authors):
                continue
            unlike = [str(each) for each in authors if not approver.comparable(each)]
            more = [f"one of {len(unlike) - NAMED} others"] if len(unlike) > NAMED else []
            if unlike:
                yield f"whether {approver} is {' or '.join([*unlike[:NAMED], *more])}"


def authors_of(logged: Iterable[Logged]) -> tuple[Person, ...]:
    """The authors of commits, by git."""
    return tuple(dict.fromkeys(Person(name=each.author, email=each.email) for each in logged))


def approved_by(
    approval: Approval | None,
    authors: Iterable[Person],
    environment: str,
    *,
    distinct: bool,
    required: bool,
    sealed: bool = True,
) -> str:
    """Who approved, for message and ledger; "" where that is not known and not required.

    Raises `Refused` without an approval where one is required, and, if it has to be `distinct`, where everyone who
    approved has asked for the release or is an author of its commits. `sealed`: is there the seal of a review?
    """
    if approval is None or not approval.approvers:
        if required:
            raise _missing(environment, approval, sealed=sealed)
        return ""
    involved = [(person, "asked for it") for person in approval.asked]
    involved += [(person, "is an author of its commits") for person in (*approval.authors, *authors)]
    others = [each for each in approval.approvers if not any(each.is_(person) for person, _ in involved)]
    if distinct and not others:
        raise _own(environment, approval.approvers, involved)
    return ", ".join(map(str, others or approval.approvers))


def _missing(environment: str, approval: Approval | None, *, sealed: bool) -> Refused:
    why = approval.unknown if approval else "no CI system says who approved"
    lacks = "no approval" if sealed else "no approval, and the seal of its review was not given"
    review = f"`release review {environment} --out review.md --out review.seal`, have it approved, and "
    waits = (
        "run it in the job that waits for the approval; under Jenkins and outside of CI, RELEASE_APPROVER names who "
        "approved"
    )
    return _of_approval(
        Refused(
            f"This release to {environment} has {lacks}. Nothing was changed.",
            why=f"{why or 'the CI run has no approval for this environment'} (approval.required)",
            next_step=f"{waits}." if sealed else f"{review}give the seal by --seal: {waits}.",
        )
    )


def _of_approval(error: Refused) -> Refused:
    error.of_seal = True
    return error


def _own(environment: str, approvers: Iterable[Person], involved: list[tuple[Person, str]]) -> Refused:
    words = []
    for each in approvers:
        roles = dict.fromkeys(role for person, role in involved if each.is_(person))
        words.append(f"{each} {' and '.join(roles)}")
    return _of_approval(
        Refused(
            f"This release to {environment} has no approval by another person. Nothing was changed.",
            why=f"{'; '.join(words)} (approval.distinct)",
            next_step="have somebody else approve it; or, where one person may do both, set `approval: {distinct: "
            f"false}}` in Pulumi.{environment}.yaml.",
        )
    )
