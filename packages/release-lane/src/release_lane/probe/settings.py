"""What the prober asks for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to ask for, how often, and what counts as what. Times in seconds."""

    url: str
    rate: float  # requests a second, on schedule; 0 with `users`
    users: int = 0  # instead of a rate: so many ask again as soon as they are answered (a closed loop)
    timeout: float = 5.0
    late_after: float = 1.0
    connections: int = 1000  # at once; a request that finds none free has failed
    per_connection: int = 100  # requests, then a new one: both ways of coming in are tried all the time
    expect: tuple[int, ...] = ()  # status codes that are good next to 2xx
    wait_ready: bool = False  # count from the first good answer only
    connect_to: str = ""  # the host that is connected to in place of the URL's
    identify: str = ""  # how a good answer has to name its release (record.asking.Identify); "" asks for no name
    well: bool = False  # a good answer's body has to say `status: ok`

    def __post_init__(self) -> None:
        """ValueError when it cannot be meant."""
        target = urlsplit(self.url)
        if target.scheme not in ("http", "https") or not target.hostname:
            raise ValueError(f"{self.url!r}: should be a URL such as http://127.0.0.1:8080/api/v1/status")
        if self.users < 0 or (self.users and self.rate):
            raise ValueError(f"users {self.users}: should be above 0, and stands in place of a rate")
        if self.rate <= 0 and not self.users:
            raise ValueError(f"rate {self.rate:g}: should be above 0")
