"""AWS CloudTrail: who changed what."""

from __future__ import annotations

import pytest
from tests.contract.aws import Aws
from tests.contract.contracts import contract

pytestmark = pytest.mark.cloud


@contract(
    says="LookupEvents by the name of a call that was never made lists none, and is no error.",
    source="https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html",
    otherwise="`release drift` would end in an error where it has to say that it does not know who",
    used_by=("release_lane/aws/trail.py",),
    note="that a call is listed is tried by tests/stories/test_drill_and_drift.py alone, on the local cloud: on AWS it "
    "is there some minutes after it was made",
)
def test_a_call_that_was_never_made_is_not_listed(aws: Aws) -> None:
    never = [{"AttributeKey": "EventName", "AttributeValue": aws.named("never")}]
    assert aws.client("cloudtrail").lookup_events(LookupAttributes=never, MaxResults=50)["Events"] == []
