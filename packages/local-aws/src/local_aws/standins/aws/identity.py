"""The one AWS call of every update, without botocore: whose credentials are these?

Loading botocore and its models takes a quarter of a second of processor time, which an update that changes nothing
would spend on this one question. Where the short way does not get a plain answer, botocore is asked after all: it
retries, and it knows what errors mean.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 5.0  # seconds
BODY = "Action=GetCallerIdentity&Version=2011-06-15"
FIELDS = ("Account", "Arn", "UserId")


class CallerIdentity:
    """An STS client that can do just this. `access`: {endpoint, key, secret, token}; `otherwise` makes a whole one."""

    def __init__(self, region: str, access: Mapping[str, str], otherwise: Callable[[], Any]) -> None:
        self._region, self._access, self._otherwise = region, access, otherwise

    def get_caller_identity(self) -> dict[str, Any]:
        """`{"Account", "Arn", "UserId"}`, like botocore's."""
        try:
            found = identity_in(self._answer())
        except OSError:
            found = None
        return found or self._otherwise().get_caller_identity()

    def _answer(self) -> str:
        address = urlsplit(self._access["endpoint"])
        connection = socket.create_connection((address.hostname or "", address.port or 80), timeout=TIMEOUT)
        with connection, connection.makefile("rb") as answer:
            connection.sendall(self._request(address.netloc).encode())
            return answer.read().decode(errors="replace")

    def _request(self, host: str) -> str:
        """In HTTP/1.0, so that the answer ends with the connection. The local cloud checks no signature."""
        scope = f"{self._access['key']}/20000101/{self._region}/sts/aws4_request"
        headers = {
            "Host": host,
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(BODY)),
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        }
        if self._access["token"]:
            headers["X-Amz-Security-Token"] = self._access["token"]
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST / HTTP/1.0\r\n{lines}\r\n{BODY}"


def identity_in(answer: str) -> dict[str, str] | None:
    """The identity in a whole HTTP answer; None unless it says 200 and names all of it."""
    head, _, body = answer.partition("\r\n\r\n")
    if not re.match(r"HTTP/1\.[01] 200 ", head):
        return None
    found = {field: re.search(rf"<{field}>([^<]+)</{field}>", body) for field in FIELDS}
    return {field: match[1] for field, match in found.items() if match} if all(found.values()) else None
