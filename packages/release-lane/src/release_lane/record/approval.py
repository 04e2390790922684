"""An approval: who asked for a release, who approved it, and whether that was somebody else. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from release_lane.errors import Refused
from release_lane.record.commit import Logged

_NOREPLY = re.compile(r"(?:\d+\+)?(?P<login>[A-Za-z0-9-]+(?:\[bot\])?)@users\.noreply\.[\w.-]+")
"""The address by which GitHub names an account (docs.github.com, "Setting your commit email address")."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody, as a CI system or git knows them; "" for what it does not say."""

    login: str = ""
    name: str = ""
    email: str = ""

    def __str__(self) -> str:
        return self.login or self.name or self.email or "somebody"

    def is_(self, other: Person) -> bool:
        """Is it the same one? One of login, name or address in common is enough."""
        return bool({*self._known()} & {*other._known()})

    def _known(self) -> Iterator[tuple[str, str]]:
        noreply = _NOREPLY.fullmatch(self.email)
        logins = {self.login, noreply["login"] if noreply else ""}
        yield from (("login", login.casefold()) for login in logins if login)
        yield from ((kind, text.casefold()) for kind, text in (("name", self.name), ("email", self.email)) if text)


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

    def doubts(self, *, distinct: bool) -> Iterator[str]:
        """What the rules of an approval could not be held against, in sentences."""
        if self.unknown:
            yield f"Who approved this release is unknown: {self.unknown}."
        if distinct and self.approvers and not self.asked:
            yield "Who asked for this release is unknown, so the same person may have approved it (approval.distinct)."
        if distinct and self.approvers and self.unwritten:
            yield f"Not all authors of its commits are known, so one may have approved it: {self.unwritten}."


def authors_of(logged: Iterable[Logged]) -> tuple[Person, ...]:
    """The authors of commits, by git."""
    return tuple(dict.fromkeys(Person(name=each.author, email=each.email) for each in logged))


def approved_by(
    approval: Approval | None, authors: Iterable[Person], environment: str, *, distinct: bool, required: bool
) -> str:
    """Who approved, for message and ledger; "" where that is not known and not required.

    Raises `Refused` without an approval where one is required, and, if it has to be `distinct`, where everyone who
    approved has asked for the release or is an author of its commits.
    """
    if approval is None or not approval.approvers:
        if required:
            raise _missing(environment, approval)
        return ""
    involved = [(person, "asked for it") for person in approval.asked]
    involved += [(person, "is an author of its commits") for person in (*approval.authors, *authors)]
    others = [each for each in approval.approvers if not any(each.is_(person) for person, _ in involved)]
    if distinct and not others:
        raise _own(environment, approval.approvers, involved)
    return ", ".join(map(str, others or approval.approvers))


def _missing(environment: str, approval: Approval | None) -> Refused:
    why = approval.unknown if approval else "no CI system says who approved"
    return Refused(
        f"This release to {environment} has no approval. Nothing was changed.",
        why=f"{why or 'the CI run has no approval for this environment'} (approval.required)",
        next_step="run it in the job that waits for the approval (docs/guides/command.md, Approvals).",
    )


def _own(environment: str, approvers: Iterable[Person], involved: list[tuple[Person, str]]) -> Refused:
    words = []
    for each in approvers:
        roles = dict.fromkeys(role for person, role in involved if each.is_(person))
        words.append(f"{each} {' and '.join(roles)}")
    return Refused(
        f"This release to {environment} has no approval by another person. Nothing was changed.",
        why=f"{'; '.join(words)} (approval.distinct)",
        next_step="have somebody else approve it; or, where one person may do both, set `approval: {distinct: false}` "
        f"in Pulumi.{environment}.yaml.",
    )
