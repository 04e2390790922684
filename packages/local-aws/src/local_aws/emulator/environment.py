"""The emulator's options from its parent process: environment variables, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where this emulator listens, keeps its state, and how it marks what it starts.

    `time_scale` multiplies what AWS measures in seconds (health checks, draining, back-off); never a container's
    own stopTimeout, which belongs to the application.
    """

    port: int
    state: Path
    cloud_id: str
    network: str
    time_scale: float

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Environment:
        """Parse LOCAL_* variables; ValueError names the first one that makes no sense."""
        scale = float(environ.get("LOCAL_TIME_SCALE", "0.1"))
        if scale <= 0:
            raise ValueError(f"LOCAL_TIME_SCALE: should be above 0, not {scale}")
        return cls(
            port=int(environ.get("LOCAL_EMULATOR_PORT", "4566")),
            state=Path(environ.get("LOCAL_EMULATOR_STATE", ".local/emulator")).absolute(),
            cloud_id=environ.get("LOCAL_CLOUD_ID", "default"),
            network=environ.get("LOCAL_DOCKER_NETWORK", "local-aws"),
            time_scale=scale,
        )
