"""The real AWS provider, on the engine's protocol, where this machine has it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_aws.toolchain.cache import cache_folder
from local_aws.toolchain.provider import ready
from local_aws.toolchain.provider.build import PLUGIN
from tests.kit.serving import Client

NOWHERE = "http://127.0.0.1:9"
"""An endpoint that nothing answers at: for what has to be asked of the provider alone."""


def binary() -> Path | None:
    """The provider's executable, None where it would have to be downloaded or built."""
    found = ready(cache_folder())
    return found.folder / PLUGIN if found else None


@contextmanager
def running(plugin: Path, endpoint: str = NOWHERE) -> Iterator[Client]:
    """The provider, configured for `endpoint`, with no other account in reach."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    process = subprocess.Popen(
        [plugin, "127.0.0.1:9"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        client = Client.to(int(process.stdout.readline()))
        client.configure(region="us-east-1", **SKIPPED, **({} if endpoint != NOWHERE else WITHOUT_ACCOUNT))
        yield client
        client.channel.close()
    finally:
        process.kill()
        process.wait()


SKIPPED = {"skipCredentialsValidation": True, "skipMetadataApiCheck": True, "s3UsePathStyle": True}
WITHOUT_ACCOUNT = {"skipRequestingAccountId": True}
