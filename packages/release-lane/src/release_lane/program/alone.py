"""An update is alone with its stack: what a killed one had started no longer runs on this machine."""

from __future__ import annotations

import os
import time

import pulumi

from release_lane.disk.processes import leave_trace, stack_of, without_engine
from release_lane.engine.plugins import outlived

PATIENCE = 10.0
"""Seconds for plugins that end by themselves when their engine is gone, as the gates do."""


def need_to_be_alone(patience: float = PATIENCE) -> None:
    """Say which stack this is, and wait so many seconds for what is left of killed updates; `Refused` if that stays."""
    stack = stack_of(os.environ, pulumi.get_project(), pulumi.get_stack())
    leave_trace(stack)
    end = time.monotonic() + patience
    while left := without_engine(stack):
        if time.monotonic() > end:
            raise outlived(stack.name, left)
        time.sleep(0.1)
