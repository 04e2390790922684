"""Does the stack file give an image what it declares that it needs? Compared in previews as well, before anything is
changed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from release_lane.decide.case import Case
from release_lane.decide.choice import Deploy, Finish, TrafficOnly, Verdict
from release_lane.decide.forward import released
from release_lane.errors import CloudError, Refused, ReleaseError
from release_lane.record.container import OWN
from release_lane.record.contract import ANY, Contract, Declared
from release_lane.record.digest import short
from release_lane.record.placement import Release, Service
from release_lane.record.records import Recorded


def check_contract(case: Case, verdict: Verdict) -> tuple[str, ...]:
    """What could not be compared, in short sentences; `Refused` where the image lacks something.

    A release that was live here, with this very configuration, has shown that it runs. It is refused nothing: a way
    back must not depend on labels, nor on the registry.
    """
    decision, labels = verdict.decision, case.requested.labels
    if labels is None or not isinstance(decision, Deploy | TrafficOnly | Finish):
        return ()
    release = decision.release
    if release.digest != case.requested.digest:
        return ()
    new = released(case, verdict) is not None and not ran_before(release, verdict.standing)
    if labels.unread:
        if new:
            raise not_read(release.digest, labels.unread)
        return (f"the labels of the image could not be read: {labels.unread}",)
    try:
        contract = Contract.of(labels.found, short(release.digest))
    except ReleaseError:
        if new:
            raise
        return ("the labels of the image are not understood: nothing was compared with them",)
    if new and (problems := differences(contract, release.service, case.requested.given)):
        raise broken(release.digest, problems)
    return contract.unchecked


def ran_before(release: Release, standing: Recorded | None) -> bool:
    """Was this very release live here, image and configuration?"""
    return standing is not None and release.id in {past.id for past in (*standing.history, standing.live)}


def differences(contract: Contract, service: Service, others: Collection[str] = ()) -> tuple[str, ...]:
    """In what a configuration is not what an image declares, each by its key in the stack file; no value is shown.

    `others`: variables that the environment gives to every release.
    """
    given = {**service.env, **service.secrets}
    env, secrets = contract.env or Declared(), contract.secrets or Declared()
    return (
        *(f"env.{name}: is required, and not given" for name in env.required if name not in {*given, *OWN, *others}),
        *(f"secrets.{name}: is required, and not given" for name in secrets.required if name not in given),
        *(f"env.{name}: is given as a secret as well" for name in sorted({*service.env} & {*service.secrets})),
        *(
            f"env.{name}: is a secret of the image, and given in clear"
            for name in sorted(secrets.names & {*service.env})
        ),
        *_undeclared("env", service.env, contract.env, secrets.names),
        *_undeclared("secrets", service.secrets, contract.secrets, env.names),
        *_apart("service.port", service.port, None if contract.port == ANY else contract.port),
        *_apart("service.healthPath", service.health_path, contract.health_path),
        *_apart("service.statusPath", service.status_path, contract.status_path),
    )


def _undeclared(
    key: str, given: Collection[str], declared: Declared | None, elsewhere: Collection[str]
) -> Iterator[str]:
    """Names that the image does not know; where it declares none of this kind, nothing can be said."""
    if declared is not None:
        unknown = sorted({*given} - declared.names - {*elsewhere})
        yield from (f"{key}.{name}: is given, and the image does not declare it" for name in unknown)


def _apart(key: str, given: int | str, declared: int | str | None) -> Iterator[str]:
    if declared is not None and given != declared:
        yield f"{key}: is {given or 'none'}, and the image declares {declared or 'none'}"


def not_read(digest: str, why: str) -> CloudError:
    """The registry did not say what the image declares."""
    return CloudError(
        f"The labels of {short(digest)} could not be read. Nothing was changed.",
        why=f"{why}; they may say that it needs something that the stack file does not give",
        next_step="try again; the role needs ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on the repository. "
        "Going back does not need it.",
    )


def broken(digest: str, problems: Sequence[str]) -> Refused:
    """The configuration is not what the image declares."""
    listed = "".join(f"\n  {problem}" for problem in problems)
    return Refused(
        f"{short(digest)} does not get what it declares. Nothing was changed.{listed}",
        why="its labels (dev.release-lane.…) say what it needs, and the stack file says something else",
        next_step="correct the stack file, or the labels in the Dockerfile; `release check-image` compares all "
        "environments.",
    )
