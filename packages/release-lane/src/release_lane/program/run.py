"""The beginning and the end of every program: its settings are read, its stack is built, its errors are reported."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable

import pulumi

from release_lane.errors import ReleaseError, UsageError
from release_lane.operate.shell import need_own_cloud
from release_lane.program.alone import need_to_be_alone
from release_lane.program.lane import Lane
from release_lane.program.place import project_root
from release_lane.settings.artifacts import ArtifactsSettings
from release_lane.settings.flags import FlagsSettings
from release_lane.settings.model import EnvironmentSettings, Settings, parse


def run(environment: Callable[[Lane], None]) -> None:
    """Build this stack: `environment`, or what else its settings say by `role`: artifacts (registry and image), flags.

    A `ReleaseError` ends the program as a `pulumi.RunError`: three lines, without a traceback.
    """
    pulumi.log.debug = _unless_narrated
    try:
        _build(environment)
    except ReleaseError as error:
        raise pulumi.RunError(str(error)) from error


def _build(environment: Callable[[Lane], None]) -> None:
    need_own_cloud(os.environ, str(project_root()))
    need_to_be_alone()
    match _settings():
        case EnvironmentSettings() as settings:
            lane = Lane.read(settings)
            with lane.intent.recorded():
                environment(lane)
                _need_release(lane)
        case ArtifactsSettings() as settings:
            from release_lane.program.artifacts import build_artifacts  # no other stack needs Docker's SDK

            build_artifacts(settings)
        case FlagsSettings() as settings:
            from release_lane.program.flags import build_flags  # to turn something off has to be quick

            build_flags(settings)


_SAY = pulumi.log.debug


def _unless_narrated(
    msg: str, resource: pulumi.Resource | None = None, stream_id: int | None = None, ephemeral: bool | None = None
) -> None:
    """In place of `pulumi.log.debug`: the SDK tells the engine of each step with each resource, and waits for it to
    have heard: some 250 calls for an environment, a tenth of a rollback's time (ADR 0023). The engine drops them, but
    for `--debug`; who wants to read them there sets RELEASE_LANE_DEBUG. What the template says itself is said.
    """
    frame = inspect.currentframe()
    caller = frame.f_back if frame else None
    narrated = caller is not None and str(caller.f_globals.get("__name__")).startswith("pulumi.")
    if not narrated or os.environ.get("RELEASE_LANE_DEBUG"):
        _SAY(msg, resource, stream_id, ephemeral)


def _settings() -> Settings:
    raw = pulumi.runtime.config.CONFIG.get() or pulumi.runtime.config.get_config_env()
    secret = {key for key in raw if pulumi.runtime.config.is_config_secret(key)}
    secret |= set(pulumi.runtime.config.get_config_secret_keys_env())
    return parse(raw, pulumi.get_project(), pulumi.get_stack(), secret)


def _need_release(lane: Lane) -> None:
    """Without it no gate would look at the release, and the record would be lost."""
    if not lane.released:
        raise UsageError(
            "The program ended without `lane.release(…)`.",
            why="without gates and switch nothing reaches users, and the outputs would be empty",
            next_step="call it at the end of `environment` in infra/__main__.py.",
        )
