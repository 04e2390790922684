"""Settings, all of them from the environment."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """COMMIT is baked into the image; PORT and RELEASE_* come from the lane, DATABASE_* and CACHE_* from the template
    where it has them, the rest from `env` of the stack file."""

    port: int = 8080
    commit: str = "unknown"
    digest: str = ""
    colour: str = ""
    release_id: str = ""
    flags_parameter: str = ""
    database_host: str = ""  # empty: none
    database_port: int = 5432
    database_name: str = ""
    database_secret: str = ""  # the ARN of a secret with `username` and `password`
    database_ca: str = ""  # a file of certificates, by which the server has to prove itself
    cache_host: str = ""  # empty: none
    cache_port: int = 6379
    cache_tls: bool = False
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
            database_host=env.get("DATABASE_HOST", ""),
            database_port=int(env.get("DATABASE_PORT") or cls.database_port),
            database_name=env.get("DATABASE_NAME", ""),
            database_secret=env.get("DATABASE_SECRET", ""),
            database_ca=env.get("DATABASE_CA", ""),
            cache_host=env.get("CACHE_HOST", ""),
            cache_port=int(env.get("CACHE_PORT") or cls.cache_port),
            cache_tls=env.get("CACHE_TLS") == "true",
            log_level=logging.getLevelNamesMapping().get(env.get("LOG_LEVEL", "").upper(), cls.log_level),
            stop_seconds=int(env.get("STOP_SECONDS") or cls.stop_seconds),
        )
