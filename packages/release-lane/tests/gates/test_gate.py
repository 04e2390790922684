"""What a gate's work raises, and what the person reads of it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from provider_kit import Cancelled, Context, UserError
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, ReleaseError, Users
from release_lane.gates.gate import Gate, reported
from release_lane.gates.passes import RUN, Pass

pytestmark = pytest.mark.pure


def raising(error: Exception) -> str:
    def work() -> None:
        raise error

    with pytest.raises(UserError) as caught:
        reported(work)
    return str(caught.value)


def test_a_refusal_is_reported_with_its_kind() -> None:
    assert raising(Refused("No.", next_step="ask")) == "No.\nNext: ask\nKind: Refused\nUsers: untouched"


def test_what_aws_refuses_is_a_cloud_error() -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "not allowed"}}, "ModifyRule")
    assert raising(denied) == "AWS refused ModifyRule: not allowed (AccessDenied)\nKind: CloudError\nUsers: untouched"
    assert raising(NoCredentialsError()).endswith("\nKind: CloudError\nUsers: untouched")


def test_an_interrupt_is_reported_as_one() -> None:
    """Else the command would take it for a check that said no."""
    text = "The switch was interrupted.\nKind: Interrupted\nUsers: untouched"
    assert raising(Cancelled("The switch was interrupted.")) == text


@pytest.mark.parametrize("users", Users)
@pytest.mark.parametrize("kind", [CheckFailed, CloudError, Interrupted, Refused])
def test_what_a_gate_says_of_the_users_is_never_written_over(kind: type[ReleaseError], users: Users) -> None:
    assert raising(kind("No.", users=users)).endswith(f"\nUsers: {users}")
    assert raising(Cancelled(str(kind("No.", users=users)))).endswith(f"\nUsers: {users}")


def test_a_mistake_of_ours_stays_one() -> None:
    with pytest.raises(ZeroDivisionError):
        reported(lambda: 1 / 0)


class Look(Gate):
    token = "test:index:Look"

    def passes(self, ctx: Context, inputs: dict[str, Any]) -> tuple[Pass, str]:
        del ctx, inputs
        return Pass(digest="sha256:1", run=RUN, unchecked=("the commit is unknown",)), "it is there"


def test_a_gate_names_what_it_could_not_see_next_to_what_it_saw() -> None:
    said: list[str] = []

    def log(text: str, urn: str, *, severity: str, ephemeral: bool) -> None:
        del urn, severity, ephemeral
        said.append(text)

    ctx = Context(config={}, cancelled=threading.Event(), log=log, name="look")
    before = Pass(digest="sha256:1", run=RUN, unchecked=("the first",)).as_dict()
    _, out = Look().create(ctx, {"active": True, "passOfBefore": before})
    assert out["detail"] == "it is there; not checked: the commit is unknown"
    assert said == [out["detail"]]
    assert out["passedFor"]["unchecked"] == ["the first", "the commit is unknown"]
