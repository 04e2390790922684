"""Settings, all of them from the environment."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """COMMIT is baked into the image; PORT and RELEASE_* come from the task definition, the rest from `env` there."""

    port: int = 8080
    commit: str = "unknown"
    digest: str = ""
    colour: str = ""
    release_id: str = ""
    flags_parameter: str = ""
    log_level: int = logging.INFO
    stop_seconds: int = 25  # below ECS's stopTimeout (30 s), so that we say what was cut off, not SIGKILL

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Settings":
        """Unset and empty variables keep the default; ValueError when a number is none. An unknown level is info: a
        word in a stack file is no reason not to serve."""
        return cls(
            port=int(env.get("PORT") or cls.port),
            commit=env.get("COMMIT") or cls.commit,
            digest=env.get("RELEASE_DIGEST", ""),
            colour=env.get("RELEASE_COLOUR", ""),
            release_id=env.get("RELEASE_ID", ""),
            flags_parameter=env.get("FLAGS_PARAMETER", ""),
            log_level=logging.getLevelNamesMapping().get(env.get("LOG_LEVEL", "").upper(), cls.log_level),
            stop_seconds=int(env.get("STOP_SECONDS") or cls.stop_seconds),
        )
