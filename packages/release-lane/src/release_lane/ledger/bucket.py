"""Objects in an S3 bucket, which with versions and object lock forgets nothing.

Sources: S3 API reference, PutObject (`If-None-Match: *` answers 412 where the key exists, 409 while another request
writes it), ListObjectsV2 (in the order of UTF-8 bytes; consistent with every write that was answered),
ListObjectVersions, PutObjectLockConfiguration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from release_lane.aws.session import client
from release_lane.errors import CloudError
from release_lane.record.chain import Traces
from release_lane.record.ledger import ENTRIES, MARKS
from release_lane.record.names import Access


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """What lies below `prefix` ("" or ending with a slash) of a bucket."""

    access: Access
    name: str
    prefix: str = ""

    @property
    def _s3(self) -> Any:
        return client(self.access, "s3")

    def newest(self, folder: str) -> str | None:
        """The first key of ListObjectsV2."""
        answer = self._s3.list_objects_v2(Bucket=self.name, Prefix=self.prefix + folder, MaxKeys=1)
        return next((self._own(each["Key"]) for each in answer.get("Contents", ())), None)

    def names(self, folder: str) -> Sequence[str]:
        """By ListObjectsV2, page after page."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.prefix + folder)
        return [self._own(each["Key"]) for page in pages for each in page.get("Contents", ())]

    def read(self, name: str) -> bytes:
        """By GetObject."""
        return bytes(self._s3.get_object(Bucket=self.name, Key=self.prefix + name)["Body"].read())

    def create(self, name: str, content: bytes) -> bool:
        """By PutObject, if there is none."""
        for _ in range(CONFLICTS):
            match self._put(name, content):
                case "":
                    return True
                case "PreconditionFailed":
                    return False
        raise CloudError(f"Others wrote {name} at the same time, {CONFLICTS} times.")

    def _put(self, name: str, content: bytes) -> str:
        """The code of AWS that says that another write came first, or comes at the same time; "" if it is written."""
        from botocore.exceptions import ClientError

        key, kind = self.prefix + name, "application/json"
        try:
            self._s3.put_object(Bucket=self.name, Key=key, Body=content, IfNoneMatch="*", ContentType=kind)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            if code in ("PreconditionFailed", "ConditionalRequestConflict"):
                return code
            raise
        return ""

    def traces(self) -> Traces:
        """By ListObjectVersions of the ledger's own folders: something else may be next to them."""
        versions: Counter[str] = Counter()
        deleted: set[str] = set()
        pages = self._s3.get_paginator("list_object_versions").paginate
        own = (page for folder in (ENTRIES, MARKS) for page in pages(Bucket=self.name, Prefix=self.prefix + folder))
        for page in own:
            versions.update(self._own(each["Key"]) for each in page.get("Versions", ()))
            deleted.update(self._own(each["Key"]) for each in page.get("DeleteMarkers", ()))
        more = {name for name, count in versions.items() if count > 1}
        return Traces(deleted=deleted, overwritten=more, kept=self._keeps_versions())

    def _keeps_versions(self) -> bool:
        return bool(self._s3.get_bucket_versioning(Bucket=self.name).get("Status") == "Enabled")

    def _own(self, key: str) -> str:
        return key.removeprefix(self.prefix)


CONFLICTS = 10
"""So often S3 may answer that another request writes the same key at the moment."""


def created(access: Access, name: str, *, days: int, compliance: bool) -> Iterator[str]:
    """Make the bucket of a ledger: versions, object lock with a default retention, no public access.

    It can be repeated; each step that had to be done is said. A bucket that others own is an error of AWS.
    """
    s3 = client(access, "s3")
    if not _exists(s3, name):
        # us-east-1 is the one region that must not be named.
        region = {"LocationConstraint": access.region} if access.region != "us-east-1" else {}
        where = {"CreateBucketConfiguration": region} if region else {}
        s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True, **where)
        yield f"made the bucket {name} in {access.region}"
    if s3.get_bucket_versioning(Bucket=name).get("Status") != "Enabled":
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        yield "it keeps all versions"
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(_PRIVATE, True))
    retention = {"Mode": "COMPLIANCE" if compliance else "GOVERNANCE", "Days": days}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    yield f"nothing in it can be deleted for {days} days ({retention['Mode']})"


_PRIVATE = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def _exists(s3: Any, name: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchBucket"):
            return False
        raise
    return True
