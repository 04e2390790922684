"""What the prober asks for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to ask for, how often, and what counts as what. Times in seconds."""

    url: str
    rate: float  # requests a second
    timeout: float = 5.0
    late_after: float = 1.0
    connections: int = 1000  # at once; a request that finds none free has failed
    per_connection: int = 100  # requests, then a new one: both ways of coming in are tried all the time
    expect: tuple[int, ...] = ()  # status codes that are fine besides 2xx
    wait_ready: bool = False  # count from the first good answer only

    def __post_init__(self) -> None:
        """ValueError when it cannot be meant."""
        target = urlsplit(self.url)
        if target.scheme not in ("http", "https") or not target.hostname:
            raise ValueError(f"{self.url!r}: should be a URL such as http://127.0.0.1:8080/api/v1/status")
        if self.rate <= 0:
            raise ValueError(f"rate {self.rate:g}: should be above 0")
