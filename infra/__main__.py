"""Entry point of every stack: read the settings, build the stack's role. A ReleaseError ends it without a traceback."""

from __future__ import annotations

import os

import pulumi
from release_lane.errors import ReleaseError
from release_lane.operate.shell import need_own_cloud
from release_lane.settings.model import ArtifactsSettings, EnvironmentSettings, parse


def main() -> None:
    """Build this stack. Imports of a role happen here, so that bad settings are told before anything loads."""
    need_own_cloud(os.environ, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    raw = pulumi.runtime.config.CONFIG.get() or pulumi.runtime.config.get_config_env()
    secret = {key for key in raw if pulumi.runtime.config.is_config_secret(key)}
    secret |= set(pulumi.runtime.config.get_config_secret_keys_env())
    match parse(raw, pulumi.get_project(), pulumi.get_stack(), secret):
        case EnvironmentSettings() as settings:
            from release_lane.program.environment import build_environment

            build_environment(settings)
        case ArtifactsSettings() as settings:
            from release_lane.program.artifacts import build_artifacts

            build_artifacts(settings)


try:
    main()
except ReleaseError as error:
    raise pulumi.RunError(str(error)) from None
