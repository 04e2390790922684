"""Leaving a resource as it is: no update rolls the live colour's tasks, whatever the program or its settings say."""

from __future__ import annotations

import pulumi


def frozen(*, unless: bool) -> pulumi.ResourceOptions:
    """Options that make an update ignore every change of a resource, unless it may be written now."""
    return pulumi.ResourceOptions(ignore_changes=[] if unless else ["*"])
