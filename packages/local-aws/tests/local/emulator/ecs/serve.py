"""The emulator with our ECS and, instead of load balancing, fake target groups. Run by conftest.py."""

from __future__ import annotations

import os

from local_aws.emulator.__main__ import prepare, serve
from local_aws.emulator.environment import Environment

if __name__ == "__main__":
    prepare(Environment.read(os.environ))  # before ministack is imported
    from local_aws.emulator import ecs
    from local_aws.emulator.ecs.api import handle_request
    from tests.local.emulator.ecs.fake_targets import FakeTargetGroups

    class EcsWithFakeTargets:
        def start(self) -> None:
            ecs.start(targets=FakeTargetGroups())

        def stop(self) -> None:
            ecs.stop()

    serve({"ecs": handle_request}, [EcsWithFakeTargets()])
