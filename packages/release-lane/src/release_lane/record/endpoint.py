"""Where an environment is asked: a URL, and the host that is connected to for it. Pure.

Users come by the public name, whatever DNS says today. Checks and probes ask by the same name, so that its certificate
is verified, but connect to the load balancer that is meant: like `curl --connect-to`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from release_lane.record.names import HTTP_PORT, HTTPS_PORT, Names
from release_lane.record.placement import Colour

LOAD_BALANCER = "loadBalancer"
"""The stack's output with the DNS name of the load balancer: what the public name has to lead to."""


@dataclass(frozen=True)
class Endpoint:
    """`url` has no path. `connect_to` is the host that is connected to in place of the URL's ("": the URL's own).

    Certificate (SNI) and Host header are always those of the URL.
    """

    url: str
    connect_to: str = ""

    def __str__(self) -> str:
        return self.url

    def options(self) -> list[str]:
        """As options of `pytest smoke`, `release smoke` and `release probe`."""
        return ["--url", self.url, *(("--connect-to", self.connect_to) if self.connect_to else ())]


def production(names: Names, load_balancer: str) -> Endpoint:
    """Where users are served. `load_balancer` is its DNS name."""
    return _at(names, load_balancer, names.users_port)


def of_colour(names: Names, load_balancer: str, colour: Colour) -> Endpoint:
    """Where one colour is served by itself."""
    return _at(names, load_balancer, names.test_ports[colour])


def recorded_endpoint(outputs: Mapping[str, Any]) -> Endpoint:
    """Where users are served, by a stack's outputs; an empty URL before its first release."""
    url = str(outputs.get("url") or "").rstrip("/")
    return Endpoint(url, str(outputs.get(LOAD_BALANCER) or "") if url.startswith("https:") else "")


def _at(names: Names, load_balancer: str, port: int) -> Endpoint:
    scheme, usual = ("https", HTTPS_PORT) if names.domain else ("http", HTTP_PORT)
    url = f"{scheme}://{names.domain or load_balancer}" + ("" if port == usual else f":{port}")
    return Endpoint(url, load_balancer if names.domain else "")
