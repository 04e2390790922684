"""Every answer says which release gave it, and leaves one JSON line in the log."""

import json
import logging
import re
import secrets
import time
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.settings import Settings

log = logging.getLogger("app")
REQUEST_ID = re.compile(rb"[\w.:=-]{1,128}")


class JsonLines(logging.Formatter):
    """One object a line: time, level, message, commit, and what a record carries in `fields`."""

    def __init__(self, commit: str) -> None:
        super().__init__()
        self.commit = commit

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "commit": self.commit,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class Observed:
    """ASGI, around the whole application: also a 404 and a 500 carry the headers and are logged."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        named = {"digest": settings.digest, "colour": settings.colour, "id": settings.release_id}
        self.headers = [(f"x-release-{name}".encode(), text.encode()) for name, text in named.items() if text]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()
        began, status = time.perf_counter(), 500

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self.headers, (b"x-request-id", request_id)]
            await send(message)

        try:
            await self.app(scope, receive, observe)
        finally:
            # Each node of a load balancer asks for /health every few seconds: no news while it is well.
            if scope["path"] != "/health" or status != 200:
                fields = {"path": scope["path"], "status": status, "requestId": request_id.decode()}
                fields |= {"ms": round((time.perf_counter() - began) * 1000, 1)}
                log.info("%s %s", scope["method"], scope["path"], extra={"fields": fields})
