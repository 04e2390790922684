"""Which store a stack file names."""

from __future__ import annotations

from pathlib import Path

from release_lane.ledger.bucket import Bucket
from release_lane.ledger.folder import Folder
from release_lane.ledger.store import Ledger
from release_lane.record.names import Access


def ledger_at(url: str, access: Access, root: Path) -> Ledger:
    """The ledger at `s3://BUCKET[/PREFIX]` or `file://FOLDER`, as `ledger` of a stack file says.

    A folder that does not begin with / is one of the project, whose Pulumi.yaml is in `root`.
    """
    if url.startswith("file://"):
        return Ledger(objects=Folder(root / url.removeprefix("file://")), url=url)
    name, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    return Ledger(objects=Bucket(access=access, name=name, prefix=f"{prefix}/" if prefix else ""), url=url)
