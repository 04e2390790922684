"""Amazon S3: the bucket that holds the state."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.contracts import contract

pytestmark = pytest.mark.cloud

GUIDE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide"
SETUP, BACKEND = "docs/guides/on-aws.md", "release_lane/command/adapters/backend.py"


@pytest.fixture(scope="module")
def bucket(aws: Aws) -> str:
    """A bucket with versions."""
    s3, name = aws.client("s3"), aws.named("state")
    place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": aws.where.region}}
    s3.create_bucket(Bucket=name, **(place if aws.where.region != "us-east-1" else {}))
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@contract(
    says="In a bucket with versions, an object that is overwritten or deleted keeps its earlier versions, which can "
    "be read by their id; a deleted one is NoSuchKey without it.",
    source=f"{GUIDE}/versioning-workflows.html",
    otherwise="a state that was overwritten or removed by mistake would be lost, and with it what is live",
    used_by=(SETUP,),
)
def test_earlier_versions_can_be_read(bucket: str, aws: Aws) -> None:
    s3, key = aws.client("s3"), ".pulumi/stacks/production.json"
    versions = [s3.put_object(Bucket=bucket, Key=key, Body=text)["VersionId"] for text in (b"one", b"two")]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"two"
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key=key)
    read = [s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read() for version in versions]
    assert read == [b"one", b"two"]


@contract(
    says="A new object is listed and read at once (strong read-after-write consistency).",
    source=f"{GUIDE}/Welcome.html",
    otherwise="two updates could each believe that they alone hold the lock",
    used_by=(SETUP, BACKEND, "docs/guarantees.md"),
)
def test_a_new_object_is_listed_at_once(bucket: str, aws: Aws) -> None:
    s3 = aws.client("s3")
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f".pulumi/locks/{number}.json", Body=b"{}")
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=".pulumi/locks/")
        assert listed["KeyCount"] == number + 1


@contract(
    says="An object that does not exist is NoSuchKey when it is read, and no error when it is deleted.",
    source="https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html",
    otherwise="a lock or a note that somebody else has just removed would end the command with an error",
    used_by=(BACKEND,),
    note="NoSuchKey: API_GetObject.html",
)
def test_an_object_that_is_gone_is_deleted_again(bucket: str, aws: Aws) -> None:
    s3, key = aws.client("s3"), ".release-lane/notes/never.json"
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key=key)
