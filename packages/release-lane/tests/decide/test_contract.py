"""What an image declares is compared with what a release gives it, before anything changes; a way back is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from release_lane.decide.contract import differences
from release_lane.decide.decision import Deploy, Finish, OnDrift, Refuse, Requested, TrafficOnly, Verdict, decide
from release_lane.errors import CloudError
from release_lane.record.contract import PREFIX, Contract, Labels
from release_lane.record.journal import Phase
from release_lane.record.placement import Service, shared
from release_lane.record.records import Observed, Recorded
from tests.decide.situations import (
    BLUE,
    GREEN,
    OTHER_SERVICE,
    SERVICE,
    A,
    B,
    C,
    journal,
    observed,
    proof,
    recorded,
    release,
)

pytestmark = pytest.mark.pure

ARN = "arn:aws:ssm:us-east-1:000000000000:parameter/key:3"
RECORD = recorded(GREEN, A, B)
SETTLED = observed(A, B, GREEN)


def labels(**given: str) -> Labels:
    return Labels(found={f"{PREFIX}{key.replace('__', '.').replace('_', '-')}": text for key, text in given.items()})


NEEDS = labels(env__required="UPSTREAM")
ALL = labels(
    env__optional="LOG_LEVEL", secrets__optional="", port="8080", health_path="/health", status_path="/api/v1/status"
)
BROKEN = labels(port="http")
UNREAD = Labels(unread="AccessDenied")


def asking(digest: str, of: Labels | None, **more: object) -> Requested:
    return Requested(**{"service": SERVICE, "digest": digest, "labels": of, **more})  # type: ignore[arg-type]


def refusal(verdict: Verdict) -> str:
    assert isinstance(verdict.decision, Refuse), verdict
    return str(verdict.decision.error)


def found(of: Labels, service: Service) -> tuple[str, ...]:
    return differences(Contract.of(of.found, "it"), service)


def test_what_the_environment_gives_to_every_release_is_given() -> None:
    needs = Contract.of(labels(env__required="DATABASE_HOST UPSTREAM", env__optional="").found, "it")
    assert differences(needs, SERVICE, ["DATABASE_HOST", "CACHE_HOST"]) == ("env.UPSTREAM: is required, and not given",)
    secret = Contract.of(labels(secrets__required="DATABASE_SECRET").found, "it")
    assert differences(secret, SERVICE, ["DATABASE_SECRET"]), "it is given in clear, as an ARN"


@pytest.mark.parametrize(
    ("of", "service", "said"),
    [
        (NEEDS, SERVICE, "env.UPSTREAM: is required, and not given"),
        (labels(secrets__required="KEY"), SERVICE, "secrets.KEY: is required, and not given"),
        (labels(env__optional="A"), OTHER_SERVICE, "env.LOG_LEVEL: is given, and the image does not declare it"),
        (labels(env__optional=""), OTHER_SERVICE, "env.LOG_LEVEL: is given, and the image does not declare it"),
        (
            labels(secrets__optional=""),
            Service(secrets={"KEY": ARN}),
            "secrets.KEY: is given, and the image does not declare it",
        ),
        (
            labels(secrets__required="KEY"),
            Service(env={"KEY": "hunter2"}),
            "env.KEY: is a secret of the image, and given in clear",
        ),
        (
            labels(env__optional="A", secrets__optional="KEY"),
            Service(env={"KEY": "hunter2"}),
            "env.KEY: is a secret of the image, and given in clear",
        ),
        (labels(), Service(env={"A": "x"}, secrets={"A": ARN}), "env.A: is given as a secret as well"),
        (labels(port="3000"), SERVICE, "service.port: is 8080, and the image declares 3000"),
        (labels(health_path="/up"), SERVICE, "service.healthPath: is /health, and the image declares /up"),
        (labels(status_path=""), SERVICE, "service.statusPath: is /api/v1/status, and the image declares none"),
        (labels(status_path="/s"), Service(status_path=""), "service.statusPath: is none, and the image declares /s"),
    ],
)
def test_what_differs_is_named_by_its_key_without_a_value_of_a_variable(
    of: Labels, service: Service, said: str
) -> None:
    assert found(of, service) == (said,)


@pytest.mark.parametrize(
    ("of", "service"),
    [
        (labels(), OTHER_SERVICE),
        (ALL, OTHER_SERVICE),
        (NEEDS, Service(env={"UPSTREAM": "x"})),
        (NEEDS, Service(secrets={"UPSTREAM": ARN})),
        (labels(env__required="PORT RELEASE_COLOUR"), SERVICE),
        (labels(secrets__optional="KEY"), OTHER_SERVICE),
        (labels(env__optional=""), Service(secrets={"KEY": ARN})),
        (labels(env__optional="A", secrets__optional=""), Service(secrets={"A": ARN})),
        (labels(port="any"), Service(port=3000)),
    ],
    ids=[
        "an image without labels",
        "all as declared",
        "required and given",
        "required and given as a secret",
        "what the lane itself gives",
        "variables are not declared",
        "secrets are not declared",
        "a variable as a secret",
        "an image that listens where PORT says",
    ],
)
def test_what_is_as_declared_or_not_declared_is_no_difference(of: Labels, service: Service) -> None:
    assert found(of, service) == ()


def test_a_new_image_that_lacks_something_is_refused_with_all_of_it() -> None:
    short_of = labels(env__required="UPSTREAM", secrets__required="KEY", port="3000")
    said = refusal(decide(RECORD, SETTLED, asking(C.digest, short_of)))
    for line in ("env.UPSTREAM", "secrets.KEY", "service.port"):
        assert line in said
    assert "Nothing was changed" in said
    assert "release check-image" in said


@pytest.mark.parametrize("standing", [None, RECORD], ids=["the first release", "a later one"])
def test_an_image_that_gets_what_it_declares_is_released_and_leaves_nothing_unchecked(
    standing: Recorded | None,
) -> None:
    cloud = SETTLED if standing else Observed(weights=None, journal=None)
    taken = decide(standing, cloud, asking(C.digest, ALL, commit="c" * 40))
    assert isinstance(taken.decision, Deploy)
    assert not [each for each in taken.unchecked if "declare" in each]
    lacking = decide(standing, cloud, asking(C.digest, NEEDS, commit="c" * 40))
    assert "env.UPSTREAM" in refusal(lacking)


def test_an_image_without_labels_is_released_and_what_is_not_compared_is_said() -> None:
    taken = decide(RECORD, SETTLED, asking(C.digest, labels()))
    assert isinstance(taken.decision, Deploy)
    (said,) = [each for each in taken.unchecked if "declare" in each]
    assert said.startswith("the image does not declare its variables, secrets, port")


def test_new_configuration_of_the_live_image_is_held_to_its_contract() -> None:
    said = refusal(decide(RECORD, SETTLED, asking(B.digest, labels(env__optional=""), service=OTHER_SERVICE)))
    assert "env.LOG_LEVEL" in said


@pytest.mark.parametrize("of", [NEEDS, BROKEN, UNREAD], ids=["lacking", "broken", "unread"])
def test_a_way_back_is_refused_for_no_label(of: Labels) -> None:
    back = decide(RECORD, SETTLED, asking(A.digest, of, rollback_from=B.digest))
    assert isinstance(back.decision, TrafficOnly)
    gone = decide(RECORD, observed(None, B, GREEN), asking(A.digest, of, rollback_from=B.digest))
    assert isinstance(gone.decision, Deploy)
    restored = decide(RECORD, observed(A, None, GREEN), asking(B.digest, of, on_drift=OnDrift.RESTORE))
    assert not isinstance(restored.decision, Refuse)
    live = release("b", OTHER_SERVICE)
    returned = recorded(BLUE, A, live, A, previous=live)
    again = decide(returned, observed(A, live, BLUE), asking(live.digest, of, forward_from=A.digest))
    assert isinstance(again.decision, TrafficOnly), "it ran here, with this configuration"


def test_an_interrupted_switch_is_finished_whatever_the_labels_say() -> None:
    going = journal((GREEN, B), (BLUE, C), Phase.MOVED)
    finished = decide(RECORD, observed(C, B, BLUE, going), asking(C.digest, NEEDS))
    assert isinstance(finished.decision, Finish)
    divided = decide(
        RECORD, observed(C, B, shared(BLUE, 50), replace(going, phase=Phase.MOVING)), asking(C.digest, NEEDS)
    )
    assert isinstance(divided.decision, TrafficOnly)


def test_labels_that_cannot_be_read_stop_what_goes_forward() -> None:
    assert "labels of sha256:cccccccccccc cannot be read" in refusal(decide(RECORD, SETTLED, asking(C.digest, BROKEN)))
    away = decide(RECORD, SETTLED, asking(C.digest, UNREAD))
    assert "AccessDenied" in refusal(away)
    assert "GetDownloadUrlForLayer" in refusal(away)
    assert isinstance(away.decision, Refuse)
    assert isinstance(away.decision.error, CloudError)


@pytest.mark.parametrize(
    ("of", "said"),
    [(BROKEN, "are not understood"), (UNREAD, "could not be read: AccessDenied")],
    ids=["broken", "unread"],
)
def test_what_a_way_back_could_not_compare_stays_in_its_evidence(of: Labels, said: str) -> None:
    back = decide(RECORD, SETTLED, asking(A.digest, of, rollback_from=B.digest))
    assert any(said in each for each in back.unchecked)


def test_what_is_not_proven_or_not_there_is_refused_for_that_and_not_for_its_labels() -> None:
    gone = decide(RECORD, SETTLED, asking(C.digest, UNREAD, in_registry=False))
    assert "not in the registry" in refusal(gone)
    unproven = decide(RECORD, SETTLED, asking(C.digest, NEEDS, promotes_from="staging"), [proof(A)])
    assert "never proven" in refusal(unproven)


def test_a_secret_without_a_version_is_named_wherever_users_are_moved_to_it() -> None:
    loose = Service(secrets={"KEY": ARN.rpartition(":")[0]})
    taken = decide(RECORD, SETTLED, asking(C.digest, None, service=loose))
    assert "secrets without a version in the ARN may change under this release: KEY" in taken.unchecked
    pinned = decide(RECORD, SETTLED, asking(C.digest, None, service=Service(secrets={"KEY": ARN})))
    assert not [each for each in pinned.unchecked if "secrets" in each]


def test_another_version_of_a_secret_is_another_release() -> None:
    older, newer = (release("b", Service(secrets={"KEY": f"{ARN[:-1]}{version}"})) for version in (3, 4))
    assert older.id != newer.id
    asked = asking(older.digest, None, service=newer.service)
    taken = decide(recorded(GREEN, A, older), observed(A, older, GREEN), asked).decision
    assert isinstance(taken, Deploy)
    assert (taken.target, taken.release) == (BLUE, newer)
