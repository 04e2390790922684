"""Amazon S3: the buckets that hold the state and the ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.contracts import contract

pytestmark = pytest.mark.cloud

GUIDE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide"
SETUP, BACKEND = "docs/guides/on-aws.md", "release_lane/command/adapters/backend.py"
LEDGER, LEDGER_GUIDE = "release_lane/ledger/bucket.py", "docs/guides/ledger.md"
WRITERS = 4


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


# ---- the ledger: written once, and nothing is lost


@pytest.fixture(scope="module")
def locked(aws: Aws) -> str:
    """A bucket in which everything is locked for a day. Governance: the clean-up may bypass it."""
    s3, name = aws.client("s3"), aws.named("ledger")
    place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": aws.where.region}}
    elsewhere = place if aws.where.region != "us-east-1" else {}
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True, **elsewhere)
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    return name


@contract(
    says="A bucket that is created for object lock keeps versions from the start.",
    source=f"{GUIDE}/object-lock-configure.html",
    otherwise="an entry of the ledger could be written again without a trace",
    used_by=(LEDGER,),
)
def test_a_bucket_with_object_lock_keeps_versions(locked: str, aws: Aws) -> None:
    assert aws.client("s3").get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"


@contract(
    says="HeadBucket of a bucket that does not exist is 404, and no error of one that does; a block of public access "
    "can be put on a bucket again and again.",
    source="https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html",
    otherwise="`release ledger create` would fail for a bucket that is there, or try to make one that another "
    "account has",
    used_by=(LEDGER,),
)
def test_a_bucket_is_found_and_closed_to_the_public(locked: str, aws: Aws) -> None:
    s3 = aws.client("s3")
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=f"{locked}-none")
    s3.head_bucket(Bucket=locked)
    for _ in range(2):
        s3.put_public_access_block(Bucket=locked, PublicAccessBlockConfiguration=dict.fromkeys(names, True))
    found = s3.get_public_access_block(Bucket=locked)["PublicAccessBlockConfiguration"]
    assert found == dict.fromkeys(names, True)


@contract(
    says="Of several PutObject with If-None-Match: * at once one succeeds; others are 412 PreconditionFailed or 409.",
    source=f"{GUIDE}/conditional-writes.html",
    otherwise="two updates could take the same place in the ledger, and one of them would be lost",
    used_by=(LEDGER, LEDGER_GUIDE),
    note="409 ConditionalRequestConflict: while another write of the key is under way",
)
def test_one_of_several_conditional_writes_succeeds(locked: str, aws: Aws) -> None:
    s3 = aws.client("s3")

    def write(number: int) -> str:
        try:
            s3.put_object(Bucket=locked, Key="entries/once.json", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    with ThreadPoolExecutor(WRITERS) as pool:
        codes = list(pool.map(write, range(WRITERS)))
    assert codes.count("") == 1
    assert set(codes) <= {"", "PreconditionFailed", "ConditionalRequestConflict"}
    assert s3.get_object(Bucket=locked, Key="entries/once.json")["Body"].read() == b"%d" % codes.index("")


@contract(
    says="ListObjectsV2 is in the order of the keys' bytes; MaxKeys 1 is the first of them.",
    source="https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html",
    otherwise="an update would take an old entry for the newest one",
    used_by=(LEDGER,),
    note="general purpose buckets; directory buckets have no order",
)
def test_keys_are_listed_in_order(locked: str, aws: Aws) -> None:
    s3 = aws.client("s3")
    for key in ("marks/9-a.json", "marks/10-b.json", "marks/1-c.json"):
        s3.put_object(Bucket=locked, Key=key, Body=b"{}")
    (first,) = s3.list_objects_v2(Bucket=locked, Prefix="marks/", MaxKeys=1)["Contents"]
    assert first["Key"] == "marks/1-c.json"


@contract(
    says="In a bucket with a default retention no version can be deleted: AccessDenied. Deleting without a version "
    "adds a marker, and writing again adds a version; ListObjectVersions shows both.",
    source=f"{GUIDE}/object-lock.html",
    otherwise="an entry of the ledger could be removed or replaced without a trace",
    used_by=(LEDGER, LEDGER_GUIDE),
)
def test_what_was_deleted_or_written_again_can_be_seen(locked: str, aws: Aws) -> None:
    s3, key = aws.client("s3"), "entries/seen.json"
    first = s3.put_object(Bucket=locked, Key=key, Body=b"one")["VersionId"]
    s3.put_object(Bucket=locked, Key=key, Body=b"two")
    s3.delete_object(Bucket=locked, Key=key)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=locked, Key=key, VersionId=first)
    listed = s3.list_object_versions(Bucket=locked, Prefix=key)
    assert len(listed["Versions"]) == 2
    assert [each["Key"] for each in listed["DeleteMarkers"]] == [key]
