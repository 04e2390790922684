"""Where rehearsals keep the states of their stacks: in a folder, or as teams on AWS do (`STATE=s3`): in a bucket of the
local cloud, with secrets under a key of its KMS."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config
from local_aws.places import ONE_FILE

REGION = "us-east-1"


def in_folder(folder: Path) -> str:
    """The URL of a backend in this folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"file://{folder}?{ONE_FILE}"


def in_bucket(name: str, endpoint: str) -> str:
    """The URL of a backend in a bucket of the local cloud; bucket and key are made where they do not exist."""
    s3, kms = _client("s3", endpoint), _client("kms", endpoint)
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    with contextlib.suppress(kms.exceptions.AlreadyExistsException):
        kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    return f"s3://{name}?region={REGION}&endpoint={endpoint}&s3ForcePathStyle=true&response_checksum_validation=when_required"


def kept(variables: Mapping[str, str], folder: Path, name: str, state: str = "") -> dict[str, str]:
    """The variables of an engine whose states are kept as `state` (or STATE) says: in `folder`, or a bucket `name`."""
    if (state or os.environ.get("STATE") or "file") == "file":
        return {**variables, "PULUMI_BACKEND_URL": in_folder(folder)}
    without = {key: value for key, value in variables.items() if key != "PULUMI_CONFIG_PASSPHRASE"}
    return {**without, "PULUMI_BACKEND_URL": in_bucket(name, variables["AWS_ENDPOINT_URL"])}


def secrets_options(variables: Mapping[str, str]) -> list[str]:
    """Options of `pulumi stack init`: the key that belongs to the bucket; none for a passphrase."""
    url = urlsplit(variables["PULUMI_BACKEND_URL"])
    if url.scheme == "file":
        return []
    return ["--secrets-provider", f"awskms://alias/{url.netloc}?region={REGION}&endpoint={_endpoint(url.query)}"]


def names(variables: Mapping[str, str], folder: str) -> list[str]:
    """All objects below a folder of the backend, by their full names."""
    url = urlsplit(variables["PULUMI_BACKEND_URL"])
    if url.scheme == "file":
        found = (Path(url.path) / folder).rglob("*")
        return sorted(str(path.relative_to(url.path)) for path in found if path.is_file())
    listed = _client("s3", _endpoint(url.query)).list_objects_v2(Bucket=url.netloc, Prefix=f"{folder}/")
    return [each["Key"] for each in listed.get("Contents") or ()]


def read(variables: Mapping[str, str], name: str) -> str | None:
    """One object of the backend; None if there is none."""
    url = urlsplit(variables["PULUMI_BACKEND_URL"])
    if url.scheme == "file":
        path = Path(url.path) / name
        return path.read_text() if path.exists() else None
    s3 = _client("s3", _endpoint(url.query))
    with contextlib.suppress(s3.exceptions.NoSuchKey):
        return str(s3.get_object(Bucket=url.netloc, Key=name)["Body"].read().decode())
    return None


def write(variables: Mapping[str, str], name: str, text: str) -> None:
    """Put one object there."""
    url = urlsplit(variables["PULUMI_BACKEND_URL"])
    if url.scheme == "file":
        path = Path(url.path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    else:
        _client("s3", _endpoint(url.query)).put_object(Bucket=url.netloc, Key=name, Body=text.encode())


def delete(variables: Mapping[str, str], name: str) -> None:
    """Take one object away; gone already is fine."""
    url = urlsplit(variables["PULUMI_BACKEND_URL"])
    if url.scheme == "file":
        (Path(url.path) / name).unlink(missing_ok=True)
    else:
        _client("s3", _endpoint(url.query)).delete_object(Bucket=url.netloc, Key=name)


def remove(variables: Mapping[str, str]) -> None:
    """Take the bucket away, with all versions; a folder goes with the folder that it is in."""
    url = urlsplit(variables["PULUMI_BACKEND_URL"])
    if url.scheme == "file":
        return
    s3 = _client("s3", _endpoint(url.query))
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=url.netloc):
        for each in [*(page.get("Versions") or ()), *(page.get("DeleteMarkers") or ())]:
            s3.delete_object(Bucket=url.netloc, Key=each["Key"], VersionId=each["VersionId"])
    s3.delete_bucket(Bucket=url.netloc)


def _endpoint(query: str) -> str:
    return parse_qs(query)["endpoint"][0]


@cache
def _client(service: str, endpoint: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
