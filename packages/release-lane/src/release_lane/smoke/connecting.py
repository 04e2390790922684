"""Asking by a public name while connecting to one load balancer: SNI, certificate and Host header stay the name's.

`smoke/conftest.py` does the same for the checks, which import nothing of this package.
"""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy

from release_lane.record.endpoint import Endpoint


class ConnectTo(HTTPAdapter):
    """Connects to `host`, whatever host a URL names."""

    def __init__(self, host: str) -> None:
        self._host = host
        super().__init__()

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """A connection to `host` that verifies the certificate for the URL's own."""
        where, tls = self.build_connection_pool_key_attributes(request, verify, cert)
        name, where["host"] = where["host"], self._host
        # Whether a proxy is in between is up to the host that is connected to.
        proxy = select_proxy(f"https://{self._host}", proxies and get_environ_proxies(f"https://{self._host}"))
        manager = self.proxy_manager_for(proxy) if proxy else self.poolmanager
        return manager.connection_from_host(**where, pool_kwargs={**tls, "server_hostname": name})

    def add_headers(self, request: Any, **kwargs: Any) -> None:
        """The Host header is the URL's; the library would write the host that it connects to."""
        del kwargs
        request.headers["Host"] = urlsplit(request.url).netloc


def session_to(endpoint: Endpoint) -> requests.Session:
    """A session whose requests go there."""
    session = requests.Session()
    if endpoint.connect_to:
        session.mount("https://", ConnectTo(endpoint.connect_to))
    return session


def certificate_problem(error: BaseException) -> str:
    """What is wrong with the certificate, where that is why a request failed; else ""."""
    reasons: list[Any] = [error]  # the libraries keep what a failure was made of as its argument
    for reason in reasons:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"its certificate is not valid: {reason.verify_message}"
        if isinstance(reason, BaseException):
            reasons += [*reason.args, getattr(reason, "reason", None)]
    return ""
